"""Small parts of several frames, painted together: put side by side onto a frame, they cost hardly more than this one.

So each is painted among what a whole frame shows, which its colors and contrasts are normalized by.
"""

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from torch import Tensor

from style_core.media.boxes import Box

_Progress = TypeVar("_Progress")


def painted_parts(
    parts: Sequence[Tensor], frame: Tensor, paint: Callable[[Tensor], Generator[_Progress, None, Tensor]], most: int
) -> Generator[_Progress, None, list[Tensor | None]]:
    """The paintings of parts `[3, h, w]`, none larger than the frame `[3, H, W]` that they are put onto.

    Args:
        paint: paints a picture of the frame's size; what it yields is passed on.
        most: how many such pictures are painted; parts that don't fit onto them, the least high ones, remain None.
    """
    places = _places([(part.shape[1], part.shape[2]) for part in parts], (frame.shape[1], frame.shape[2]))
    sheets = [frame.clone() for _ in range(min(most, 1 + max((sheet for sheet, _ in places), default=-1)))]
    for part, (number, box) in zip(parts, places):
        if number < most:
            box.of(sheets[number]).copy_(part)
    painted = []
    for sheet in sheets:
        painted.append((yield from paint(sheet)))
    return [box.of(painted[number]) if number < most else None for number, box in places]


def _places(sizes: Sequence[tuple[int, int]], size: tuple[int, int]) -> list[tuple[int, Box]]:
    """For each part the number of its sheet and its box there: in rows, the highest parts first (next-fit decreasing height)."""
    places: dict[int, tuple[int, Box]] = {}
    sheet = top = left = depth = 0
    for index in sorted(range(len(sizes)), key=lambda index: -sizes[index][0]):
        height, width = sizes[index]
        if left + width > size[1]:
            top, left, depth = top + depth, 0, 0
        if top + height > size[0]:
            sheet, top, left, depth = sheet + 1, 0, 0, 0
        places[index] = sheet, Box(top, left, height, width)
        left, depth = left + width, max(depth, height)
    return [places[index] for index in range(len(sizes))]
