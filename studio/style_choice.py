"""The newest choice wins: an uploaded painting deselects the tile, and a clicked tile sets the painting aside."""

from collections.abc import Callable

import gradio as gr
from gradio.events import Dependency

from studio.events import IMMEDIATE, LAST
from studio.tiles import Tiles


def wire(style: gr.Image, use_own: gr.Checkbox, chosen: Tiles, mix: gr.Slider | None = None) -> Callable[[Callable], Dependency]:
    """Connect the visitor's painting and the gallery's tiles; both are used only if the checkbox is on.

    Args:
        use_own: whether the painting is used; visible only while there is one.
        mix: the balance of the two, visible only while both are used.
    Returns:
        A function from an event that sets another painting to the event after which it is chosen. The caller also applies it to the
        visitor's own input.
    """
    balance = [mix] if mix is not None else []

    def came(path: str | None) -> list:
        tile = gr.skip() if path is None else ""
        return [gr.update(value=True, visible=path is not None), tile, *[gr.update(visible=False) for _ in balance]]

    def clicked(name: str, path: str | None) -> list:
        used = gr.skip() if path is None else gr.update(value=not name)
        return [used, *[gr.update(visible=False) for _ in balance]]

    def both(on: bool, name: str, path: str | None) -> dict:
        return gr.update(visible=bool(on and name and path))

    chosen.input(clicked, [chosen, style], [use_own, *balance], **LAST, **IMMEDIATE)
    if mix is not None:
        use_own.input(both, [use_own, chosen, style], mix, **LAST, **IMMEDIATE)
    return lambda event: event(came, style, [use_own, chosen, *balance], **LAST, **IMMEDIATE)
