"""Our own pictures: the same each time, each different from the others, and written by the program as named."""

import sys

import numpy
import pytest
from PIL import Image

from style_core.rendering import __main__ as program
from style_core.rendering.paintings import PAINTINGS
from style_core.rendering.scenes import SCENES


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_a_scene_shows_something_and_is_the_same_each_time(name):
    picture = numpy.asarray(SCENES[name](32), numpy.float32)
    assert max(picture.shape[:2]) == 32 and picture.shape[2] == 3
    assert picture.std() > 15, "nearly one color"
    assert 20 < picture.mean() < 220, "too dark or too bright"
    assert numpy.array_equal(picture, numpy.asarray(SCENES[name](32), numpy.float32))


def test_the_program_writes_the_pictures_that_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rendering", "scenes", "mountain-lake", "--size", "32", "--out", str(tmp_path)])
    program.main()
    assert capsys.readouterr().out.startswith("mountain-lake: ")
    with Image.open(tmp_path / "mountain-lake.jpg") as picture:
        assert max(picture.size) == 32
    monkeypatch.setattr(sys, "argv", ["rendering", "paintings", "mona-lisa"])
    with pytest.raises(SystemExit):
        program.main()
    assert "There is no picture named mona-lisa. Choose from: impasto, " in capsys.readouterr().err


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
