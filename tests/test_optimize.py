import gc
import os
import re
import threading
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest
import torch
from networks import FP32, opener_of, picture, random_extractor

from style_core.errors import RequestError
from style_core.networks.backbones import BACKBONES, Backbone
from style_core.networks.vgg19 import STYLE_LAYERS
from style_core.optimization.descent import History
from style_core.optimization.losses import StyleTarget
from style_core.optimization.objective import MOMENT_LOSSES, STYLE_LOSSES
from style_core.progress import finish
from style_core.recipes import loss_weights as recipe_weights
from style_core.recipes import optimize as optimizing
from style_core.recipes import optimize_inputs
from style_core.recipes.dream import parse_terms
from style_core.recipes.loss_weights import area_shares, loss_weights_of, parse_layers
from style_core.recipes.memory_plan import Plan
from style_core.recipes.optimize import optimize
from style_core.recipes.optimize_options import OptimizeOptions
from style_core.recipes.pyramid import levels_of, split_iterations
from style_core.weights import open as opening

SMALL = {"size": 96, "iterations": 12, "extractor": "lite"}


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    """What must hold for any weights is tested on a small random network, opened as the shipped one would be."""
    extractor = random_extractor()
    monkeypatch.setattr(optimizing, "open_extractor", opener_of(extractor))
    return extractor


def painted(content=None, styles=None, **given) -> torch.Tensor:
    content = picture(64, 96) if content is None else content
    keywords = {name: given.pop(name) for name in ("style_weights", "masks", "init_image", "memory") if name in given}
    styles = [picture(80, 80, seed=1)] if styles is None else styles
    return finish(optimize(content, styles, OptimizeOptions(**{**SMALL, **given}), compute=FP32, **keywords)).image


def style_distance(extractor, image, style) -> float:
    layers = STYLE_LAYERS
    target = StyleTarget.of(extractor, style[None], layers)
    distances = target.distances(extractor.extract(image[None], layers, measured=False))
    return float(sum(distances.values()) / len(distances))


def test_only_lite_is_corrected_and_not_if_weights_are_given(monkeypatch, small_network):
    monkeypatch.setitem(BACKBONES, "stand-in", replace(BACKBONES["lite"], style_gain=2.0, smoothness=10.0))
    given = {"iterations": 6}
    plain, weighed = painted(**given), painted(alpha=1.0, beta=20.0, **given)
    small_network.name = "stand-in"
    assert (painted(**given) - plain).abs().mean() > 1e-4
    assert torch.equal(painted(alpha=1.0, beta=20.0, **given), weighed)


def test_a_picture_to_start_from_is_not_painted_small_again():
    """Its large shapes stand; levels smaller than 384 px would only undo them."""

    def sizes(side, **given):
        started = given.pop("started", False)
        return [level[0] for level in levels_of((side, side), OptimizeOptions(**given), started)]

    assert sizes(512) == [128, 256, 512]
    assert sizes(512, started=True) == sizes(512, init="generator") == [512]
    assert sizes(1024, started=True) == [512, 1024]
    assert sum(count for *_, count in levels_of((1024, 1024), OptimizeOptions(iterations=99), True)) == 99


_ADAM = [pytest.param(name, "adam", marks=[] if name in ("gram", "nearest") else pytest.mark.slow) for name in STYLE_LOSSES]


@pytest.mark.parametrize(("style_loss", "optimizer"), [*((name, "lbfgs") for name in STYLE_LOSSES), *_ADAM])
def test_painting_brings_the_picture_closer_to_the_style(small_network, optimizer, style_loss):
    content, style = picture(64, 96), picture(64, 64, seed=1)
    image = painted(content, [style], optimizer=optimizer, style_loss=style_loss, strength=0.9, iterations=40)
    # Gram matrices evaluate the result, which the losses that compare places don't minimize.
    enough = 0.5 if style_loss in MOMENT_LOSSES else 0.8
    assert style_distance(small_network, image, style) < enough * style_distance(small_network, content, style)


def test_strength_0_gives_the_photo_back():
    content = picture(64, 96)
    torch.testing.assert_close(painted(content, strength=0.0), content, rtol=0, atol=0)


def test_strength_1_ignores_the_photo():
    assert "content relu4_2" not in loss_weights_of(OptimizeOptions(strength=1.0)).content
    assert torch.isfinite(painted(strength=1.0, iterations=3)).all()


