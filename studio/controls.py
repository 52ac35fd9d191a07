"""Controls made from options: each slider, choice and switch comes from the field that declares it."""

from collections.abc import Callable

import gradio as gr

from studio import words
from style_core.options import Knob, Options, Range
from style_core.recipes.table import RECIPES

# Where the app, whose runs are watched, starts from other values than the shell does; the API's defaults are the app's.
_STARTS = {"stylize": {"size": 768}, "optimize": {"iterations": 150}, "dream": {"size": 512}, "imagine": {"count": 6}}


def controls(recipe: str) -> dict[str, gr.components.Component]:
    """Components by option name; expert options stand in a folded "Advanced" section."""
    return controls_of(RECIPES[recipe].options, _STARTS[recipe])


def controls_of(options: type[Options], starts: dict | None = None) -> dict[str, gr.components.Component]:
    """The same for options of any kind; `starts` are values to stand at instead of their defaults."""
    starts = starts or {}
    made = {knob.name: component(options, knob, starts.get(knob.name, knob.default)) for knob in options.knobs() if not knob.expert}
    expert = [knob for knob in options.knobs() if knob.expert]
    if expert:
        with gr.Accordion(words.ADVANCED, open=False):
            made.update({knob.name: component(options, knob, starts.get(knob.name, knob.default)) for knob in expert})
    return made


def component(options: type[Options], knob: Knob, value) -> gr.components.Component:
    """The control that suits an option."""
    text = {"label": words.label_of(knob.name, knob.unit, options), "info": words.help_of(options, knob.name)}
    if knob.kind is bool:
        return gr.Checkbox(value, **text)
    if isinstance(knob.allowed, tuple):
        kind = gr.Radio if len(knob.allowed) <= 3 else gr.Dropdown
        return kind(words.choices_of(knob.name, knob.allowed), value=value, **text)
    if isinstance(knob.allowed, Range) and knob.name != "seed":
        return gr.Slider(knob.allowed.low, knob.allowed.high, value=value, step=knob.allowed.step, **text)
    if knob.kind in (int, float):
        low, high = (knob.allowed.low, knob.allowed.high) if knob.allowed else (None, None)
        return gr.Number(value, precision=0 if knob.kind is int else None, minimum=low, maximum=high, **text)
    return gr.Textbox(value, **text)


def documented(recipe: str, **pictures: str) -> Callable:
    """A decorator that names a handler after its recipe and adds its parameters to its docstring, with ranges and defaults.

    Programs read both: the API's page and the tools of the MCP server are made from them. As plain sentences, because
    Gradio drops an Args section for parameters that come by keyword.
    """

    def add(handler: Callable) -> Callable:
        lines = [f"{name} - {text}" for name, text in pictures.items()]
        for knob in RECIPES[recipe].options.knobs():
            if isinstance(knob.allowed, tuple):
                allowed = f"one of {', '.join(knob.allowed)}"
            else:
                allowed = "true or false" if knob.kind is bool else str(knob.allowed or knob.kind.__name__)
            lines.append(f"{knob.name} - {knob.help} ({allowed}; default {_STARTS[recipe].get(knob.name, knob.default)!r})")
        handler.__name__ = recipe
        handler.__doc__ = "\n".join([handler.__doc__, "", *lines])
        return handler

    return add


# Where a result can go: the tab, and which of its pictures it becomes.
USES = (("stylize", "content"), ("stylize", "style"), ("paint", "content"), ("paint", "style"), ("dream", "content"), ("imagine", "content"))


def use_buttons(source: str) -> dict[tuple[str, str], gr.Button]:
    """A folded row of buttons that hand a tab's result to the tabs, by where it goes."""
    with gr.Accordion(words.USE_RESULT, open=False), gr.Row():
        return {
            (tab, role): gr.Button(getattr(words, f"USE_{tab}_{role}".upper()), size="sm", min_width=120, elem_id=f"{source}-to-{tab}-{role}")
            for tab, role in USES
        }
