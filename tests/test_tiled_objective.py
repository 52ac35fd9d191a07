"""Tiles against the whole picture: the same loss, the same gradient, no seam."""

import pytest
import torch
from networks import FP32, picture, random_extractor

from style_core.networks.extractor import load_extractor
from style_core.networks.vgg19 import LAYERS, STYLE_LAYERS
from style_core.optimization.losses import ContentTarget, StyleTarget, out_of_gamut, total_variation
from style_core.optimization.objective import LossWeights, Objective, Region
from style_core.optimization.tiled_objective import TiledObjective, add_out_of_gamut, add_total_variation, measured_in_tiles
from style_core.optimization.tiles import reach_of, tiles_of
from style_core.weights import registry

WEIGHTS = LossWeights({"relu4_2": 0.5}, dict.fromkeys(STYLE_LAYERS, 1.5), tv=2.0)


@pytest.fixture(scope="module", params=["random", pytest.param("lite", marks=pytest.mark.slow)])
def extractor(request):
    return random_extractor() if request.param == "random" else load_extractor("lite", registry.find("lite"), FP32)


def halves(height: int, width: int) -> list[torch.Tensor]:
    """Two guides that fade into each other along a slant."""
    slant = torch.linspace(-3, 3, width)[None] + torch.linspace(-1, 1, height)[:, None]
    left = torch.sigmoid(4 * slant)[None, None]
    return [left, 1 - left]


def regions_of(extractor, guides=(None,)) -> list[Region]:
    styles = [picture(160, 176, seed=seed)[None] for seed in range(1, 1 + len(guides))]
    return [Region(StyleTarget.of(extractor, style, STYLE_LAYERS), 1 / len(guides), guide) for style, guide in zip(styles, guides)]


def both(extractor, photo, canvas, guides=(None,), kind="gram", loss_weights=WEIGHTS, side=112):
    """Loss, parts and gradient of the whole picture and of tiles."""
    regions = regions_of(extractor, guides)
    whole = Objective(extractor, ContentTarget.of(extractor, photo, loss_weights.content), regions, loss_weights, kind)
    tiled = TiledObjective(extractor, photo, regions, loss_weights, kind, side=side)
    assert len(tiled.tiles) > 4
    found = []
    for objective in (whole, tiled):
        leaf = canvas.clone().requires_grad_()
        loss, parts = objective(leaf)
        found.append((float(loss.detach()), {name: float(part) for name, part in parts.items()}, torch.autograd.grad(loss, leaf)[0]))
    return found


def deviation(found, wanted, part=(...,)) -> float:
    return float((found[part] - wanted[part]).norm() / wanted[part].norm())


@pytest.mark.parametrize("kind", ["gram", "covariance"])
@pytest.mark.parametrize("regions", [1, 2])
@pytest.mark.parametrize("size", [(256, 320), (283, 265)])
def test_tiles_have_the_loss_and_the_gradient_of_the_whole_picture(extractor, kind, regions, size):
    photo, canvas = picture(*size)[None], picture(*size, seed=9)[None] * 1.2 - 0.1  # partly out of gamut
    guides = (None,) if regions == 1 else halves(*size)
    (loss, parts, gradient), (tiled_loss, tiled_parts, tiled_gradient) = both(extractor, photo, canvas, guides, kind)
    assert tiled_loss == pytest.approx(loss, rel=1e-4)
    assert tiled_parts == pytest.approx(parts, rel=1e-3)
    # Rounding of the matrix root in float32 comes on top where covariances are compared.
    bound = 5e-3 if kind == "covariance" else 1e-3
    assert deviation(tiled_gradient, gradient) < bound
    border, interior = (..., slice(0, 16), slice(None)), (..., slice(96, 128), slice(96, 128))
    assert deviation(tiled_gradient, gradient, border) < bound
    assert deviation(tiled_gradient, gradient, interior) < bound  # where four tiles meet


def test_tiles_have_the_gradient_of_an_area_with_fewer_positions_than_channels():
    network, spot = load_extractor("lite", registry.find("lite"), FP32), torch.zeros(1, 1, 128, 160)
    spot[..., 40:56, 100:124] = 1
    photo, canvas = picture(128, 160)[None], picture(128, 160, seed=9)[None]
    (loss, _, gradient), (tiled_loss, _, tiled_gradient) = both(network, photo, canvas, [spot, 1 - spot], "covariance", side=48)
    assert tiled_loss == pytest.approx(loss, rel=1e-4)
    assert deviation(tiled_gradient, gradient) < 5e-3


