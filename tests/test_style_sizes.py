"""Style pictures that are much larger than the result: measured in tiles, cut if they are very long, and counted in plans."""

import pytest
import torch
from networks import FP32, picture, random_extractor

from style_core import OptimizeOptions, optimize
from style_core.media.images import fit_short, read_image, resize
from style_core.networks.extractor import load_extractor
from style_core.networks.vgg19 import STYLE_LAYERS
from style_core.optimization.hypercolumns import StyleColumns
from style_core.optimization.losses import StyleTarget
from style_core.optimization.objective import STYLE_LOSSES, STYLE_TARGETS
from style_core.optimization.sliced import SlicedTarget
from style_core.optimization.tiled_styles import columns_in_tiles, target_in_tiles
from style_core.progress import finish
from style_core.recipes import run_history
from style_core.recipes.estimate import estimate
from style_core.recipes.optimize_inputs import sized_style
from style_core.weights.registry import MODELS

WEIGHTS = dict.fromkeys(STYLE_LAYERS, 1.0)


def test_columns_measured_in_tiles_are_those_of_the_whole_picture():
    extractor, style = random_extractor(), picture(224, 176)[None]
    whole, tiled = StyleColumns.of(extractor, style, STYLE_LAYERS), columns_in_tiles(extractor, style, STYLE_LAYERS, side=64)
    order = [found.rows["relu1_1"].sum(1).argsort() for found in (whole, tiled)]
    for layer in STYLE_LAYERS:
        rows, others = (found.rows[layer][chosen] for found, chosen in zip((whole, tiled), order))
        assert rows.shape == others.shape == (56 * 44, 8)
        assert (rows - others).norm() < 0.01 * rows.norm(), layer
        torch.testing.assert_close(whole.means[layer], tiled.means[layer], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("size", [(224, 176), (203, 187)])
def test_distributions_measured_in_tiles_are_those_of_the_whole_picture(size, monkeypatch):
    monkeypatch.setattr("style_core.optimization.sliced.MOST_SORTED", 2**13)  # so that a sample is drawn
    extractor, style = random_extractor(), picture(*size)[None]
    whole, tiled = SlicedTarget.of(extractor, style, WEIGHTS), SlicedTarget.in_tiles(extractor, style, WEIGHTS, side=64)
    for layer in STYLE_LAYERS:
        torch.testing.assert_close(whole.projected[layer], tiled.projected[layer], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("style_loss", STYLE_LOSSES)
def test_targets_measured_in_tiles_find_the_distance_of_the_whole_picture_s(style_loss):
    extractor, style, canvas = random_extractor(), picture(224, 176, seed=1)[None], picture(96, 128)[None]
    kind, features = STYLE_TARGETS[style_loss], extractor.extract(canvas, STYLE_LAYERS, measured=False)
    whole, tiled = kind.of(extractor, style, WEIGHTS), target_in_tiles(kind, extractor, style, WEIGHTS, side=96)
    for layer, distance in whole.distances(features).items():
        assert float(tiled.distances(features)[layer]) == pytest.approx(float(distance), rel=0.01), layer


@pytest.mark.skipif(run_history._status("VmHWM") is None, reason="Linux tells a process's peak memory")
def test_a_very_long_style_takes_no_more_memory_than_an_ordinary_one():
    line = picture(16, 3000, seed=1)
    options = OptimizeOptions(size=128, iterations=1, extractor="lite", style_loss="nearest")
    finish(optimize(picture(96, 128), [picture(64, 64)], options, compute=FP32))  # loads the network
    held = run_history._status("VmRSS")
    assert run_history._forget_peak()
    finish(optimize(picture(96, 128), [line], options, compute=FP32))
    assert run_history._status("VmHWM") - held < 0.25e9


def test_only_very_long_styles_are_cut_and_others_are_sized_as_before():
    for style, size, scale in ((picture(60, 200), (96, 128), 1.0), (picture(200, 60), (96, 96), 4.0), (picture(97, 148), (64, 200), 0.5)):
        assert torch.equal(sized_style(style, size, scale), fit_short(style, max(16, round(min(size) * scale))))
    height, width = sized_style(picture(16, 3000), (96, 128), 1.0).shape[-2:]
    assert height == 96 and height * width < 34 * 96 * 128


def test_an_estimate_counts_the_memory_of_larger_styles():
    least = estimate(OptimizeOptions(size=128, extractor="vgg19"), (96, 128), FP32).bytes
    assert estimate(OptimizeOptions(size=128, extractor="vgg19", style_scale=4.0), (96, 128), FP32).bytes > 1.1 * least


@pytest.mark.parametrize("times", [2, 4])
def test_a_style_that_was_enlarged_keeps_most_of_itself_when_it_is_reduced(times):
    lite, style = load_extractor("lite", MODELS / "lite.safetensors", FP32), fit_short(read_image("studio/samples/styles/impasto.jpg"), 256)
    height, width = style.shape[-2:]
    enlarged, target = resize(style, (height * times, width * times)), StyleTarget.of(lite, style[None], STYLE_LAYERS)

    def lost(reduced):
        with torch.no_grad():
            return float(sum(target.distances(lite.extract(reduced[None], STYLE_LAYERS, measured=False)).values()))

    assert lost(fit_short(enlarged, 256)) < 0.6 * lost(resize(enlarged, (height, width)))


def test_a_reduced_style_stays_where_it_was():
    left_half = torch.zeros(3, 300, 400)
    left_half[..., :200] = 1
    reduced = fit_short(left_half, 75)
    assert reduced.shape == (3, 75, 100)
    assert reduced.min() >= 0 and reduced.max() <= 1
    torch.testing.assert_close(reduced.mean(), torch.tensor(0.5), rtol=0, atol=1e-3)
    assert reduced[..., :48].min() > 0.99 and reduced[..., 52:].max() < 0.01
