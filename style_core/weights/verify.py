"""Check by its behavior whether a file contains a trained network.

Two trainings of VGG-19 are in use (Oxford's and torchvision's), in several precisions, so a hash is not enough. This module checks
what they share: layout, finite values, activations of a plausible size, and different features for different textures. For other
networks from the hub it checks layout, finite values, and activations of a plausible size.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.networks.backbones import BACKBONES, Backbone
from style_core.networks.latent_net import SIDE, WIDTHS, Z_SIZE, LatentNet
from style_core.networks.vgg19 import LAYERS, convolution_index, pooling_of

# For comparison: Oxford's weights give contrast at least 5 times the bias, blue 0.76 of red, and a similarity of textures of at
# most 62 %; random weights give a similarity of 97 %.
_LEAST_CONTRAST = 1.9
_MOST_BLUE = 1.1
_MOST_ALIKE = 0.88


class WeightsError(RequestError):
    """Weights are unavailable or wrong; the message says why."""


class HubUnavailable(WeightsError):
    """Weights could not be fetched from the hub; the message also says how to do without it.

    Attributes:
        reason: the message without that.
    """

    def __init__(self, reason: str, variable: str):
        super().__init__("{reason} To do without the hub, set {variable} to the path of the file.", reason=reason, variable=variable)
        self.reason = reason


def check_network(backbone: Backbone, tensors: dict[str, Tensor], deepest: str, name: str) -> None:
    """Raise unless the tensors are a trained network of this kind, at least as deep as `deepest`.

    Args:
        tensors: by torchvision's names.
        name: of the file, for the message.
    Raises:
        WeightsError: naming the file and the fault.
    """
    _check_layout(backbone, tensors, deepest, name)
    if backbone.name == "vgg19":
        _check_vgg19(tensors, deepest, name)
    else:
        _check_activations(backbone, tensors, deepest, name)


def _check_layout(backbone: Backbone, tensors: dict[str, Tensor], deepest: str, name: str) -> None:
    for key, shape in backbone.tensors(deepest).items():
        if key not in tensors:
            raise WeightsError(
                "{file} has no tensor {tensor}; use the weights of {network} in torchvision's layout.",
                file=name,
                tensor=key,
                network=backbone.title,
            )
        tensor = tensors[key]
        if tuple(tensor.shape) != shape:
            raise WeightsError(
                "{file}: {tensor} has the shape {shape}; {network} has {wanted}.",
                file=name,
                network=backbone.title,
                tensor=key,
                shape=str(tuple(tensor.shape)),
                wanted=str(shape),
            )
        if not tensor.is_floating_point():
            raise WeightsError(
                "{file}: {tensor} holds {dtype}; it must hold floating-point numbers.", file=name, tensor=key, dtype=str(tensor.dtype)
            )
        if not torch.isfinite(tensor).all():
            raise WeightsError("{file}: {tensor} holds values that are not finite; the file is damaged.", file=name, tensor=key)
        dead = (tensor.flatten(1) == 0).all(1).float().mean() if tensor.dim() > 1 else torch.tensor(0.0)
        if dead > 0.02:
            raise WeightsError(
                "{file}: {share:.0%} of the filters of {tensor} are all zero; the file was only partly written.",
                file=name,
                share=dead,
                tensor=key,
            )


def _check_activations(backbone: Backbone, tensors: dict[str, Tensor], deepest: str, name: str) -> None:
    """Check properties of any trained network with rectifiers: activations of a plausible size, some of them positive."""
    extractor = backbone.build(tensors, Compute.choose("cpu", "fp32"), "max", "max")
    layers = [layer for layer in backbone.layers if layer <= deepest]  # names sort as depth does
    with torch.no_grad():
        features = extractor.unsmoothed(_textures(), layers)
    for layer in layers:
        _check_plausible(backbone, features[layer], layer, name)


def _check_plausible(backbone: Backbone, x: Tensor, layer: str, name: str) -> None:
    size = float(x.square().mean().sqrt())
    if not 1e-3 < size < 1e5:
        raise WeightsError(
            "{file}: activations at {layer} are about {size:.2g}, which no trained {network} produces.",
            file=name,
            layer=layer,
            size=size,
            network=backbone.title,
        )
    active = float((x > 0).float().mean())
    if not 0.005 < active < 0.98:
        raise WeightsError(
            "{file}: {share:.1%} of the activations at {layer} are positive, which no trained {network} produces.",
            file=name,
            share=active,
            layer=layer,
            network=backbone.title,
        )


def _check_vgg19(tensors: dict[str, Tensor], deepest: str, name: str) -> None:
    """Check properties of any trained VGG-19: plausible activations, contrast above bias, different features of textures."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    # The last picture is the mean color: normalized to zero, so that only biases remain.
    x = torch.cat([(_textures() - mean) / std, torch.zeros(1, 3, 96, 96)])
    for layer in LAYERS[: LAYERS.index(deepest) + 1]:
        index = convolution_index(layer)
        if layer[6] == "1" and layer != "relu1_1":
            x = functional.max_pool2d(x, 2)
        weight, bias = (tensors[f"features.{index}.{kind}"].float() for kind in ("weight", "bias"))
        x = functional.conv2d(x, weight, bias, padding=1).relu()
        _check_plausible(BACKBONES["vgg19"], x[:-1], layer, name)
        if layer == "relu1_1":
            _check_first_layer(x, weight, name)
        if layer in ("relu4_1", "relu5_1") and (similarity := _similarity(x[:-1])) > _MOST_ALIKE:
            raise WeightsError(
                "{file}: different textures look {share:.0%} alike at {layer}; the network seems untrained.",
                file=name,
                share=similarity,
                layer=layer,
            )


