"""Feature extractors: VGG-19, and compact networks of the same shape, tapped by layer name.

Layers are named as the field names them: `relu3_1` is the rectified output of the first convolution of the third
block. Gatys's `conv4_2` is accepted and means `relu4_2`.
"""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from style_core._torchvision import import_torchvision
from style_core.devices import Compute
from style_core.errors import RequestError

BLOCK_DEPTHS = (2, 2, 4, 4, 4)
LAYERS = tuple(f"relu{block}_{depth}" for block, depths in enumerate(BLOCK_DEPTHS, 1) for depth in range(1, depths + 1))
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
POOLINGS = ("max", "average")


def layer_name(name: str) -> str:
    """The canonical name of a layer: `relu4_2` for `relu4_2` and `conv4_2`.

    Raises:
        RequestError: for anything else, with the nearest name there is.
    """
    canonical = name.strip().replace("conv", "relu")
    if canonical not in LAYERS:
        near = difflib.get_close_matches(canonical, LAYERS, n=1, cutoff=0.0)[0]
        raise RequestError(f"There is no layer {name}; layers run from {LAYERS[0]} to {LAYERS[-1]}. Did you mean {near}?")
    return canonical


def vgg_layers(widths: Sequence[int], padding_mode: str = "zeros") -> nn.Sequential:
    """VGG-19's feature layers with `widths[b]` channels in block `b`, after Simonyan and Zisserman (2015), table 1, E."""
    layers: list[nn.Module] = []
    channels = 3
    for width, depth in zip(widths, BLOCK_DEPTHS, strict=True):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1, padding_mode=padding_mode), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


class FeatureExtractor(nn.Module):
    """A frozen VGG-shaped network that gives its activations by layer name.

    Args:
        name: what people call it, `vgg19` or `lite`.
        trunk: convolutions, rectifiers and poolings in VGG-19's order.
        compute: where it runs and in which precision; weights are converted once, here.
        pooling: `max` as trained, or `average`, which Gatys et al. (2016) found smoother.
    """

    def __init__(self, name: str, trunk: nn.Sequential, compute: Compute, pooling: str = "max"):
        super().__init__()
        if pooling not in POOLINGS:
            raise RequestError(f"pooling is {pooling}; it must be one of {', '.join(POOLINGS)}.")
        self.name = name
        self.compute = compute
        self.trunk = trunk.to(compute.device, compute.dtype, memory_format=compute.memory_format).eval()
        self.trunk.requires_grad_(False)
        if pooling == "average":
            for index, layer in enumerate(self.trunk):
                if isinstance(layer, nn.MaxPool2d):
                    self.trunk[index] = nn.AvgPool2d(2)
        self._taps = dict(zip(LAYERS, _rectifiers(trunk)))
        mean = torch.tensor(IMAGENET_MEAN, device=compute.device).view(1, 3, 1, 1)
        std = torch.tensor(IMAGENET_STD, device=compute.device).view(1, 3, 1, 1)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    def extract(self, batch: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Activations at `layers`, computed no deeper than the deepest of them.

        Args:
            batch: `[B, 3, H, W]`, sRGB in `[0, 1]`, float32, on the extractor's device; gradients flow back to it.
            layers: names such as `relu4_2` or `conv4_2`.
        Returns:
            By canonical name, `[B, C, H / s, W / s]` in the compute's floating type, `s` the layer's stride.
        Raises:
            RequestError: for an unknown layer, or a picture too small to leave anything at the deepest one.
        """
        names = {layer_name(name) for name in layers}
        if missing := names - self._taps.keys():
            raise RequestError(f"{self.name} has no layer {min(missing)}; its deepest is {list(self._taps)[-1]}.")
        wanted = {self._taps[name]: name for name in names}
        if not wanted:
            return {}
        deepest = max(wanted)
        stride = 2 ** (int(wanted[deepest].removeprefix("relu")[0]) - 1)
        height, width = batch.shape[-2:]
        if min(height, width) < stride:
            raise RequestError(
                f"The picture is {width} x {height} px, too small for {wanted[deepest]}, which needs at least "
                f"{stride} px a side. Use a larger size or an earlier layer."
            )
        features = {}
        x = (batch - self.mean) / self.std
        x = x.to(self.compute.dtype, memory_format=self.compute.memory_format)
        for index, layer in enumerate(self.trunk[: deepest + 1]):
            x = layer(x)
            if index in wanted:
                features[wanted[index]] = x
        return features


def _rectifiers(trunk: nn.Sequential) -> list[int]:
    return [index for index, layer in enumerate(trunk) if isinstance(layer, nn.ReLU)]


def load_extractor(name: str, path: str | Path, compute: Compute, pooling: str = "max") -> FeatureExtractor:
    """Build an extractor from a safetensors file with torchvision's keys, `features.N.weight` and `features.N.bias`.

    `vgg19` is torchvision's own network. Any other name is a compact one of the same shape, whose widths are read from
    the tensors and which pads by reflection, as it was trained. Layers deeper than the file's last are left out.

    Raises:
        RequestError: when the file's tensors are not such a network.
    """
    state = {key.removeprefix("features."): tensor.float() for key, tensor in load_file(path).items()
             if key.split(".")[-2].isdigit() and not key.startswith("classifier.")}
    depth = max((int(key.split(".")[0]) for key in state), default=-1) + 2       # the last convolution's rectifier
    if name == "vgg19":
        trunk = _torchvision_vgg19()
    else:
        widths = [state[f"{index}.weight"].shape[0] for index in _block_starts() if f"{index}.weight" in state]
        with torch.device("meta"):
            trunk = vgg_layers(widths + widths[-1:] * (len(BLOCK_DEPTHS) - len(widths)), padding_mode="reflect")
    trunk = trunk[:depth]
    try:
        trunk.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise RequestError(f"{Path(path).name} does not hold the layers of {name}: {error}") from error
    return FeatureExtractor(name, trunk, compute, pooling)


def _torchvision_vgg19() -> nn.Sequential:
    """torchvision's VGG-19 feature layers without weights; `meta` keeps its 500 MB classifier from being made."""
    with torch.device("meta"):
        return import_torchvision().models.vgg19(weights=None, init_weights=False).features


def _block_starts() -> list[int]:
    """Indices in the Sequential of each block's first convolution: 0, 5, 10, 19, 28."""
    return [sum(2 * depth + 1 for depth in BLOCK_DEPTHS[:block]) for block in range(len(BLOCK_DEPTHS))]
