"""The drawer: this visit's results, whose paths the visitor's browser keeps, and settings restored from a picture."""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import Dependency

from studio import files, first_picture, i18n, jobs
from studio.controls import Field, use_buttons
from studio.events import EACH, IMMEDIATE, LAST, SILENT, Update
from studio.tabs import Source, StylizeTab
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
_KEY, _REMOVED = "pentimento-visit", "pentimento-removed"
_TABS = {"stylize": "STYLIZE_TAB", "optimize": "PAINT_TAB", "dream": "DREAM_TAB", "imagine": "IMAGINE_TAB"}  # texts, by recipe
_INTO_VIEW = "() => { document.querySelector('#history-about')?.scrollIntoView({ block: 'nearest', behavior: 'smooth' }); }"

Recipes = Mapping[str, tuple[str, Mapping[str, Field]]]  # by recipe: the id of its tab, and its controls by option


@dataclass(frozen=True, kw_only=True)
class Drawer(Source):
    """The drawer's components, and what they do. Its `result` is the one that was clicked.

    Attributes:
        opener: opens it.
        paths: of the results, newest first, as the browser keeps them.
        strip, actions: the results as pictures, and what can be done with all of them.
        status: one line of words.
        forget, undo, removed: removes the results, brings them back, and the paths of those.
        chosen, large, about, download, command: the result that was clicked, large, in words, as a file, and for the terminal.
        restore, dropped: bring back the settings of that one, or of a picture that is dropped here.
    """

    opener: gr.Button
    paths: gr.BrowserState
    strip: gr.Gallery
    actions: gr.Column
    status: gr.Markdown
    forget: gr.Button
    undo: gr.Button
    removed: gr.BrowserState
    chosen: gr.Column
    large: gr.Image
    about: gr.Markdown
    download: gr.DownloadButton
    command: gr.Markdown
    restore: gr.Button
    dropped: gr.Image

    def wire(self, page: gr.Blocks, results: Iterable[gr.State]) -> None:
        """Fill the strip with results, and let a click choose one."""
        for result in results:
            result.change(self._add, [result, self.paths, self.result], self._wall, **IMMEDIATE)
        page.load(self._opened, [self.paths, self.removed], [*self._wall, self.undo], **IMMEDIATE)
        self.opener.click(self._look_again, [self.paths, self.result], self._wall, **IMMEDIATE)
        changed = [*self._wall, self.result, self.chosen, self.removed, self.undo]
        self.forget.click(self._forget, self.paths, changed, **IMMEDIATE)
        self.undo.click(self._bring_back, [self.removed, self.paths], changed, **IMMEDIATE)
        places = [self.result, self.chosen, self.large, self.about, self.download, self.command]
        # Queued, because errors of unqueued events are not shown.
        chosen = self.strip.select(self._choose, self.paths, places, **EACH, **SILENT)
        chosen.success(None, None, None, js=_INTO_VIEW, **IMMEDIATE)

    @property
    def _wall(self) -> list:
        return [self.paths, self.strip, self.status, self.actions]

    def _show(self, results: list[str], request: gr.Request, chosen: str | None = None) -> Update:
        kept = results[:_MOST]
        some = bool(kept)
        # Gradio keeps the frame at its place, while the picture that was chosen moves on. It knows no update to no frame.
        framed: dict[str, Any] = {"selected_index": kept.index(chosen)} if chosen in kept else {}
        return {
            self.paths: kept,
            self.strip: gr.update(value=[(path, caption(path, request)) for path in kept], visible=some, **framed),
            self.status: gr.update(visible=True),
            self.actions: gr.update(visible=some),
        }

    def _add(self, path: str | None, paths: list, chosen: str | None, request: gr.Request) -> Update:
        known, visitor = _results(paths), jobs.here.visitor(request)
        if not files.is_result(path) or first_picture.is_example(path) or _is_among(path, known):
            return {self.strip: gr.skip()}
        _take_back([path], visitor)  # a removed one comes again when what was adjusted of it is undone
        return self._show(_of_all_pages([path, *known], visitor), request, chosen)

    def _opened(self, paths: list, removed: list, request: gr.Request) -> Update:
        """A page that is loaded; what was removed can be taken back as long as its files are kept."""
        shown, back = self._show(_results(paths), request), bool(_results(removed))
        if back and not shown[self.paths]:
            shown[self.status] = gr.update(value=i18n.say("FORGOTTEN", request), visible=True)
        return {**shown, self.undo: gr.update(visible=back)}

    def _look_again(self, paths: list, chosen: str | None, request: gr.Request) -> Update:
        """What the visitor's other pages have made and removed meanwhile."""
        return self._show(_of_all_pages(_results(paths), jobs.here.visitor(request)), request, chosen)

    def _forget(self, paths: list, request: gr.Request) -> Update:
        jobs.here.forget_done(request)
        visitor = jobs.here.visitor(request)
        shown = _results(paths)  # of which another page may have removed some, unseen on this one
        paths = list(dict.fromkeys([*_of_all_pages(shown, visitor), *shown]))
        if visitor is not None:
            _made.pop(visitor, None)
            _gone[visitor] = list(dict.fromkeys([*paths, *_gone.pop(visitor, [])]))[: 2 * _MOST]
            _bound(_gone)
        gone = {self.result: None, self.chosen: gr.update(visible=False), self.removed: paths}
        said = gr.update(value=i18n.say("FORGOTTEN", request), visible=True)
        return {**self._show([], request), **gone, self.status: said, self.undo: gr.update(visible=True)}

    def _bring_back(self, removed: list, paths: list, request: gr.Request) -> Update:
        """The pictures as they were, and those that came since."""
        visitor, removed = jobs.here.visitor(request), _results(removed)
        _take_back(removed, visitor)
        came = [path for path in _results(paths) if path not in removed]
        back = self._show(_of_all_pages([*came, *removed], visitor), request)
        said = gr.update(value=i18n.say("HISTORY_EMPTY", request), visible=True)
        return {**back, self.status: said, self.undo: gr.update(visible=False), self.removed: []}

    def _choose(self, paths: list, request: gr.Request, event: gr.SelectData) -> Update:
        path = paths[event.index]
        if not files.is_result(path):  # the list comes from the browser, so it can't be trusted
            raise gr.Error(i18n.say("NOT_UPLOADED", request), print_exception=False)
        command = f"```\n{command_of(read_settings(path))}\n```"
        shown = {self.result: path, self.large: path, self.download: path, self.about: _about(path, _results(paths), request)}
        return {**shown, self.chosen: gr.update(visible=True), self.command: command}


