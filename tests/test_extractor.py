import pytest
import torch
from networks import FP32, random_extractor
from safetensors.torch import save_file

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.networks.extractor import AveragePool, FeatureExtractor, layer_name, load_extractor, vgg_layers
from style_core.networks.vgg19 import LAYERS


def test_layers_are_those_of_vgg19():
    assert len(LAYERS) == 16
    assert LAYERS[0] == "relu1_1" and LAYERS[8:10] == ("relu4_1", "relu4_2") and LAYERS[-1] == "relu5_4"


def test_gatys_names_for_layers_are_accepted():
    assert layer_name("conv4_2") == "relu4_2"


@pytest.mark.parametrize(("name", "near"), [("relu4_5", "relu4_"), ("relu42", "relu4_2"), ("pool3", "relu")])
def test_an_unknown_layer_is_refused_with_the_nearest_one(name, near):
    with pytest.raises(RequestError, match=f"There is no layer {name}; .* Did you mean {near}"):
        layer_name(name)


def test_features_are_those_of_the_layers_applied_one_by_one():
    extractor = random_extractor()
    batch = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    features = extractor.extract(batch, ["relu1_1", "relu2_2"])
    x = (batch - extractor.mean) / extractor.std
    expected = {}
    for index, layer in enumerate(extractor.trunk[:9]):
        x = layer(x.clone())
        expected[index] = x
    torch.testing.assert_close(features["relu1_1"], expected[1])
    torch.testing.assert_close(features["relu2_2"], expected[8])


def test_extraction_stops_at_the_deepest_layer_asked_for():
    extractor = random_extractor()
    for index in range(7, len(extractor.trunk)):
        extractor.trunk[index] = None  # whoever calls it fails
    extractor.extract(torch.rand(1, 3, 32, 32), ["relu2_1"])
    with pytest.raises(TypeError):
        extractor.extract(torch.rand(1, 3, 32, 32), ["relu2_2"])


def test_gradients_reach_the_picture_and_not_the_weights():
    extractor = random_extractor()
    batch = torch.rand(1, 3, 32, 32, requires_grad=True)
    extractor.extract(batch, ["relu3_1"])["relu3_1"].sum().backward()
    assert batch.grad.abs().sum() > 0
    assert all(not parameter.requires_grad for parameter in extractor.parameters())


def test_average_pooling_is_softer_than_max_pooling():
    batch = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    largest = random_extractor().extract(batch, ["relu2_1"])["relu2_1"]
    average = random_extractor(pooling="average").extract(batch, ["relu2_1"])["relu2_1"]
    assert average.mean() < largest.mean()


@pytest.mark.parametrize("height, width", [(6, 8), (7, 5)])
def test_average_pooling_is_torch_s_both_ways(height, width):
    values = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(AveragePool()(values), torch.nn.functional.avg_pool2d(values, 2))
    assert torch.autograd.gradcheck(AveragePool(), values)


def test_a_picture_too_small_for_a_layer_is_refused_in_words():
    with pytest.raises(RequestError, match="8 x 40 px, too small for relu5_1, which needs at least 16 px"):
        random_extractor().extract(torch.rand(1, 3, 40, 8), ["relu5_1"])


def test_bfloat16_agrees_with_float32():
    batch = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    exact = random_extractor().extract(batch, ["relu3_1"])["relu3_1"]
    fast = random_extractor(Compute.choose("cpu", "bf16")).extract(batch, ["relu3_1"])["relu3_1"]
    assert fast.dtype == torch.bfloat16
    assert (fast.float() - exact).norm() / exact.norm() < 0.03


def saved(tmp_path, blocks: int = 5, drop: str | None = None, metadata: dict[str, str] | None = None):
    trunk = vgg_layers([4] * 5)[: (2, 7, 12, 21, 30)[blocks - 1]]
    tensors = {f"features.{key}": value.half() for key, value in trunk.state_dict().items() if key != drop}
    save_file(tensors, tmp_path / "net.safetensors", metadata)
    return tmp_path / "net.safetensors"


def test_a_compact_network_is_rebuilt_from_its_file(tmp_path):
    extractor = load_extractor("lite", saved(tmp_path), FP32)
    assert isinstance(extractor, FeatureExtractor) and extractor.name == "lite"
    assert extractor.trunk[0].padding_mode == "zeros"
    assert extractor.extract(torch.rand(1, 3, 32, 32), ["relu5_1"])["relu5_1"].shape == (1, 4, 2, 2)


@pytest.mark.parametrize(("metadata", "pooling"), [(None, torch.nn.MaxPool2d), ({"pooling": "average"}, AveragePool)])
def test_a_compact_network_pools_as_its_file_says(tmp_path, metadata, pooling):
    assert isinstance(load_extractor("lite", saved(tmp_path, metadata=metadata), FP32).trunk[4], pooling)


def test_a_layer_that_a_file_does_not_reach_is_refused_in_words(tmp_path):
    extractor = load_extractor("lite", saved(tmp_path, blocks=3), FP32)
    with pytest.raises(RequestError, match="lite has no layer relu4_1; it has relu1_1, .*, relu3_1"):
        extractor.extract(torch.rand(1, 3, 32, 32), ["relu4_1"])


def test_a_file_with_a_tensor_missing_is_refused_in_words(tmp_path):
    with pytest.raises(RequestError, match="net.safetensors does not contain the layers of lite"):
        load_extractor("lite", saved(tmp_path, drop="2.weight"), FP32)


def test_vgg19_is_the_network_that_torchvision_builds(vgg19_path):
    extractor = load_extractor("vgg19", vgg19_path, FP32)
    assert [layer.out_channels for layer in extractor.trunk if isinstance(layer, torch.nn.Conv2d)] == [
        64, 64, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512, 512, 512, 512, 512,
    ]  # fmt: skip
    features = extractor.extract(torch.full((1, 3, 32, 32), 0.5), LAYERS)
    assert list(features) == list(LAYERS)
    assert all(torch.isfinite(feature).all() for feature in features.values())
