"""Dreams with the shipped network: responses rise, at the right place and scale; masks, guides and zooms."""

import dataclasses

import pytest
import torch
from networks import FP32, picture

from style_core import DreamOptions, RequestError, dream, finish
from style_core.media.images import fit
from style_core.networks.extractor import load_extractor
from style_core.optimization import deepdream
from style_core.optimization.deepdream import Term
from style_core.recipes.cost_model import Situation
from style_core.recipes.dream import Growth, dream_cost, objective_of, octave_sizes, parse_terms
from style_core.recipes.dream_zoom import ZoomOptions, dream_zoom, warped
from style_core.weights.registry import MODELS

SMALL = DreamOptions(size=128, octaves=3, iterations=10, octave_scale=1.3, jitter=8)


@pytest.fixture(scope="module")
def lite():
    return load_extractor("lite", MODELS / "lite.safetensors", FP32)


def dreamt(lite, image, guide=None, **changes):
    options = DreamOptions.make(**{**SMALL.as_dict(), **changes})
    return finish(dream(image, options, guide=guide, extractor=lite, preview_every=1e9))


_SLOW = [pytest.param(layer, marks=pytest.mark.slow) for layer in ("relu4_1", "relu4_2", "relu5_1")]


@pytest.mark.parametrize("layer", ["relu3_1", *_SLOW])
def test_the_response_rises_fivefold(lite, layer):
    last = dreamt(lite, picture(128, 128), layer=layer, iterations=20, strength=1.0)
    (rise,) = last.losses.values()
    assert rise >= 5


def test_a_deeper_layer_dreams_larger_patterns(lite):
    photo = picture(128, 128)

    def centroid(layer):
        added = (dreamt(lite, photo, layer=layer, octaves=1).image - photo).mean(0)
        power = torch.fft.rfft2(added - added.mean()).abs().square()
        frequency = torch.hypot(torch.fft.fftfreq(128)[:, None], torch.fft.rfftfreq(128)[None])
        return float((power * frequency).sum() / power.sum())

    assert centroid("relu2_1") > centroid("relu5_1")


def test_a_seed_repeats_and_another_differs(lite):
    photo = picture(96, 128)
    first, second, other = (dreamt(lite, photo, iterations=3, seed=seed).image for seed in (1, 1, 2))
    assert torch.equal(first, second) and not torch.equal(first, other)


def test_strength_0_keeps_the_photo():
    photo = picture(96, 96)
    assert torch.equal(finish(dream(photo, DreamOptions(size=96, strength=0))).image, photo)


def test_the_photo_stays_where_the_mask_is_black(lite):
    photo, mask = picture(128, 128), torch.zeros(1, 128, 128)
    mask[..., 64:] = 1
    result = finish(dream(photo, SMALL, mask=mask, extractor=lite, preview_every=1e9)).image
    sized, middle = fit(photo, SMALL.size, enlarge=True), SMALL.size // 2
    assert torch.allclose(result[..., : middle - 10], sized[..., : middle - 10], atol=0.02)
    assert (result[..., middle + 16 :] - sized[..., middle + 16 :]).abs().mean() > 0.02


def test_a_share_of_the_dream_can_go_on_outside_the_mask(lite):
    photo, mask = picture(128, 128), torch.zeros(1, 128, 128)
    mask[..., 64:] = 1
    options = dataclasses.replace(SMALL, outside=0.4)
    change = (finish(dream(photo, options, mask=mask, extractor=lite, preview_every=1e9)).result - photo).abs().mean((0, 1))
    assert 0.2 * change[70:].mean() < change[:58].mean() < 0.7 * change[70:].mean()


def test_noise_is_dreamt_from_without_a_photo(lite):
    options = DreamOptions(size=96, start="noise", octaves=1, iterations=5, seed=3)
    last = finish(dream(None, options, extractor=lite))
    assert last.image.shape == (3, 96, 96)
    (rise,) = last.losses.values()
    assert rise > 1.5, "the layer responds more strongly than to the noise"
    again = finish(dream(None, options, extractor=lite)).image
    other = finish(dream(None, DreamOptions(**{**options.as_dict(), "seed": 4}), extractor=lite)).image
    assert torch.equal(last.image, again) and not torch.allclose(last.image, other, atol=0.02)


@pytest.mark.slow
def test_a_guide_draws_the_dream_to_its_own_features(lite):
    photo, guides = picture(96, 96), [picture(96, 96, seed=seed) for seed in (9, 10)]
    results = []
    for guide in guides:
        last = finish(dream(photo, SMALL, guide=guide, extractor=lite, preview_every=1e9))
        (rise,) = last.losses.values()
        assert rise > 1
        results.append(last.image)
    plain = finish(dream(photo, SMALL, extractor=lite, preview_every=1e9)).image
    assert (results[0] - results[1]).abs().mean() > 0.005, "another guide makes another dream"
    assert (results[0] - plain).abs().mean() > 0.005


@pytest.mark.parametrize(
    "text, terms",
    [
        ("relu4_2", (Term("relu4_2"),)),
        ("relu3_3:0.5 relu4_2[12,40]", (Term("relu3_3", 0.5), Term("relu4_2", channels=(12, 40)))),
        ("conv4_2, relu5_1", (Term("relu4_2"), Term("relu5_1"))),
    ],
)
def test_layers_are_read_with_weights_and_channels(text, terms):
    assert parse_terms(text) == terms


