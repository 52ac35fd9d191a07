"""Controls made from options: each slider, choice and switch comes from the field that declares it."""

from collections.abc import Callable

import gradio as gr

from studio import words
from style_core.options import OptionField, Options, Range
from style_core.recipes.table import RECIPES

# Where the app, whose runs are watched, starts from other values than the shell does; the API's defaults are the app's.
_STARTS = {"stylize": {"size": 768}, "optimize": {"iterations": 150}, "dream": {"size": 512}, "imagine": {"count": 6}}


def controls(recipe: str) -> dict[str, gr.components.Component]:
    """Components by option name; expert options stand in a folded "Advanced" section."""
    return controls_of(RECIPES[recipe].options, _STARTS[recipe])


def controls_of(options: type[Options], starts: dict | None = None) -> dict[str, gr.components.Component]:
    """The same for options of any kind; `starts` are values to stand at instead of their defaults."""
    starts = starts or {}
    made = {field.name: component(options, field, starts.get(field.name, field.default)) for field in options.fields() if not field.expert}
    expert = [field for field in options.fields() if field.expert]
    if expert:
        with gr.Accordion(words.ADVANCED, open=False):
            made.update({field.name: component(options, field, starts.get(field.name, field.default)) for field in expert})
    return made


def component(options: type[Options], field: OptionField, value) -> gr.components.Component:
    """The control that suits an option."""
    text = {"label": words.label_of(field.name, field.unit, options), "info": words.help_of(options, field.name)}
    if field.kind is bool:
        return gr.Checkbox(value, **text)
    if isinstance(field.allowed, tuple):
        kind = gr.Radio if len(field.allowed) <= 3 else gr.Dropdown
        return kind(words.choices_of(field.name, field.allowed), value=value, **text)
    if isinstance(field.allowed, Range) and field.name != "seed":
        return gr.Slider(field.allowed.low, field.allowed.high, value=value, step=field.allowed.step, **text)
    if field.kind in (int, float):
        low, high = (field.allowed.low, field.allowed.high) if field.allowed else (None, None)
        return gr.Number(value, precision=0 if field.kind is int else None, minimum=low, maximum=high, **text)
    return gr.Textbox(value, **text)


def documented(recipe: str, **pictures: str) -> Callable:
    """A decorator that names a handler after its recipe and adds its parameters to its docstring, with ranges and defaults.

    Programs read both: the API's page and the tools of the MCP server are made from them. As plain sentences, because
    Gradio drops an Args section for parameters that come by keyword.
    """

    def add(handler: Callable) -> Callable:
        lines = [f"{name} - {text}" for name, text in pictures.items()]
        for field in RECIPES[recipe].options.fields():
            if isinstance(field.allowed, tuple):
                allowed = f"one of {', '.join(field.allowed)}"
            else:
                allowed = "true or false" if field.kind is bool else str(field.allowed or field.kind.__name__)
            lines.append(f"{field.name} - {field.help} ({allowed}; default {_STARTS[recipe].get(field.name, field.default)!r})")
        handler.__name__ = recipe
        handler.__doc__ = "\n".join([handler.__doc__, "", *lines])
        return handler

    return add


# Where a result can go: the tab, and which of its pictures it becomes.
USES = (
    ("stylize", "content"),
    ("stylize", "style"),
    ("paint", "content"),
    ("paint", "style"),
    ("dream", "content"),
    ("imagine", "content"),
)


def use_buttons(source: str) -> dict[tuple[str, str], gr.Button]:
    """A folded row of buttons that hand a tab's result to the tabs, by where it goes."""
    with gr.Accordion(words.USE_RESULT, open=False), gr.Row():
        return {
            (tab, role): gr.Button(
                getattr(words, f"USE_{tab}_{role}".upper()), size="sm", min_width=120, elem_id=f"{source}-to-{tab}-{role}"
            )
            for tab, role in USES
        }
