"""Boxes around the marked parts of a picture, so that what only those need isn't computed everywhere."""

import cv2
import numpy

from style_core.media.boxes import Box

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
        Box(_CELL * top, _CELL * left, min(_CELL * down, height - _CELL * top), min(_CELL * across, width - _CELL * left))
        for left, top, across, down in found
    ]


def _bounds(cells: numpy.ndarray) -> list[tuple[int, ...]]:
    """Left, top, width and height of each connected part."""
    _, _, found, _ = cv2.connectedComponentsWithStats(cells, connectivity=8)
    return [tuple(int(value) for value in part[:4]) for part in found[1:]]
