"""ResNet-50 as a feature network (He et al. 2016, table 1; torchvision's variant, with strides in the 3x3 convolutions).

It uses VGG-19's layer names, so that presets, losses and commands work with either network: `relu1_1` is the stem, and the others
are the outputs of residual blocks, listed in `BLOCK_OF`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.networks.extractor import FeatureExtractor, check_large_enough, check_layers
from style_core.networks.fused import rectified
from style_core.networks.vgg19 import block_of, layer_name, stride_of

_DEPTHS = (3, 4, 6)  # residual blocks by stage; the fourth stage doesn't help style
_WIDTHS = (64, 128, 256)  # channels inside the blocks of a stage; four times as many outside
_OUTSIDE = 4
_ENLARGED = 2  # factor by which pictures are enlarged first
_VARIANCE_FLOOR = 1e-5  # of batch normalization, as in training
STYLE_LAYERS = ("relu1_1", "relu2_2", "relu3_4", "relu4_4", "relu5_2")
_SMALLEST = 16  # px a side; below it, nothing is left at the third stage

BLOCK_OF = {
    "relu1_1": None,  # the stem
    **{f"relu2_{depth}": (0, depth - 1) for depth in (1, 2)},
    **{f"relu3_{depth}": (1, depth - 1) for depth in (1, 2, 3, 4)},
    **{f"relu4_{depth}": (2, depth - 1) for depth in (1, 2, 3, 4)},
    **{f"relu5_{depth}": (2, depth + 3) for depth in (1, 2)},
}


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with a shortcut, batch normalization folded in."""

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1)
        self.conv3 = nn.Conv2d(width, _OUTSIDE * width, 1)
        changes = stride > 1 or channels != _OUTSIDE * width
        self.downsample = nn.Conv2d(channels, _OUTSIDE * width, 1, stride) if changes else None

    def forward(self, features: Tensor) -> Tensor:
        carried = features if self.downsample is None else self.downsample(features)
        inner = self.conv3(rectified(rectified(features, self.conv1), self.conv2))
        return functional.relu(inner + carried)


class ResNet50(nn.Module):
    """The stem and the first three stages."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        channels = 64
        for stage, (depth, width) in enumerate(zip(_DEPTHS, _WIDTHS), 1):
            blocks = []
            for block in range(depth):
                blocks.append(Bottleneck(channels, width, 2 if stage > 1 and block == 0 else 1))
                channels = _OUTSIDE * width
            setattr(self, f"layer{stage}", nn.ModuleList(blocks))

    def forward(self, batch: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Rectified activations at `layers`, computed no deeper than the deepest; the batch is `[B, 3, H, W]`, normalized."""
        wanted = {BLOCK_OF[layer]: layer for layer in layers}
        x = rectified(batch, self.conv1)
        found = {wanted[None]: x} if None in wanted else {}
        deepest = max((place for place in wanted if place is not None), default=None)
        if deepest is None:
            return found
        x = functional.max_pool2d(x, 3, 2, 1)
        for place in _places(deepest):
            x = getattr(self, f"layer{place[0] + 1}")[place[1]](x)
            if place in wanted:
                found[wanted[place]] = x
        return found


class ResNetExtractor(FeatureExtractor):
    """ResNet-50's activations by layer name, on the picture at twice its size.

    The stem quarters the resolution at once, which loses fine strokes; on the enlarged picture the layers have VGG-19's strides
    (1, 2, 4, 8, and 8 again for the fifth block).

    Args:
        network: with folded weights.
        compute: where it runs and in which precision.
        smooth: smooth the activations (`smoothed`); otherwise their few large peaks make poor pictures.
    """

    def __init__(self, network: ResNet50, compute: Compute, smooth: bool = True):
        super().__init__("resnet50", nn.Sequential(network), compute)
        self.network = network
        self.smooth = smooth
        self._taps = {layer: index for index, layer in enumerate(BLOCK_OF)}

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels by block."""
        return self.shape.widths

    @property
    def shape(self) -> "ResNetShape":
        """Its cost, for estimates."""
        return ResNetShape()

    def extract(self, batch: Tensor, layers: Iterable[str], *, measured: bool = True) -> dict[str, Tensor]:
        """Activations at `layers`; as `FeatureExtractor.extract`. `measured` changes nothing: there are no metrics.

        Raises:
            RequestError: for an unknown layer, or a picture smaller than 16 px a side.
        """
        return self.smoothed(self.unsmoothed(batch, layers))

    def smoothed(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Activations smoothed as style and content compare them."""
        return {layer: smoothed(feature) for layer, feature in features.items()} if self.smooth else features

    def unsmoothed(self, batch: Tensor, layers: Iterable[str], *, measured: bool = True) -> dict[str, Tensor]:
        """The network's own activations."""
        names = {layer_name(name) for name in layers}
        check_layers(self.name, names, BLOCK_OF)
        if not names:
            return {}
        check_large_enough(batch, max(names), _SMALLEST)
        enlarged = functional.interpolate(self.normalized(batch), scale_factor=_ENLARGED, mode="bilinear", align_corners=False)
        return self.network(enlarged, names)


