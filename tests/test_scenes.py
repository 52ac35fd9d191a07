"""Scenes of our own: each renders small, the same each time, and shows something."""

import numpy
import pytest

from style_core.training.scenes import SCENES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_shows_something_and_is_the_same_each_time(name):
    picture = numpy.asarray(SCENES[name](32), numpy.float32)
    assert max(picture.shape[:2]) == 32 and picture.shape[2] == 3
    assert picture.std() > 15, "nearly one color"
    assert 20 < picture.mean() < 220, "too dark or too bright"
    assert numpy.array_equal(picture, numpy.asarray(SCENES[name](32), numpy.float32))
