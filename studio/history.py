"""The drawer: this visit's results, kept in the visitor's browser, and settings restored from a picture."""

import re
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
from style_core import RECIPES, RequestError, gallery, read_settings
from style_core.files import sha256_of
from style_core.media.images import size_of
from style_core.media.reading import PRINTS
from style_core.messages import joined
from style_core.recipes.recorded_inputs import digests_in, facts_in
from style_core.recipes.table import command_of, options_recorded
from style_core.weights.gallery import FROM_GALLERY

_MOST = 24
_MOST_VISITORS = 1000  # whose results are known here, the newest
_KEY = "pentimento-visit"
_TABS = {"stylize": "STYLIZE_TAB", "optimize": "PAINT_TAB", "dream": "DREAM_TAB", "imagine": "IMAGINE_TAB"}  # texts, by recipe
_INTO_VIEW = "() => { document.querySelector('#history-about')?.scrollIntoView({ block: 'nearest', behavior: 'smooth' }); }"


def build(opener: gr.Button) -> dict:
    """Build the drawer, which `opener` opens; returns its components by name for `wire`."""
    with gr.Sidebar(label=i18n.HISTORY, open=False, position="right", width=400, elem_id="history") as drawer:
        gr.Markdown(i18n.HISTORY, elem_classes="drawer-title")
        status = gr.Markdown(i18n.HISTORY_EMPTY, elem_classes="quiet", elem_id="history-status")
        undo = gr.Button(i18n.UNDO, size="sm", visible=False, elem_id="history-undo")
        with gr.Column(visible=False, elem_id="history-chosen") as chosen:
            large = gr.Image(show_label=False, interactive=False, format="png", buttons=["fullscreen"], elem_id="history-large")
            about = gr.Markdown(elem_id="history-about")
            with gr.Row():
                download = gr.DownloadButton(i18n.DOWNLOAD, size="sm", min_width=120, elem_id="history-download")  # type: ignore[arg-type]  # Gradio declares str
                restore = gr.Button(i18n.RESTORE, size="sm", min_width=120, elem_id="history-restore")
            uses = use_buttons("history")
            with gr.Accordion(i18n.TERMINAL, open=False, elem_id="history-terminal"):
                command = gr.Markdown(elem_id="history-command")
        strip = picture_grid("history-strip", 2, show_label=False, visible=False)
        with gr.Column(visible=False) as actions:
            forget = gr.Button(i18n.FORGET, size="sm", min_width=120, elem_id="history-forget")
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
        "strip": strip, "status": status, "actions": actions, "restore": restore, "forget": forget,
        "undo": undo, "uses": uses, "dropped": dropped,
        "chosen": chosen, "large": large, "about": about, "download": download, "command": command, "removed": gr.State([]),
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


def caption(path: str, request: gr.Request | None) -> str:
    """What a result is: its styles, where they have a name, and the tab that made it."""
    settings = read_settings(path)
    styles = facts_in(settings.get("request", {}), "styles")
    if not styles and settings.get("gallery"):
        styles = [FROM_GALLERY + settings["gallery"]]
    names = filter(None, (_style_name(style, request) for style in styles))
    tab = _TABS.get(settings.get("recipe", ""))
    return " · ".join(filter(None, (", ".join(names), i18n.say(tab, request) if tab else "")))


def _style_name(fact: Any, request: gr.Request | None) -> str:
    """The name of a style as stored in settings; empty for a painting that is itself a result."""
    if isinstance(fact, str):
        entry = gallery().get(fact.removeprefix(FROM_GALLERY))
        return i18n.painting_in(i18n.language_of(request), entry.title) if entry else ""
    stem = Path(str(fact.get("file", ""))).stem
    return "" if stem.startswith("pentimento-") else re.sub(r"[^\w ]+", " ", stem).strip()


def _about(path: str, paths: list[str], request: gr.Request | None) -> str:
    """What a result is, its size, and what it was made from."""
    height, width = size_of(path, PRINTS)
    said = i18n.say("HISTORY_ABOUT", request, what=caption(path, request), width=width, height=height)
    parents = "; ".join(caption(parent, request) for parent in parents_of(paths)[path])
    return joined(said, i18n.say("HISTORY_MADE_FROM", request, parents=parents) if parents else "")


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
            gr.update(value=[(path, caption(path, request)) for path in kept], visible=some, **framed),
            gr.update(visible=True),
            gr.update(visible=some),
        )

    def add(path: str | None, paths: list, chosen: str | None, request: gr.Request) -> tuple:
        if not files.is_result(path) or first_picture.is_example(path) or _is_among(path, paths or []):
            return tuple(gr.skip() for _ in shown)
        kept = [path, *(each for each in paths or [] if files.is_result(each))]
        return show(_of_all_pages(kept, jobs.here.visitor(request)), request, chosen)

    def forget(paths: list, request: gr.Request) -> dict:
        jobs.here.forget_done(request)
        _made.pop(jobs.here.visitor(request) or "", None)
        emptied = dict(zip(shown, show([], request)))
        gone = {here["result"]: None, here["chosen"]: gr.update(visible=False), here["removed"]: paths or []}
        said = gr.update(value=i18n.say("FORGOTTEN", request), visible=True)
        return {**emptied, **gone, here["status"]: said, here["undo"]: gr.update(visible=True)}

    def undo(removed: list, paths: list, request: gr.Request) -> dict:
        """The pictures as they were, and those that came since."""
        came = [path for path in paths or [] if path not in removed]
        back = dict(zip(shown, show(_of_all_pages([*came, *removed], jobs.here.visitor(request)), request)))
        said = gr.update(value=i18n.say("HISTORY_EMPTY", request), visible=True)
        return {**back, here["status"]: said, here["undo"]: gr.update(visible=False), here["removed"]: []}

    def choose(paths: list, request: gr.Request, event: gr.SelectData) -> tuple:
        path = paths[event.index]
        if not files.is_result(path):  # the list comes from the browser, so it can't be trusted
            raise gr.Error(i18n.say("NOT_UPLOADED", request), print_exception=False)
        there = [one for one in paths if files.is_result(one)]
        command = f"```\n{command_of(read_settings(path))}\n```"
        return path, gr.update(visible=True), path, _about(path, there, request), path, command

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
    changed = [*shown, here["result"], here["chosen"], here["removed"], here["undo"]]
    here["forget"].click(forget, here["paths"], changed, **IMMEDIATE)
    here["undo"].click(undo, [here["removed"], here["paths"]], changed, **IMMEDIATE)
    filled = [here["status"], tabs, *(field for _, option_controls in recipes.values() for field in option_controls.values())]
    filled += [quick["use_own"], quick["mix"]]
    # Queued, because errors of unqueued events are not shown.
    places = [here[name] for name in ("result", "chosen", "large", "about", "download", "command")]
    chosen = here["strip"].select(choose, here["paths"], places, **EACH, **SILENT)
    chosen.success(None, None, None, js=_INTO_VIEW, **IMMEDIATE)
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
