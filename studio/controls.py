"""Controls generated from options: each slider, choice and switch comes from the field that declares it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import gradio as gr

from studio import i18n
from studio.events import IMMEDIATE
from style_core.options import OptionField, Options, Range
from style_core.recipes.table import RECIPES

# Defaults of the app that differ from the shell's, because its runs are watched; the API uses them too.
STARTS = {"stylize": {"size": 768}, "optimize": {"iterations": 150}, "dream": {"size": 512}, "imagine": {"count": 6}}
# The four named sizes, as long sides in pixels.
SIZES = {
    "stylize": {"draft": 512, "standard": 768, "large": 1536, "print": 3072},
    "optimize": {"draft": 320, "standard": 512, "large": 1024, "print": 2048},
    "dream": {"draft": 320, "standard": 512, "large": 1024, "print": 2048},
    "imagine": {"draft": 256, "standard": 512, "large": 1024, "print": 2048},
}
# Controls in view; the others are behind "More", and expert options under "Advanced" there.
_IN_VIEW = {
    "stylize": ("strength", "color"),
    "optimize": ("strength", "color"),
    "dream": ("strength",),
    "imagine": ("truncation", "vividness", "warmth", "darkness", "boldness"),
}
_ADVANCED = {"extractor", "layer", "octaves"}

Control = gr.Checkbox | gr.Radio | gr.Dropdown | gr.Slider | gr.Number | gr.Textbox
Controls = dict[str, Control]  # by option
Field = Control | gr.Image | gr.ImageEditor | gr.HTML  # what a visitor sets


def in_view(recipe: str) -> Controls:
    """The few controls that everyone needs, by option; the named sizes are `sizes`."""
    starts, options = STARTS[recipe], RECIPES[recipe].options
    fields = {field.name: field for field in options.fields()}
    made = _controls(options, (fields[name] for name in _IN_VIEW[recipe]), starts)
    named, standing = SIZES[recipe], starts.get("size", fields["size"].default)
    made["sizes"] = gr.Radio(
        [(i18n.named(f"SIZE_{name}") + f" {pixels}\u00a0px", pixels) for name, pixels in named.items()],
        label=i18n.SIZE, info=i18n.SIZE_INFO, value=standing if standing in named.values() else None, elem_classes="sizes",
    )  # fmt: skip
    return made


def behind_more(recipe: str, shown: Controls) -> Controls:
    """All other controls, in the current section; returned together with those of `shown`, in the options' order.

    The size in pixels and the named size follow each other.
    """
    starts, options = STARTS[recipe], RECIPES[recipe].options
    rest = [field for field in options.fields() if field.name not in shown]
    expert = [field for field in rest if field.expert or field.name in _ADVANCED]
    made = _controls(options, (field for field in rest if field not in expert), starts)
    if expert:
        with gr.Accordion(i18n.ADVANCED, open=False, elem_classes="advanced"):
            made |= _controls(options, expert, starts)
    sizes = shown["sizes"]
    sizes.input(None, sizes, made["size"], js="(pixels) => pixels", **IMMEDIATE)
    named = f"(pixels) => {list(SIZES[recipe].values())}.includes(pixels) ? pixels : null"
    made["size"].change(None, made["size"], sizes, js=named, **IMMEDIATE)
    everything = {**shown, **made}
    return {field.name: everything[field.name] for field in options.fields()}


def controls_of(options: type[Options], starts: dict | None = None) -> Controls:
    """Components for options, by name; `starts` are initial values that replace the defaults."""
    return _controls(options, options.fields(), starts or {})


def _controls(options: type[Options], fields: Iterable[OptionField], starts: dict) -> Controls:
    return {field.name: component(options, field, starts.get(field.name, field.default)) for field in fields}


def component(options: type[Options], field: OptionField, value: Any) -> Control:
    """The control for an option, which is remembered for `check_value`."""
    made = _made(options, field, value)
    made.of_option = (options, field.name)  # type: ignore[union-attr]  # an attribute of our own
    return made


def check_value(control: Any, value: Any) -> None:
    """Check a value received for a control; those that `component` did not make accept any.

    Raises:
        RequestError: naming the option and what it accepts.
    """
    options, name = getattr(control, "of_option", (None, ""))
    if options is not None:
        options.check(name, value)


def _made(options: type[Options], field: OptionField, value: Any) -> Control:
    text: dict[str, Any] = {"label": i18n.label_of(field.name, field.unit, options), "info": i18n.help_of(options, field.name)}
    if field.kind is bool:
        return gr.Checkbox(value, **text)
    if isinstance(field.allowed, tuple):
        kind = gr.Radio if len(field.allowed) <= 4 else gr.Dropdown
        return kind(i18n.choices_of(field.name, field.allowed), value=value, **text)
    if isinstance(field.allowed, Range) and field.name != "seed":
        return gr.Slider(field.allowed.low, field.allowed.high, value=value, step=field.allowed.step, **text)
    if field.kind in (int, float):
        low, high = (field.allowed.low, field.allowed.high) if field.allowed else (None, None)
        return gr.Number(value, minimum=low, maximum=high, **text)
    return gr.Textbox(value, **text)


def change_events(fields: Mapping[Any, Field]) -> list[Callable]:
    """The events that report a control's final new value."""
    return [_change_event(field) for field in fields.values()]


def _change_event(field: Field) -> Callable:
    if isinstance(field, gr.Slider):
        return field.release
    return field.input if isinstance(field, gr.Image) else field.change


def documented(recipe: str, **pictures: str) -> Callable:
    """A decorator that names a handler after its recipe and adds its parameters to its docstring, with ranges and defaults.

    The API page and the MCP server's tools are generated from both. The parameters are plain sentences, because Gradio drops an Args
    section for keyword parameters.
    """

    def add(handler: Callable) -> Callable:
        lines = [f"{name} - {text}" for name, text in pictures.items()]
        for field in RECIPES[recipe].options.fields():
            if isinstance(field.allowed, tuple):
                allowed = f"one of {', '.join(field.allowed)}"
            else:
                allowed = "true or false" if field.kind is bool else str(field.allowed or field.kind.__name__)
            lines.append(f"{field.name} - {field.help} ({allowed}; default {STARTS[recipe].get(field.name, field.default)!r})")
        handler.__name__ = recipe
        handler.__doc__ = "\n".join([handler.__doc__ or "", "", *lines])
        return handler

    return add


Uses = dict[tuple[str, str], gr.Button]  # buttons that send a result somewhere, by destination
# Destinations: the tab, and the input.
USES = (
    ("stylize", "content"),
    ("stylize", "style"),
    ("paint", "content"),
    ("paint", "style"),
    ("dream", "content"),
    ("imagine", "content"),
)


def use_buttons(source: str) -> Uses:
    """A folded row of buttons that send a tab's result to other tabs, by destination."""
    with gr.Accordion(i18n.USE_RESULT, open=False, elem_classes="uses"), gr.Row():
        return {
            (tab, role): gr.Button(
                getattr(i18n, f"USE_{tab}_{role}".upper()), size="sm", min_width=120, elem_id=f"{source}-to-{tab}-{role}"
            )
            for tab, role in USES
        }