def test_more_strength_is_less_photo():
    content = picture(64, 96)
    weak, strong = (painted(content, strength=s, iterations=25) for s in (0.05, 0.95))
    assert (weak - content).square().mean() < (strong - content).square().mean()


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    first, again, other = (painted(init="noise", seed=seed) for seed in (7, 7, 8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_two_equal_styles_equal_one():
    style = picture(80, 80, seed=1)
    torch.testing.assert_close(painted(styles=[style, style]), painted(styles=[style]), rtol=0, atol=2e-3)


def test_a_mask_of_ones_equals_no_mask():
    # Few iterations: rounding grows with each.
    torch.testing.assert_close(painted(masks=[torch.ones(1, 30, 40)], iterations=4), painted(iterations=4), rtol=0, atol=2e-3)


def test_each_region_takes_its_own_style(small_network):
    content, smooth = picture(96, 96), torch.full((3, 64, 64), 0.5)
    rough = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    left = torch.zeros(1, 96, 96)
    left[..., :48] = 1
    image = painted(content, [rough, smooth], masks=[left, 1 - left], strength=0.95, iterations=40)
    assert image[..., :40].std() > 2 * image[..., 56:].std()


def test_a_style_without_a_mask_gets_the_area_outside_all_masks():
    left = torch.zeros(1, 8, 8)
    left[..., :4] = 1
    targets = ["masked", "free"]
    regions = optimize_inputs.regions_of(targets, [0.5, 0.5], [left, None], (8, 8), torch.device("cpu"))
    by_target = {region.target: region for region in regions}
    torch.testing.assert_close(by_target["free"].guide, 1 - left[None])
    assert by_target["free"].share == by_target["masked"].share == 0.5


def test_the_strength_outside_the_painted_areas_can_be_another():
    content, style = picture(96, 96), torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    left = torch.zeros(1, 96, 96)
    left[..., :48] = 1
    change = []
    for outside in (0.0, 0.3, 0.8):
        image = painted(content, [style], masks=[left], strength=0.8, outside=outside, iterations=40)
        change.append([float((image - content)[..., columns].abs().mean()) for columns in (slice(0, 40), slice(56, 96))])
    inside, beyond = zip(*change)
    assert beyond[0] < beyond[1] < beyond[2] and beyond[2] > 0.6 * inside[2]
    assert min(inside) > 0.8 * max(inside)  # it hardly changes the inside


def test_a_strength_means_the_same_inside_and_outside_a_painted_area(small_network):
    content, style = picture(96, 96), torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    left = torch.zeros(1, 96, 96)
    left[..., :48] = 1
    change = lambda image, columns: float((image - content)[..., columns].abs().mean())  # noqa: E731
    for inside, outside in ((0.6, 0.6), (0.2, 0.9), (1.0, 0.5), (0.0, 0.5)):
        both = painted(content, [style], masks=[left], strength=inside, outside=outside, iterations=40)
        for columns, strength in (slice(0, 40), inside), (slice(56, 96), outside):
            alone = painted(content, [style], strength=min(0.95, strength), iterations=40) if strength else content
            assert abs(change(both, columns) - change(alone, columns)) < 0.04, (inside, outside, strength)


@pytest.mark.parametrize(("options", "wanted"), [
    ({"strength": 0.8}, (1, 0)),
    ({"strength": 0.5, "outside": 0.5}, (1, 1)),
    ({"strength": 0.8, "outside": 0.5}, (1, 0.25)),
    ({"strength": 0.0, "outside": 0.5}, (0, 1)),
    ({"strength": 0.5, "outside": 1.0}, (1 / 19, 1)),
    ({"alpha": 1.0, "beta": 60.0, "outside": 0.5}, (1, 0.25)),
    ({"beta": 5.0, "outside": 0.5}, (1, 1 / 19)),  # without a content term, the inside is as strong as can be
    ({"beta": 5.0, "outside": 1.0}, (1, 1)),
])  # fmt: skip
def test_the_areas_shares_of_the_style_follow_from_their_strengths(options, wanted):
    assert area_shares(OptimizeOptions(**options)) == pytest.approx(wanted)


def test_a_region_weighs_as_much_as_its_area_whatever_its_style_s_share():
    left = torch.zeros(1, 8, 8)
    left[..., :2] = 1
    made = lambda masks, shares, strengths: {  # noqa: E731
        region.target: region.share
        for region in optimize_inputs.regions_of(["one", "two"], shares, masks, (8, 8), torch.device("cpu"), strengths)
    }
    assert made([left, None], [0.5, 0.5], (1.0, 0.0)) == {"one": 0.25, "two": 0.75}
    assert made([left, None], [1.0, 0.0], (1.0, 0.0)) == {"one": 0.25}  # a style without a share covers nothing
    assert made([left, left], [0.0, 1.0], (1.0, 0.0)) == {"two": 0.25}  # with a mask, too
    assert made([left, left], [0.75, 0.25], (1.0, 0.0)) == {"one": 0.1875, "two": 0.0625}  # where masks overlap, shares count


def test_a_strength_outside_without_painted_areas_says_that_it_has_no_effect():
    area = torch.ones(1, 8, 8)
    for masks, said in (None, "No area is painted"), ([area, area], ""), ([area, None], "Another style covers the rest"):
        options = OptimizeOptions(**SMALL | {"outside": 0.5, "iterations": 1})
        styles = [picture(64, 64, seed=seed) for seed in (1, 2)]
        note = list(optimize(picture(64, 96), styles, options, masks=masks, compute=FP32))[-1].note
        assert ("strength outside has no effect" in note) is bool(said) and said in note


@pytest.mark.parametrize("color", ["keep", "match"])
def test_the_photo_can_keep_its_colors(color):
    content, style = picture(64, 96), torch.zeros(3, 64, 64)
    content[2] *= 0.3
    style[2] = picture(64, 64, seed=1)[0]
    taken, kept = painted(content, [style], iterations=25), painted(content, [style], iterations=25, color=color)
    balance = lambda image: (image.mean((1, 2)) - content.mean((1, 2))).abs().sum()  # noqa: E731
    assert balance(kept) < 0.5 * balance(taken)


def test_a_given_picture_is_the_starting_point():
    given = picture(64, 96, seed=5)
    image = painted(init_image=given, iterations=1, pyramid=False)
    assert (image - given).abs().mean() < (image - picture(64, 96)).abs().mean()


def test_steps_begin_before_any_work_count_up_and_end_with_the_result():
    steps = list(optimize(picture(64, 96), [picture(64, 64, seed=1)], OptimizeOptions(**SMALL), compute=FP32, preview_every=0))
    assert steps[0].iteration == 0 and steps[0].image is None and not steps[0].losses
    assert [step.iteration for step in steps] == sorted(step.iteration for step in steps)
    assert steps[-1].iteration == steps[-1].total == 12
    assert steps[-1].image.shape == (3, 64, 96)
    assert not steps[-1].image.requires_grad
    assert {"total", "content relu4_2", "style relu1_1"} <= steps[-2].losses.keys()
    assert steps[-2].eta is not None


def test_coarse_to_fine_starts_small(small_network, monkeypatch):
    heights, extract = [], small_network.extract

    def watched(batch, layers, **how):
        if batch.requires_grad:
            heights.append(batch.shape[2])
        return extract(batch, layers, **how)

    monkeypatch.setattr(small_network, "extract", watched)
    options = OptimizeOptions(size=256, iterations=6, extractor="lite")
    steps = list(optimize(picture(256, 200), [picture(64, 64, seed=1)], options, compute=FP32, preview_every=0))
    assert heights[0] == 128 and heights[-1] == 256 and heights == sorted(heights)
    # Whatever the level, what is shown is as large as the result.
    assert {tuple(step.image.shape) for step in steps if step.image is not None} == {(3, 256, 200)}


def test_a_picture_that_stops_changing_ends_early_and_says_so():
    content = torch.full((3, 64, 64), 0.5)
    steps = list(optimize(content, [content], OptimizeOptions(**{**SMALL, "iterations": 500}), compute=FP32))
    assert steps[-1].iteration < 500
    assert "no longer changed" in steps[-1].note


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"styles": []}, "There is no style picture; give at least one."),
        ({"style_weights": [1, 2]}, "There are 2 style weights for 1 styles; give one for each."),
        ({"masks": [None, None]}, "There are 2 masks for 1 styles; give one for each."),
        ({"masks": [torch.zeros(1, 4, 4)]}, "A mask is all black, so its style would not appear; paint where it should go."),
        ({"content_layers": "relu4_9"}, "There is no layer relu4_9; layers run from relu1_1 to relu5_4. Did you mean relu4_4?"),
        ({"style_layers": "relu1_1:-1"}, "The weight of relu1_1 is -1; it must be above 0 and at most 1,000,000,000."),
        ({"style_layers": "relu1_1[3]"}, "relu1_1 is compared as a whole; leave out its channels."),
        ({"style_layers": " , "}, "No layer is given; write it like relu4_2, or relu3_1:0.5 relu4_1."),
    ],
)
def test_an_invalid_request_is_refused_in_words_before_any_work(given, message, monkeypatch):
    monkeypatch.setattr(optimizing, "open_extractor", lambda *_: pytest.fail("work began"))
    with pytest.raises(RequestError) as caught:
        painted(**given)
    assert str(caught.value) == message


