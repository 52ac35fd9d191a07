"""Inputs for a second and a third painting, each with a weight relative to the first."""

import gradio as gr

from studio import i18n
from studio.controls import Field
from studio.uploads import picture_input

_NUMBERS = (2, 3)
SENTENCES = {
    "style_2": "A second painting, or null.", "style_3": "A third painting, or null.",
    "weight_2": "Weight of the second, between 0.05 and 4; the first has 1.", "weight_3": "Weight of the third, likewise.",
}  # fmt: skip


def build(run_id: str) -> dict[str, Field]:
    """Build a folded section; returns its components by their API names."""
    boxes: dict[str, Field] = {}
    with gr.Accordion(i18n.MORE_STYLES, open=False, elem_id=f"{run_id}-more-styles"):
        for number in _NUMBERS:
            boxes[f"style_{number}"] = picture_input(getattr(i18n, f"STYLE_{number}"), height=160, elem_id=f"{run_id}-style-{number}")
            boxes[f"weight_{number}"] = gr.Slider(0.05, 4, value=1, step=0.05, label=getattr(i18n, f"WEIGHT_{number}"))
    return boxes


def taken(given: dict) -> list[tuple[str | None, float]]:
    """Paths and weights, removed from a handler's values; None for an empty input."""
    return [(given.pop(f"style_{number}", None), given.pop(f"weight_{number}", 1)) for number in _NUMBERS]
