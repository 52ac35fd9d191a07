"""All computing of the studio goes through here: one call or step at a time, in order of arrival.

On a Space that lends a GPU for each call (ZeroGPU), the work runs in another process; with workers on other machines
(`work_on`), on one of those; otherwise in this process.

On the way to other processes, arguments, results and errors are pickled, so they can't hold locks or CUDA tensors. A Space
can't pass on our own errors; they travel as `gr.Error`.
"""

import gc
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, Protocol

import gradio as gr

from style_core import RequestError, Step
from style_core.devices import release_memory
from style_core.media.clip import Clip
from style_core.memory import memory_in_words
from style_core.options import Options
from style_core.progress import Steps
from style_core.recipes.dream_zoom import OCTAVES_EACH, ZoomOptions
from style_core.recipes.key_frames import FilmOptions
from style_core.weights import registry as weights

try:
    import spaces
except ImportError:  # anywhere but on a Space
    spaces = None

# Other Spaces have the package too; as there, the value is read in the way of `spaces.config`.
_LENT = spaces is not None and os.environ.get("SPACES_ZERO_GPU", "").lower() in {"1", "t", "true"}
_LEAST, _MOST = 20, 120  # seconds that are asked for; visitors have a few minutes a day
_SECONDS_A_MEGAPIXEL = 0.08  # of one iteration, forward and back
_SECONDS_A_FRAME = 0.2  # of a film, for each megapixel: to read it, follow its motion and write it
_KEPT_BYTES = 2 * 2**30  # of memory, between pictures that are painted at once
_IDLE_SECONDS = 3.0  # without any work, after which no memory is kept
_FRAMES = 30  # pictures' worth of work in a recipe that doesn't iterate


class WorkerLost(RequestError):
    """The worker that a run was on has stopped."""

    def __init__(self) -> None:
        super().__init__("The worker that computed this has stopped. Start the run again.")

    def __reduce__(self) -> tuple:
        return WorkerLost, ()


class Workers(Protocol):
    """Devices elsewhere.

    Attributes:
        places: how many runs may work at once.
    """

    places: int

    def steps(self, recipe: Callable[..., Steps], given: tuple, more: dict) -> Iterator[Step]: ...
    def call(self, work: Callable, given: tuple, more: dict) -> Any: ...


_elsewhere: list[Workers] = []  # none, or the one that is used


def work_on(workers: Workers) -> None:
    """From now on, let these compute. Call it before the page is built."""
    _elsewhere[:] = [workers]


def places() -> int:
    """How many runs may work at once."""
    return _elsewhere[0].places if _elsewhere else 1


class IdleRelease:
    """Returns freed memory to the system once nothing has been computed for some seconds.

    Args:
        seconds: that long.
        release: returns it.
    """

    def __init__(self, seconds: float, release: Callable[[], None]):
        self._seconds, self._release = seconds, release
        self._used = 0.0
        self._waiting = False
        self._lock = threading.Lock()

    def used(self) -> None:
        """Something has been computed now."""
        with self._lock:
            self._used = time.monotonic()
            if not self._waiting:
                self._waiting = True
                threading.Thread(target=self._wait, name="idle", daemon=True).start()

    def _wait(self) -> None:
        while True:
            with self._lock:
                left = self._used + self._seconds - time.monotonic()
                if left <= 0:
                    self._waiting = False
                    break
            time.sleep(left)
        self._release()


class FairLock:
    """A lock that is acquired in order of arrival, and may be released by another thread, because generators change threads."""

    def __init__(self) -> None:
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the lock for the block, after all who asked before."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is ticket)
            except BaseException:
                self._waiting.remove(ticket)
                self._changed.notify_all()
                raise
        try:
            yield
        finally:
            with self._changed:
                self._waiting.remove(ticket)
                self._changed.notify_all()


def _tidied() -> None:
    gc.collect()  # what visitors have left behind refers to itself in circles
    release_memory()


# Gradio's queue limits only queued events, and frees a canceled event's place while its step still runs. This lock holds
# for all events. It is taken for one step at a time, so that a slider's move need not wait for the end of a long run.
_device = FairLock()
turn = _device.turn
_idle = IdleRelease(_IDLE_SECONDS, _tidied)


def is_lent() -> bool:
    """Whether the GPU is there only during calls, whose time is counted, as on ZeroGPU."""
    return _LENT


def tidy_when_quiet() -> None:
    """Return freed memory to the system a few seconds from now, unless something is computed, or this is called again, before then."""
    _idle.used()


def seconds_for(work: Callable, given: tuple, more: dict) -> int:
    """Seconds to ask of a GPU for a call: more for larger pictures, more iterations and more frames."""
    return round(min(_MOST, _demand(given)[0]))


