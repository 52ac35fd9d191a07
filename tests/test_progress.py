import pytest

from style_core.progress import Step, finish


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
