"""Feature extractors: VGG-19, and networks of its shape, tapped by layer name.

Layers are named as the field names them: `relu3_1` is the rectified output of the first convolution of the third
block. Gatys's `conv4_2` is accepted and means `relu4_2`.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.networks.costs import Shape, VggShape
from style_core.networks.fused import rectified
from style_core.networks.vgg19 import (
    BLOCK_DEPTHS,
    VGG19_WIDTHS,
    convolution_index,
    layer_name,
    layers_of,
    pooling_of,
    stride_of,
)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
POOLINGS = ("max", "average")


class _AveragePool(torch.autograd.Function):
    """Means of 2x2 squares. Several times faster on CPUs in bfloat16 than torch's own average or max pooling."""

    @staticmethod
    def forward(ctx, features: Tensor) -> Tensor:
        ctx.shape = features.shape
        return functional.avg_pool2d(features, 2)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        height, width = ctx.shape[-2:]
        spread = functional.interpolate(gradient / 4, scale_factor=2, mode="nearest")
        return functional.pad(spread, (0, width % 2, 0, height % 2)) if width % 2 or height % 2 else spread


class AveragePool(nn.Module):
    """Average pooling, `[B, C, H, W]` -> `[B, C, H // 2, W // 2]`."""

    def forward(self, features: Tensor) -> Tensor:
        return _AveragePool.apply(features)


def vgg_layers(
    widths: Sequence[int], padding_mode: Literal["zeros", "reflect"] = "zeros", pooling: str = "max", depths: Sequence[int] = BLOCK_DEPTHS
) -> nn.Sequential:
    """VGG's feature layers with `widths[b]` channels in block `b` (Simonyan and Zisserman 2015, table 1; default: network E)."""
    layers: list[nn.Module] = []
    channels = 3
    for width, depth in zip(widths, depths, strict=True):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1, padding_mode=padding_mode), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2) if pooling == "max" else AveragePool())
    return nn.Sequential(*layers)


def first_layers(trunk: nn.Sequential, count: int) -> nn.Sequential:
    """A network's first layers, under the same names."""
    return nn.Sequential(*list(trunk)[:count])


class FeatureExtractor(nn.Module):
    """A frozen VGG-shaped network that returns activations by layer name.

    Args:
        name: as in `BACKBONES`, or `generator` for its encoder.
        trunk: convolutions, rectifiers and poolings in VGG-19's order.
        compute: where it runs and in which precision; weights are converted once, here.
        pooling: `max`, the trunk's own, or `average`, which Gatys et al. (2016) found smoother.
        metrics: `[C, C]` by layer: a layer's features are multiplied by this matrix, so that distances between them match
            those of the network that this one was distilled from.
        depths: convolutions by block; the trunk may end before the last of them.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        trunk: nn.Sequential,
        compute: Compute,
        pooling: str = "max",
        metrics: Mapping[str, Tensor] | None = None,
        depths: Sequence[int] = BLOCK_DEPTHS,
    ):
        super().__init__()
        if pooling not in POOLINGS:
            raise RequestError(
                "{option} is {value}; it must be one of {allowed}.", option="pooling", value=pooling, allowed=", ".join(POOLINGS)
            )
        self.name = name
        self.sha256 = ""
        self.compute = compute
        self.trunk = compute.place(trunk).eval()
        self.trunk.requires_grad_(False)
        if pooling == "average":
            for index, layer in enumerate(self.trunk):
                if isinstance(layer, nn.MaxPool2d):
                    self.trunk[index] = AveragePool()
        self._depths = tuple(depths)
        self._taps = dict(zip(layers_of(depths), _rectifiers(trunk)))
        mean = torch.tensor(IMAGENET_MEAN, device=compute.device).view(1, 3, 1, 1)
        std = torch.tensor(IMAGENET_STD, device=compute.device).view(1, 3, 1, 1)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)
        self.metrics = {layer: matrix.to(compute.device) for layer, matrix in (metrics or {}).items()}

    @property
    def weights(self) -> dict[str, str]:
        """The sha256 of its file by its name, as Steps and settings record it; empty if it wasn't loaded from a file."""
        return {self.name: self.sha256} if self.sha256 else {}

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels by block, as far as the network goes."""
        convolutions = [layer for layer in self.trunk if isinstance(layer, nn.Conv2d)]
        starts = [index for index, layer in enumerate(self._taps) if layer.endswith("_1")]
        return tuple(convolutions[index].out_channels for index in starts)

    @property
    def shape(self) -> Shape:
        """Its cost, for estimates."""
        return VggShape(self.widths, self._depths)

    def normalized(self, batch: Tensor) -> Tensor:
        """sRGB `[B, 3, H, W]` normalized by ImageNet's mean and deviation, in the compute's type and memory layout."""
        return torch.addcmul(-self.mean / self.std, batch, 1 / self.std).to(self.compute.dtype, memory_format=self.compute.memory_format)

    def extract(self, batch: Tensor, layers: Iterable[str], *, measured: bool = True) -> dict[str, Tensor]:
        """Activations at `layers`, computed no deeper than the deepest of them.

        Args:
            batch: `[B, 3, H, W]`, sRGB in `[0, 1]`, float32, on the extractor's device; gradients flow back to it.
            layers: names such as `relu4_2` or `conv4_2`.
            measured: apply the network's `metrics`. Callers that compare Gram matrices apply the metric to those instead:
                they are smaller.
        Returns:
            By canonical name, `[B, C, H / s, W / s]` in the compute's floating type, `s` the layer's stride.
        Raises:
            RequestError: for an unknown layer, or a picture too small for the deepest one.
        """
        names = {layer_name(name) for name in layers}
        check_layers(self.name, names, self._taps)
        wanted = {self._taps[name]: name for name in names}
        if not wanted:
            return {}
        deepest = max(wanted)
        stride = stride_of(wanted[deepest])
        check_large_enough(batch, wanted[deepest], stride)
        features = {}
        x = self.normalized(batch)
        for index, layer in zip(range(deepest + 1), self.trunk):
            if isinstance(layer, nn.Conv2d):
                x = rectified(x, layer)
            elif not isinstance(layer, nn.ReLU):
                x = layer(x)
            if index in wanted:
                name = wanted[index]
                features[name] = in_metric(x, self.metrics.get(name)) if measured else x
        return features

    def unsmoothed(self, batch: Tensor, layers: Iterable[str], *, measured: bool = True) -> dict[str, Tensor]:
        """`extract` without the smoothing that some networks apply for style; dreams use these activations."""
        return self.extract(batch, layers, measured=measured)

    def smoothed(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Activations of `extract`, from `unsmoothed` ones; most networks return them unchanged."""
        return features


