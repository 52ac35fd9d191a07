"""Boxes around marked parts, and parts of several frames painted together."""

import numpy
import pytest
import torch
from frames import collected

from style_core.media.boxes import Box, share_of
from style_core.media.marked import boxes_around
from style_core.recipes.patches import painted_parts


@pytest.mark.parametrize("size", [(96, 128), (75, 61), (5, 7)])
def test_boxes_contain_all_that_is_marked_with_a_margin_and_do_not_overlap(size):
    draw = numpy.random.default_rng(0)
    for share in (0.0, 0.0005, 0.005, 0.05, 1.0):
        marked = draw.random(size) < share
        boxes = boxes_around(marked, 4)
        covered = numpy.zeros(size, int)
        for box in boxes:
            covered[box.slices()] += 1
        assert covered.max() <= 1
        rows, columns = numpy.nonzero(marked)
        for row, column in zip(rows, columns):
            assert covered[max(0, row - 4) : row + 5, max(0, column - 4) : column + 5].all()
        assert share_of(boxes, size) == pytest.approx(covered.mean())


def test_boxes_of_parts_that_are_far_from_each_other_stay_small():
    marked = numpy.zeros((160, 320), bool)
    marked[20:30, 20:30] = marked[120:125, 300] = True
    boxes = boxes_around(marked, 4)
    assert len(boxes) == 2 and share_of(boxes, marked.shape) < 0.04
    assert boxes_around(numpy.zeros((20, 20), bool), 4) == []


def test_a_box_is_found_again_in_the_one_that_it_was_grown_to():
    values = numpy.arange(40 * 50).reshape(40, 50)
    for box in [Box(8, 8, 8, 16), Box(0, 40, 8, 10), Box(32, 0, 8, 50)]:
        outer = box.grown(6, (40, 50))
        assert numpy.array_equal(values[outer.slices()][box.within(outer).slices()], values[box.slices()])
        assert values[outer.slices()].shape[0] <= 20 and outer.top >= 0 and outer.left + outer.width <= 50


def test_each_part_gets_back_what_was_painted_of_it_in_whatever_order_and_on_however_many_sheets():
    draw = torch.Generator().manual_seed(0)
    sizes = [(10, 40), (30, 20), (64, 96), (8, 8), (33, 95), (1, 96), (20, 50), (30, 30)]
    parts = [torch.rand(3, *size, generator=draw) for size in sizes]
    frame, sheets = torch.rand(3, 64, 96, generator=draw), []

    def paint(sheet):
        yield "painting"
        sheets.append(sheet)
        return 1 - sheet

    said, painted = collected(painted_parts(parts, frame, paint, 9))
    assert all(torch.equal(after, 1 - before) for before, after in zip(parts, painted)) and len(painted) == len(parts)
    assert all(sheet.shape == frame.shape for sheet in sheets) and len(said) == len(sheets) == 3
    _, fewer = collected(painted_parts(parts, frame, paint, 2))
    there = [number for number, part in enumerate(fewer) if part is not None]
    assert 0 < len(there) < len(parts) and all(torch.equal(fewer[number], 1 - parts[number]) for number in there)
    assert min(parts[number].shape[1] for number in there) >= max(part.shape[1] for part, made in zip(parts, fewer) if made is None)
    assert not sheets[0].equal(frame) and bool((sheets[-1] == frame).any()), "parts lie on the frame"


def test_no_part_is_no_work():
    def paint(sheet):
        raise AssertionError
        yield

    assert collected(painted_parts([], torch.zeros(3, 8, 8), paint, 2)) == ([], [])
