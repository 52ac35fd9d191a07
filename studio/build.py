"""The page: header, tabs, and the drawer with the visitor's pictures."""

import math
from collections.abc import Callable

import gradio as gr
from gradio.events import Dependency

from studio import files, history, i18n, jobs, session, tab_about, tab_dream, tab_film, tab_imagine, tab_optimize, tab_stylize
from studio.events import SILENT
from studio.examples import first_photo
from studio.guard import GuardedBlocks
from studio.language_choice import language_switch
from studio.photo import share
from studio.tabs import PaintTab, RecipeTab, Source, StylizeTab
from style_core import Compute
from style_core.media.images import size_of
from style_core.media.reading import PRINTS

# Each recipe's tab.
_TABS = {"stylize": "stylize", "optimize": "paint", "dream": "dream", "imagine": "imagine"}
# Waits in the page until Paint is open.
_WHEN_OPEN = """() => new Promise((done) => {
  const look = () => document.querySelector('#paint-run')?.offsetParent ? setTimeout(done, 300) : setTimeout(look, 50);
  look();
})"""
_SIZE_STEP = 32  # px
_FILES_SWEPT, _FILES_KEPT = 600, 3 * 3600  # seconds


def build(compute: Compute) -> gr.Blocks:
    """The whole studio, computing on `compute`."""
    with GuardedBlocks(title="Pentimento", delete_cache=(_FILES_SWEPT, _FILES_KEPT), analytics_enabled=False) as page:
        with gr.Row(elem_id="header"):
            gr.Markdown("# Pentimento")
            tagline = gr.Markdown(i18n.TAGLINE, elem_classes="tagline")
            language_switch()
            choose = gr.UploadButton(
                i18n.CHOOSE_PHOTO,  # type: ignore[arg-type]  # Gradio declares str
                file_types=["image"],
                type="filepath",
                variant="primary",
                size="sm",
                elem_id="choose-photo",
            )
            drawer_button = gr.Button(i18n.HISTORY, size="sm", elem_id="history-open")
        photo = gr.State(first_photo())
        each = {}
        with gr.Tabs() as tabs:
            with gr.Tab(i18n.STYLIZE_TAB, id="stylize") as each["stylize"]:
                quick = tab_stylize.build(compute, photo)
            with gr.Tab(i18n.PAINT_TAB, id="paint") as each["paint"]:
                fine = tab_optimize.build(compute, photo)
            with gr.Tab(i18n.DREAM_TAB, id="dream") as each["dream"]:
                dreaming = tab_dream.build(compute, photo)
            with gr.Tab(i18n.IMAGINE_TAB, id="imagine") as each["imagine"]:
                imagining = tab_imagine.build(compute)
            with gr.Tab(i18n.FILM_TAB, id="film") as each["film"]:
                filmed = tab_film.build(compute, each["film"])
            with gr.Tab(i18n.ABOUT_TAB, id="about") as each["about"]:
                tab_about.build(page, compute)
        gr.Markdown(i18n.NO_CAMERA, elem_id="no-camera")  # shown if no camera is available
        drawer = history.build(drawer_button)
        by_id: dict[str, RecipeTab] = {"stylize": quick, "paint": fine, "dream": dreaming, "imagine": imagining}
        handed = [_refine(tabs, quick, fine)]
        inputs = [quick.content, fine.content, dreaming.content]
        handed += _join(tabs, _destinations(by_id, quick, fine), [*by_id.values(), drawer, filmed], [photo, *inputs], quick.follow_style)
        recipes = {recipe: (tab, by_id[tab].option_controls) for recipe, tab in _TABS.items()}
        restored = history.wire(page, tabs, drawer, [*by_id.values(), filmed], quick, recipes)
        for event in restored:
            quick.follow_settings(event)
        jobs.wire(page, [*fine.outputs, *dreaming.outputs, *imagining.outputs, *filmed.outputs])
        share(photo, inputs, choose, [quick.examples])
        quick.forecast(page.load)
        for tab in ("paint", "dream", "imagine"):  # the page drops updates for a tab that isn't built yet
            by_id[tab].forecast(each[tab].select)
        handed += [*restored, fine.example, quick.picked]
        session.wire(page, tabs, each, photo, quick, {recipe: by_id[tab] for recipe, tab in _TABS.items()}, handed)
        _tell_progress_to_few(page, tagline)
    return page


def _tell_progress_to_few(page: gr.Blocks, place: gr.Markdown) -> None:
    """Give all events without visible progress one shared component for it.

    Gradio reports each step of an event to all its outputs. With a hundred outputs, this keeps the browser busy during a run, and
    inputs in hidden tabs mistake the reports for changes.
    """
    for event in page.fns.values():
        if event.show_progress == "hidden" and not event.show_progress_on:
            event.show_progress_on = [place]


def _refine(tabs: gr.Tabs, quick: StylizeTab, fine: PaintTab) -> Dependency:
    """Send a Stylize result to Paint and start; for a gallery style, which has no picture, the result serves as the style.

    Returns:
        The event that sends it.
    """

    def refine(content, style, used, result, size, painting, request: gr.Request):
        if not files.is_result(result):
            # What is being painted is refined when it is done; `asked_early` says so.
            raise gr.Error("", visible=False, print_exception=False) if painting else i18n.no_result(request)
        own = style if used else None
        if own is None:
            gr.Info(i18n.say("REFINING_GALLERY", request))
        # Not smaller than the picture that is to become finer.
        side = _SIZE_STEP * math.ceil(max(size_of(result, PRINTS)) / _SIZE_STEP)
        return content, own or result, result, result, max(size, side), i18n.REFINING, gr.update(selected="paint")

    size = fine.option_controls["size"]
    handed = quick.refine.click(
        refine, [quick.content, quick.style, quick.use_own, quick.result, size, quick.painting],
        [fine.content, fine.style, fine.start, fine.handed_start, size, fine.status, tabs], **SILENT,
    )  # fmt: skip
    # The page drops updates for a component whose tab isn't built yet.
    opened = handed.success(None, None, None, js=_WHEN_OPEN, **SILENT)
    fine.follow(opened.then)
    return handed


def _destinations(by_id: dict[str, RecipeTab], quick: StylizeTab, fine: PaintTab) -> dict[tuple[str, str], gr.Image]:
    """The inputs that a result can be sent to, by the tab's id and by what they are for; see `controls.USES`."""
    contents = {(tab, "content"): part.content for tab, part in by_id.items()}
    return {**contents, ("stylize", "style"): quick.style, ("paint", "style"): fine.style}


def _join(tabs: gr.Tabs, destinations: dict, sources: list[Source], photos: list, follow_style: Callable) -> list[Dependency]:
    """Make any result, of a tab or the drawer, the photo of all tabs or a tab's painting with one click.

    Args:
        destinations: from `_destinations`.
        photos: the photo's state and the tabs' inputs.
        follow_style: chooses the painting that an event has handed to Stylize.
    Returns:
        The events that do so.
    """
    events = []
    for part in sources:
        for (tab, role), button in part.uses.items():
            place = destinations[tab, role]
            places = photos if place in photos else [place]
            handed = button.click(
                _handing(tab, len(places)), part.result, [*places, tabs], **SILENT,
            )  # fmt: skip
            if (tab, role) == ("stylize", "style"):
                follow_style(handed.success)
            events.append(handed)
    return events


def _handing(tab: str, count: int) -> Callable:
    """A handler that sends a result to several inputs and opens the tab."""

    def handed(result: str | None, request: gr.Request) -> list:
        if not files.is_result(result):
            raise i18n.no_result(request)
        return [result] * count + [gr.update(selected=tab)]

    return handed
