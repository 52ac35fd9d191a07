"""ResNet-50 with random tensors in torchvision's layout: what must hold for any weights."""

import pytest
import torch
from networks import FP32, drawn_resnet, picture
from safetensors.torch import save_file
from torch.nn import functional

from style_core.errors import RequestError
from style_core.networks.backbones import BACKBONES
from style_core.networks.resnet import BLOCK_OF, ResNetExtractor, network_of, smoothed, tensor_shapes
from style_core.optimization.deepdream import DreamObjective, Term


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    return drawn_resnet()


@pytest.fixture(scope="module")
def extractor(tensors) -> ResNetExtractor:
    return ResNetExtractor(network_of(tensors), FP32)


def normalized(x: torch.Tensor, tensors: dict, name: str) -> torch.Tensor:
    mean, variance, gain, bias = (tensors[f"{name}.{kind}"] for kind in ("running_mean", "running_var", "weight", "bias"))
    return functional.batch_norm(x, mean, variance, gain, bias)


def test_folded_normalization_gives_the_same_activations(tensors):
    """The stem, the first block and the first of the second stage, written out as in the paper."""
    batch = torch.randn(1, 3, 48, 64, generator=torch.Generator().manual_seed(1))
    stem = normalized(functional.conv2d(batch, tensors["conv1.weight"], stride=2, padding=3), tensors, "bn1").relu()
    x = functional.max_pool2d(stem, 3, 2, 1)
    seen = {}
    for stage, block, stride in ((1, 0, 1), (1, 1, 1), (1, 2, 1), (2, 0, 2)):
        at = f"layer{stage}.{block}"
        y = normalized(functional.conv2d(x, tensors[f"{at}.conv1.weight"]), tensors, f"{at}.bn1").relu()
        y = normalized(functional.conv2d(y, tensors[f"{at}.conv2.weight"], stride=stride, padding=1), tensors, f"{at}.bn2").relu()
        y = normalized(functional.conv2d(y, tensors[f"{at}.conv3.weight"]), tensors, f"{at}.bn3")
        if block == 0:
            x = normalized(functional.conv2d(x, tensors[f"{at}.downsample.0.weight"], stride=stride), tensors, f"{at}.downsample.1")
        x = (x + y).relu()
        seen[stage, block] = x
    network = network_of(tensors).requires_grad_(False)
    found = network(batch, ["relu1_1", "relu2_1", "relu2_2", "relu3_1"])
    torch.testing.assert_close(found["relu1_1"], stem, rtol=1e-3, atol=1e-4)
    for layer, place in (("relu2_1", (1, 0)), ("relu2_2", (1, 1)), ("relu3_1", (2, 0))):
        torch.testing.assert_close(found[layer], seen[place], rtol=1e-3, atol=1e-3)


def test_layers_come_at_vgg_19s_strides_and_no_deeper_than_asked(extractor):
    features = extractor.extract(picture(64, 96)[None], ["relu1_1", "relu2_1", "relu3_1", "conv4_2", "relu5_1"])
    shapes = {layer: tuple(feature.shape[1:]) for layer, feature in features.items()}
    assert shapes == {
        "relu1_1": (64, 64, 96),
        "relu2_1": (256, 32, 48),
        "relu3_1": (512, 16, 24),
        "relu4_2": (1024, 8, 12),
        "relu5_1": (1024, 8, 12),
    }
    shallow = ResNetExtractor(network_of(drawn_resnet("relu2_1")), FP32)
    assert shallow.extract(picture(32, 32)[None], ["relu2_1"]).keys() == {"relu2_1"}


def test_gradients_reach_every_pixel(extractor):
    image = picture(48, 48)[None].requires_grad_()
    extractor.extract(image, ["relu4_1"])["relu4_1"].float().square().sum().backward()
    assert (image.grad.abs().sum(1) > 0).all()


def test_layers_that_it_lacks_and_pictures_that_are_too_small_are_refused_in_words(extractor):
    with pytest.raises(RequestError, match="resnet50 has no layer relu5_4; it has relu1_1, relu2_1"):
        extractor.extract(picture(32, 32)[None], ["relu5_4"])
    with pytest.raises(RequestError, match="8 x 12 px, too small"):
        extractor.extract(picture(12, 8)[None], ["relu3_1"])


def test_smoothed_activations_have_a_mean_of_1_and_keep_their_order():
    features = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    found = smoothed(features)
    torch.testing.assert_close(found.mean((1, 2, 3)), torch.ones(2))
    assert torch.equal(found[0].flatten().argsort(), features[0].flatten().argsort())
    torch.testing.assert_close(smoothed(torch.zeros(1, 2, 3, 3)), torch.ones(1, 2, 3, 3))


def test_smoothing_is_the_softmax_over_channels_and_positions():
    features = torch.tensor([1.0, 3.0, 2.0, 2.0]).log().reshape(1, 2, 2, 1)
    torch.testing.assert_close(smoothed(features), 4 * torch.tensor([1.0, 3.0, 2.0, 2.0]).reshape(1, 2, 2, 1) / 8)


def test_dreams_climb_activations_as_they_are(extractor):
    batch = picture(32, 32)[None]
    plain = extractor.unsmoothed(batch, ["relu3_1"])["relu3_1"]
    torch.testing.assert_close(extractor.extract(batch, ["relu3_1"])["relu3_1"], smoothed(plain))
    responses, _ = DreamObjective(extractor, [Term("relu3_1")]).responses(batch)
    torch.testing.assert_close(responses[0, 0], plain.square().mean(1).sum())


def test_flops_are_those_of_the_network_and_activations_no_fewer_than_its_own(tensors):
    work, kept = [], []

    def count(layer, given, answer):
        work.append(2 * layer.weight.numel() * answer.shape[-2] * answer.shape[-1])
        kept.append(answer.numel())

    network = network_of(tensors)  # not frozen: a fused convolution calls no hooks
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(count)
    network(torch.rand(1, 3, 128, 192), ["relu4_1"])
    shape = BACKBONES["resnet50"].shape
    assert shape.flops(64, 96, "relu4_1") == sum(work)
    assert sum(kept) <= shape.activations(64, 96, "relu4_1") < 2 * sum(kept)


def test_unused_tensors_in_the_file_are_ignored(tmp_path, tensors, extractor):
    path = tmp_path / "model.safetensors"
    save_file({**tensors, "fc.weight": torch.zeros(10, 4), "layer4.0.conv1.weight": torch.zeros(512, 1024, 1, 1)}, path)
    image = picture(32, 32)[None]
    found = BACKBONES["resnet50"].load(path, FP32).extract(image, ["relu3_1"])["relu3_1"]
    torch.testing.assert_close(found, extractor.extract(image, ["relu3_1"])["relu3_1"])


def test_tensors_up_to_a_layer_are_those_of_its_blocks():
    assert len(tensor_shapes("relu1_1")) == 5
    assert {name.split(".")[0] for name in tensor_shapes("relu3_2")} == {"conv1", "bn1", "layer1", "layer2"}
    assert tensor_shapes("relu3_2").keys() < tensor_shapes("relu4_1").keys() < tensor_shapes().keys()
    assert tensor_shapes()["layer3.0.downsample.0.weight"] == (1024, 512, 1, 1)
    assert set(BLOCK_OF.values()) - {None} <= {(stage, block) for stage in range(3) for block in range(6)}
