"""The steps after the network: closer to the style, the same in tiles, only where it is painted, as strong as asked for."""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from networks import picture

from style_core import RequestError, StylizeOptions, finish, gallery_code, gallery_grams, read_image, stylize
from style_core.devices import Compute
from style_core.media.images import fit, fit_short
from style_core.networks.moments import relative_distance
from style_core.optimization.losses import evaluate
from style_core.progress import returned
from style_core.recipes import refinement, run_history
from style_core.recipes.cost_model import Situation
from style_core.recipes.refinement import measured_style, refined, refinement_levels
from style_core.recipes.stylize import stylize_cost
from style_core.recipes.table import options_used
from style_core.weights import gallery as gallery_of
from style_core.weights.open import open_extractor, open_generator

FP32 = Compute.choose("cpu", "fp32")
SAMPLES = Path("studio/samples")
SIZE = 192


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    return fit(read_image(SAMPLES / "still-life.jpg"), SIZE)


@pytest.fixture(scope="module")
def style() -> torch.Tensor:
    return fit_short(read_image(SAMPLES / "styles" / "impasto.jpg"), 256)


def at_levels(style: torch.Tensor, size: torch.Size, steps: int) -> tuple[list, list]:
    """A style by level, and the levels."""
    levels = refinement_levels((size[-2], size[-1]), steps, FP32)
    assert [level.share for level in levels] == [0.5, 1.0]
    return [[measured_style(style, level.share, FP32)] for level in levels], levels


def stylized(photo: torch.Tensor, style: torch.Tensor, **more) -> torch.Tensor:
    masks = more.pop("masks", None)
    return finish(stylize(photo, [style], StylizeOptions(size=SIZE, **more), masks=masks, compute=FP32)).result


def test_refining_brings_the_style_closer_and_keeps_the_photo(photo, style):
    lite, _ = returned(open_extractor("lite", ["relu5_1"], FP32))
    seen = fit_short(style, 512)  # as the generator sees it
    alone, few, many = (evaluate(lite, stylized(photo, style, refine=steps), photo, seen) for steps in (0, 3, 10))
    assert many["style"] < few["style"] < 0.8 * alone["style"]
    assert many["content"] < 0.75, "what the generator was to keep at the best"


def test_what_the_network_painted_comes_first(photo, style):
    steps = stylize(photo, [style], StylizeOptions(size=SIZE, refine=4), compute=FP32)
    shown = next(step for step in steps if step.image is not None)
    assert (shown.iteration, shown.total) == (1, 13) and set(shown.weights) == {"generator"}
    generator = open_generator(FP32)
    *_, (_, _, network) = generator.paint(generator.encode_content(photo), [generator.encode_style(style)])
    torch.testing.assert_close(shown.image, network, atol=1e-5, rtol=0)
    rest = list(steps)
    assert [step.iteration for step in rest] == list(range(2, 14)), "eight steps at half the size and four at the full one"
    assert [step.image is None for step in rest] == [True] * 11 + [False]
    assert set(rest[-1].weights) == {"generator", "lite", "sharpening"}, "the painting is small"
    assert 0.002 < (rest[-1].image - network).abs().mean() < 0.1


def test_tiles_are_refined_as_the_whole_picture_is(photo, style):
    start = fit(read_image(SAMPLES / "landscape.jpg"), SIZE)
    photo = fit(photo, SIZE)[:, : start.shape[-2], : start.shape[-1]]
    start = start[:, : photo.shape[-2], : photo.shape[-1]]

    targets, levels = at_levels(style, start.shape, 2)  # more steps would magnify rounding
    results = []
    for side in (None, 64):
        tiled = [replace(level, plan=replace(level.plan, side=side), steps=2) for level in levels]
        *_, result = refined(start, photo, targets, tiled, FP32, strength=0.8)
        results.append(result)
    assert (results[0] - start).abs().mean() > 0.004
    torch.testing.assert_close(results[0], results[1], atol=0.004, rtol=0)


def test_strength_mixes_the_photos_own_style_and_a_faint_one_hardly_moves(photo, style):
    faint = stylized(photo, style, strength=0.02)
    assert (faint - photo).abs().mean() < 0.01
    half, full = stylized(photo, style, strength=0.5), stylized(photo, style)
    assert (half - photo).abs().mean() < 0.8 * (full - photo).abs().mean()
    assert stylized(photo, style, strength=1.5).isfinite().all()


