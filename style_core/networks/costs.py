"""What a VGG-shaped network costs: operations, and numbers to keep."""

from collections.abc import Sequence

from style_core.networks.vgg19 import BLOCK_DEPTHS, LAYERS, block_of


def flops(widths: Sequence[int], height: int, width: int, deepest: str = "relu5_1") -> float:
    """Multiplications and additions of a VGG-shaped network's convolutions to a layer, forward."""
    total, inputs = 0.0, 3
    for layer in LAYERS[: LAYERS.index(deepest) + 1]:
        block = block_of(layer)
        total += 2 * 9 * inputs * widths[block] * (height >> block) * (width >> block)
        inputs = widths[block]
    return total


def activations(widths: Sequence[int], height: int, width: int, deepest: str = "relu5_1") -> float:
    """Numbers that a VGG-shaped network keeps for the way back, layer by layer."""
    kept = sum(
        widths[block_of(layer)] * (height >> block_of(layer)) * (width >> block_of(layer)) for layer in LAYERS[: LAYERS.index(deepest) + 1]
    )
    pooled = sum(widths[block] * (height >> block + 1) * (width >> block + 1) for block in range(len(BLOCK_DEPTHS) - 1))
    return kept + pooled