def build(opener: gr.Button) -> Drawer:
    """Build the drawer, which `opener` opens."""
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
    return Drawer(
        strip=strip, status=status, actions=actions, restore=restore, forget=forget, undo=undo, uses=uses, dropped=dropped, chosen=chosen,
        large=large, about=about, download=download, command=command, result=gr.State(None), opener=opener,
        paths=gr.BrowserState([], storage_key=_KEY, secret=_KEY),
        removed=gr.BrowserState([], storage_key=_REMOVED, secret=_REMOVED),
    )  # fmt: skip


_made: OrderedDict[str, list[str]] = OrderedDict()  # by visitor: results of all of their pages, which don't know of each other
_gone: OrderedDict[str, list[str]] = OrderedDict()  # by visitor: results removed on one of their pages


def _results(paths: list | None) -> list[str]:
    """Those of a browser's paths that are results which still exist."""
    return [path for path in paths or [] if files.is_result(path)]


def _of_all_pages(paths: list[str], visitor: str | None) -> list[str]:
    """Results on a page and on others that the visitor has open, newest first."""
    if visitor is None:
        return paths
    gone = _gone.get(visitor, ())
    paths = [path for path in paths if path not in gone]
    others = [path for path in _made.pop(visitor, []) if path not in paths and files.is_result(path)]
    if others:
        paths = sorted([*paths, *others], key=lambda path: Path(path).stat().st_mtime, reverse=True)
    _made[visitor] = paths[:_MOST]
    _bound(_made)
    return paths


def _take_back(paths: list[str], visitor: str | None) -> None:
    """These are no longer removed; others that the visitor has removed are."""
    gone = _gone.get(visitor or "", [])
    if visitor is not None and any(path in gone for path in paths):
        _gone[visitor] = [path for path in gone if path not in paths]


def _bound(by_visitor: OrderedDict[str, list[str]]) -> None:
    while len(by_visitor) > _MOST_VISITORS:
        by_visitor.popitem(last=False)


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


def _is_among(path: str, results: list[str]) -> bool:
    """Whether a result is among these already, since a reloaded page stylizes its photo again."""
    digest = sha256_of(Path(path))
    return any(other == path or sha256_of(Path(other)) == digest for other in results)


def caption(path: str, request: gr.Request | None) -> str:
    """What a result is: its styles, where they have a name, and the tab that made it."""
    settings = read_settings(path)
    styles = facts_in(settings.get("request", {}), "styles")
    if not styles and settings.get("gallery"):
        styles = [FROM_GALLERY + settings["gallery"]]
    names = filter(None, (_style_name(style, request) for style in styles))
    tab = _TABS.get(settings.get("recipe", ""))
    return " · ".join(filter(None, (i18n.say("COMMA", request).join(names), i18n.say(tab, request) if tab else "")))


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


def wire(
    page: gr.Blocks, tabs: gr.Tabs, drawer: Drawer, sources: Iterable[Source], quick: StylizeTab, recipes: Recipes
) -> list[Dependency]:
    """Fill the drawer with the results of `sources`, and the tabs' controls from the settings of its pictures.

    Returns:
        The events that set controls.
    """
    drawer.wire(page, [source.result for source in sources])

    def restore(path: str | None, request: gr.Request) -> Update:
        if path is None:
            raise i18n.no_result(request)
        try:
            settings = read_settings(path)
            tab, found = _restored(settings, Path(path).name, recipes)
            if found.get(quick.gallery) and len(settings.get("request", {}).get("styles") or ()) < 2:
                # It was painted in this style alone.
                found |= {quick.use_own: gr.update(value=False), quick.mix: gr.update(visible=False)}
            return {**found, tabs: gr.update(selected=tab), drawer.status: i18n.say("RESTORED", request, name=Path(path).name)}
        except RequestError as error:
            raise i18n.refusal(error, request) from error

    filled = [drawer.status, tabs, *(field for _, option_controls in recipes.values() for field in option_controls.values())]
    filled += [quick.use_own, quick.mix]
    return [
        drawer.restore.click(restore, drawer.result, filled, **SILENT),
        drawer.dropped.upload(restore, drawer.dropped, filled, **LAST, **SILENT),
    ]


def _restored(settings: dict, name: str, recipes: Recipes) -> tuple[str, dict]:
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
