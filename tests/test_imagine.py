"""The latent space: seeds, inversions, morphs, directions, sizes; with the shipped weights."""

import statistics

import pytest
import torch
from networks import FP32, picture
from safetensors.torch import load_file, save_file

from style_core import ImagineOptions, RequestError, finish, imagine
from style_core.media.tones import TONES, tones_of
from style_core.networks import latent
from style_core.networks.latent import Latent, slerp
from style_core.networks.latent_net import DIRECTIONS, SIDE, Z_SIZE, LatentNet
from style_core.networks.style_prior import StylePrior, attributes
from style_core.recipes.imagine import morph
from style_core.weights.open import open_latent, open_style_prior
from style_core.weights.registry import MODELS

PLAIN = ImagineOptions(size=128, finish="plain")


def pictures(options, near=None):
    return [step.image for step in imagine(options, near, compute=FP32) if step.image is not None]


def changed(**changes) -> ImagineOptions:
    return ImagineOptions.make(**{**PLAIN.as_dict(), **changes})


def test_a_seed_repeats_and_each_is_another():
    three = pictures(changed(count=3))
    assert torch.equal(three[1], pictures(changed(seed=1))[0])
    assert all((one - two).abs().mean() > 0.02 for one, two in zip(three, three[1:]))
    assert all(image.shape == (3, 128, 128) and 0 <= image.min() and image.max() <= 1 for image in three)


def test_truncation_0_is_one_picture_but_for_its_noise_and_less_of_it_varies_less():
    def spread(truncation):
        return torch.stack(pictures(changed(count=6, truncation=truncation))).std(0).mean()

    space = open_latent()
    average = [space.style(space.code(seed), truncation=0.0) for seed in (0, 1)]
    torch.testing.assert_close(average[0], average[1], atol=1e-5, rtol=0)
    none, some, all_ = (spread(truncation) for truncation in (0.0, 0.4, 1.0))
    assert none < 0.4 * all_ and none < some < all_


@pytest.mark.slow
def test_variation_moves_from_the_inversion_of_a_picture_to_random_codes(monkeypatch):
    monkeypatch.setattr(latent, "_INVERSION_STEPS", 8)
    photo = picture(140, 180)
    inversion, (near,), (far,) = (pictures(changed(variation=share, count=count), photo) for share, count in ((0.0, 2), (0.2, 1), (0.9, 1)))
    torch.testing.assert_close(inversion[0], pictures(changed(variation=0.0), photo)[0])
    noise_maps = (inversion[0] - inversion[1]).abs().mean()
    assert noise_maps < 0.5 * (far - inversion[0]).abs().mean()
    assert (near - inversion[0]).abs().mean() < (far - inversion[0]).abs().mean()


def test_an_inversion_is_nearer_to_its_own_picture_than_to_others():
    space = open_latent()
    photos = [picture(128, 128, seed=seed) for seed in range(8)]
    again = [space.paint(space.style(space.encode(photo)))[0] for photo in photos]
    small = [torch.nn.functional.adaptive_avg_pool2d(image, 4) for image in (*photos, *again)]
    distances = torch.cdist(torch.stack(small[8:]).flatten(1), torch.stack(small[:8]).flatten(1))
    assert (distances.argmin(1) == torch.arange(8)).sum() >= 6


