"""The compare grid: one photo in several styles or strengths, small; a click paints the chosen one at full size."""

from collections.abc import Callable

import gradio as gr
from gradio.events import Dependency

from studio import i18n
from studio.controls import Controls, Field
from studio.events import EACH, IMMEDIATE, Updates
from studio.tiles import picture_grid
from style_core import RequestError, gallery
from style_core.media.images import to_pil

SIDE = 384  # px, long side of compared pictures
_STRENGTHS = (0.25, 0.4, 0.55, 0.7, 0.85, 1.0)
_MOST = 16  # styles that are compared at once


def build(
    small: Callable, inputs: list, option_controls: Controls, chosen: gr.HTML, use_own: gr.Checkbox, more: dict[str, Field]
) -> Dependency:
    """Build the section.

    Args:
        small: `(gallery_style, content, style, mix, request, **option_controls)` -> an image, at `SIDE`.
        inputs: content, the visitor's painting, and mix.
        option_controls: the recipe's controls, by option.
        chosen: the tiles of styles; a click on a compared picture sets them and the strength.
        use_own: whether the visitor's painting is used; a compared gallery style is used alone.
        more: inputs for further paintings, which only compared strengths use.
    Returns:
        The event that sets them.
    """
    section, what, which, run, grid = _lay_out()
    offered, added = gr.State([]), gr.State("")  # `added`: the style that was on when the section was last opened
    section.expand(_opened, [which, chosen, added], [which, added], **IMMEDIATE)
    run.click(
        _comparing(small, option_controls, grid, offered),
        [what, which, chosen, use_own, *inputs],
        [grid, offered],
        inputs_kwargs={**option_controls, **more},
        concurrency_id="compare",
        concurrency_limit=1,
        show_progress="minimal",
        api_visibility="private",
    )
    return grid.select(_chosen, offered, [chosen, option_controls["strength"], use_own, inputs[-1]], **EACH, **IMMEDIATE)


def _lay_out() -> tuple[gr.Accordion, gr.Radio, gr.Dropdown, gr.Button, gr.Gallery]:
    with gr.Accordion(i18n.COMPARE, open=False, elem_id="compare") as section:
        what = gr.Radio(
            [(i18n.COMPARE_STYLES, "styles"), (i18n.COMPARE_STRENGTHS, "strengths")],
            value="styles",
            label=i18n.COMPARE_WHAT,
            elem_id="compare-what",
        )
        which = gr.Dropdown(
            _named(None), value=_various(), multiselect=True, max_choices=_MOST, label=i18n.COMPARE_WHICH, elem_id="compare-which"
        )
        run = gr.Button(i18n.COMPARE_RUN, size="sm", elem_id="compare-run")
        grid = picture_grid("compare-grid", 4, label=i18n.COMPARED)
    return section, what, which, run, grid


def _named(request: gr.Request | None) -> list[tuple[str, str]]:
    """The gallery's styles: in words, and by name."""
    return [(i18n.named_painting(entry, request), entry.name) for entry in gallery().values()]


def _various() -> list[str]:
    """The first style of each category."""
    return list({entry.category: name for name, entry in reversed(gallery().items())}.values())[::-1]


def _opened(which: list[str], current: str, before: str, request: gr.Request) -> tuple:
    """What to compare begins with the style that is on, in place of the one that was on `before`."""
    various = _various()
    others = [name for name in which if name != current and (name != before or name in various)]
    # Gradio translates labels in the browser, but not the choices of a menu.
    return gr.update(choices=_named(request), value=[*([current] if current else []), *others][:_MOST]), current


def _comparing(small: Callable, option_controls: Controls, grid: gr.Gallery, offered: gr.State) -> Callable[..., Updates]:
    """The handler that paints the grid, picture by picture."""

    def compare(what, which, current, used, content, style, mix, request: gr.Request, **given) -> Updates:
        if what == "styles":
            given = {name: given[name] for name in option_controls}
            language = i18n.language_of(request)
            cells = [(name, given["strength"], i18n.painting_in(language, gallery()[name].title)) for name in which]
        else:
            cells = [(current, value, i18n.say("STRENGTH_OF", request, strength=value)) for value in _STRENGTHS]
        if not cells:
            raise i18n.refusal(i18n.say("NO_STYLE_AT_ALL", request), request)
        own = style if what == "strengths" and used else None
        shown = []
        for name, value, caption in cells:
            try:
                shown.append((to_pil(small(name, content, own, mix, request, **{**given, "strength": value})), caption))
            except RequestError as error:
                raise i18n.refusal(error, request) from error
            yield {
                grid: list(shown),
                offered: [(name if what == "styles" else None, value) for name, value, _ in cells],
            }

    return compare


def _chosen(offered: list[tuple[str | None, float]], event: gr.SelectData) -> tuple:
    """The style and strength of a compared picture; with a style, the visitor's painting is set aside."""
    name, strength = offered[event.index]
    if name is None:
        return gr.skip(), strength, gr.skip(), gr.skip()
    return name, strength, gr.update(value=False), gr.update(visible=False)
