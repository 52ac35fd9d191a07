"""Color kept and matched."""

import pytest
import torch
from networks import FP32, picture

from style_core import OptimizeOptions, StylizeOptions, finish, optimize, stylize
from style_core.media.color import keep_color, luminance_of, match_color, match_histogram, match_palette, matched_unclamped, palette_of
from style_core.optimization.temporal import TemporalTarget


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


def test_a_matched_histogram_is_the_references_and_keeps_the_order_of_values():
    generator = torch.Generator().manual_seed(0)
    image, reference = torch.rand(3, 40, 30, generator=generator), torch.rand(3, 50, 24, generator=generator) ** 2
    matched = match_histogram(image, reference)
    for channel, wanted, before in zip(matched, reference, image):
        found = channel.flatten().sort().values - wanted.flatten().sort().values
        assert found.abs().mean() < 1e-3
        moved = channel.flatten()[before.flatten().argsort()].diff()
        assert moved.min() > -1e-6


def test_a_picture_of_few_colors_takes_just_those_of_the_palette():
    """Red and blue in equal parts become yellow and green in equal parts, with nothing in between."""
    red, blue, yellow, green = (
        torch.tensor(color).view(3, 1, 1) for color in ([0.9, 0.1, 0.1], [0.1, 0.1, 0.9], [0.9, 0.9, 0.1], [0.1, 0.6, 0.2])
    )
    image = torch.cat([red.expand(3, 16, 8), blue.expand(3, 16, 8)], 2)
    reference = torch.cat([yellow.expand(3, 20, 10), green.expand(3, 20, 10)], 2)
    matched = match_palette(image, reference)
    found = torch.unique((matched.flatten(1).T * 50).round().int(), dim=0)
    wanted = torch.unique((reference.flatten(1).T * 50).round().int(), dim=0)
    assert torch.equal(found, wanted)


def test_a_matched_palette_is_nearer_in_every_direction_than_mean_and_covariance_alone():
    image, reference = picture(60, 60, seed=5) ** 3, picture(60, 60, seed=6)
    directions = torch.nn.functional.normalize(torch.randn(20, 3, generator=torch.Generator().manual_seed(1)), dim=1)
    wanted = (directions @ reference.flatten(1)).sort(1).values

    def distance(matched):
        return ((directions @ matched.flatten(1)).sort(1).values - wanted).square().mean()

    assert distance(match_palette(image, reference)) < 0.3 * distance(match_color(image, reference))


def test_a_palette_of_several_pictures_holds_each_by_its_share():
    black, white = torch.zeros(3, 30, 30), torch.ones(3, 500, 500)
    torch.testing.assert_close(palette_of([white, torch.zeros(3, 500, 500)], [3, 1]).mean(), torch.tensor(0.75), atol=0.001, rtol=0)
    assert palette_of([black, white], [1, 0]).max() == 0


def test_areas_of_one_color_take_the_palettes_mean_and_no_hue_of_their_own():
    reference = picture(64, 64, seed=3)
    for level in (0.0, 0.5, 1.0):
        matched = match_palette(torch.full((3, 64, 64), level), reference)
        assert (matched.mean((1, 2)) - reference.mean((1, 2))).abs().max() < 0.1
    half = picture(64, 64)
    half[..., 24:] = 1
    assert (match_palette(half, reference).mean((1, 2)) - reference.mean((1, 2))).abs().max() < 0.06


def test_a_palette_holds_small_pictures_by_their_share_too():
    dark, light = torch.zeros(3, 8, 8), torch.ones(3, 300, 300)
    assert abs(float(palette_of([dark, light], [1, 1]).mean()) - 0.5) < 0.01


def test_a_palette_matched_in_a_region_has_the_references_shares_there():
    image, reference = picture(64, 64), picture(60, 60, seed=6)
    image[..., 16:] = 0.9  # what is outside takes no part
    region = torch.zeros(1, 64, 64)
    region[..., :16] = 1
    inside = match_palette(image, reference, region)[..., :16]
    assert (inside - match_palette(image[..., :16], reference)).abs().mean() < 0.003


@pytest.mark.parametrize("recipe", ["stylize", "optimize"])
def test_each_painted_area_takes_the_palette_of_its_own_painting(recipe):
    """A red and a blue painting, of two shades each: on the left only the one's colors are found, on the right the other's."""
    shades = torch.linspace(0.2, 0.9, 2).repeat_interleave(32).expand(64, 64)
    red, blue = (torch.zeros(3, 64, 64) for _ in range(2))
    red[0], blue[2] = shades, shades
    left = torch.zeros(1, 64, 96)
    left[..., :32] = 1

    def painted(masks, weights=None, **given):
        if recipe == "stylize":
            options, run = StylizeOptions(size=96, color="palette", refine=0, **given), stylize
        else:
            options, run = OptimizeOptions(size=96, color="palette", iterations=2, extractor="lite", **given), optimize
        return finish(run(picture(64, 96), [red, blue], options, masks=masks, style_weights=weights, compute=FP32)).result

    for masks in ([left, None], [left, 1 - left]):
        image = painted(masks)
        assert image[2, :, :32].max() < 0.01 < 0.19 < image[0, :, :32].min()
        assert image[0, :, 32:].max() < 0.01 < 0.19 < image[2, :, 32:].min()
        assert (image[0, :, :32] > 0.8).float().mean() == pytest.approx(0.5, abs=0.05), "both shades in equal parts, as in the painting"
    kept, mixed = painted([left, left], [1, 0]), painted([left, left], [1, 0], outside=0.5)
    right = (picture(64, 96) - kept)[..., 32:].abs().mean(), (picture(64, 96) - mixed)[..., 32:].abs().mean()
    assert right[0] < 0.01 < 0.1 < right[1], "what belongs to no painting takes its colors only by the strength outside"
    assert kept[2, :, :32].max() < 0.01


def test_a_start_from_the_style_is_one_from_the_heaviest():
    styles = [torch.zeros(3, 64, 64), torch.ones(3, 64, 64)]
    options = OptimizeOptions(size=96, iterations=1, extractor="lite", init="style")
    for weights, level in ([1, 0], 0.0), ([0, 1], 1.0), ([1, 3], 1.0), ([1, 1], 0.0):
        done = finish(optimize(picture(64, 96), styles, options, style_weights=weights, compute=FP32))
        assert abs(float(done.result.mean()) - level) < 0.3


def test_a_picture_in_the_photos_colors_goes_on_from_where_it_was():
    """The optimizer works in gray, so the colors that the picture was given at the end don't count."""
    photo, style = picture(64, 96), picture(64, 64, seed=1)
    photo[0] *= 0.3
    options = OptimizeOptions(size=96, iterations=30, extractor="lite", color="keep")
    *_, stopped = (step for step in optimize(photo, [style], options, compute=FP32, preview_every=0) if step.iteration <= 20)
    held = TemporalTarget(stopped.image, torch.ones(64, 96), 1.0)
    for given in {"continue_from": stopped.image, "done": 20}, {"init_image": stopped.image}, {"init_image": stopped.image, "held": held}:
        first = next(step.losses for step in optimize(photo, [style], options, compute=FP32, **given) if step.losses)
        assert first["total"] < 1.25 * stopped.losses["total"]
    assert first["temporal"] < 1e-3, "nor do they where a film's frame is held"
