"""Cost of a network's features: operations, and activations kept for the backward pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from style_core.networks.vgg19 import BLOCK_DEPTHS, block_of, layers_of


class Shape(Protocol):
    """Cost of a feature network. Layers go by VGG-19's names (`relu5_1`), which all networks accept."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels by block."""

    @property
    def local(self) -> bool:
        """Whether features depend only on nearby pixels, so that a picture can be computed in tiles."""

    def flops(self, height: int, width: int, deepest: str = "relu5_1") -> float:
        """Multiplications and additions of the convolutions to a layer, forward, for a picture of `height` x `width` px."""

    def activations(self, height: int, width: int, deepest: str = "relu5_1") -> float:
        """Number of values kept for the backward pass."""


@dataclass(frozen=True)
class VggShape:
    """A network of 3x3 convolutions in blocks, each followed by pooling.

    Attributes:
        widths: channels by block.
        depths: convolutions by block.
    """

    widths: tuple[int, ...]
    depths: Sequence[int] = BLOCK_DEPTHS
    local: bool = True

    def flops(self, height: int, width: int, deepest: str = "relu5_1") -> float:
        total, inputs = 0.0, 3
        for layer in self._to(deepest):
            block = block_of(layer)
            total += 2 * 9 * inputs * self.widths[block] * (height >> block) * (width >> block)
            inputs = self.widths[block]
        return total

    def activations(self, height: int, width: int, deepest: str = "relu5_1") -> float:
        kept = sum(self.widths[block_of(layer)] * (height >> block_of(layer)) * (width >> block_of(layer)) for layer in self._to(deepest))
        pooled = sum(self.widths[block] * (height >> block + 1) * (width >> block + 1) for block in range(len(self.depths) - 1))
        return kept + pooled

    def _to(self, deepest: str) -> tuple[str, ...]:
        return tuple(layer for layer in layers_of(self.depths) if layer <= deepest)  # names sort as depth does
