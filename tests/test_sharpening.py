"""Gram matrices of thumbnails, as their paintings would have them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from networks import picture
from safetensors.torch import save_file

from style_core import OptimizeOptions, RequestError, StylizeOptions, finish, optimize, read_image, stylize
from style_core.devices import Compute
from style_core.media.images import fit_short, resize, size_to_fit_short
from style_core.networks.moments import relative_distance
from style_core.networks.sharpening import TERMS, GramSharpening, mapped
from style_core.optimization.losses import StyleTarget, evaluate
from style_core.progress import returned
from style_core.recipes.refinement import measured_style
from style_core.training.gram_sharpening import fitted
from style_core.weights.open import open_extractor, open_gram_sharpening

FP32 = Compute.choose("cpu", "fp32")
STYLES = Path("studio/samples/styles")


def test_a_mapped_gram_matrix_is_that_of_the_mapped_features():
    draw = torch.Generator().manual_seed(0)
    features, maps = torch.randn(1, 6, 50, generator=draw), torch.randn(TERMS, 6, 6, generator=draw)
    lacking = torch.tensor([0.4])
    whole = torch.eye(6) + 0.4 * maps[0] + 0.16 * maps[1]
    made = whole @ features
    torch.testing.assert_close(mapped(features @ features.mT, maps, lacking), made @ made.mT)
    torch.testing.assert_close(mapped(features @ features.mT, maps, torch.zeros(1)), features @ features.mT)


def test_the_maps_are_found_from_examples():
    draw = torch.Generator().manual_seed(1)
    features = torch.randn(300, 5, 40, generator=draw)
    shown = torch.rand(300, generator=draw)
    fading = torch.tensor([0.6, 0.5, 0.3, 0.2, 0.0])  # by how much each feature falls in the smallest thumbnails
    seen = features * (1 - (1 - shown)[:, None] * fading)[:, :, None]
    grams, wanted = seen @ seen.mT, features @ features.mT
    found = mapped(grams, fitted(shown, grams, wanted, steps=600, seed=0), 1 - shown)
    before, after = ((each - wanted).square().sum() / wanted.square().sum() for each in (grams, found))
    assert after < 0.05 * before


@pytest.mark.parametrize("name", ["impasto.jpg", "woodcut.jpg", "points.jpg", "stained-glass.jpg"])
@pytest.mark.parametrize("side", [160, 224, 360])
def test_a_thumbnail_is_measured_almost_like_its_painting(name, side):
    painting = fit_short(read_image(STYLES / name), 512)
    thumbnail = resize(painting, size_to_fit_short(painting.shape[-2:], side))
    wanted, found = measured_style(painting, 1.0, FP32).grams, measured_style(thumbnail, 1.0, FP32).grams
    lite, _ = returned(open_extractor("lite", list(wanted), FP32))
    blurred = StyleTarget.of(lite, fit_short(thumbnail, 512)[None], list(wanted)).grams

    def apart(grams):
        return sum(float(relative_distance(gram, wanted[layer])) for layer, gram in grams.items())

    assert apart(found) < 0.7 * apart(blurred)


def test_a_thumbnails_result_names_the_maps_and_a_sharp_paintings_does_not():
    photo, painting = picture(48, 64), fit_short(read_image(STYLES / "impasto.jpg"), 512)
    for style, named in ((painting, False), (fit_short(painting, 200), True)):
        done = finish(stylize(photo, [style], StylizeOptions(size=64, refine=1), compute=FP32))
        assert ("sharpening" in done.weights) is named
        assert "lite" in done.weights


def test_optimizing_from_a_thumbnail_comes_close_to_its_painting(monkeypatch):
    photo, painting = fit_short(read_image("studio/samples/landscape.jpg"), 192), fit_short(read_image(STYLES / "impasto.jpg"), 192)
    thumbnail, options = fit_short(painting, 80), OptimizeOptions(size=max(photo.shape), iterations=30, extractor="lite")
    lite, _ = returned(open_extractor("lite", ["relu5_1"], FP32))

    def apart(**changed) -> tuple[float, set[str]]:
        step = finish(optimize(photo, [thumbnail], replace(options, **changed), compute=FP32))
        return evaluate(lite, step.result, photo, painting)["style"], set(step.weights)

    close, named = apart()
    assert named == {"lite", "sharpening"}
    _, as_it_is = apart(style_loss="covariance", iterations=1)
    assert as_it_is == {"lite"}, "there are maps for Gram matrices only"
    _, other_layers = apart(style_layers="relu1_1 relu2_2", iterations=1)
    assert other_layers == {"lite", "sharpening"}, "relu2_2 has no map, and is taken as it is"
    monkeypatch.setattr(GramSharpening, "sharpened", lambda self, grams, true_share: grams)
    assert close < 0.6 * apart()[0]


def test_a_painting_that_is_large_enough_is_optimized_as_it_is():
    photo, painting = picture(64, 96), fit_short(read_image(STYLES / "impasto.jpg"), 128)
    options = OptimizeOptions(size=96, iterations=1, extractor="lite")
    for scale in (0.5, 1.0, 2.0):  # larger strokes are no lack
        assert set(finish(optimize(photo, [painting], replace(options, style_scale=scale), compute=FP32)).weights) == {"lite"}


def test_maps_of_another_lite_and_other_files_are_refused(tmp_path, monkeypatch):
    save_file({"codes": torch.zeros(2)}, tmp_path / "wrong.safetensors")
    with pytest.raises(RequestError, match="does not contain maps"):
        GramSharpening.load(tmp_path / "wrong.safetensors")
    maps = open_gram_sharpening()
    monkeypatch.setattr(maps, "lite_sha256", "other")
    with pytest.raises(RequestError, match="another lite"):
        open_gram_sharpening()
