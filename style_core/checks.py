"""Whether a file really holds a trained VGG-19, told by what it does and not by a recorded hash.

Two trainings are in use (Oxford's and torchvision's) and in several precisions, so no hash can stand for all. What both
share is checked: layout, finite values, activations of a plausible size, and textures told apart.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from style_core.errors import RequestError
from style_core.layout import LAYERS, convolution_index, tensor_shapes


class WeightsError(RequestError):
    """Weights can't be had, or are not what they should be; the message says why."""


def check_vgg19(tensors: dict[str, Tensor], deepest: str, name: str) -> None:
    """Refuse anything that is not a trained VGG-19 as deep as `deepest`.

    Args:
        tensors: by torchvision's names, `features.N.weight` and `features.N.bias`.
        name: of the file, for the message.
    Raises:
        WeightsError: naming the file and what is wrong with it.
    """
    _check_layout(tensors, deepest, name)
    _check_activations(tensors, deepest, name)


def _check_layout(tensors: dict[str, Tensor], deepest: str, name: str) -> None:
    for key, shape in tensor_shapes(deepest).items():
        if key not in tensors:
            raise WeightsError(f"{name} has no tensor {key}; VGG-19's weights in torchvision's layout are wanted.")
        tensor = tensors[key]
        if tuple(tensor.shape) != shape:
            raise WeightsError(f"{name}: {key} has the shape {tuple(tensor.shape)} where VGG-19 has {shape}.")
        if not tensor.is_floating_point():
            raise WeightsError(f"{name}: {key} holds {tensor.dtype} where floating-point numbers are wanted.")
        if not torch.isfinite(tensor).all():
            raise WeightsError(f"{name}: {key} holds values that are no numbers; the file is damaged.")
        dead = (tensor.flatten(1) == 0).all(1).float().mean() if tensor.dim() > 1 else torch.tensor(0.0)
        if dead > 0.02:
            raise WeightsError(f"{name}: {dead:.0%} of the filters of {key} are all zero; the file was only partly written.")


def _check_activations(tensors: dict[str, Tensor], deepest: str, name: str) -> None:
    """Activations of a textured picture keep a plausible size from layer to layer, as they do in any trained VGG-19."""
    x = (_texture() - 0.45) / 0.225
    for layer in LAYERS[: LAYERS.index(deepest) + 1]:
        index = convolution_index(layer)
        if layer[6] == "1" and layer != "relu1_1":
            x = functional.max_pool2d(x, 2)
        weight, bias = (tensors[f"features.{index}.{kind}"].float() for kind in ("weight", "bias"))
        x = functional.conv2d(x, weight, bias, padding=1).relu()
        size = float(x.square().mean().sqrt())
        if not 1e-3 < size < 1e4:
            raise WeightsError(f"{name}: activations at {layer} are about {size:.2g}, which no trained VGG-19 gives.")
        active = float((x > 0).float().mean())
        if not 0.005 < active < 0.98:
            raise WeightsError(f"{name}: {active:.1%} of the activations at {layer} are positive, which no trained VGG-19 gives.")


def _texture(side: int = 64) -> Tensor:
    """Stripes, checks and a ramp in several colours, `[1, 3, side, side]`."""
    y, x = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side), indexing="ij")
    red = 0.5 + 0.5 * torch.sin(40 * x + 13 * y)
    green = ((x * 8).floor() + (y * 8).floor()) % 2
    return torch.stack([red, green, 0.5 * y + 0.5 * x * (1 - y)])[None]


def golden_figures(path: Path) -> dict[str, float]:
    """What a shipped feature network answers to the built-in texture: kept beside its weights, compared by `verify`.

    A file whose hash is right may still be read wrongly by another version of a library; these figures tell.

    Returns:
        Root mean square by tensor, and of the activations at each rectifier of the trunk that the file holds.
    """
    tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
    prefix = "encoder." if any(name.startswith("encoder.") for name in tensors) else ""
    figures = {}
    x = (_texture() - 0.45) / 0.225
    for layer in LAYERS:
        key = f"{prefix}features.{convolution_index(layer)}"
        if f"{key}.weight" not in tensors:
            break
        if layer[6] == "1" and layer != "relu1_1":
            x = functional.max_pool2d(x, 2)
        padded = functional.pad(x, (1, 1, 1, 1), mode="reflect")
        x = functional.conv2d(padded, tensors[f"{key}.weight"], tensors[f"{key}.bias"]).relu()
        figures[layer] = float(x.square().mean().sqrt())
    figures |= {name: float(tensor.square().mean().sqrt()) for name, tensor in tensors.items() if name.startswith("metric.")}
    return figures


def check_golden(path: Path) -> None:
    """Refuse a shipped network that does not answer as it did when it was registered.

    Raises:
        WeightsError: naming the file and the figure that differs.
    """
    golden = json.loads(path.with_suffix(".golden.json").read_text())
    found = golden_figures(path)
    for name, wanted in golden.items():
        if name not in found or abs(found[name] - wanted) > 1e-3 * max(1.0, abs(wanted)):
            raise WeightsError(f"{path.name} answers {found.get(name, 'nothing')} at {name} where it answered {wanted}; get it again.")
