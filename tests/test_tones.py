"""Color statistics as nine numbers, and pictures moved toward them."""

import pytest
import torch
from networks import FP32, picture

from style_core.media.color import luminance_of
from style_core.media.tones import saturated, toned, tones_of
from style_core.networks.generator import Generator
from style_core.weights.registry import MODELS


def gaussian(image):
    """Mean `[3]` and covariance `[3, 3]` of the colors."""
    pixels = image.flatten(1).double()
    return pixels.mean(1), torch.cov(pixels, correction=0)


def test_a_toned_picture_has_the_wanted_mean_and_covariance():
    image, reference = (0.3 + 0.4 * picture(96, 128, seed=seed) for seed in (1, 2))
    moved = toned(image, tones_of(image), tones_of(reference), 1.0)
    for found, wanted in zip(gaussian(moved), gaussian(reference)):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.7])
def test_saturated_tones_are_those_of_the_saturated_picture(factor):
    image = picture(48, 64, seed=5)
    gray = luminance_of(image)
    torch.testing.assert_close(saturated(tones_of(image), factor), tones_of(gray + factor * (image - gray)), atol=1e-5, rtol=0)


def test_half_the_way_is_half_the_way_and_none_is_none():
    image, reference = picture(64, 96, seed=3), picture(64, 96, seed=4)
    own, wanted = tones_of(image), tones_of(reference)
    whole = toned(image, own, wanted, 1.0)
    torch.testing.assert_close(toned(image, own, wanted, 0.5), (image + whole) / 2, atol=1e-5, rtol=0)
    torch.testing.assert_close(toned(image, own, wanted, 0.0), image, atol=1e-5, rtol=0)
    torch.testing.assert_close(toned(image, own, own, 1.0), image, atol=1e-4, rtol=0)


def test_tones_of_two_pictures_side_by_side_are_the_mean_of_theirs():
    one, two = picture(64, 64, seed=5), picture(64, 64, seed=6)
    torch.testing.assert_close(tones_of(torch.cat([one, two], 2)), (tones_of(one) + tones_of(two)) / 2, atol=1e-6, rtol=0)


def test_a_weight_picks_out_a_part_and_strips_make_no_difference(monkeypatch):
    image, weight = picture(64, 96, seed=7), torch.zeros(1, 64, 96)
    weight[:, :, :32] = 1
    torch.testing.assert_close(tones_of(image, weight), tones_of(image[:, :, :32]), atol=1e-5, rtol=0)
    whole = tones_of(image), toned(image, tones_of(image), tones_of(image[:, :, :32]), 0.7)
    monkeypatch.setattr("style_core.media.images._STRIP", 700)
    torch.testing.assert_close(tones_of(image), whole[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(toned(image, whole[0], tones_of(image[:, :, :32]), 0.7), whole[1], atol=1e-5, rtol=0)


def test_the_grain_of_a_plain_picture_is_at_most_doubled():
    plain = 0.5 + 0.004 * torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0))
    moved = toned(plain, tones_of(plain), tones_of(picture(64, 64, seed=8)), 1.0)
    assert float(moved.std((1, 2)).max()) <= 2.01 * float(plain.std((1, 2)).max())


def test_results_are_nearer_to_the_styles_colors_in_every_region(monkeypatch):
    generator = Generator.load(MODELS / "generator.safetensors", FP32)
    photo, red, blue = 0.4 + 0.2 * picture(96, 128, seed=9), picture(96, 96, seed=10), picture(96, 96, seed=11)
    red, blue = red * torch.tensor([1.0, 0.3, 0.2]).view(3, 1, 1), blue * torch.tensor([0.2, 0.3, 1.0]).view(3, 1, 1)
    left = (torch.arange(128) < 64).float().expand(1, 96, 128)
    encoded, codes = generator.encode_content(photo), [generator.encode_style(red), generator.encode_style(blue)]

    def off(share: float) -> list[float]:
        monkeypatch.setattr("style_core.networks.generator._TONED", share)
        *_, (_, _, result) = generator.paint(encoded, codes, masks=[left, 1 - left])
        parts = (result[:, :, :56], red), (result[:, :, 72:], blue)
        return [float((part.mean((1, 2)) - style.mean((1, 2))).norm()) for part, style in parts]

    for without, halfway in zip(off(0.0), off(0.5)):
        assert 0 < halfway < 0.8 * without
