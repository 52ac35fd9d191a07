"""Where a Space lends a GPU by the call (ZeroGPU): what computes goes through here; anywhere else it runs as it is.

The Space runs what is decorated in another process: what goes in, comes out or is raised is pickled, so there are no
locks, no CUDA tensors and no errors of ours across the border.
"""

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from style_core import RequestError, Step
from style_core.devices import release_memory
from style_core.options import Options

try:
    import spaces
except ImportError:  # anywhere but on a Space
    spaces = None

_LEAST, _MOST = 20, 120  # seconds that are asked for; visitors have a few minutes a day
_SECONDS_A_MEGAPIXEL = 0.08  # of one iteration, forward and back
_KEPT_BYTES = 2 * 2**30  # of memory, between pictures that are painted at once
_FRAMES = 30  # pictures' worth of work in a recipe that doesn't iterate


def seconds_for(work: Callable, given: tuple, more: dict) -> int:
    """How long a GPU is wanted for a call: longer for larger pictures and more iterations."""
    options = next((value for value in given if isinstance(value, Options)), None)
    if options is None:
        return _LEAST
    megapixels = getattr(options, "size", 512) ** 2 / 1e6
    iterations = getattr(options, "iterations", _FRAMES) * getattr(options, "octaves", 1)
    return round(min(_MOST, _LEAST + iterations * megapixels * _SECONDS_A_MEGAPIXEL))


def _steps(work: Callable, given: tuple, more: dict) -> Iterator[Step]:
    try:
        yield from work(*given, **more)
    except RequestError as error:
        raise gr.Error(str(error), print_exception=False) from None


def _result(work: Callable, given: tuple, more: dict) -> Any:
    try:
        return work(*given, **more)
    except RequestError as error:
        raise gr.Error(str(error), print_exception=False) from None


if spaces is not None:
    _steps, _result = (spaces.GPU(duration=seconds_for)(work) for work in (_steps, _result))


def steps(recipe: Callable[..., Iterator[Step]], *given, **more) -> Iterator[Step]:
    """The Steps of a recipe, which is a function of a module, so that it can be named to another process."""
    try:
        yield from _steps(recipe, given, more) if spaces is not None else recipe(*given, **more)
    finally:
        release_memory()


def call(work: Callable, *given, **more) -> Any:
    """The result of a function of a module."""
    try:
        return _result(work, given, more) if spaces is not None else work(*given, **more)
    finally:
        # A slider's every move comes through here: what the next move needs again is kept.
        release_memory(beyond=_KEPT_BYTES)