def check_layers(network: str, layers: Iterable[str], known: Iterable[str]) -> None:
    """Refuse layers that a network doesn't have.

    Raises:
        RequestError: naming the first missing layer, and the layers that exist.
    """
    known = list(known)
    if missing := set(layers) - set(known):
        raise RequestError(
            "{network} has no layer {missing}; it has {known}.", network=network, missing=min(missing), known=", ".join(known)
        )


def check_large_enough(batch: Tensor, layer: str, least: int) -> None:
    """Refuse pictures `[B, 3, H, W]` with a side below `least` px, which are too small for `layer`.

    Raises:
        RequestError: if the picture is too small.
    """
    height, width = batch.shape[-2:]
    if min(height, width) < least:
        raise RequestError(
            "The picture is {width} x {height} px, too small for {layer}, which needs at least {least} px a side. "
            "Use a larger size or an earlier layer.",
            width=width,
            height=height,
            layer=layer,
            least=least,
        )


def in_metric(features: Tensor, metric: Tensor | None) -> Tensor:
    """Features `[B, C, H, W]` times a metric `[C, C]`; None leaves them unchanged."""
    return features if metric is None else functional.conv2d(features, metric[:, :, None, None].to(features.dtype))


def _rectifiers(trunk: nn.Sequential) -> list[int]:
    return [index for index, layer in enumerate(trunk) if isinstance(layer, nn.ReLU)]


def load_extractor(name: str, path: str | Path, compute: Compute, pooling: str = "max") -> FeatureExtractor:
    """Build VGG-19 (`vgg19`) or a compact network of its shape from a safetensors file: see `vgg_extractor`."""
    return vgg_extractor(name, load_file(path), compute, pooling, own_pooling=pooling_of(path), file=Path(path).name)


def vgg_extractor(
    name: str,
    tensors: Mapping[str, Tensor],
    compute: Compute,
    pooling: str = "max",
    *,
    own_pooling: str = "max",
    depths: Sequence[int] = BLOCK_DEPTHS,
    file: str = "The file",
) -> FeatureExtractor:
    """Build an extractor from tensors with torchvision's names, `features.N.weight` and `features.N.bias`.

    Widths are read from the tensors, except for `vgg19`, whose widths are fixed. Layers deeper than the last tensor are left out.

    Args:
        own_pooling: the pooling that the network was trained with; `pooling` may ask for averages instead.
        depths: convolutions by block.
        file: the file's name, for the error message.
    Raises:
        RequestError: when the tensors are not such a network.
    """
    state = {key.removeprefix("features."): tensor.float() for key, tensor in tensors.items() if key.startswith("features.")}
    metrics = {key.removeprefix("metric."): tensor.float() for key, tensor in tensors.items() if key.startswith("metric.")}
    depth = max((int(key.split(".")[0]) for key in state), default=-1) + 2  # the last convolution's rectifier
    widths: Sequence[int] = VGG19_WIDTHS
    if name != "vgg19":
        starts = [convolution_index(f"relu{block}_1", depths) for block in range(1, 6)]
        widths = [state[f"{index}.weight"].shape[0] for index in starts if f"{index}.weight" in state]
        widths = [*widths, *widths[-1:] * (len(depths) - len(widths))]
    with torch.device("meta"):
        trunk = first_layers(vgg_layers(widths, pooling=own_pooling, depths=depths), depth)
    try:
        trunk.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise RequestError(
            "{file} does not contain the layers of {network}: {reason}", file=file, network=name, reason=str(error)
        ) from error
    return FeatureExtractor(name, trunk, compute, pooling, metrics, depths)