@pytest.mark.slow
def test_a_morph_has_no_jump_and_ends_where_it_should():
    frames = [step.image for step in morph(PLAIN, frames=13, compute=FP32) if step.image is not None]
    assert len(frames) == 13
    torch.testing.assert_close(frames[0], pictures(PLAIN)[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(frames[-1], pictures(changed(seed=1))[0], atol=1e-4, rtol=0)
    steps = torch.stack([(one - two).square().mean().sqrt() for one, two in zip(frames, frames[1:])])
    assert steps.max() <= 3 * steps.median()


@pytest.mark.parametrize(
    "ends, frames, sentence", [(3, 8, "A morph has two ends, but 3 pictures"), (0, 1, "A morph needs 2 to 2400 frames; 1 were asked for.")]
)
def test_an_invalid_morph_is_refused(ends, frames, sentence):
    with pytest.raises(RequestError, match=sentence):
        finish(morph(PLAIN, [picture(64, 64)] * ends, frames=frames))


def test_a_morph_from_a_picture_begins_as_near_to_it_as_its_inversion_whatever_the_truncation(monkeypatch):
    monkeypatch.setattr(latent, "_INVERSION_STEPS", 4)
    ends = [picture(128, 128, seed=seed) for seed in (1, 2)]
    options = changed(truncation=0.3, variation=1.0)
    best = [pictures(changed(variation=0), near=end)[0] for end in ends]
    between = [step.image for step in morph(options, ends, frames=2, compute=FP32) if step.image is not None]
    from_one = [step.image for step in morph(options, ends[:1], frames=2, compute=FP32) if step.image is not None]
    for image, inversion in ((between[0], best[0]), (between[1], best[1]), (from_one[0], best[0])):
        torch.testing.assert_close(image, inversion, atol=0.01, rtol=0)
    torch.testing.assert_close(from_one[1], pictures(options)[0], atol=0.01, rtol=0)


def test_after_the_last_seed_comes_the_first():
    assert torch.equal(pictures(changed(seed=2**31 - 1, count=2))[1], pictures(changed(seed=0))[0])
    with pytest.raises(RequestError, match="seed is 2147483648; it must be between 0 and 2147483647"):
        changed(seed=2**31)


def test_directions_move_the_picture_and_back():
    assert open_latent().net.axes.shape[0] == DIRECTIONS
    here, there = pictures(PLAIN)[0], pictures(changed(boldness=2.0))[0]
    assert (here - there).abs().mean() > 0.01


def test_slerp_keeps_the_length_of_codes():
    one, two = (torch.nn.functional.normalize(torch.randn(1, Z_SIZE, generator=torch.Generator().manual_seed(seed))) for seed in (0, 1))
    for share in (0.0, 0.3, 0.5, 1.0):
        assert abs(float(slerp(one, two, share).norm()) - 1) < 1e-5
    torch.testing.assert_close(slerp(one, two, 0.0), one)
    torch.testing.assert_close(slerp(one, one, 0.5), one)


def test_the_generator_finishes_at_the_size_that_is_asked_for():
    last = finish(imagine(ImagineOptions(size=256), compute=FP32))
    assert last.image.shape == (3, 256, 256) and set(last.weights) == {"latent", "generator", "styles"}


def test_attributes_are_those_of_the_pixels():
    image = torch.rand(3, 8, 9, generator=torch.Generator().manual_seed(0)) ** 2
    red, green, blue = image
    found = {name: float(value) for name, value in attributes(tones_of(image)[None]).items()}
    assert found["warmth"] == pytest.approx(float((red - blue).mean()), abs=1e-5)
    assert found["darkness"] == pytest.approx(0.5 - float((0.299 * red + 0.587 * green + 0.114 * blue).mean()), abs=1e-5)
    colorful = (red - blue).square().mean() + (2 * green - red - blue).square().mean() / 3
    assert found["vividness"] == pytest.approx(float(colorful.sqrt()), abs=1e-5)


@pytest.mark.parametrize("name", ["warmth", "darkness", "vividness"])
def test_the_colors_of_painted_pictures_change_as_asked_and_their_shapes_stay(name):
    painted = ImagineOptions(size=128, count=4)
    less, same, more = (torch.stack(pictures(ImagineOptions.make(**{**painted.as_dict(), name: amount}))) for amount in (-2.0, 0.0, 2.0))
    colors = [torch.stack([attributes(tones_of(image)[None])[name][0] for image in batch]) for batch in (less, same, more)]
    assert (colors[0] < colors[1]).all() and (colors[1] < colors[2]).all()
    gray = [batch.mean(1).flatten(1) for batch in (less, more)]
    alike = [float(torch.corrcoef(torch.stack(pair))[0, 1]) for pair in zip(*gray)]
    assert statistics.mean(alike) > 0.6, alike


def test_a_seed_has_one_style_and_each_seed_another():
    prior = open_style_prior()
    codes = torch.cat([prior.code(seed) for seed in range(20)])
    torch.testing.assert_close(prior.code(7)[0], codes[7], atol=0, rtol=0)
    assert torch.pdist(codes).min() > 1
    # A mixture is no further from the mean than paintings are.
    mean = prior.codes.mean(0)
    assert (codes - mean).norm(dim=1).max() < 1.1 * (prior.codes - mean).norm(dim=1).max()


def test_blue_styles_are_mixed_with_blue_ones_and_stay_blue_when_they_get_more_vivid():
    prior = open_style_prior()
    codes = torch.cat([prior.code(seed) for seed in range(200)])
    coldest = [attributes(each[:, -TONES:])["warmth"].quantile(0.05) for each in (codes, prior.codes)]
    assert coldest[0] < 0.7 * coldest[1] < 0
    blue = prior.codes[attributes(prior.codes[:, -TONES:])["warmth"].argmin()][None]
    before, after = (attributes(code[:, -TONES:]) for code in (blue, prior.moved(blue, {"vividness": 1.0})))
    assert after["warmth"] < before["warmth"] and after["vividness"] > before["vividness"]


def test_styles_of_another_generator_and_other_files_are_refused(tmp_path):
    with pytest.raises(RequestError, match="belongs to another generator"):
        open_style_prior("another")
    save_file({"other": torch.zeros(1)}, tmp_path / "wrong.safetensors")
    with pytest.raises(RequestError, match="wrong.safetensors does not contain codes of styles"):
        StylePrior.load(tmp_path / "wrong.safetensors")


@pytest.mark.slow
def test_a_painted_morph_passes_from_one_style_to_the_other_without_a_jump():
    painted = ImagineOptions(size=128)
    frames = [step.image for step in morph(painted, frames=9, compute=FP32) if step.image is not None]
    torch.testing.assert_close(frames[0], pictures(painted)[0], atol=1e-3, rtol=0)
    steps = torch.stack([(one - two).square().mean().sqrt() for one, two in zip(frames, frames[1:])])
    assert steps.max() <= 3 * steps.median()


def test_a_file_that_is_not_the_latent_space_is_refused(tmp_path):
    tensors = load_file(MODELS / "latent.safetensors")
    tensors.pop("decoder.start.weight")
    save_file(tensors, tmp_path / "wrong.safetensors")
    with pytest.raises(RequestError, match="wrong.safetensors does not contain the latent space"):
        Latent.load(tmp_path / "wrong.safetensors")


def test_pictures_of_every_training_size_come_out_of_one_decoder():
    net = LatentNet()
    w = net.decoder.styles(torch.randn(2, Z_SIZE))
    for side in (32, 64, SIDE):
        assert net.decoder(w, side).shape == (2, 3, side, side)
