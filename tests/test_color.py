"""Color kept and matched."""

import torch
from networks import picture

from style_core.media.color import keep_color, luminance_of, match_color, matched_unclamped


def test_kept_color_has_the_luminance_of_the_result_and_the_hue_of_the_photo():
    result, photo = picture(32, 32, seed=1), picture(32, 32, seed=2)
    kept = keep_color(result, photo)
    assert kept.min() >= 0 and kept.max() <= 1
    torch.testing.assert_close(luminance_of(kept), luminance_of(result), atol=1e-4, rtol=0)
    chroma, wanted = kept - luminance_of(kept), photo - luminance_of(photo)
    assert torch.nn.functional.cosine_similarity(chroma.flatten(), wanted.flatten(), dim=0) > 0.6


def test_matched_colors_have_the_mean_and_covariance_of_the_reference():
    image, reference = picture(40, 30, seed=3), picture(50, 20, seed=4)
    matched = matched_unclamped(image, reference).flatten(1)
    wanted = reference.flatten(1)
    torch.testing.assert_close(matched.mean(1), wanted.mean(1), atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.cov(matched), torch.cov(wanted), atol=2e-3, rtol=0)


def test_matching_a_picture_to_itself_changes_nothing():
    image = picture(24, 24)
    torch.testing.assert_close(match_color(image, image), image, atol=1e-4, rtol=0)


def test_a_picture_of_one_color_takes_the_mean():
    flat = torch.full((3, 16, 16), 0.2)
    reference = picture(16, 16)
    torch.testing.assert_close(match_color(flat, reference).mean((1, 2)), reference.mean((1, 2)), atol=1e-3, rtol=0)
