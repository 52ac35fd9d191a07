"""The subject of a photo: the parts in closed form, and rendered figures whose true masks are known."""

from pathlib import Path

import pytest
import torch
from networks import FP32, picture
from torch.nn import functional

from style_core import OptimizeOptions, finish, optimize
from style_core.cli import main as cli
from style_core.errors import RequestError
from style_core.media.images import fit, read_image
from style_core.networks.subject import guided_filter, otsu
from style_core.recipes.subject import find_subject, masks_for
from style_core.rendering.scenes import bust, still_life
from style_core.rendering.scenes.shading import photograph
from style_core.rendering.scenes.solids import Camera

SAMPLES = Path(__file__).resolve().parents[1] / "studio" / "samples"


def bust_mask(width: int, height: int) -> torch.Tensor:
    """Where rays meet the bust, `[1, H, W]`, with the sample's camera."""
    world = bust.Bust(15).world

    def seen(origin, way):
        return (world.hit(origin, way, 20.0)[1] >= 0).float().expand(3, -1)

    return photograph(Camera((-0.15, -0.35, -8.2), (0.0, -0.50, 0.2), 0.222), width, height, seen)[:1]


def still_life_mask(width: int, height: int) -> torch.Tensor:
    """Where rays meet anything but wall and table."""
    world, ground = still_life.StillLife(8).world, torch.tensor([still_life.TABLE, still_life.WALL])

    def seen(origin, way):
        which = world.hit(origin, way, 40.0)[1]
        return ((which >= 0) & ~torch.isin(which, ground)).float().expand(3, -1)

    return photograph(Camera((-0.1, 2.15, -6.0), (0.22, 0.80, 0.2), 0.40), width, height, seen)[:1]


def overlap(found: torch.Tensor, true: torch.Tensor) -> float:
    """Intersection over union."""
    found = functional.interpolate(found[None], size=true.shape[-2:], mode="area")[0] > 0.5
    return float((found & (true > 0.5)).sum() / (found | (true > 0.5)).sum())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "truth", "least"), [("bust", lambda: bust_mask(160, 200), 0.85), ("still-life", lambda: still_life_mask(240, 160), 0.5)]
)
def test_the_subject_of_a_rendered_figure_is_found(name, truth, least):
    photo = fit(read_image(SAMPLES / f"{name}.jpg"), 512)
    mask = find_subject(photo, FP32)
    assert mask.shape == (1, *photo.shape[-2:]) and 0 <= mask.min() and mask.max() <= 1
    assert overlap(mask, truth()) > least


@pytest.mark.slow
def test_any_size_gets_a_mask_of_its_own_size():
    for height, width in ((16, 300), (40, 31), (700, 500)):
        photo = torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))
        assert find_subject(photo, FP32).shape == (1, height, width)
        assert find_subject(torch.full((3, height, width), 0.5), FP32).isfinite().all()


def test_otsus_threshold_parts_two_heaps():
    values = torch.cat([torch.linspace(0.1, 0.2, 50), torch.linspace(0.7, 0.9, 30)])
    assert otsu(values) == pytest.approx(0.2)


def test_a_guided_filter_keeps_what_is_flat_and_moves_a_blurred_edge_to_the_guides():
    guide = torch.zeros(1, 40, 60)
    guide[..., 30:] = 1
    torch.testing.assert_close(guided_filter(guide, torch.full((1, 40, 60), 0.3), 4, 1e-3), torch.full((1, 40, 60), 0.3))
    blurred = torch.linspace(0, 1, 60).expand(1, 40, 60)
    found = guided_filter(guide, blurred, 4, 1e-3)
    assert (found[..., 30] - found[..., 29]).min() > 0.05 > 3 * float(blurred[0, 0, 30] - blurred[0, 0, 29]) - 0.02


def test_masks_keep_paint_or_share_the_subject():
    mask = torch.tensor([[[0.0, 1.0]]])
    assert [each.tolist() for each in masks_for(mask, "keep", 2)] == [[[[1.0, 0.0]]]] * 2
    assert masks_for(mask, "only", 1) == [mask]
    assert masks_for(mask, "first", 3) == [mask, None, None]
    with pytest.raises(RequestError, match="needs two styles or more"):
        masks_for(mask, "first", 1)
    with pytest.raises(RequestError, match="subject is both; it must be one of keep, only, first."):
        masks_for(mask, "both", 1)


def test_styles_that_share_the_subject_are_mixed_by_their_weights():
    left, photo, styles = torch.zeros(1, 64, 96), picture(64, 96), [picture(80, 80, seed=seed) for seed in (1, 2)]
    left[..., :48] = 1

    def painted(weights, styles=styles):
        options, masks = OptimizeOptions(size=96, iterations=4, extractor="lite"), masks_for(left, "only", len(styles))
        return finish(optimize(photo, styles, options, style_weights=weights, masks=masks, compute=FP32)).result

    first, both, second = (painted(weights) for weights in ([1, 0], [1, 1], [0, 1]))
    assert torch.equal(second, painted([1], styles[1:]))
    assert (first - second).abs().mean() > max((first - both).abs().mean(), (second - both).abs().mean()) > 0.001


@pytest.mark.slow
def test_the_shell_keeps_the_subject_and_paints_the_rest(tmp_path, capsys):
    out = tmp_path / "out.png"
    given = [str(SAMPLES / "bust.jpg"), "gallery:red-fuji", "-o", str(out), "--size", "320", "--device", "cpu", "--subject", "keep"]
    assert cli.main(["stylize", *given]) == 0
    photo, result = fit(read_image(SAMPLES / "bust.jpg"), 320), read_image(out)
    truth = functional.interpolate(bust_mask(160, 200)[None], size=photo.shape[-2:], mode="area")[0]
    inside = functional.avg_pool2d(truth, 31, 1, 15) > 0.999  # away from the mask's soft edge
    outside = functional.avg_pool2d(truth, 31, 1, 15) < 0.001
    change = (result - photo).abs().mean(0, keepdim=True)
    assert change[inside].mean() < 0.1 * change[outside].mean()
    assert cli.main(["stylize", *given, "--mask", str(SAMPLES / "bust.jpg")]) == 2
    assert "give --mask or --subject, not both" in capsys.readouterr().err
