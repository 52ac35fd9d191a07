"""Boxes around the marked parts of a picture, so that what only those need isn't computed everywhere."""

from collections.abc import Sequence

import cv2
import numpy

Box = tuple[slice, slice]  # rows and columns

_CELL = 8  # px: boxes begin and end at multiples


def boxes_around(marked: numpy.ndarray, margin: int) -> list[Box]:
    """Boxes that don't overlap and contain all that is marked, with a margin of at least `margin` px; clipped to the picture.

    Args:
        marked: `[H, W]`, bool.
    """
    height, width = marked.shape
    padded = numpy.pad(marked, ((0, -height % _CELL), (0, -width % _CELL)))
    touched = numpy.asarray(padded.reshape(padded.shape[0] // _CELL, _CELL, -1, _CELL).any((1, 3)), numpy.uint8)
    reach = -(-margin // _CELL)
    cells = numpy.asarray(cv2.dilate(touched, numpy.ones((2 * reach + 1, 2 * reach + 1), numpy.uint8)))
    found, before = _bounds(cells), None
    while found != before:  # boxes that touch become one, which may touch others
        for left, top, across, down in found:
            cells[top : top + down, left : left + across] = 1
        found, before = _bounds(cells), found
    return [
        (slice(_CELL * top, min(height, _CELL * (top + down))), slice(_CELL * left, min(width, _CELL * (left + across))))
        for left, top, across, down in found
    ]


def grown(box: Box, by: int, size: tuple[int, int]) -> Box:
    """A box with `by` px more on each side, clipped to a picture of a size (height, width)."""
    rows, columns = (slice(max(0, part.start - by), min(side, part.stop + by)) for part, side in zip(box, size))
    return rows, columns


def within(box: Box, outer: Box) -> Box:
    """A box in the coordinates of one that contains it."""
    rows, columns = (slice(part.start - whole.start, part.stop - whole.start) for part, whole in zip(box, outer))
    return rows, columns


def share_of(boxes: Sequence[Box], size: tuple[int, int]) -> float:
    """The share of a picture of a size (height, width) that boxes cover which don't overlap."""
    return sum((rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in boxes) / (size[0] * size[1])


def _bounds(cells: numpy.ndarray) -> list[tuple[int, ...]]:
    """Left, top, width and height of each connected part."""
    _, _, found, _ = cv2.connectedComponentsWithStats(cells, connectivity=8)
    return [tuple(int(value) for value in part[:4]) for part in found[1:]]
