"""Which request of a visitor is the newest: a picture that a newer one will replace need not be finished."""

import threading
from collections import OrderedDict

import gradio as gr

from studio.events import IMMEDIATE

_VISITORS = 1000  # whose requests are counted
_lock = threading.Lock()
_asked: OrderedDict[str | None, int] = OrderedDict()
_shown: OrderedDict[str | None, int] = OrderedDict()  # of the newest request whose picture was shown


def count(request: gr.Request | None) -> int:
    """A number that grows with every change that a visitor makes."""
    with _lock:
        return _asked.get(_session(request), 0)


def note(request: gr.Request) -> None:
    """Count a change."""
    session = _session(request)
    with _lock:
        _asked[session] = _asked.pop(session, 0) + 1
        while len(_asked) > _VISITORS:
            _asked.popitem(last=False)


def shows(request: gr.Request | None, number: int) -> bool:
    """Whether a picture that was asked for at this count may be shown; not after one of a newer request."""
    with _lock:
        session = _session(request)
        if _shown.get(session, 0) > number:
            return False
        _shown.pop(session, None)
        _shown[session] = number
        while len(_shown) > _VISITORS:
            _shown.popitem(last=False)
        return True


def wire(triggers: list) -> None:
    """Count these events as changes, at once, however long the queue of what they ask for is."""
    gr.on(triggers, note, None, None, **IMMEDIATE)


def _session(request: gr.Request | None) -> str | None:
    return None if request is None else request.session_hash
