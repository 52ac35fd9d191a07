import pytest
import torch
from networks import FP32, picture, random_extractor
from torch.autograd import gradcheck

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.networks.extractor import FeatureExtractor, load_extractor
from style_core.networks.moments import channel_means, correlation, gram_matrix, relative_distance, style_shares
from style_core.networks.vgg19 import STYLE_LAYERS
from style_core.optimization.losses import ContentTarget, StyleTarget, out_of_gamut, total_variation, wasserstein_distance
from style_core.weights import registry


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def features(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(*shape, generator=generator(seed), dtype=dtype)


def test_gram_matrix_of_a_known_map():
    known = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [0.0, 1.0]]]])
    torch.testing.assert_close(gram_matrix(known), torch.tensor([[[7.5, 1.5], [1.5, 0.5]]]))


@pytest.mark.parametrize("size", [16, 48])
def test_gram_matrix_of_a_tiled_texture_does_not_depend_on_the_size_of_the_picture(size):
    tile = features(1, 8, 16, 16)
    picture = tile.repeat(1, 1, size // 16, size // 16)
    torch.testing.assert_close(gram_matrix(picture), gram_matrix(tile))


def test_gram_matrix_is_the_same_in_either_memory_format_and_float32_for_bfloat16():
    channels_first = features(1, 8, 5, 7)
    channels_last = channels_first.to(memory_format=torch.channels_last)
    torch.testing.assert_close(gram_matrix(channels_first), gram_matrix(channels_last))
    assert gram_matrix(channels_first.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize(("dtype", "exact", "within"), [
    (torch.float64, True, 1e-12), (torch.float32, False, 1e-5), (torch.bfloat16, True, 1e-5), (torch.bfloat16, False, 2e-3),
])  # fmt: skip
def test_gram_matrix_of_a_large_map_is_as_exact_as_was_asked_for(dtype, exact, within):
    large = features(2, 6, 70, 90).to(dtype)  # a number of positions that chunks don't divide
    flat = large.double().flatten(2)
    wanted = flat @ flat.mT / (70 * 90)
    found = gram_matrix(large, exact=exact)
    assert (found - wanted).norm() < within * wanted.norm()


def test_gram_matrix_of_nothing_is_refused_in_words():
    with pytest.raises(RequestError, match="0 x 3 positions"):
        gram_matrix(torch.zeros(1, 4, 3, 0))


def test_a_guide_of_ones_equals_no_guide():
    picture = features(1, 6, 9, 11)
    ones = torch.ones(1, 1, 9, 11)
    torch.testing.assert_close(gram_matrix(picture, ones), gram_matrix(picture))
    torch.testing.assert_close(channel_means(picture, ones), channel_means(picture))


def test_a_guide_sees_only_its_region():
    picture = features(1, 6, 8, 8)
    guide = torch.zeros(1, 1, 8, 8)
    guide[..., :4] = 1
    torch.testing.assert_close(gram_matrix(picture, guide), gram_matrix(picture[..., :4]))
    torch.testing.assert_close(channel_means(picture, guide), channel_means(picture[..., :4]))


def test_gradients_agree_with_finite_differences():
    picture = features(1, 3, 4, 5, dtype=torch.float64).requires_grad_()
    guide = features(1, 1, 4, 5, seed=1, dtype=torch.float64)
    target = gram_matrix(features(1, 3, 4, 5, seed=2, dtype=torch.float64)).double()
    assert gradcheck(lambda x: gram_matrix(x), picture)
    assert gradcheck(lambda x: gram_matrix(x, guide).double(), picture, atol=1e-6)
    assert gradcheck(lambda x: (gram_matrix(x) - target).square().sum(), picture)
    assert gradcheck(total_variation, picture)
    assert gradcheck(lambda x: out_of_gamut(x * 3 - 1), picture)


def test_gradient_of_the_wasserstein_distance_agrees_with_finite_differences():
    mean, target_mean = features(1, 4, dtype=torch.float64), features(1, 4, seed=1, dtype=torch.float64)
    factor = features(1, 4, 4, seed=2, dtype=torch.float64).requires_grad_()
    target = gram_matrix(features(1, 4, 6, 6, seed=3, dtype=torch.float64))
    spread = lambda f: f @ f.mT + 0.1 * torch.eye(4, dtype=torch.float64)  # noqa: E731
    assert gradcheck(lambda f: wasserstein_distance(mean, spread(f), target_mean, target), factor)


@pytest.mark.parametrize("kind", ["gram", "covariance"])
def test_the_gradient_in_a_small_area_is_the_same_in_bfloat16(kind):
    """The area has fewer positions than the network channels."""
    guide = torch.zeros(1, 1, 64, 96)
    guide[..., 16:24, 24:36] = 1
    style, photo, gradients = picture(64, 64, seed=1)[None], picture(64, 96)[None], []
    for compute in (FP32, Compute.choose("cpu", "bf16")):
        network = load_extractor("lite", registry.find("lite"), compute)
        target, leaf = StyleTarget.of(network, style, STYLE_LAYERS), photo.clone().requires_grad_()
        loss = sum(target.distances(network.extract(leaf, STYLE_LAYERS, measured=False), kind, guide).values())
        gradients.append(torch.autograd.grad(loss, leaf)[0].flatten())
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.95


def test_wasserstein_distance_of_gaussians_with_diagonal_covariances_is_the_closed_form():
    mean, target_mean = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]])
    spread, target = torch.diag_embed(torch.tensor([[4.0, 9.0]])), torch.diag_embed(torch.tensor([[1.0, 16.0]]))
    expected = ((1 + 4) + (2 - 1) ** 2 + (3 - 4) ** 2) / (16 + 17)
    torch.testing.assert_close(wasserstein_distance(mean, spread, target_mean, target), torch.tensor(expected))
    assert wasserstein_distance(mean, spread, mean, spread).abs() < 1e-6