def test_only_painted_areas_are_refined(photo, style):
    left = torch.zeros(1, *photo.shape[-2:])
    left[..., : SIZE // 2] = 1
    alone, many = (stylized(photo, style, refine=steps, masks=[left]) for steps in (0, 4))
    beside = slice(SIZE // 2 + 16, None)
    assert torch.equal(many[..., beside], photo[..., beside]) and torch.equal(alone[..., beside], photo[..., beside])
    assert (many - alone)[..., : SIZE // 2 - 16].abs().mean() > 0.002
    outside = stylized(photo, style, refine=4, masks=[left], outside=0.5)
    assert (outside - photo)[..., beside].abs().mean() > 0.01


def test_the_strength_outside_counts_only_there(photo, style):
    left = torch.zeros(1, *photo.shape[-2:])
    left[..., : SIZE // 2] = 1
    inside, beside = (..., slice(0, SIZE // 2 - 16)), (..., slice(SIZE // 2 + 16, None))
    only_outside = stylized(photo, style, refine=4, masks=[left], strength=0.0, outside=0.7)
    assert torch.equal(only_outside[inside], photo[inside]) and (only_outside - photo)[beside].abs().mean() > 0.01
    targets, levels = at_levels(style, photo.shape, 2)
    # These masks leave nothing outside, so another strength there changes nothing.
    twice = [2 * each for each in targets]
    covered = [list(refined(photo, photo, twice, levels, FP32, masks=[left, 1 - left], outside=share))[-1] for share in (0.0, 0.3)]
    torch.testing.assert_close(*covered, atol=1e-6, rtol=0)


def test_estimates_and_their_measurement_speak_of_the_same_steps(photo, style, monkeypatch):
    module, watched = sys.modules["style_core.recipes.stylize"], []
    monkeypatch.setattr(
        module, "Watch", lambda kind, compute, predicted: watched.append(predicted) or run_history.Watch(kind, compute, predicted)
    )
    seen = fit(read_image(SAMPLES / "night-wind.jpg"), 160)  # not cached
    finish(stylize(seen, [style], StylizeOptions(size=160, refine=3), compute=FP32))
    assert watched == [stylize_cost(StylizeOptions(size=160, refine=3), Situation(FP32, tuple(seen.shape[-2:]))).estimate]


def test_gallery_styles_are_refined_at_half_the_size_where_their_strokes_ship(photo):
    given = {"codes": [gallery_code("sunflowers")], "grams": [partial(gallery_grams, "sunflowers")], "compute": FP32}
    counts = []
    for scale in (1.0, 0.5):
        options = StylizeOptions(size=SIZE, refine=2, style_scale=scale)
        counts.append(finish(stylize(photo, [], options, **given)).total)
    assert counts == [1 + 4 + 2, 1 + 2]


def test_a_style_without_a_share_paints_nothing(photo, style):
    others, _ = at_levels(fit(read_image(SAMPLES / "landscape.jpg"), SIZE), photo.shape, 2)
    targets, levels = at_levels(style, photo.shape, 2)
    *_, alone = refined(photo, photo, targets, levels, FP32)
    *_, beside = refined(photo, photo, [one + other for one, other in zip(targets, others)], levels, FP32, shares=[1, 0])
    torch.testing.assert_close(alone, beside, atol=1e-6, rtol=0)


def test_styles_refined_in_the_same_area_share_it_by_their_weights(photo, style):
    others, _ = at_levels(fit(read_image(SAMPLES / "landscape.jpg"), SIZE), photo.shape, 2)
    targets, levels = at_levels(style, photo.shape, 2)
    left = torch.zeros(1, *photo.shape[-2:])
    left[..., : SIZE // 2] = 1
    both = [one + other for one, other in zip(targets, others)]
    *_, alone = refined(photo, photo, targets, levels, FP32, masks=[left])
    first, most, least, second = (
        list(refined(photo, photo, both, levels, FP32, masks=[left, left], shares=shares))[-1]
        for shares in ([1, 0], [3, 1], [1, 3], [0, 1])
    )
    torch.testing.assert_close(first, alone, atol=1e-6, rtol=0)
    assert (first - second).abs().mean() > (most - least).abs().mean() > 0.0005


def test_every_step_moves_the_picture_and_one_that_runs_out_of_memory_keeps_the_networks(photo, style, monkeypatch):
    targets, levels = at_levels(style, photo.shape, 1)
    one_step = [replace(level, steps=1) for level in levels]
    for chosen in (slice(0, 1), slice(1, 2)):
        *_, one = refined(photo, photo, targets[chosen], one_step[chosen], FP32)
        assert one.shape == photo.shape and (one - photo).abs().mean() > 0.002

    def broken(*given, **more):
        yield None
        raise MemoryError

    network = stylized(photo, style, refine=0)
    monkeypatch.setattr(sys.modules["style_core.recipes.stylize"], "refined", broken)
    done = finish(stylize(photo, [style], StylizeOptions(size=SIZE), compute=FP32))
    assert "could not be refined: There is not enough memory" in done.note and (done.result - network).abs().mean() < 0.05


def test_a_descent_whose_last_step_made_it_worse_ends_with_its_best_picture(photo, style, monkeypatch):
    goal = photo[None] - 0.001  # a first move is five times as long, and so goes too far

    def distance(picture):
        return (picture - goal).abs().mean(), {}

    monkeypatch.setattr(refinement, "_objective", lambda *given: distance)
    targets, levels = at_levels(style, photo.shape, 2)
    *_, result = refined(photo, photo, targets[1:], [replace(levels[1], steps=2)], FP32)
    torch.testing.assert_close(result, photo, atol=1e-5, rtol=0)


def test_a_thumbnail_is_refined_towards_the_painting_that_it_is_of(photo):
    lite, _ = returned(open_extractor("lite", ["relu5_1"], FP32))
    painting = fit_short(read_image(SAMPLES / "styles" / "impasto.jpg"), 512)
    thumbnail = fit_short(painting, 160)
    alone, many = (evaluate(lite, stylized(photo, thumbnail, refine=steps), photo, painting)["style"] for steps in (0, 8))
    assert many < 0.8 * alone


def test_colors_of_the_photo_are_kept_by_refined_pictures_too(photo, style):
    kept = stylized(photo, style, color="keep")
    assert (kept - photo).mean((1, 2)).abs().max() < 0.03 < (stylized(photo, style) - photo).mean((1, 2)).abs().max()


def test_a_picture_that_is_not_refined_says_why(photo, style, monkeypatch):
    code = gallery_code("sunflowers")
    done = finish(stylize(photo, [], StylizeOptions(size=SIZE), codes=[code], compute=FP32))
    assert "code alone" in done.note and set(done.weights) == {"generator"}
    assert torch.equal(done.result, finish(stylize(photo, [], StylizeOptions(size=SIZE, refine=0), codes=[code], compute=FP32)).result)
    monkeypatch.setattr(refinement, "MOST_PIXELS", 10_000)
    done = finish(stylize(photo, [style], StylizeOptions(size=SIZE), compute=FP32))
    assert "are not refined" in done.note and torch.equal(done.result, stylized(photo, style, refine=0))
    monkeypatch.setattr(refinement, "MOST_PIXELS", 2**22)
    monkeypatch.setattr(refinement, "budget", lambda compute: 1e6)
    assert "too little memory" in finish(stylize(photo, [style], StylizeOptions(size=SIZE), compute=FP32)).note


def test_the_gallerys_gram_matrices_are_those_of_its_paintings():
    entry = next(entry for entry in gallery_of.gallery().values() if entry.picture)
    painting = read_image(SAMPLES / "styles" / entry.picture)
    for scale in (0.5, 1.0, 2.0, 1.5):
        measured = measured_style(painting, scale, FP32).grams
        for layer, gram in gallery_grams(entry.name, scale).items():
            assert relative_distance(gram, measured[layer]) < (0.03 if scale in gallery_of.CODE_SCALES else 0.1), (layer, scale)
    with pytest.raises(RequestError, match="There is no style scream in the gallery"):
        gallery_grams("scream")


def test_grams_of_another_lite_are_refused(monkeypatch):
    made_for = type("Entry", (), {"sha256": "other"})
    monkeypatch.setattr(gallery_of, "registry", lambda: {"lite": made_for})
    with pytest.raises(RequestError, match="belong to another lite"):
        gallery_grams("sunflowers")


def test_factors_are_the_best_approximation_of_a_gram_matrix():
    features = torch.randn(40, 500, generator=torch.Generator().manual_seed(0))
    gram = features @ features.mT / 500
    factor = gallery_of.gram_factor(gram)
    values = torch.linalg.eigvalsh(gram)
    left = (factor @ factor.mT - gram).square().sum()
    torch.testing.assert_close(left, values[: -gallery_of.GRAM_RANK].square().sum(), rtol=1e-3, atol=0)
    small = gallery_of.gram_factor(gram[:8, :8])
    torch.testing.assert_close(small @ small.mT, gram[:8, :8], rtol=0, atol=1e-5)


def test_a_picture_from_before_is_made_again_without_these_steps():
    earlier = {name: value for name, value in StylizeOptions(size=SIZE).as_dict().items() if name != "refine"}
    assert options_used({"recipe": "stylize", "options": earlier}).refine == 0
    assert options_used({"recipe": "stylize", "options": {**earlier, "refine": 5}}).refine == 5


def test_a_change_at_half_the_size_becomes_the_same_change_in_light_and_dark():
    whole, half = torch.full((3, 64, 64), 0.5), torch.full((3, 32, 32), 0.5)
    for change in (0.2, -0.2):
        moved = refinement._moved(whole, half, half + change)
        torch.testing.assert_close(moved, whole + change, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(16, 16), (17, 64), (64, 40)])
def test_the_smallest_pictures_are_refined(size):
    done = finish(stylize(picture(*size), [picture(64, 64, seed=1)], StylizeOptions(size=64, refine=2), compute=FP32))
    assert done.result.isfinite().all() and not done.note.startswith("There is too little")
