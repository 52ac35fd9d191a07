"""Paintings of our own: the same each time, and each of another hand."""

import numpy
import pytest
from PIL import Image

from style_core.training.paintings import PAINTINGS


@pytest.mark.slow
def test_a_painting_is_the_same_each_time():
    first, second = (numpy.asarray(PAINTINGS["ink-wash"]()) for _ in range(2))
    assert first.shape == (768, 768, 3) and numpy.array_equal(first, second)


def test_each_painting_ships_and_no_two_share_their_colors():
    colors = {}
    for name in PAINTINGS:
        path = f"studio/samples/styles/{name}.jpg"
        with Image.open(path) as picture:
            assert picture.size == (768, 768)
            pixels = numpy.asarray(picture.convert("RGB")).reshape(-1, 3)
        counts = numpy.histogramdd(pixels, bins=8, range=[(0, 256)] * 3)[0].ravel()
        colors[name] = counts / counts.sum()
        assert pixels.std() > 25, f"{name} is nearly flat"
    names = list(colors)
    for index, one in enumerate(names):
        for other in names[index + 1 :]:
            assert numpy.minimum(colors[one], colors[other]).sum() < 0.6, f"{one} and {other} look alike"