def test_weights_of_a_preset_sum_to_the_terms_weights():
    loss_weights = loss_weights_of(OptimizeOptions(strength=0.25, preset="coarse-to-fine"))
    assert sum(loss_weights.content.values()) == pytest.approx(0.75)
    assert sum(loss_weights.style.values()) == pytest.approx(recipe_weights.STYLE_GAIN * 0.25)
    assert loss_weights.style["relu2_1"] / loss_weights.style["relu1_1"] == pytest.approx(0.75)


def test_experts_can_set_the_raw_weights():
    loss_weights = loss_weights_of(OptimizeOptions(alpha=2, beta=30, style_layers="conv3_1, relu4_1:2"))
    assert loss_weights.content == {"relu4_2": 2}
    assert loss_weights.style == pytest.approx({"relu3_1": 10, "relu4_1": 20})


def test_layers_are_read_with_their_weights():
    assert parse_layers("conv4_2:0.5 relu3_1") == {"relu4_2": 0.5, "relu3_1": 1.0}


@pytest.mark.parametrize("parse", [parse_layers, parse_terms])
@pytest.mark.parametrize(("weight", "said"), [("", "missing"), ("2e9", "2e9"), ("0", "0"), ("nan", "nan"), ("much", "much")])
def test_a_layer_s_weight_has_the_same_limits_wherever_it_is_given(parse, weight, said):
    with pytest.raises(RequestError) as caught:
        parse(f"relu3_1 relu4_2:{weight}")
    assert str(caught.value) == f"The weight of relu4_2 is {said}; it must be above 0 and at most 1,000,000,000."


