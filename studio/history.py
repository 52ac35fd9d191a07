"""The drawer: this visit's results, kept in the visitor's browser, and settings restored from a picture."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import Dependency

from studio import files, first_picture, i18n, jobs
from studio.controls import use_buttons
from studio.events import EACH, IMMEDIATE, LAST, SILENT
from studio.tiles import picture_grid
from studio.uploads import RawImage
from style_core import RECIPES, RequestError, read_settings
from style_core.files import sha256_of
from style_core.recipes.recorded_inputs import digests_in
from style_core.recipes.table import command_of, options_recorded

_MOST = 24
_MOST_VISITORS = 1000  # whose results are known here, the newest
_KEY = "pentimento-visit"


def build(opener: gr.Button) -> dict:
    """Build the drawer, which `opener` opens; returns its components by name for `wire`."""
    with gr.Sidebar(label=i18n.HISTORY, open=False, position="right", width=400, elem_id="history") as drawer:
        gr.Markdown(i18n.HISTORY, elem_classes="drawer-title")
        status = gr.Markdown(i18n.HISTORY_EMPTY, elem_classes="quiet", elem_id="history-status")
        strip = picture_grid("history-strip", 2, show_label=False, visible=False)
        with gr.Column(visible=False) as actions:
            with gr.Row():
                restore = gr.Button(i18n.RESTORE, size="sm", min_width=120, elem_id="history-restore")
                forget = gr.Button(i18n.FORGET, size="sm", min_width=120, elem_id="history-forget")
            uses = use_buttons("history")
        dropped = RawImage(
            label=i18n.DROP_RESULT,
            height=130,
            sources=["upload", "clipboard"],
            type="filepath",
            image_mode=None,
            buttons=[],
            elem_id="history-drop",
        )
    opener.click(lambda: gr.Sidebar(open=True), None, drawer, **IMMEDIATE)
    return {
        "strip": strip, "status": status, "actions": actions, "restore": restore, "forget": forget, "uses": uses, "dropped": dropped,
        "paths": gr.BrowserState([], storage_key=_KEY, secret=_KEY), "result": gr.State(None),
    }  # fmt: skip


_made: OrderedDict[str, list[str]] = OrderedDict()  # by visitor: results of all of their pages, which don't know of each other


def _of_all_pages(paths: list[str], visitor: str | None) -> list[str]:
    """Results on a page and on others that the visitor has open, newest first."""
    if visitor is None:
        return paths
    others = [path for path in _made.pop(visitor, []) if path not in paths and files.is_result(path)]
    if others:
        paths = sorted([*paths, *others], key=lambda path: Path(path).stat().st_mtime, reverse=True)
    _made[visitor] = paths[:_MOST]
    while len(_made) > _MOST_VISITORS:
        _made.popitem(last=False)
    return paths


def parents_of(paths: list[str]) -> dict[str, list[str]]:
    """The results that each result was made from, by the digests in its settings; newest first."""
    known = {sha256_of(Path(path)): path for path in paths}
    made: dict[str, list[str]] = {}
    for path in paths:
        settings = read_settings(path)
        adjusted = settings.get("after", {}).get("of")
        digests = [adjusted] if adjusted else digests_in(settings.get("request", {}))
        made[path] = [known[digest] for digest in dict.fromkeys(digests) if digest in known and known[digest] != path]
    return made


def _is_among(path: str, paths: list[str]) -> bool:
    """Whether a result is in the list already, since a reloaded page stylizes its photo again."""
    digest = sha256_of(Path(path))
    return any(other == path or (files.is_result(other) and sha256_of(Path(other)) == digest) for other in paths)


def captioned(paths: list[str], request: gr.Request | None) -> list[tuple[str, str]]:
    """Results, newest first, with their number and the numbers of those that they were made from; the oldest is number 1."""
    numbers = {path: len(paths) - index for index, path in enumerate(paths)}
    captions = []
    for path, parents in parents_of(paths).items():
        key = "HISTORY_MADE_FROM" if parents else "HISTORY_NUMBER"
        named = ", ".join(str(numbers[parent]) for parent in parents)
        captions.append((path, i18n.say(key, request, number=numbers[path], parents=named)))
    return captions


def wire(page: gr.Blocks, tabs: gr.Tabs, here: dict, parts: dict[str, dict], recipes: dict[str, tuple[str, dict]]) -> list[Dependency]:
    """Fill the strip with the tabs' results, and the tabs' controls from the settings of its pictures.

    Args:
        here: the components returned by `build`.
        parts: by tab, its components; those with a `result` feed the strip.
        recipes: by recipe, its tab and its controls by option.
    Returns:
        The events that set controls.
    """
    shown = [here["paths"], here["strip"], here["status"], here["actions"]]
    quick = parts["stylize"]["kept"]

    def show(paths: list, request: gr.Request, chosen: str | None = None) -> tuple:
        kept = [path for path in paths or [] if files.is_result(path)][:_MOST]
        some = bool(kept)
        # Gradio keeps the frame at its place, while the picture that was chosen moves on. It knows no update to no frame.
        framed: dict[str, Any] = {"selected_index": kept.index(chosen)} if chosen in kept else {}
        return (
            kept,
            gr.update(value=captioned(kept, request), visible=some, **framed),
            gr.update(visible=True),
            gr.update(visible=some),
        )

    def add(path: str | None, paths: list, chosen: str | None, request: gr.Request) -> tuple:
        if not files.is_result(path) or first_picture.is_example(path) or _is_among(path, paths or []):
            return tuple(gr.skip() for _ in shown)
        kept = [path, *(each for each in paths or [] if files.is_result(each))]
        return show(_of_all_pages(kept, jobs.here.visitor(request)), request, chosen)

    def forget(request: gr.Request) -> tuple:
        jobs.here.forget_done(request)
        _made.pop(jobs.here.visitor(request) or "", None)
        return None, *show([], request)

    def choose(paths: list, request: gr.Request, event: gr.SelectData) -> tuple:
        path = paths[event.index]
        if not files.is_result(path):  # the list comes from the browser, so it can't be trusted
            raise gr.Error(i18n.say("NOT_UPLOADED", request), print_exception=False)
        return path, i18n.say("HISTORY_CHOSEN", request, name=Path(path).name, command=command_of(read_settings(path)))

    def restore(path: str | None, request: gr.Request) -> dict:
        if path is None:
            raise i18n.no_result(request)
        try:
            settings = read_settings(path)
            tab, found = _restored(settings, Path(path).name, recipes)
            if found.get(quick["gallery"]) and len(settings.get("request", {}).get("styles") or ()) < 2:
                # It was painted in this style alone.
                found |= {quick["use_own"]: gr.update(value=False), quick["mix"]: gr.update(visible=False)}
            return {**found, tabs: gr.update(selected=tab), here["status"]: i18n.say("RESTORED", request, name=Path(path).name)}
        except RequestError as error:
            raise i18n.refusal(error, request) from error

    for part in parts.values():
        part["result"].change(add, [part["result"], here["paths"], here["result"]], shown, **IMMEDIATE)
    page.load(show, here["paths"], shown, **IMMEDIATE)
    here["forget"].click(forget, None, [here["result"], *shown], **IMMEDIATE)
    filled = [here["status"], tabs, *(field for _, option_controls in recipes.values() for field in option_controls.values())]
    filled += [quick["use_own"], quick["mix"]]
    # Queued, because errors of unqueued events are not shown.
    here["strip"].select(choose, here["paths"], [here["result"], here["status"]], **EACH, **SILENT)
    return [
        here["restore"].click(restore, here["result"], filled, **SILENT),
        here["dropped"].upload(restore, here["dropped"], filled, **LAST, **SILENT),
    ]


def _restored(settings: dict, name: str, recipes: dict[str, tuple[str, dict]]) -> tuple[str, dict]:
    """The tab of a picture's recipe, and the values of its controls by component.

    Args:
        settings: of the picture, whose file is called `name`.
    Raises:
        RequestError: for settings that are missing or not valid; the file may come from anywhere.
    """
    if not isinstance(settings.get("options"), dict):
        raise RequestError("{file} contains no settings; only pictures saved by Pentimento do, and editors may remove them.", file=name)
    if settings["recipe"] not in recipes:
        raise RequestError("{file} was made by {recipe}, which this version does not have.", file=name, recipe=settings["recipe"])
    tab, option_controls = recipes[settings["recipe"]]
    wanted = {name: value for name, value in options_recorded(settings).items() if name in option_controls}
    RECIPES[settings["recipe"]].options.make(**wanted)
    if "gallery" in option_controls:
        wanted["gallery"] = settings.get("gallery") or ""
    return tab, {option_controls[name]: value for name, value in wanted.items()}
