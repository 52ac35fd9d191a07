"""Settings that the page's events share, and types of what their handlers yield."""

from collections.abc import Callable, Generator, Sequence
from typing import Any

import gradio as gr

Update = dict[Any, Any]  # by component, its new value or `gr.update`
Updates = Generator[Update, None, None]

# Arguments of an event listener, such as `button.click`.
SILENT: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
IMMEDIATE: dict[str, Any] = {"queue": False, **SILENT}
# By default, what comes while a listener still works is lost. Events that tell a value are made up for, with the last one; those that
# tell which part was clicked can't be, so each is called.
LAST: dict[str, Any] = {"trigger_mode": "always_last"}
EACH: dict[str, Any] = {"trigger_mode": "multiple"}


def watching(status: gr.Markdown) -> dict[str, Any]:
    """Arguments of an event listener that only watches a job, which tells its progress in `status`."""
    return {"concurrency_limit": None, "show_progress": "minimal", "show_progress_on": status}


def apart(events: Sequence[Callable], js: str = "() => {}") -> Callable:
    """One event of its own that follows each of these, once `js` has ended.

    An event may have only one listener with the trigger mode `always_last` and a Python function. To make up for a call that came
    too early, Gradio's page raises the whole event again, for all of its listeners. Two that make up for each other go on forever.
    """
    return gr.on(list(events), None, None, None, js=js, **IMMEDIATE).then
