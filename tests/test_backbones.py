"""The table of feature networks: what each entry must be, and what a network drawn at random does in a run."""

import json

import pytest
import torch
from hub import hub_server, run
from networks import FP32, drawn_resnet, drawn_vgg, picture
from safetensors.torch import load_file, save, save_file

from style_core.errors import RequestError
from style_core.networks.backbones import BACKBONES
from style_core.networks.vgg19 import VGG16_DEPTHS, tensor_shapes
from style_core.progress import finish
from style_core.recipes import dream as dreaming
from style_core.recipes.dream import DreamOptions, dream
from style_core.recipes.loss_weights import loss_weights_of
from style_core.recipes.optimize import optimize
from style_core.recipes.optimize_options import PRESETS, OptimizeOptions
from style_core.weights import registry as weights
from style_core.weights.verify import WeightsError, check_network

FROM_HUB = [name for name in BACKBONES if weights.registry()[name].repo]


def drawn(name: str) -> dict[str, torch.Tensor]:
    backbone = BACKBONES[name]
    return drawn_resnet() if name == "resnet50" else drawn_vgg(backbone.tensors(backbone.layers[-1]))


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_has_its_layers_and_a_file_in_the_registry(name):
    backbone, entry = BACKBONES[name], weights.registry()[name]
    assert backbone.name == name and {*backbone.style_layers, backbone.content_layer} <= set(backbone.layers)
    assert len(backbone.style_layers) == 5 and list(backbone.layers) == sorted(backbone.layers)
    assert backbone.shape.flops(64, 64, backbone.layers[0]) < backbone.shape.flops(64, 64, backbone.layers[-1])
    if entry.repo:
        assert entry.bytes == pytest.approx(
            4 * sum(torch.Size(shape).numel() for shape in backbone.tensors(backbone.layers[-1]).values()), rel=1e-5
        )


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", BACKBONES)
def test_presets_weigh_layers_that_the_network_has(name, preset):
    loss_weights = loss_weights_of(OptimizeOptions(extractor=name, preset=preset))
    assert {*loss_weights.content, *loss_weights.style} <= set(BACKBONES[name].layers)


def test_vgg_16_is_vgg_19_with_a_convolution_fewer_in_each_of_the_last_three_blocks():
    shapes = tensor_shapes("relu5_3", VGG16_DEPTHS)
    assert len(shapes) == 26 and shapes["features.28.weight"] == (512, 512, 3, 3)
    tensors = drawn_vgg(shapes)
    extractor = BACKBONES["vgg16"].build(tensors, FP32, "max", "max")
    batch = picture(48, 48)[None]
    x = extractor.normalized(batch)
    for index in (0, 2, 5, 7, 10, 12, 14, 17):
        x = torch.nn.functional.max_pool2d(x, 2) if index in (5, 10, 17) else x
        x = torch.nn.functional.conv2d(x, tensors[f"features.{index}.weight"], padding=1).relu()
    torch.testing.assert_close(extractor.extract(batch, ["relu4_1"])["relu4_1"], x, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FROM_HUB if name != "vgg19"])
def test_a_picture_is_painted_with_a_network_given_by_hand_and_the_loss_falls(name, tmp_path, monkeypatch):
    save_file(drawn(name), tmp_path / "given.safetensors")
    monkeypatch.setenv(f"STYLE_CORE_{name.upper()}", str(tmp_path / "given.safetensors"))
    options = OptimizeOptions(size=64, iterations=12, extractor=name, strength=0.9, pyramid=False)
    steps = list(optimize(picture(64, 64), [picture(64, 64, seed=1)], options, compute=FP32))
    losses = [step.losses["total"] for step in steps if step.losses]
    assert losses[-1] < 0.7 * losses[0]
    assert steps[-1].image.shape == (3, 64, 64) and set(steps[-1].weights) == {name}


def test_a_dream_grows_in_a_resnet(tmp_path, monkeypatch):
    save_file(drawn("resnet50"), tmp_path / "given.safetensors")
    monkeypatch.setenv("STYLE_CORE_RESNET50", str(tmp_path / "given.safetensors"))
    options = DreamOptions(size=64, iterations=5, octaves=1, extractor="resnet50", layer="relu3_1")
    last = finish(dream(picture(64, 64), options, compute=FP32))
    assert last.losses["activation relu3_1"] > 1.05