def _demand(given: tuple) -> tuple[float, int]:
    """Seconds that a call takes on a GPU, and the frames of its film; 0 for a picture."""
    asked: dict[str, Any] = {}
    for value in reversed(given):
        if isinstance(value, Options):
            asked |= value.as_dict()
    if not asked:
        return _LEAST, 0
    zoom = next((value for value in given if isinstance(value, ZoomOptions)), None)
    film = next((value for value in given if isinstance(value, FilmOptions)), None)
    iterations, frames = asked.get("iterations", _FRAMES) * asked.get("octaves", 1), 0
    if zoom is not None:
        frames = zoom.frames
        iterations += frames * zoom.iterations_each * OCTAVES_EACH
    elif film is not None:
        frames = Clip.open(given[0]).frames  # a recipe of films takes the clip first
        iterations += frames / film.painted_every * getattr(film, "frame_iterations", 1)
    megapixels = asked.get("size", 512) ** 2 / 1e6
    return _LEAST + (iterations * _SECONDS_A_MEGAPIXEL + frames * _SECONDS_A_FRAME) * megapixels, frames


def _check_time(given: tuple) -> None:
    """Refuse a film that can't be finished in the time for which a GPU is lent, because then nothing would be left of it.

    Raises:
        RequestError: saying so.
    """
    seconds, frames = _demand(given)
    if frames and seconds > _MOST:
        raise RequestError(
            "This film would take about {seconds} s, and the GPU is lent for {most} s. Choose fewer frames or a smaller size.",
            seconds=round(seconds), most=_MOST,
        )  # fmt: skip


def size_of_request(given: tuple) -> int:
    """The size in px that a call asks for, by its options or by those of a request."""
    for value in given:
        if isinstance(value, Options) and hasattr(value, "size"):
            return int(value.size)
        if isinstance(asked := getattr(value, "options", None), dict) and "size" in asked:
            return int(asked["size"])
    return 512


def _packed(error: RequestError) -> gr.Error:
    """An error as a Space passes it on."""
    values = {name: value if isinstance(value, (int, float)) else str(value) for name, value in error.values.items()}
    return gr.Error(json.dumps([error.template, values]), print_exception=False)


@contextmanager
def _unpacked() -> Iterator[None]:
    """Errors from another process as they were there; the Space's own, such as that the visitor's time is used up, in its words."""
    try:
        yield
    except gr.Error as error:
        try:
            template, values = json.loads(error.message)
        except ValueError:
            raise RequestError("{reason}", reason=error.message) from error
        raise RequestError(template, **values) from error


def _steps(work: Callable[..., Steps], given: tuple, more: dict) -> Steps:
    try:
        with memory_in_words(size_of_request(given)):
            yield from work(*given, **more)
    except RequestError as error:
        raise _packed(error) from None


def _result(work: Callable, given: tuple, more: dict) -> Any:
    try:
        with memory_in_words(size_of_request(given)):
            return work(*given, **more)
    except RequestError as error:
        raise _packed(error) from None


if _LENT:
    _steps, _result = (spaces.GPU(duration=seconds_for)(work) for work in (_steps, _result))


def _fetched(given: tuple) -> Steps:
    """Download what a recipe's extractor needs, before the time on a lent GPU counts.

    What can't be had is left to the recipe, which reports it or uses another network.
    """
    for value in given:
        choice = getattr(value, "extractor", None) if isinstance(value, Options) else None
        if choice is not None:
            with suppress(weights.WeightsError):
                yield from weights.fetch("vgg19" if choice == "auto" else choice, patient=choice != "auto")


def steps(recipe: Callable[..., Steps], *given, **more) -> Steps:
    """The Steps of a recipe, which is a function of a module, so that it can be named to another process."""
    if is_lent() and not _elsewhere:
        _check_time(given)
        yield from _fetched(given)
    try:
        yield from _in_turns(recipe, given, more)
    finally:
        release_memory()


def quick_steps(work: Callable[..., Steps], *given, **more) -> Steps:
    """The Steps of work that takes a second and is soon followed by more of its kind, as `call` is."""
    try:
        yield from _in_turns(work, given, more)
    finally:
        _keep_some()


def _in_turns(work: Callable[..., Steps], given: tuple, more: dict) -> Steps:
    if _elsewhere:
        yield from _elsewhere[0].steps(work, given, more)
        return
    running = _steps(work, given, more) if is_lent() else work(*given, **more)
    with closing(running):
        while True:
            with turn(), _unpacked(), memory_in_words(size_of_request(given)):
                step = next(running, None)
            if step is None:
                return
            yield step


def call(work: Callable, *given, **more) -> Any:
    """The result of a function of a module."""
    if _elsewhere:
        return _elsewhere[0].call(work, given, more)
    try:
        with turn(), _unpacked(), memory_in_words(size_of_request(given)):
            return _result(work, given, more) if is_lent() else work(*given, **more)
    finally:
        _keep_some()


def _keep_some() -> None:
    """Return memory, except what the next move of a slider needs again."""
    release_memory(beyond=_KEPT_BYTES)
    _idle.used()
