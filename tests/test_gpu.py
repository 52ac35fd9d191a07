"""Turns at the device, and what happens when memory runs out."""

import threading
import time

import gradio as gr
import pytest
from networks import picture

from studio import gpu
from style_core import DreamOptions, OptimizeOptions, RequestError, Step, StylizeOptions
from style_core.media.video import FrameWriter
from style_core.memory import OutOfMemory, memory_in_words
from style_core.recipes.dream_zoom import ZoomOptions
from style_core.recipes.key_frames import FilmOptions
from style_core.recipes.optimize_clip import OptimizedFilmOptions


def test_turns_are_given_in_the_order_of_asking_and_never_to_two():
    turns, order, inside = gpu.FairLock(), [], []

    def worker(number):
        with turns.turn():
            inside.append(number)
            assert len(inside) == 1
            order.append(number)
            time.sleep(0.01)
            inside.remove(number)

    with turns.turn():
        threads = []
        for number in range(5):
            threads.append(threading.Thread(target=worker, args=(number,)))
            threads[-1].start()
            while len(turns._waiting) < number + 2:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == list(range(5))


def test_a_run_that_is_followed_slowly_does_not_hold_the_device():
    def recipe():
        yield Step(0, 2)
        yield Step(1, 2)
        yield Step(2, 2)

    steps = gpu.steps(recipe)
    assert next(steps).iteration == 0
    assert gpu.call(max, 2, 3) == 3, "between two steps others have their turn"
    assert [step.iteration for step in steps] == [1, 2]
    failing = gpu.steps(lambda: (1 / 0 for _ in range(1)))
    with pytest.raises(ZeroDivisionError):
        next(failing)
    assert gpu.call(max, 2, 3) == 3, "a failure gives its turn back"


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), RuntimeError("CUDA out of memory.")]
)
def test_memory_that_runs_out_is_said_with_a_size_that_fits(error):
    def recipe(options):
        yield Step(0, 2)
        raise error

    steps = gpu.steps(recipe, StylizeOptions(size=1024))
    next(steps)
    with pytest.raises(RequestError, match="There is not enough memory for 1024 px; use 704 px or less."):
        next(steps)


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes"), memory_in_words(512):
        raise RuntimeError("shapes do not match")
    assert issubclass(OutOfMemory, RequestError)


def test_memory_is_returned_once_after_the_last_of_many_calls():
    released, started = [], time.monotonic()
    idle = gpu.IdleRelease(0.3, lambda: released.append(time.monotonic() - started))
    for _ in range(5):
        idle.used()
        time.sleep(0.1)
    last = time.monotonic() - started
    while not released:
        time.sleep(0.05)
    time.sleep(0.5)
    assert len(released) == 1 and released[0] > last + 0.1
    idle.used()
    while len(released) < 2:
        time.sleep(0.05)


def test_an_error_from_another_process_arrives_as_it_was_and_others_keep_their_words():
    packed = gpu._packed(RequestError("size is {size}; it must be at most {most}.", size="large", most=64))
    with pytest.raises(RequestError) as arrived, gpu._unpacked():
        raise packed
    assert arrived.value.template == "size is {size}; it must be at most {most}." and arrived.value.values == {"size": "large", "most": 64}
    with pytest.raises(RequestError, match="Your GPU time is used up"), gpu._unpacked():
        raise gr.Error("Your GPU time is used up, until tomorrow {or so}.")


def test_a_lent_gpu_is_asked_for_the_frames_that_are_painted(tmp_path):
    with FrameWriter(tmp_path / "in.mp4", 10) as writer:
        for index in range(16):
            writer.add(picture(48, 64, seed=index))

    def seconds(film, options=StylizeOptions(size=256)):
        asked, frames = gpu._demand((str(tmp_path / "in.mp4"), "out.mp4", [], options, film))
        assert frames == 16
        return asked

    few, each, unsteady = (seconds(FilmOptions(steadiness, every)) for steadiness, every in ((1, 8), (1, 1), (0, 8)))
    assert few < each == unsteady, "without steadiness every frame is painted"
    assert seconds(OptimizedFilmOptions(0, 8, 4), OptimizeOptions(size=256)) == seconds(
        OptimizedFilmOptions(1, 1, 4), OptimizeOptions(size=256)
    )
    zooming, frames = gpu._demand((None, DreamOptions(size=256), ZoomOptions(frames=10)))
    assert frames == 10 and zooming > gpu._demand((None, DreamOptions(size=256)))[0]