@dataclass(frozen=True)
class ResNetShape:
    """Cost of ResNet-50 on the enlarged picture. Smoothing depends on the whole picture, so tiles can't be used."""

    widths: tuple[int, ...] = (64, *(_OUTSIDE * width for width in (*_WIDTHS, _WIDTHS[-1])))
    local: bool = False

    def flops(self, height: int, width: int, deepest: str = "relu5_1") -> float:
        """Multiplications and additions of the convolutions to a layer, forward."""
        return sum(2 * shape[0] * shape[1] * shape[2] * shape[3] * positions for shape, positions in _sizes(height, width, deepest))

    def activations(self, height: int, width: int, deepest: str = "relu5_1") -> float:
        """Values kept for the backward pass: the enlarged picture, all convolutions' outputs, and layers smoothed in float32."""
        kept = sum(shape[0] * positions for shape, positions in _sizes(height, width, deepest))
        tapped = sum(self.widths[block_of(layer)] * (height * width) / stride_of(layer) ** 2 for layer in STYLE_LAYERS if layer <= deepest)
        return 3 * _ENLARGED**2 * height * width + kept + 3 * tapped


def smoothed(features: Tensor) -> Tensor:
    """Softmax over all channels and positions of a picture, times their number, so that the mean is 1: `[B, C, H, W]`.

    Wang, Li and Vasconcelos (2021), "Rethinking and Improving the Robustness of Image Style Transfer" (SWAG), eq. 9: a residual
    network's activations have a few large peaks, which Gram matrices square. Unlike the paper, the result is scaled, because
    values that small would fall below the floors that keep divisions safe.
    """
    flat = features.float().flatten(1)
    return (flat.softmax(1) * flat.shape[1]).view_as(features).to(features.dtype)


def tensor_shapes(deepest: str = "relu5_2") -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors up to a layer, in torchvision's layout: `conv1.weight`, `bn1.*`, `layer1.0.conv1.weight`...

    Layers that VGG-19 has and ResNet-50 doesn't count as the deepest one.
    """
    place = BLOCK_OF.get(deepest, BLOCK_OF["relu5_2"])
    shapes = _normalized_shapes("conv1", "bn1", (64, 3, 7, 7))
    channels = 64
    for stage, block in _places(place) if place is not None else ():
        width, prefix = _WIDTHS[stage], f"layer{stage + 1}.{block}"
        shapes |= _normalized_shapes(f"{prefix}.conv1", f"{prefix}.bn1", (width, channels, 1, 1))
        shapes |= _normalized_shapes(f"{prefix}.conv2", f"{prefix}.bn2", (width, width, 3, 3))
        shapes |= _normalized_shapes(f"{prefix}.conv3", f"{prefix}.bn3", (_OUTSIDE * width, width, 1, 1))
        if block == 0:
            shapes |= _normalized_shapes(f"{prefix}.downsample.0", f"{prefix}.downsample.1", (_OUTSIDE * width, channels, 1, 1))
        channels = _OUTSIDE * width
    return shapes


def folded(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convolutions with their batch normalizations folded in: `w g / s` and `b - m g / s`, `s` the deviation.

    Args:
        tensors: in torchvision's layout.
    Returns:
        A state of `ResNet50`, float32, as deep as the tensors go.
    """
    state = {}
    for key, weight in tensors.items():
        if weight.dim() != 4:
            continue
        name = key.removesuffix(".weight")
        norm = name.removesuffix("0") + "1" if name.endswith("downsample.0") else name.replace("conv", "bn")
        gain, bias, mean, variance = (tensors[f"{norm}.{kind}"].float() for kind in ("weight", "bias", "running_mean", "running_var"))
        scale = gain / (variance + _VARIANCE_FLOOR).sqrt()
        name = name.removesuffix(".0") if name.endswith("downsample.0") else name
        state[f"{name}.weight"] = weight.float() * scale[:, None, None, None]
        state[f"{name}.bias"] = bias - mean * scale
    return state


def network_of(tensors: Mapping[str, Tensor]) -> ResNet50:
    """The network with these weights; blocks deeper than the tensors are left out.

    Raises:
        RequestError: when the tensors are not such a network.
    """
    state = folded(tensors)
    with torch.device("meta"):
        network = ResNet50()
    for stage, depth in enumerate(_DEPTHS, 1):
        kept = [block for block in range(depth) if f"layer{stage}.{block}.conv1.weight" in state]
        setattr(network, f"layer{stage}", getattr(network, f"layer{stage}")[: len(kept)])
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise RequestError("The tensors do not contain ResNet-50: {reason}", reason=str(error)) from error
    return network


def resnet_extractor(tensors: Mapping[str, Tensor], compute: Compute, smooth: bool = True) -> ResNetExtractor:
    """Build the extractor from tensors in torchvision's layout, as deep as they go; other tensors are ignored.

    Raises:
        RequestError: when the tensors are not such a network.
    """
    wanted = tensor_shapes()
    return ResNetExtractor(network_of({name: tensor for name, tensor in tensors.items() if name in wanted}), compute, smooth)


def _sizes(height: int, width: int, deepest: str) -> list[tuple[tuple[int, ...], float]]:
    """Each convolution's kernel shape up to a layer, and the positions of its output for a picture of `height` x `width` px."""
    sizes: list[tuple[tuple[int, ...], float]] = []
    for name, shape in tensor_shapes(deepest).items():
        if len(shape) == 4:
            stage, block = (0, "0") if name == "conv1.weight" else (int(name[5]), name.split(".")[1])
            # The first 1x1 convolution of a stage comes before its stride.
            stride = 2 ** (stage - 1 if stage > 1 and block == "0" and ".conv1." in name else stage)
            sizes.append((shape, height * width / stride**2))
    return sizes


def _normalized_shapes(convolution: str, norm: str, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    kinds = ("weight", "bias", "running_mean", "running_var")
    return {f"{convolution}.weight": shape, **{f"{norm}.{kind}": shape[:1] for kind in kinds}}


def _places(deepest: tuple[int, int]) -> list[tuple[int, int]]:
    """Stages and blocks up to one, in order."""
    return [place for place in ((s, b) for s, depth in enumerate(_DEPTHS) for b in range(depth)) if place <= deepest]
