"""The layout of VGG networks: layers by name, blocks, and tensor names in files."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from safetensors import safe_open

from style_core.errors import RequestError

BLOCK_DEPTHS = (2, 2, 4, 4, 4)
VGG16_DEPTHS = (2, 2, 3, 3, 3)
VGG19_WIDTHS = (64, 128, 256, 512, 512)
LITE_WIDTHS = (16, 48, 80, 144, 224)


def layers_of(depths: Sequence[int]) -> tuple[str, ...]:
    """Layer names in order, for convolutions by block; `relu1_1` is the first convolution's rectified output."""
    return tuple(f"relu{block}_{depth}" for block, count in enumerate(depths, 1) for depth in range(1, count + 1))


LAYERS = layers_of(BLOCK_DEPTHS)
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")  # Gatys et al. 2016
CONTENT_LAYER = "relu4_2"


def layer_name(name: str) -> str:
    """The canonical name of a layer: `relu4_2` for `relu4_2` and `conv4_2`.

    Raises:
        RequestError: for anything else, suggesting the nearest name.
    """
    canonical = name.strip().replace("conv", "relu")
    if canonical not in LAYERS:
        near = difflib.get_close_matches(canonical, LAYERS, n=1, cutoff=0.0)[0]
        raise RequestError(
            "There is no layer {layer}; layers run from {first} to {last}. Did you mean {near}?",
            layer=name,
            first=LAYERS[0],
            last=LAYERS[-1],
            near=near,
        )
    return canonical


def block_of(layer: str) -> int:
    """0 for `relu1_1` to 4 for `relu5_4`."""
    return int(layer[4]) - 1


def stride_of(layer: str) -> int:
    """Pixels of the picture between neighboring positions of a layer: 1 in the first block, 16 in the fifth."""
    return 2 ** block_of(layer)


def convolution_index(layer: str, depths: Sequence[int] = BLOCK_DEPTHS) -> int:
    """Index of a layer's convolution in torchvision's Sequential: 0 for `relu1_1`, 28 for `relu5_1`."""
    block, depth = block_of(layer), int(layer[6])
    return sum(2 * count + 1 for count in depths[:block]) + 2 * (depth - 1)


def tensor_shapes(deepest: str = LAYERS[-1], depths: Sequence[int] = BLOCK_DEPTHS) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the convolution tensors up to a layer, in torchvision's layout: VGG-19's, or by other `depths` VGG-16's."""
    shapes: dict[str, tuple[int, ...]] = {}
    channels = 3
    layers = layers_of(depths)
    for layer in layers[: layers.index(deepest) + 1]:
        width, index = VGG19_WIDTHS[block_of(layer)], convolution_index(layer, depths)
        shapes[f"features.{index}.weight"] = (width, channels, 3, 3)
        shapes[f"features.{index}.bias"] = (width,)
        channels = width
    return shapes


def pooling_of(path: str | Path) -> str:
    """The pooling of a network in a safetensors file: `max`, as in VGG-19, unless the metadata says otherwise."""
    with safe_open(path, "pt") as file:
        return (file.metadata() or {}).get("pooling", "max")
