"""Style losses that compare places: nearest neighbors, relaxed transport, sliced transport."""

import pytest
import torch
from networks import FP32, picture, random_extractor
from torch.autograd import gradcheck

from style_core import OptimizeOptions, optimize
from style_core.errors import RequestError
from style_core.networks.extractor import FeatureExtractor
from style_core.optimization.hypercolumns import StyleColumns, columns_of, inside, joined, nearest
from style_core.optimization.nearest import NearestTarget
from style_core.optimization.objective import STYLE_LOSSES
from style_core.optimization.sliced import SlicedTarget, sliced_distance
from style_core.optimization.transport import SelfSimilarityTarget, TransportTarget
from style_core.recipes.optimize_inputs import regions_of

LAYERS = ["relu1_1", "relu2_1", "relu3_1", "relu4_1"]
TARGETS = [NearestTarget, TransportTarget, SlicedTarget]
COLORS = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def checkerboard(side: int, first: int = 0) -> torch.Tensor:
    """`[1, 3, side, side]`: two features by turns, that of the first square chosen."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return COLORS[(x + y + first) % 2].permute(2, 0, 1)[None]


def places(features: torch.Tensor, layer: str = "relu3_1") -> StyleColumns:
    rows = features[0].flatten(1).T
    return StyleColumns("made up", {layer: rows}, {layer: rows.mean(0)})


def of_features(kind, features: torch.Tensor, layer: str = "relu3_1"):
    return kind(places(features, layer), {layer: 1.0})


def test_nearest_neighbors_on_a_checkerboard_are_its_squares_of_the_same_color():
    board, shifted = (checkerboard(6, first)[0].flatten(1).T for first in (0, 1))
    forth, back = nearest(shifted, board)
    assert torch.equal(board[forth], shifted)
    assert torch.equal(shifted[back], board)


def test_nearest_neighbors_found_in_chunks_are_those_of_all_products():
    rows, others = drawn(5000, 4) - 0.5, drawn(300, 4, seed=1) - 0.5
    products = rows @ others.T
    forth, back = nearest(rows, others)
    torch.testing.assert_close(products.gather(1, forth[:, None]), products.max(1, keepdim=True).values)
    torch.testing.assert_close(products.T.gather(1, back[:, None]), products.T.max(1, keepdim=True).values)


def test_a_picture_of_one_square_is_near_the_board_and_yet_a_transport_away_from_it():
    board = checkerboard(8)
    only_red = COLORS[0].view(1, 3, 1, 1).expand(1, 3, 8, 8)
    near = of_features(NearestTarget, board).distances({"relu3_1": only_red})["relu3_1"]
    torch.testing.assert_close(near, torch.tensor(0.0), atol=1e-6, rtol=0)
    # The unit vectors of two colors around their mean are opposite: half of the board is at a cosine of -1.
    away = of_features(TransportTarget, board).distances({"relu3_1": only_red})["relu3_1"]
    torch.testing.assert_close(away, torch.tensor(1.0))  # so are the moments, relative to the board's


@pytest.mark.parametrize("kind", [NearestTarget, TransportTarget])
def test_a_permutation_of_a_styles_places_costs_nothing(kind):
    style = drawn(1, 6, 9, 7)
    order = torch.randperm(63, generator=torch.Generator().manual_seed(0))
    permuted = style.flatten(2)[:, :, order].view_as(style)
    distance = of_features(kind, style).distances({"relu3_1": permuted})["relu3_1"]
    torch.testing.assert_close(distance, torch.tensor(0.0), atol=1e-5, rtol=0)


def test_products_of_hypercolumns_are_weighted_means_of_their_layers_cosines():
    columns = {"relu3_1": drawn(5, 3), "relu4_1": 100 * drawn(5, 4, seed=1)}
    means = {layer: column.mean(0) for layer, column in columns.items()}
    rows = joined(columns, means, {"relu3_1": 1.0, "relu4_1": 3.0})
    cosines = [
        torch.nn.functional.cosine_similarity((column - means[layer])[:, None], (column - means[layer])[None], dim=2)
        for layer, column in columns.items()
    ]
    torch.testing.assert_close(rows @ rows.T, 0.25 * cosines[0] + 0.75 * cosines[1])


def test_columns_share_one_grid_for_coarse_and_fine_layers():
    network = random_extractor()
    columns = columns_of(network.extract(picture(50, 70)[None], LAYERS), LAYERS, {})
    assert {layer: tuple(column.shape) for layer, column in columns.items()} == {layer: (12 * 17, 8) for layer in LAYERS}
    with pytest.raises(RequestError, match="too small for this style loss"):
        columns_of({"relu1_1": torch.zeros(1, 8, 3, 9)}, ["relu1_1"], {})


def test_a_guide_gives_a_style_the_places_that_it_marks_and_at_least_one():
    guide = torch.zeros(1, 1, 4, 4)
    guide[..., :2] = 1
    assert inside(guide, (2, 2)).tolist() == [0, 2]
    assert inside(0.1 * torch.eye(4)[None, None], (4, 4)).tolist() == [0, 5, 10, 15]
    assert inside(torch.tensor([[0.3, 0.29], [0.1, 0.0]])[None, None], (2, 2)).tolist() == [0, 1]  # a third of where three overlap
    assert inside(None, (2, 2)) is None


@pytest.mark.parametrize("kind", TARGETS)
def test_a_region_is_compared_as_a_picture_of_its_own_would_be(kind):
    network = random_extractor()
    style, left = picture(64, 64, seed=1)[None], picture(64, 64)[None]
    guide = torch.zeros(1, 1, 64, 128)
    guide[..., :64] = 1
    features = {"relu1_1": network.extract(left, ["relu1_1"])["relu1_1"]}
    wide = {"relu1_1": torch.cat([features["relu1_1"], 5 * torch.ones_like(features["relu1_1"])], 3)}
    alone = kind.of(network, style, ["relu1_1"]).distances(features)["relu1_1"]
    guided = kind.of(network, style, ["relu1_1"]).distances(wide, guide)["relu1_1"]
    torch.testing.assert_close(guided, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", TARGETS)
def test_a_style_is_at_no_distance_from_itself_and_two_equal_ones_are_one(kind):
    network, style, seen = random_extractor(), picture(64, 80, seed=1)[None], picture(64, 96)[None]
    one = kind.of(network, style, LAYERS)
    for layer, distance in one.distances(network.extract(style, LAYERS, measured=False)).items():
        assert abs(float(distance)) < 1e-4, layer
    mixed = kind.mix([kind.of(network, style, LAYERS)] * 2, [0.5, 0.5])
    for layer, distance in mixed.distances(network.extract(seen, LAYERS, measured=False)).items():
        torch.testing.assert_close(
            distance, kind.of(network, style, LAYERS).distances(network.extract(seen, LAYERS))[layer], rtol=0.02, atol=1e-4
        )


@pytest.mark.parametrize("kind", TARGETS)
def test_mixing_follows_the_weights(kind):
    network, seen = random_extractor(), picture(64, 96)[None]
    first, second = (picture(64, 64, seed=seed)[None] for seed in (1, 2))
    features = network.extract(second, LAYERS)
    far, near = (
        kind.mix([kind.of(network, first, LAYERS), kind.of(network, second, LAYERS)], weights).distances(features)["relu3_1"]
        for weights in ([9, 1], [1, 9])
    )
    assert near <= far
    alone = kind.mix([kind.of(network, first, LAYERS), kind.of(network, second, LAYERS)], [0, 1]).distances(network.extract(seen, LAYERS))
    wanted = kind.of(network, second, LAYERS).distances(network.extract(seen, LAYERS))
    torch.testing.assert_close(alone["relu3_1"], wanted["relu3_1"])


@pytest.mark.parametrize("kind", TARGETS)
def test_styles_measured_by_different_networks_are_not_mixed(kind):
    one = random_extractor()
    other = FeatureExtractor("another", one.trunk, FP32)
    with pytest.raises(RequestError, match="different feature networks"):
        kind.mix([kind.of(network, picture(32, 32)[None], LAYERS) for network in (one, other)], [1, 1])


@pytest.mark.parametrize("kind", [*TARGETS, SelfSimilarityTarget])
def test_an_extractors_metric_counts(kind):
    plain, style, seen = random_extractor(), picture(64, 64, seed=1)[None], picture(64, 96)[None]
    seen = picture(64, 64, seed=2)[None] if kind is SelfSimilarityTarget else seen
    stretch = torch.diag(torch.linspace(0.1, 3, 8))
    network = FeatureExtractor("with metrics", plain.trunk, FP32, metrics={"relu3_1": stretch})
    found = kind.of(network, style, ["relu3_1"]).distances(network.extract(seen, ["relu3_1"], measured=False))
    without = kind.of(plain, style, ["relu3_1"]).distances(plain.extract(seen, ["relu3_1"]))
    assert abs(float(found["relu3_1"] / without["relu3_1"]) - 1) > 0.01


def test_sliced_distance_of_shifted_gaussians_is_the_shift_squared():
    generator = torch.Generator().manual_seed(0)
    points, shift = torch.randn(3, 4000, generator=generator), torch.tensor([1.0, -2.0, 0.5])
    basis = torch.linalg.qr(torch.randn(3, 3, generator=generator)).Q
    target = (basis @ points).sort(1).values
    shuffled = points[:, torch.randperm(4000, generator=generator)] + shift[:, None]
    expected = shift.square().sum() / points.square().mean(1).sum()
    torch.testing.assert_close(sliced_distance(basis @ shuffled, target), expected, rtol=1e-4, atol=0)
    # Another draw, of another number of points, of the same Gaussian.
    again = torch.randn(3, 3000, generator=generator)
    assert sliced_distance(basis @ again, target) < 0.01


def test_gradient_of_the_sliced_distance_agrees_with_finite_differences():
    target = drawn(3, 9, dtype=torch.float64).sort(1).values
    assert gradcheck(lambda points: sliced_distance(points, target), drawn(3, 7, seed=1, dtype=torch.float64).requires_grad_())


def test_self_similarity_does_not_see_a_change_of_all_places_alike_and_is_1_where_nothing_is_left():
    photo = drawn(1, 5, 6, 8)
    target = SelfSimilarityTarget({"relu4_2": photo})
    turned = torch.einsum("ij,bjhw->bihw", 3 * torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(0))).Q, photo)
    torch.testing.assert_close(target.distances({"relu4_2": turned})["relu4_2"], torch.tensor(0.0), atol=1e-3, rtol=0)
    apart = torch.eye(48).view(1, 48, 6, 8)  # every place as far from every other
    assert 0.9 < target.distances({"relu4_2": apart})["relu4_2"] <= 1.1


@pytest.mark.parametrize("kind", TARGETS)
def test_a_few_steps_downhill_bring_a_picture_closer(kind):
    network, style = random_extractor(), picture(64, 64, seed=1)[None]
    target, image = kind.of(network, style, LAYERS), picture(64, 80)[None]
    losses = []
    for _ in range(25):
        image.requires_grad_()
        loss = sum(target.distances(network.extract(image, LAYERS)).values())
        (gradient,) = torch.autograd.grad(loss, image)
        image = image.detach() - 0.01 * gradient / gradient.square().mean().sqrt()
        losses.append(float(loss.detach()))
    assert min(losses) < 0.85 * losses[0]


@pytest.mark.parametrize("style_loss", STYLE_LOSSES)
def test_the_content_alone_can_be_given_a_weight_whatever_the_style_loss(style_loss):
    options = OptimizeOptions(size=64, iterations=12, extractor="lite", alpha=1.0, style_loss=style_loss)
    steps = optimize(picture(64, 64), [picture(64, 64, seed=1)], options, init_image=picture(64, 64, seed=3), compute=FP32)
    losses = [step.losses for step in steps if step.losses]
    assert not any(name.startswith("style") for name in losses[-1])
    assert losses[-1]["total"] < 0.9 * losses[0]["total"]


@pytest.mark.parametrize("kind", [NearestTarget, TransportTarget])
def test_one_style_in_two_regions_has_neighbors_in_each(kind):
    style = of_features(kind, drawn(1, 6, 8, 8, seed=1))
    left = torch.zeros(1, 1, 32, 32)
    left[..., :16] = 1
    regions = regions_of([style], [1.0], [left[0]], (32, 32), "cpu", (1.0, 0.5))
    features = {"relu3_1": drawn(1, 6, 8, 8, seed=2)}
    found = [float(region.distances(features, "nearest")["relu3_1"]) for region in regions]
    alone = [float(of_features(kind, drawn(1, 6, 8, 8, seed=1)).distances(features, region.guide)["relu3_1"]) for region in regions]
    assert found == pytest.approx(alone, abs=1e-6)