@pytest.mark.parametrize("image, changes, sentence", [
    (None, {}, "There is no photo"),
    (picture(64, 64), {"layer": "relu9_9"}, "There is no layer relu9_9"),
    (picture(64, 64), {"layer": ""}, "No layer is given; write it like relu4_2"),
    (picture(64, 64), {"layer": "relu4_2:0"}, "The weight of relu4_2 is 0; it must be above 0"),
    (picture(64, 64), {"layer": "relu4_2[x]"}, r"The channel of relu4_2 is x; it must be a whole number"),
])  # fmt: skip
def test_a_request_that_cannot_be_dreamt_is_refused_in_words(image, changes, sentence):
    with pytest.raises(RequestError, match=sentence):
        finish(dream(image, DreamOptions(**changes)))


def test_octaves_too_small_for_a_pattern_are_left_out():
    sizes = octave_sizes((160, 160), DreamOptions(octaves=8), ["relu5_1"])
    assert sizes[-1] == (160, 160) and len(sizes) < 8 and min(min(size) for size in sizes) >= 64


def test_warping_by_nothing_changes_nothing_and_zoom_enlarges_about_the_center():
    image = picture(40, 60)
    assert torch.allclose(warped(image, 1.0, 0.0), image, atol=1e-5)
    dot = torch.zeros(3, 41, 61)
    dot[:, 18:23, 28:33] = 1
    assert torch.isclose(warped(dot, 2.0, 0.0).sum(), 4 * dot.sum(), rtol=0.15)
    # A quarter turn keeps the bar's proportions, although the picture is not square.
    bar = torch.zeros(3, 41, 61)
    bar[:, 18:23, 20:41] = 1
    turned = warped(bar, 1.0, 90.0)[0] > 0.5
    assert turned.any(1).sum() > 18 and turned.any(0).sum() < 7


def test_an_interrupted_zoom_continues(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    photo = picture(96, 96)
    options = DreamOptions(size=96, octaves=2, iterations=2, extractor="lite", layer="relu3_1", jitter=4)
    zoom = ZoomOptions(frames=4, iterations_each=1)

    def frames(**more):
        return [step.image for step in dream_zoom(photo, options, zoom, compute=FP32, **more) if step.image is not None]

    whole = frames()
    rest = frames(last=whole[1], done=2)
    assert len(whole) == 4 and len(rest) == 2
    assert all(torch.equal(one, two) for one, two in zip(whole[2:], rest))


def test_each_position_is_compared_with_the_nearest_of_the_guide_however_many_there_are(monkeypatch):
    features, guide = torch.rand(1, 6, 9, 11), torch.rand(6, 40)
    cosines = torch.einsum("bchw,cq->bqhw", features, torch.nn.functional.normalize(guide, dim=0))
    nearest = guide[:, cosines[0].argmax(0)]  # [C, h, w]
    for at_once in (7, 4096):
        monkeypatch.setattr(deepdream, "_COMPARED", at_once)
        torch.testing.assert_close(deepdream._response(features, guide), (features[0] * nearest).mean(0)[None, None])


def test_all_of_a_guide_is_looked_at(lite):
    plain = torch.full((3, 256, 256), 0.5)
    banded = plain.clone()
    banded[:, :, 70:121] = torch.tensor([0.9, 0.2, 0.1])[:, None, None]
    seen, other = (objective_of(lite, parse_terms("relu1_1"), guide)._guides[0] for guide in (plain, banded))
    share = float(((seen - other).abs().amax(0) > 0.01).float().mean())
    assert seen.shape[1] == 1024 and 0.15 < share < 0.27, "the band covers a fifth"


def test_a_guide_that_is_a_strip_can_be_dreamt_from(lite):
    assert dreamt(lite, picture(96, 96), guide=picture(20, 1500), iterations=1, octaves=1).image.isfinite().all()


def test_a_finished_dream_goes_deeper_without_losing_what_is_there(lite):
    photo = picture(256, 256)
    options = DreamOptions.make(**{**SMALL.as_dict(), "size": 256, "layer": "relu2_1", "strength": 0.5, "octaves": 3, "octave_scale": 2})
    begun = finish(dream(photo, options, extractor=lite)).image

    def fine(image):
        added = image - photo
        return float((added - torch.nn.functional.avg_pool2d(added[None], 3, 1, 1)[0]).square().mean().sqrt())

    growth = Growth(photo, objective_of(lite, parse_terms(options.layer), None), options, continue_from=begun, done=len(begun) * 10**3)
    depths = [fine(growth.image())]
    for _ in growth:
        depths.append(fine(growth.image()))
    assert min(depths) > 0.9 * fine(begun) and depths[-1] > fine(begun)


def test_a_film_of_a_dream_has_one_frame_for_each_step_however_many_tiles_a_step_has(lite, monkeypatch):
    monkeypatch.setitem(deepdream._TILE_OPERATIONS, "cpu", 1.0)  # the smallest tiles
    options = DreamOptions.make(**{**SMALL.as_dict(), "size": 320, "octaves": 1, "iterations": 3})
    steps = list(dream(picture(320, 320), options, extractor=lite, preview_every=0))
    assert len(steps) > 20 and sum(step.image is not None for step in steps[:-1]) == 3


def test_a_zoom_too_thin_to_go_on_is_refused_before_the_first_frame():
    with pytest.raises(RequestError, match="film would be 320 x 14 px"):
        next(dream_zoom(picture(60, 1400), DreamOptions(size=320)))


def test_the_memory_of_a_large_dream_is_that_of_its_tiles():
    small, large = (dream_cost(DreamOptions(size=size), Situation(FP32, (size, size), "vgg19")).estimate.bytes for size in (768, 3072))
    assert large - small < 16 * 24 * 12 * 768**2, "pictures grow with the size, features don't"
