"""The API page in words: English labels, explanations and examples where Gradio shows keys, numbers and pictures of its own."""

import inspect
import re
from typing import Any

from gradio.i18n import I18nData

from studio import i18n

_EXAMPLE = re.compile(r"(https://raw\.githubusercontent\.com/gradio-app/\S+/)?bus\.png")
_PHOTO, _PAINTING = "photo.jpg", "painting.jpg"
_EXAMPLES = {"gallery_style": "sunflowers"}  # where Gradio's is no sound value
_UNLABELED = {"Markdown": "Status", "Lineplot": "Losses"}  # results that the page shows without a label


def reword(endpoint: Any, handler: Any) -> None:
    """Reword what Gradio tells about an endpoint, in place.

    Args:
        endpoint: as in `Blocks.get_api_info`.
        handler: what it calls; its docstring explains the parameters, `name - text` on a line each (`controls.documented`).
    """
    told = dict(line.split(" - ", 1) for line in (inspect.getdoc(handler) or "").splitlines() if re.match(r"\w+ - ", line))
    for parameter in endpoint["parameters"]:
        name = parameter["parameter_name"]
        picture = _PAINTING if name.startswith("style") or name == "guide" else _PHOTO
        parameter["label"] = name
        parameter["python_type"]["description"] = told.get(name, parameter["python_type"]["description"])
        parameter["example_input"] = _EXAMPLES.get(name) or _with_picture(parameter["example_input"], picture)
        if isinstance(parameter["parameter_default"], dict):
            # The page begins with a picture. A program that gives none would send Gradio's example instead.
            parameter["parameter_has_default"], parameter["parameter_default"] = False, None
    for result in endpoint["returns"]:
        result["label"] = _UNLABELED.get(result["component"]) or _english(result["label"])


def _english(label: Any) -> str:
    return i18n.TABLE["en"].get(label.key, label.key) if isinstance(label, I18nData) else str(label)


def _with_picture(value: Any, picture: str) -> Any:
    """A value in which Gradio's example picture is replaced by a file's name, at any depth."""
    if isinstance(value, dict):
        return {key: _with_picture(part, picture) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_picture(part, picture) for part in value]
    return _EXAMPLE.sub(picture, value) if isinstance(value, str) else value
