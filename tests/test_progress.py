import pytest

from style_core.progress import Step, finish
from style_core.recipes import pyramid


def test_the_time_left_of_a_painting_waits_until_it_is_steady_and_ignores_a_pause(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(pyramid.time, "monotonic", lambda: now[0])
    pace = pyramid.PaintingPace([(10, 10, 20)], started=90.0)
    told = []
    for seconds in (9, 1, 1, 60, 1, 1):
        now[0] += seconds
        pace.tick(100)
        told.append(pace.left())
    assert told[:3] == [None] * 3 and told[-1] == pytest.approx(14), "a second for each of the 14 that are left"


def test_finish_gives_the_last_step_and_closes_the_recipe():
    closed = []

    def recipe():
        try:
            yield Step(0, 2)
            yield Step(2, 2, note="done")
        finally:
            closed.append(True)

    assert finish(recipe()).note == "done"
    assert closed


def test_finish_closes_the_recipe_when_it_fails():
    closed = []

    def recipe():
        try:
            yield Step(0, 2)
            raise OSError("no disk")
        finally:
            closed.append(True)

    with pytest.raises(OSError, match="no disk"):
        finish(recipe())
    assert closed


def test_a_recipe_without_steps_is_an_error():
    with pytest.raises(ValueError, match="at least one Step"):
        finish([])
