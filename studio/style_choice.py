"""The newest choice wins: a painting that comes lets go of the tile, a tile that is clicked sets the painting aside."""

from collections.abc import Callable

import gradio as gr
from gradio.events import Dependency

from studio.tiles import Tiles


def wire(style: gr.Image, use_own: gr.Checkbox, chosen: Tiles, mix: gr.Slider | None = None) -> Callable[[Callable], Dependency]:
    """Tie a painting of one's own and the gallery's tiles together; both are used only where the checkbox says so.

    Args:
        use_own: whether the painting is used; seen only while there is one.
        mix: the balance of the two, seen only while both are used.
    Returns:
        A function that takes an event after which there is another painting, and gives the event after which it is chosen. The
        person's own input is one that the caller wires as any other.
    """
    quiet = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    balance = [mix] if mix is not None else []

    def came(path: str | None) -> list:
        tile = gr.skip() if path is None else ""
        return [gr.update(value=True, visible=path is not None), tile, *[gr.update(visible=False) for _ in balance]]

    def clicked(name: str, path: str | None) -> list:
        used = gr.skip() if path is None else gr.update(value=not name)
        return [used, *[gr.update(visible=False) for _ in balance]]

    def both(on: bool, name: str, path: str | None) -> dict:
        return gr.update(visible=bool(on and name and path))

    chosen.input(clicked, [chosen, style], [use_own, *balance], **quiet)
    if mix is not None:
        use_own.input(both, [use_own, chosen, style], mix, **quiet)
    return lambda event: event(came, style, [use_own, chosen, *balance], **quiet)
