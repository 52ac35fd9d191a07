"""Which request of a visitor is the newest: a picture that a newer one will replace need not be finished."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr

from studio.events import EACH, IMMEDIATE

_VISITORS = 1000  # whose requests are counted


@dataclass
class _Counts:
    """How many changes a visitor has made, and how many of them the picture on the page includes."""

    asked: int = 0
    shown: int = 0


_lock = threading.Lock()
_counts: OrderedDict[str | None, _Counts] = OrderedDict()


def count(request: gr.Request | None) -> int:
    """A number that grows with every change that a visitor makes."""
    with _lock:
        return _counts.get(_session(request), _Counts()).asked


def note(request: gr.Request) -> None:
    """Count a change."""
    session = _session(request)
    with _lock:
        _counts[session] = _counts.pop(session, _Counts())
        _counts[session].asked += 1
        while len(_counts) > _VISITORS:
            _counts.popitem(last=False)


def shows(request: gr.Request | None, number: int) -> bool:
    """Whether a picture requested at this count may be shown: not if a newer one already is."""
    with _lock:
        counts = _counts.get(_session(request))
        if counts is None:
            return True
        if counts.shown > number:
            return False
        counts.shown = min(number, counts.asked)  # a visitor who was forgotten meanwhile is counted from the beginning
        return True


def wire(triggers: list) -> None:
    """Count these events as changes, at once, however long the queue of what they ask for is."""
    gr.on(triggers, note, None, None, **EACH, **IMMEDIATE)


def noted(event: Callable) -> Callable:
    """An event after this one, by when it is counted as a change."""
    return event(note, None, None, **EACH, **IMMEDIATE).success


def _session(request: gr.Request | None) -> str | None:
    return None if request is None else request.session_hash