def _check_first_layer(activations: Tensor, weight: Tensor, name: str) -> None:
    bias_alone = activations[-1].square().mean().sqrt()
    moved = (activations[:-1] - activations[-1:]).square().mean().sqrt()
    if moved < _LEAST_CONTRAST * bias_alone:
        raise WeightsError(
            "{file}: its first layer hardly responds to contrast, as if made for pixels from 0 to 255; use a VGG-19 for normalized input.",
            file=name,
        )
    red, _, blue = weight.square().sum((0, 2, 3)).tolist()
    # Photographs have the least detail in blue, and networks trained on them respond to it least.
    if blue > _MOST_BLUE * red:
        raise WeightsError(
            "{file}: its first layer responds more to blue than to red; its input channels seem to be swapped (BGR).", file=name
        )


def _similarity(features: Tensor) -> float:
    """The largest cosine between Gram matrices of different textures, `[N, C, H, W]`."""
    flat = features.flatten(2)
    grams = functional.normalize((flat @ flat.mT).flatten(1))
    return float((grams @ grams.mT - 2 * torch.eye(len(grams))).max())


def _textures(side: int = 96) -> Tensor:
    """Stripes, checks, soft noise and dots in different colors, `[4, 3, side, side]`."""
    y, x = torch.meshgrid(torch.arange(side).float(), torch.arange(side).float(), indexing="ij")
    wave = 0.6 * x + 0.2 * y
    stripes = torch.stack([0.5 + 0.5 * torch.sin(wave), 0.5 + 0.4 * torch.sin(wave + 1), 0.4 + 0.3 * torch.sin(0.5 * y)])
    checks = 0.05 + (((x // 8) + (y // 8)) % 2) * torch.tensor([0.9, 0.3, 0.2]).view(3, 1, 1)
    grain = torch.rand(1, 3, side // 4, side // 4, generator=torch.Generator().manual_seed(0))
    noise = functional.interpolate(grain, (side, side), mode="bilinear", align_corners=False)[0]
    dots = 0.1 + ((x % 12 - 6).square() + (y % 12 - 6).square() < 14) * torch.tensor([0.1, 0.6, 0.8]).view(3, 1, 1)
    return torch.stack([stripes, checks, noise, dots])


def _texture(side: int = 64) -> Tensor:
    """Stripes, checks and a ramp in several colors, `[1, 3, side, side]`."""
    y, x = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side), indexing="ij")
    red = 0.5 + 0.5 * torch.sin(40 * x + 13 * y)
    green = ((x * 8).floor() + (y * 8).floor()) % 2
    return torch.stack([red, green, 0.5 * y + 0.5 * x * (1 - y)])[None]


def golden_figures(path: Path) -> dict[str, float]:
    """Figures of a shipped network for a built-in input: stored beside its weights and compared by `verify`.

    Another library version may read a file with the right hash wrongly; these figures detect that.

    Returns:
        For a feature network, or one that begins with one, the root mean square of its activations at each rectifier
        for the built-in texture, and of its metrics; for the latent space, the mean and deviation of each color of the
        picture of a fixed code; for the style prior, the mean and deviation of its codes; for the maps of Gram matrices, their
        root mean squares.
    """
    tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
    if any(name.startswith("decoder.") for name in tensors):
        return _latent_figures(tensors)
    if all(name.startswith("maps.") for name in tensors):
        return {name: float(tensor.square().mean().sqrt()) for name, tensor in tensors.items()}
    if "codes" in tensors:
        return {"mean": float(tensors["codes"].mean()), "deviation": float(tensors["codes"].std())}
    prefix = "encoder." if any(name.startswith("encoder.") for name in tensors) else ""
    pool = functional.avg_pool2d if pooling_of(path) == "average" else functional.max_pool2d
    figures = {}
    x = (_texture() - 0.45) / 0.225
    for layer in LAYERS:
        key = f"{prefix}features.{convolution_index(layer)}"
        if f"{key}.weight" not in tensors:
            break
        if layer[6] == "1" and layer != "relu1_1":
            x = pool(x, 2)
        padded = functional.pad(x, (1, 1, 1, 1), mode="reflect" if prefix else "constant")  # as in training
        x = functional.conv2d(padded, tensors[f"{key}.weight"], tensors[f"{key}.bias"]).relu()
        figures[layer] = float(x.square().mean().sqrt())
    figures |= {name: float(tensor.square().mean().sqrt()) for name, tensor in tensors.items() if name.startswith("metric.")}
    return figures


def _latent_figures(tensors: dict[str, Tensor]) -> dict[str, float]:
    net = LatentNet().requires_grad_(False)
    net.load_state_dict(tensors)
    code = torch.linspace(-2, 2, Z_SIZE)[None]
    picture = net.decoder(net.decoder.styles(code), SIDE, [torch.zeros(1, 1, side, side) for side in WIDTHS])[0]
    seen = net.encoder(picture[None])[0]
    figures = {"encoded": float(seen.square().mean().sqrt())}
    for name, channel in zip(("red", "green", "blue"), picture):
        figures |= {f"{name} mean": float(channel.mean()), f"{name} deviation": float(channel.std())}
    return figures


def check_golden(path: Path) -> None:
    """Raise if a shipped network gives different figures than when it was registered.

    Raises:
        WeightsError: naming the file and the figure that differs.
    """
    try:
        golden = json.loads(path.with_suffix(".golden.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        name = path.with_suffix(".golden.json").name
        raise WeightsError("{file} in models/ is missing or damaged; get the project's files again.", file=name) from error
    found = golden_figures(path)
    for name, wanted in golden.items():
        if name not in found or abs(found[name] - wanted) > 1e-3 * max(1.0, abs(wanted)):
            raise WeightsError(
                "{file} gives {found} at {figure} instead of {wanted}; get it again.",
                file=path.name,
                found=found.get(name, "nothing"),
                figure=name,
                wanted=wanted,
            )