def test_divergence_yields_the_last_good_picture_and_then_the_reason(monkeypatch):
    class Broken(optimize_inputs.Objective):
        def __call__(self, canvas):
            loss, parts = super().__call__(canvas)
            return loss * float("nan"), parts

    monkeypatch.setattr(optimize_inputs, "Objective", Broken)
    seen = []
    with pytest.raises(RequestError, match="diverged twice"):
        for step in optimize(picture(64, 96), [picture(64, 64)], OptimizeOptions(**SMALL), compute=FP32):
            seen.append(step)
    assert seen[-1].image is not None and torch.isfinite(seen[-1].image).all()


def tiled_plan(side=64):
    """Plans as if memory were short, with all else as it is."""
    return lambda size, *_: Plan(*size, side, History(), 1e9)


@pytest.mark.parametrize("style_loss", ["gram", "covariance"])
def test_a_picture_painted_in_tiles_is_the_one_painted_whole(monkeypatch, style_loss):
    left = torch.zeros(1, 96, 144)
    left[..., :70] = 1
    given = {
        "size": 144,
        "iterations": 4,
        "style_loss": style_loss,
        "styles": [picture(80, 200, seed=s) for s in (1, 2)],
        "masks": [left, None],
    }
    whole = painted(picture(96, 144), **given)
    monkeypatch.setattr(optimize_inputs, "plan_for", tiled_plan())
    tiled = painted(picture(96, 144), **given)
    assert (tiled - whole).abs().max() < 5e-3 and not torch.equal(tiled, whole)


def test_painting_in_tiles_is_reported(monkeypatch):
    monkeypatch.setattr(optimize_inputs, "plan_for", tiled_plan())
    steps = list(optimize(picture(64, 96), [picture(64, 64, seed=1)], OptimizeOptions(**SMALL), compute=FP32))
    assert "The picture of 96 x 64 px is painted in tiles of 64 px" in steps[1].note


def test_what_cannot_fit_is_refused_before_any_work_with_the_size_that_would(monkeypatch):
    monkeypatch.setattr(optimizing, "open_extractor", lambda *_: pytest.fail("work began"))
    with pytest.raises(RequestError, match=r"4096 x 3072 px needs at least .* GB of memory, and 1\.0 GB can be used here") as caught:
        finish(optimize(picture(48, 64), [picture(64, 64)], OptimizeOptions(size=4096), compute=FP32, memory=1e9))
    fitting = int(re.search(r"at most (\d+) px", str(caught.value))[1])
    with pytest.raises(pytest.fail.Exception, match="work began"):
        finish(optimize(picture(48, 64), [picture(64, 64)], OptimizeOptions(size=fitting), compute=FP32, memory=1e9))


