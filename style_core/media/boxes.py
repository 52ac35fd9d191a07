"""Rectangles of a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Box:
    """A rectangle of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def slices(self, stride: int = 1) -> tuple[slice, slice]:
        """Rows and columns in maps at `stride`, to which the box is aligned."""
        rows = slice(self.top // stride, (self.top + self.height) // stride)
        return rows, slice(self.left // stride, (self.left + self.width) // stride)

    def of(self, maps: Tensor, stride: int = 1) -> Tensor:
        """A view of the part of maps `[..., h, w]` at `stride` that lies in the box."""
        rows, columns = self.slices(stride)
        return maps[..., rows, columns]

    def grown(self, by: int, size: Sequence[int]) -> "Box":
        """The box with `by` px more on each side, clipped to a picture of a size (height, width)."""
        top, left = max(0, self.top - by), max(0, self.left - by)
        bottom = min(size[0], self.top + self.height + by)
        right = min(size[1], self.left + self.width + by)
        return Box(top, left, bottom - top, right - left)

    def within(self, outer: "Box") -> "Box":
        """The box in the coordinates of one that contains it."""
        return Box(self.top - outer.top, self.left - outer.left, self.height, self.width)


def share_of(boxes: Sequence[Box], size: Sequence[int]) -> float:
    """The share of a picture of a size (height, width) that boxes cover which don't overlap."""
    return sum(box.height * box.width for box in boxes) / (size[0] * size[1])