def test_correlation_compares_where_things_are_whatever_is_done_to_all_positions_alike():
    one, other = features(2, 4, 8, 8), features(2, 4, 8, 8, seed=5)
    shifted = 3 * one + torch.arange(4.0).view(1, 4, 1, 1)
    torch.testing.assert_close(correlation(shifted, one), torch.tensor(1.0))
    torch.testing.assert_close(correlation(-one, one), torch.tensor(-1.0))
    assert abs(correlation(other, one)) < 0.2 and correlation(torch.zeros_like(one), one) == 0


def test_relative_distance_is_0_for_the_target_and_1_for_nothing():
    target = features(2, 3)
    assert relative_distance(target, target) == 0
    torch.testing.assert_close(relative_distance(torch.zeros(2, 3), target), torch.tensor(1.0))


def test_total_variation_of_a_ramp_is_its_slope_squared():
    ramp = torch.arange(6.0).repeat(1, 3, 4, 1) * 0.1
    torch.testing.assert_close(total_variation(ramp), torch.tensor(0.01))
    assert total_variation(torch.full((1, 3, 1, 1), 0.5)) == 0


def test_pixels_inside_the_gamut_cost_nothing():
    assert out_of_gamut(features(1, 3, 4, 4)) == 0
    torch.testing.assert_close(out_of_gamut(torch.full((1, 3, 2, 2), 1.5)), torch.tensor(0.25))


def style_of(seed: int) -> StyleTarget:
    return StyleTarget.from_features("random", {"relu1_1": features(1, 4, 8, 8, seed=seed)})


@pytest.mark.parametrize("kind", ["gram", "covariance"])
def test_two_equal_styles_equal_one(kind):
    one = style_of(1)
    seen = {"relu1_1": features(1, 4, 8, 8, seed=2)}
    both = StyleTarget.mix([one, one], [0.3, 0.7])
    torch.testing.assert_close(both.distances(seen, kind), one.distances(seen, kind))


@pytest.mark.parametrize("kind", ["gram", "covariance"])
def test_a_style_is_at_no_distance_from_itself(kind):
    style = {"relu1_1": features(1, 4, 8, 8)}
    assert StyleTarget.from_features("random", style).distances(style, kind)["relu1_1"].abs() < 1e-6


def test_mixing_follows_the_weights():
    mixed = StyleTarget.mix([style_of(1), style_of(2)], [3, 1])
    expected = 0.75 * style_of(1).grams["relu1_1"] + 0.25 * style_of(2).grams["relu1_1"]
    torch.testing.assert_close(mixed.grams["relu1_1"], expected)


def test_styles_measured_by_different_networks_are_not_mixed():
    other = StyleTarget.from_features("another", {"relu1_1": features(1, 4, 8, 8)})
    with pytest.raises(RequestError, match="different feature networks"):
        StyleTarget.mix([style_of(1), other], [1, 1])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], "There are 1 style weights for 2 styles; give one for each."),
        ([1.0, -1.0], "The style weights are 1, -1; they must not be negative, and one must be above 0."),
        ([0.0, 0.0], "The style weights are 0, 0; they must not be negative, and one must be above 0."),
        ([1.0, float("nan")], "The style weights are 1, nan; they must not be negative, and one must be above 0."),
    ],
)
def test_invalid_style_weights_are_refused_in_words(weights, message):
    with pytest.raises(RequestError) as caught:
        style_shares(weights, 2)
    assert str(caught.value) == message


def test_huge_style_weights_have_shares_too():
    assert style_shares([1e308, 1e308], 2) == [0.5, 0.5]


def test_content_distance_is_relative():
    target = ContentTarget("random", {"relu4_2": torch.full((1, 2, 2, 2), 2.0)})
    distances = target.distances({"relu4_2": torch.full((1, 2, 2, 2), 3.0)})
    torch.testing.assert_close(distances["relu4_2"], torch.tensor(0.25))


@pytest.mark.parametrize("kind", ["gram", "covariance"])
@pytest.mark.parametrize("guided", [False, True])
def test_a_metric_taken_to_moments_equals_one_taken_to_every_pixel(kind, guided):
    plain, layers = random_extractor(), ["relu1_1", "relu3_1"]
    metrics = {layer: torch.eye(8) + 0.3 * features(8, 8, seed=index) for index, layer in enumerate(layers)}
    metrics = {layer: metric @ metric.mT for layer, metric in metrics.items()}
    network = FeatureExtractor("with metrics", plain.trunk, FP32, metrics=metrics)
    style, photo, image = (picture(32, 48, seed)[None] for seed in range(3))
    guide = torch.linspace(0, 1, 48).expand(1, 1, 32, 48) if guided else None

    by_moments = StyleTarget.of(network, style, layers, guide).distances(network.extract(image, layers, measured=False), kind, guide)
    by_pixels = StyleTarget.from_features("", network.extract(style, layers), guide).distances(network.extract(image, layers), kind, guide)
    content = ContentTarget.of(network, photo, layers).distances(network.extract(image, layers, measured=False))
    for layer in layers:
        torch.testing.assert_close(by_moments[layer], by_pixels[layer], rtol=1e-2, atol=1e-3)
        wanted = relative_distance(network.extract(image, [layer])[layer], network.extract(photo, [layer])[layer])
        torch.testing.assert_close(content[layer], wanted)
    without = StyleTarget.of(plain, style, layers, guide).distances(plain.extract(image, layers), kind, guide)
    assert abs(float(without["relu3_1"] / by_moments["relu3_1"]) - 1) > 0.01  # the metric matters
