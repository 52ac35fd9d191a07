"""State kept in the visitor's browser, restored after a reload: tab, photo, paintings and their weights, style, settings."""

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.events import Dependency

from studio import first_picture
from studio.controls import Field, change_events
from studio.events import IMMEDIATE, LAST, SILENT, apart
from studio.photo import may_be_shown
from studio.tabs import RecipeTab, StylizeTab
from style_core import RECIPES, RequestError

# Fixed, because the state outlives the server; by default Gradio generates new keys at each start.
_TAB, _PHOTO, _SETTINGS = "pentimento-tab", "pentimento-photo", "pentimento-settings"


def wire(
    page: gr.Blocks,
    tabs: gr.Tabs,
    each: dict[str, gr.Tab],
    photo: gr.State,
    quick: StylizeTab,
    parts: dict[str, RecipeTab],
    handed: Sequence[Dependency],
) -> None:
    """Save choices as they are made, and restore them when the page is loaded.

    Args:
        each: the tabs by their ids.
        photo: path of the studio's photo.
        quick: the tab "Stylize", with which the page opens.
        parts: all tabs with something to keep, by recipe.
        handed: events that fill what is kept, which the page doesn't report as a visitor's input.
    """
    tab = gr.BrowserState("stylize", storage_key=_TAB, secret=_TAB)
    seen = gr.BrowserState(None, storage_key=_PHOTO, secret=_PHOTO)
    photo.change(lambda path: path, photo, seen, **IMMEDIATE)
    settings = gr.BrowserState({}, storage_key=_SETTINGS, secret=_SETTINGS)
    for name, one in each.items():
        one.select(lambda name=name: name, None, tab, **IMMEDIATE)
    fields: dict[Any, Field] = {(recipe, name): field for recipe, part in parts.items() for name, field in part.kept.items()}
    inputs = [part.content for recipe, part in parts.items() if recipe != "imagine"]

    def remember(*values):
        together: dict[str, dict] = {}
        for (recipe, name), value in zip(fields, values):
            together.setdefault(recipe, {})[name] = value
        return together

    changes = change_events(fields) + [field.change for (_, name), field in fields.items() if name == "size"]
    apart(changes)(remember, list(fields.values()), settings, **LAST, **IMMEDIATE)
    for event in handed:
        event.success(remember, list(fields.values()), settings, **LAST, **IMMEDIATE)

    def restore(tab, path, settings):
        # The first tab is open already, or the visitor has opened another one meanwhile.
        found: dict = {tabs: gr.update(selected=tab)} if tab in each and tab != next(iter(each)) else {}
        if may_be_shown(path):
            found |= dict.fromkeys([photo, *inputs], path)
        sound = {recipe: _sound(recipe, (settings or {}).get(recipe), part.kept) for recipe, part in parts.items()}
        found |= {fields[recipe, name]: value for recipe, values in sound.items() for name, value in values.items()}
        found |= quick.restored(sound["stylize"])
        if "gallery" not in ((settings or {}).get("stylize") or {}):
            found[quick.gallery] = first_picture.style()
        own = sound["stylize"].get("style") and sound["stylize"].get("use_own", True)
        if not may_be_shown(path) and not own:  # the example, unless the settings that come back ask for another
            found |= {quick.result: first_picture.result(), quick.download: first_picture.result(), quick.drawn: first_picture.KEY}
        return found

    outputs = [tabs, photo, *inputs, *fields.values(), quick.result, quick.download, quick.drawn]
    # Queued, because reactions to the photo follow only queued events.
    restored = page.load(restore, [tab, seen, settings], outputs, **SILENT)
    restored.then(None, None, None, js="() => { document.body.dataset.restored = ''; }", **IMMEDIATE)  # the early page waits for it
    quick.once_restored(restored.success)


def _sound(recipe: str, values: object, fields: Mapping[str, Field]) -> dict:
    """The valid values and existing pictures among those received from a browser."""
    sound = {}
    for name, value in values.items() if isinstance(values, dict) else ():
        if name not in fields:
            continue
        if isinstance(fields[name], gr.Image):
            if may_be_shown(value):
                sound[name] = value
        elif _allowed(recipe, name, value):
            sound[name] = value
    return sound


def _allowed(recipe: str, name: str, value: object) -> bool:
    options = RECIPES[recipe].options
    if name not in {field.name for field in options.fields()}:
        return isinstance(value, (str, bool, int, float))
    try:
        options.make(**{name: value})
    except RequestError:
        return False
    return True