def test_a_result_may_be_larger_than_its_photo_and_says_so():
    steps = list(optimize(picture(48, 64), [picture(64, 64, seed=1)], OptimizeOptions(**{**SMALL, "iterations": 3}), compute=FP32))
    assert steps[-1].image.shape == (3, 72, 96)
    assert "1.5 times as large as the photo" in steps[-1].note


def test_large_levels_get_fewer_iterations_and_the_sum_stays():
    counts = {side: split_iterations(200, 6, side) for side in (512, 1024, 2048, 4243, 9933)}
    assert all(sum(each) == 200 for each in counts.values())
    assert counts[512] == counts[1024] and counts[1024][-1] == 120
    assert [counts[side][-1] for side in (2048, 4243, 9933)] == [50, 20, 20]
    assert split_iterations(30, 7, 9933)[-1] == 6, "short runs keep a fifth"


def test_canceling_gives_the_memory_back_and_leaves_no_thread():
    options = OptimizeOptions(size=256, iterations=500, extractor="lite", pyramid=False)
    process = psutil.Process()

    def large_tensors() -> int:
        gc.collect()
        return sum(type(thing) is torch.Tensor and thing.numel() >= 3 * 96 * 96 for thing in gc.get_objects())

    def canceled_after_3_steps() -> int:
        steps = optimize(picture(256, 256), [picture(256, 256, seed=1)], options, compute=FP32)
        for step in steps:
            if step.iteration == 3:
                break
        steps.close()
        assert steps.gi_frame is None
        del steps
        gc.collect()
        return process.memory_info().rss

    threads = threading.active_count()
    first, kept = canceled_after_3_steps(), large_tensors()
    second = canceled_after_3_steps()
    assert threading.active_count() == threads
    assert large_tensors() == kept, "a canceled run leaves no targets, features or history behind"
    assert second < 1.1 * first


def test_a_loaded_network_is_shared_until_its_file_changes(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(Backbone, "load", lambda *given: made.append(given) or SimpleNamespace())
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"one")
    first = opening._cached("lite", path, FP32, "max")
    assert opening._cached("lite", path, FP32, "max") is first
    assert opening._cached("lite", path, FP32, "average") is not first
    os.utime(path, ns=(0, 0))
    assert opening._cached("lite", path, FP32, "max") is not first
    assert len(made) == 3


@pytest.mark.parametrize("style_loss", ["nearest", "transport", "sliced"])
def test_losses_that_compare_places_take_masks_several_styles_and_the_first_layers_alone(style_loss):
    left = torch.zeros(1, 64, 96)
    left[..., :48] = 1
    styles = [picture(80, 80, seed=seed) for seed in (1, 2, 3)]
    image = painted(styles=styles, masks=[left, None, None], style_loss=style_loss, style_layers="relu2_1 relu3_1", iterations=4)
    assert image.shape == (3, 64, 96) and image.isfinite().all()


def test_losses_that_compare_places_refuse_what_cannot_be_painted_whole():
    free = 1e9
    assert painted(size=96, style_loss="gram", memory=free).shape[-1] == 96
    with pytest.raises(RequestError, match="choose a size of at most"):
        painted(picture(64, 96), size=2048, style_loss="nearest", memory=free)


def test_a_palette_is_exactly_the_paintings():
    style = torch.cat([torch.full((3, 64, 32), 0.2), torch.full((3, 64, 32), 0.8)], 2)
    image = painted(styles=[style], color="palette", iterations=3)
    assert ((image - 0.2).abs() < 0.02).float().mean() == pytest.approx(0.5, abs=0.05)
    assert ((image - 0.8).abs() < 0.02).float().mean() == pytest.approx(0.5, abs=0.05)


def test_a_preset_has_its_own_style_loss_which_options_may_overrule():
    assert OptimizeOptions().loss == "gram" and OptimizeOptions(preset="portrait").loss == "transport"
    assert OptimizeOptions(preset="portrait", style_loss="nearest").loss == "nearest"
    content, style = picture(64, 96), picture(80, 80, seed=1)
    given = {"iterations": 4}
    portrait = painted(content, [style], preset="portrait", **given)
    torch.testing.assert_close(portrait, painted(content, [style], style_loss="transport", **given))
    assert not torch.equal(portrait, painted(content, [style], **given))