def test_layers_without_weight_take_no_part(extractor):
    loss_weights = LossWeights({"relu4_2": 0.0}, {"relu2_1": 1.0})
    photo, canvas = picture(256, 256)[None], picture(256, 256, seed=9)[None]
    regions = [Region(StyleTarget.of(extractor, canvas.flip(-1), loss_weights.style), 1.0)]
    loss, parts = TiledObjective(extractor, photo, regions, loss_weights, side=96)(canvas)
    assert set(parts) == {"style relu2_1"}


@pytest.mark.parametrize("layer", ["relu1_1", "relu3_4", "relu4_2", "relu5_1", "relu5_4"])
def test_a_layer_reaches_no_further_and_no_less_than_is_said(layer):
    network, reach = random_extractor(), reach_of(layer)
    photo = picture(512, 64)[None].requires_grad_()
    feature = network.extract(photo, [layer])[layer]
    stride, row = 512 // feature.shape[2], feature.shape[2] // 2
    (gradient,) = torch.autograd.grad(feature[:, :, row].square().sum(), photo)
    seen = gradient.abs().sum((0, 1, 3)).nonzero().flatten()
    assert row * stride - reach <= seen.min() and seen.max() <= row * stride + stride - 1 + reach
    assert row * stride - reach >= seen.min() - stride  # max pooling leaves some pixels unseen


@pytest.mark.parametrize(("height", "width", "side"), [(512, 512, 128), (37, 1000, 300), (250, 99, 16), (96, 96, 512)])
def test_tiles_share_out_every_pixel_and_every_position_once(height, width, side):
    tiles = tiles_of(height, width, side, LAYERS)
    for stride in (1, 2, 4, 8, 16):
        seen = torch.zeros(height // stride, width // stride)
        for tile in tiles:
            seen[tile.whole(stride)] += 1
            crop = torch.zeros(height, width)[tile.crop]
            inside = torch.zeros(crop.shape[0] // stride, crop.shape[1] // stride)[tile.within(stride)]
            assert inside.shape == seen[tile.whole(stride)].shape
        assert (seen == 1).all()
    assert max(tile.down.stop - tile.down.start for tile in tiles) < side + 32


@pytest.mark.slow
def test_no_seam_shows_on_a_flat_photo():
    """A texture is painted onto gray; where tiles meet, neighbors differ no more than anywhere else."""
    network = random_extractor()
    photo = torch.full((1, 3, 256, 256), 0.5)
    objective = TiledObjective(network, photo, regions_of(network), WEIGHTS, side=64)
    canvas = photo + 0.05 * torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    for _ in range(10):
        leaf = canvas.requires_grad_()
        (gradient,) = torch.autograd.grad(objective(leaf)[0], leaf)
        canvas = (leaf - 0.02 * gradient / gradient.square().mean().sqrt()).detach()
    steps = canvas.diff(dim=-1).square().mean((0, 1, 2))  # [255], at columns
    seams = steps[[63, 127, 191]]
    assert (seams - steps.mean()).abs().max() < 4 * steps.std()


def test_a_style_measured_in_tiles_is_the_style(extractor):
    style, guide = picture(272, 301, seed=3)[None], halves(272, 301)[0]
    for given in (None, guide):
        whole = StyleTarget.of(extractor, style, STYLE_LAYERS, given)
        tiled = measured_in_tiles(extractor, style, STYLE_LAYERS, given, side=96)
        for layer in STYLE_LAYERS:
            torch.testing.assert_close(tiled.grams[layer], whole.grams[layer], rtol=1e-3, atol=1e-3 * float(whole.grams[layer].max()))
            torch.testing.assert_close(tiled.means[layer], whole.means[layer], rtol=1e-3, atol=1e-3 * float(whole.means[layer].abs().max()))


@pytest.mark.parametrize("size", [(5, 7), (1, 9), (9, 1), (1500, 1024)])
def test_terms_of_the_picture_itself_are_the_same_in_strips(size):
    canvas = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for whole, strips in ((total_variation, add_total_variation), (out_of_gamut, add_out_of_gamut)):
        wanted = whole(canvas)
        (slope,) = torch.autograd.grad(wanted, canvas)
        found = torch.zeros_like(canvas)
        assert float(strips(canvas.detach(), 3.0, found)) == pytest.approx(float(wanted.detach()), rel=1e-3)
        torch.testing.assert_close(found, 3 * slope, rtol=1e-4, atol=1e-9)
