"""Tiles of a picture: cores that partition its pixels, and crops that contain the receptive fields of the cores' features."""

from collections.abc import Iterable
from dataclasses import dataclass

from style_core.networks.vgg19 import LAYERS, block_of, stride_of


@dataclass(frozen=True)
class Span:
    """One axis of a tile, in pixels of the picture.

    Attributes:
        start, stop: the core; every pixel lies in exactly one core.
        first, last: the crop: the core and its halo, cut off at the picture's edges.
    """

    start: int
    stop: int
    first: int
    last: int

    def within(self, stride: int) -> slice:
        """The core's positions in the crop's feature map of a stride."""
        offset = self.first // stride
        return slice(self.start // stride - offset, self.stop // stride - offset)

    def across(self, stride: int) -> slice:
        """The same positions in the whole picture's feature map."""
        return slice(self.start // stride, self.stop // stride)


@dataclass(frozen=True)
class Tile:
    """A part of a picture, as vertical and horizontal spans."""

    down: Span
    across: Span

    @property
    def crop(self) -> tuple[slice, slice]:
        """Rows and columns of the core with its halo."""
        return slice(self.down.first, self.down.last), slice(self.across.first, self.across.last)

    def within(self, stride: int) -> tuple[slice, slice]:
        """Rows and columns of the core in the crop's feature map."""
        return self.down.within(stride), self.across.within(stride)

    def whole(self, stride: int) -> tuple[slice, slice]:
        """Rows and columns of the core in the whole picture's feature map."""
        return self.down.across(stride), self.across.across(stride)


def tiles_of(height: int, width: int, side: int, layers: Iterable[str]) -> list[Tile]:
    """Tiles with cores of about `side` px, in which the features at `layers` equal those of the whole picture.

    Crops and cores are aligned to the deepest layer's stride, so that pooling windows match the whole picture's. The halo is the
    deepest layer's reach (`reach_of`), rounded up to that stride, so that a crop's zero padding affects only the halo.

    Args:
        height, width: of the picture, px.
        side: px; cores may be a little smaller, to divide the picture evenly.
        layers: canonical names.
    """
    layers = list(layers)
    stride = max(map(stride_of, layers), default=1)
    halo = -(-max(map(reach_of, layers), default=0) // stride) * stride
    rows, columns = (_spans(length, side, stride, halo) for length in (height, width))
    return [Tile(down, across) for down in rows for across in columns]


def reach_of(layer: str) -> int:
    """Margin of a layer's receptive field beyond its stride, px on each side: 70 for `relu5_1`, 1 for `relu1_1`.

    Each 3x3 convolution adds its stride; pooling adds nothing.
    """
    return sum(2 ** block_of(each) for each in LAYERS[: LAYERS.index(layer) + 1])


def _spans(length: int, side: int, stride: int, halo: int) -> list[Span]:
    units = max(1, length // stride)  # the last core takes the remainder
    count = max(1, min(units, -(-length // max(side, stride))))
    cuts = [index * units // count * stride for index in range(count)] + [length]
    return [Span(start, stop, max(0, start - halo), min(length, stop + halo)) for start, stop in zip(cuts, cuts[1:])]
