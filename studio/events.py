"""Settings that the page's events share, and types of what their handlers yield."""

from collections.abc import Generator
from typing import Any

Update = dict[Any, Any]  # by component, its new value or `gr.update`
Updates = Generator[Update, None, None]

# Arguments of an event listener, such as `button.click`.
SILENT: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
IMMEDIATE: dict[str, Any] = {"queue": False, **SILENT}
