"""What a network's features cost: operations, and numbers to keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from style_core.networks.vgg19 import BLOCK_DEPTHS, block_of, layers_of


class Shape(Protocol):
    """How large a feature network is; `relu5_1` and the like are VGG-19's layer names, to which all networks answer."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels by block."""

    @property
    def local(self) -> bool:
        """Whether a feature depends on the pixels near it alone, so that tiles of a picture have the same ones."""

    def flops(self, height: int, width: int, deepest: str = "relu5_1") -> float:
        """Multiplications and additions of the convolutions to a layer, forward, for a picture of `height` x `width` px."""

    def activations(self, height: int, width: int, deepest: str = "relu5_1") -> float:
        """Numbers that are kept for the way back."""


@dataclass(frozen=True)
class VggShape:
    """A network of 3x3 convolutions in blocks, with a pooling behind each block.

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