def test_layers_that_a_network_lacks_are_refused_before_anything_is_fetched(monkeypatch):
    monkeypatch.setattr(weights, "fetch", lambda *_: pytest.fail("the hub was asked"))
    for name, layer in (("vgg16", "relu3_4"), ("resnet50", "relu5_3")):
        with pytest.raises(RequestError, match=f"{name} has no layer {layer}; it has relu1_1, "):
            finish(optimize(picture(64, 64), [picture(64, 64)], OptimizeOptions(extractor=name, content_layers=layer), compute=FP32))
        with pytest.raises(RequestError, match=f"{name} has no layer {layer}; it has relu1_1, "):
            finish(dreaming.dream(picture(64, 64), DreamOptions(extractor=name, layer=layer), compute=FP32))


def test_smoothing_depends_on_the_whole_picture_so_tiles_are_not_offered():
    with pytest.raises(RequestError, match="choose a size of at most"):
        finish(optimize(picture(64, 64), [picture(64, 64)], OptimizeOptions(size=2048, extractor="resnet50"), compute=FP32, memory=2e9))


def damaged(kind: str) -> dict[str, torch.Tensor]:
    tensors, name = drawn("resnet50"), "layer2.1.conv2.weight"
    if kind == "missing":
        del tensors[name]
    elif kind == "shape":
        tensors[name] = tensors[name][:, :64].clone()
    elif kind == "not finite":
        tensors[name][3, 2, 1, 1] = torch.nan
    elif kind == "half-written":
        tensors[name][64:] = 0
    elif kind == "integers":
        tensors[name] = tensors[name].int()
    elif kind == "loud":
        tensors["bn1.weight"] *= 1e7
    return tensors


def test_a_whole_resnet_passes():
    check_network(BACKBONES["resnet50"], drawn("resnet50"), "relu5_2", "net.safetensors")


@pytest.mark.parametrize(
    ("kind", "message"),
    {
        "missing": "has no tensor layer2.1.conv2.weight; use the weights of ResNet-50 in torchvision's layout",
        "shape": r"layer2.1.conv2.weight has the shape \(128, 64, 3, 3\); ResNet-50 has \(128, 128, 3, 3\)",
        "not finite": "layer2.1.conv2.weight holds values that are not finite",
        "half-written": "the file was only partly written",
        "integers": "it must hold floating-point numbers",
        "loud": "activations at relu1_1 are about .*, which no trained ResNet-50 produces",
    }.items(),
)
def test_a_damaged_resnet_is_refused_for_what_is_wrong_with_it(kind, message):
    with pytest.raises(WeightsError, match=message):
        check_network(BACKBONES["resnet50"], damaged(kind), "relu5_2", "net.safetensors")


@pytest.mark.hub
@pytest.mark.parametrize("name", [name for name in FROM_HUB if name != "vgg19"])
def test_only_what_is_used_is_fetched_from_the_hub(name, environment, tmp_path):
    tensors = drawn(name)
    beside = {"fc.weight": torch.zeros(1000, 2048), "layer4.0.conv1.weight": torch.zeros(512, 1024, 1, 1)}
    whole = save({**tensors, **beside, "bn1.num_batches_tracked": torch.tensor(1)})
    code = f"import sys; from style_core.cli import main as cli; sys.exit(cli.main(['weights', 'pull', '{name}', '--json']))"
    with hub_server(whole) as (address, hub):
        first = run(environment, address, code)
        assert first.returncode == 0, first.stderr
        used = sum(tensor.nbytes for tensor in tensors.values())
        assert used <= hub.served < used + 100_000
        again = hub.served
        assert run(environment, address, code).returncode == 0 and hub.served == again
    assert json.loads(first.stdout)["where"] == "cached from the hub"
    kept = load_file(tmp_path / "hf" / "pentimento" / f"{name}.safetensors")
    assert kept.keys() == tensors.keys() and all(torch.equal(kept[key], tensor) for key, tensor in tensors.items())
