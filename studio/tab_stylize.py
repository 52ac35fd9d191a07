"""The tab "Stylize": any style at once; every control acts as soon as it is moved, and the newest choice wins."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.events import Dependency

from studio import (
    asked_early,
    compare,
    files,
    first_picture,
    gpu,
    i18n,
    more_paintings,
    newest,
    painted_masks,
    print_proof,
    stage,
    style_choice,
    stylizing,
)
from studio.controls import Controls, Field, Uses, behind_more, change_events, documented, in_view, use_buttons
from studio.events import IMMEDIATE, LAST, SILENT, Update, Updates, apart
from studio.examples import example_tiles, first_photo, name_of
from studio.forecast import Forecast
from studio.tabs import StylizeTab
from studio.tiles import Tile, Tiles
from studio.uploads import picture_input
from style_core import Compute, RequestError, gallery

# What is painted after a click below it.
_INTO_VIEW = "() => { document.querySelector('#stylize-slider')?.scrollIntoView({ block: 'nearest', behavior: 'smooth' }); }"


def style_tiles(elem_id: str, value: str = "", opens_at: str = "") -> Tiles:
    """The gallery's styles as tiles."""
    tiles = [
        Tile(
            entry.name,
            entry.thumbnail,
            i18n.painting_in_each_language(entry.title),
            i18n.painting_in_each_language(entry.painter, str(entry.year)),
            i18n.category_in_each_language(entry.category) if entry.category else "",
            i18n.painting_in_each_language(entry.museum),
        )
        for entry in gallery().values()
    ]
    name = i18n.in_each_language("GALLERY")
    return Tiles(tiles, name=name, value=value, opens_at=opens_at, label="gallery_style", elem_id=elem_id, elem_classes="wall")


@dataclass(frozen=True)
class _Parts:
    """The tab's components.

    Attributes:
        slider, status, result, download, kind: where a result is shown; `result` is its path.
        drawn: key of the request that is shown.
        painting, asked: whether a picture is being painted, and what was asked of it meanwhile.
        use_own: whether the visitor's painting, `style`, is used.
        trials: example photos.
        chosen: the gallery's styles.
        more: inputs for further paintings.
        painted: masks painted on the photo.
        proposals: the events that fill them with the main subject.
    """

    slider: gr.ImageSlider
    status: gr.Markdown
    run: gr.Button
    refine: gr.Button
    download: gr.DownloadButton
    kind: gr.Dropdown
    uses: Uses
    grid_place: gr.Column
    content: gr.Image
    style: gr.Image
    use_own: gr.Checkbox
    trials: Tiles
    chosen: Tiles
    mix: gr.Slider
    forecast: Forecast
    option_controls: Controls
    more: dict[str, Field]
    painted: gr.ImageEditor
    proposals: list
    result: gr.State
    drawn: gr.State
    painting: gr.State
    asked: gr.Textbox

    @property
    def inputs(self) -> list:
        return [self.content, self.style, self.chosen, self.mix, self.painted]

    @property
    def outputs(self) -> list:
        return [self.slider, self.status, self.result, self.download, self.kind, self.drawn, self.painting]


def _color_in_use(gallery_style: str, style: str | None, use_style: bool) -> int:
    """The place among the regions' colors of the first style that is used."""
    return int(not gallery_style and use_style and style is not None)


def _lay_out(compute: Compute, photo: gr.State) -> _Parts:
    gr.Markdown(i18n.STYLIZE_INTRO, elem_classes="intro")
    with gr.Row(equal_height=False, elem_classes="work"):
        with gr.Column(scale=7, min_width=340, elem_classes="stage"):
            slider = gr.ImageSlider(
                value=first_picture.before_and_after(),
                label=i18n.BEFORE_AFTER,  # type: ignore[arg-type]  # Gradio declares str
                show_label=False,
                type="filepath",
                format="jpeg",
                max_height=stage.STAGE_HEIGHT,
                interactive=False,
                buttons=["fullscreen"],
                elem_id="stylize-slider",
                slider_position=50,
            )
            status = gr.Markdown(i18n.STYLIZE_READY, elem_classes="status", elem_id="stylize-status")
            with gr.Row(elem_classes="actions"):
                run = gr.Button(i18n.STYLIZE, variant="primary", elem_classes="run-button", elem_id="stylize-run")
                download, kind = stage.download_button("stylize")
                refine = gr.Button(i18n.REFINE, elem_id="stylize-refine")
            stage.small_buttons("stylize", download)
            result = gr.State(None)
            print_proof.build("stylize", slider, result)
            uses = use_buttons("stylize")
            grid_place = gr.Column()
        with gr.Column(scale=5, min_width=340, elem_classes="panel"):
            with gr.Row(elem_classes="pictures"):
                with gr.Column(min_width=140):
                    content = picture_input(i18n.CONTENT, value=first_photo(), height=200, elem_id="stylize-content", path=photo)
                with gr.Column(min_width=140):
                    style = picture_input(i18n.OWN_STYLE, height=200, elem_id="stylize-style")
                    use_own = gr.Checkbox(True, label=i18n.USE_OWN, visible=False, container=False, elem_id="stylize-use-own")
            trials = example_tiles("stylize-examples")
            chosen = style_tiles("stylize-gallery", opens_at=first_picture.style())
            mix = gr.Slider(0, 1, value=0.5, step=0.01, label=i18n.MIX, info=i18n.MIX_INFO, visible=False, elem_id="stylize-mix")
            shown = in_view("stylize")
            forecast = Forecast.build("stylize", "stylize")
            with gr.Accordion(i18n.MORE, open=False, elem_id="stylize-more"):
                option_controls = behind_more("stylize", shown)
                more = more_paintings.build("stylize")
                names = [i18n.GALLERY_SHORT, i18n.OWN_SHORT, i18n.STYLE_2, i18n.STYLE_3]
                painted, proposals = painted_masks.build(
                    compute, "stylize", content, photo, names, first=_color_in_use, of=[chosen, style, use_own]
                )
    drawn = gr.State(None)
    painting, asked = asked_early.build("stylize")
    return _Parts(
        slider, status, run, refine, download, kind, uses, grid_place, content, style, use_own, trials, chosen, mix, forecast,
        option_controls, more, painted, proposals, result, drawn, painting, asked,
    )  # fmt: skip


def _handlers(compute: Compute, tab: _Parts) -> tuple[Callable[..., Updates], Callable[..., Updates]]:
    """The published handler, and one for every change, which paints only what isn't shown yet."""
    cleared = {tab.slider: None, tab.result: None, tab.download: None, tab.drawn: None, tab.painting: False}

    @documented(
        "stylize",
        content="The photo.",
        style="A painting of your own, or null.",
        gallery_style="A style of the gallery, by name, or empty.",
        mix="With both: 0 is the gallery's style, 1 the painting's.",
        **more_paintings.SENTENCES,
        regions="Masks painted on the photo, or null.",
        use_style="False leaves the painting out.",
    )
    def stylize(
        content,
        style=None,
        gallery_style="",
        mix=0.5,
        regions=None,
        request: gr.Request | None = None,
        style_2=None,
        style_3=None,
        use_style=True,
        **given,
    ) -> Updates:
        """Paint a photo in the style of a painting, or of a style of the gallery."""
        given |= {"style_2": style_2, "style_3": style_3}
        wanted = stylizing.StylizeRequest.of(content, style if use_style else None, gallery_style, mix, regions, given)
        try:
            # Nor does the last picture's file pass for this one's, however long this one takes.
            said = i18n.say("PAINTING_AT", request, size=wanted.options.get("size", ""))
            yield {tab.status: said, tab.result: None, tab.download: None, tab.drawn: None, tab.painting: True}
            for shown in stylizing.stylized(compute, wanted, request):
                yield _update_of(tab, shown, wanted)
        except RequestError as error:
            refusal = i18n.refusal(error, request)
            # A picture of before must not be taken for one of what was asked for now.
            yield {**cleared, tab.status: refusal.message}
            raise refusal from error

    def at_once(content, style, gallery_style, mix, regions, last, request: gr.Request, use_style=True, **given) -> Updates:
        """The same as soon as there is something to paint, and not again where nothing has changed."""
        named = {key: value for key, value in given.items() if key.startswith("style_") and key != "style_scale"}
        own = style if use_style else None
        if content is None:
            yield {**cleared, tab.status: i18n.say("NO_CONTENT", request)}
        elif not (own or gallery_style or any(named.values())):
            yield {**cleared, tab.slider: stylizing.photo_alone(content), tab.status: i18n.say("NO_STYLE_AT_ALL", request)}
        elif stylizing.StylizeRequest.of(content, own, gallery_style, mix, regions, given).key() != last:
            newest.note(request)
            try:
                yield from stylize(content, style, gallery_style, mix, regions, request, use_style=use_style, **given)
            except gr.Error as refusal:  # after an error, Gradio's page forgets what was changed meanwhile
                gr.Warning(refusal.message)
        else:
            yield {tab.status: gr.skip()}

    return stylize, at_once


def _update_of(tab: _Parts, shown: stylizing.Shown, wanted: stylizing.StylizeRequest) -> Update:
    if shown.picture is not None:
        # Not what was asked for yet: a request for the picture before paints it again.
        shown_now = {tab.slider: (shown.photo, shown.picture), tab.status: shown.sentence}
        return {**shown_now, tab.result: None, tab.download: None, tab.drawn: None, tab.painting: True}
    path = shown.path
    return {
        tab.slider: (shown.photo, path),
        tab.status: shown.sentence,
        tab.result: path,
        tab.download: path,
        tab.kind: stage.FIRST_KIND,
        tab.drawn: wanted.key(),
        tab.painting: False,
    }


def build(compute: Compute, photo: gr.State) -> StylizeTab:
    """Lay the tab out and wire it.

    Args:
        photo: path of the studio's photo.
    """
    tab = _lay_out(compute, photo)
    stylize, at_once = _handlers(compute, tab)
    how: dict[str, Any] = {
        "concurrency_id": "short",
        "concurrency_limit": 2 * gpu.places(),  # so that a visitor's first picture needn't wait until another's is refined
        "show_progress": "minimal",
        "show_progress_on": tab.status,
        "inputs_kwargs": {"use_style": tab.use_own, **tab.option_controls, **tab.more},
    }
    changes = [
        tab.mix.release, *change_events(tab.option_controls), *change_events(tab.more), tab.option_controls["size"].change,
        tab.chosen.change, tab.use_own.change,
    ]  # fmt: skip
    # Before the listeners that paint, because Gradio calls a change's listeners one after the other. What starts no new painting, such as
    # a second click on the button, must not be among them.
    newest.wire(changes)
    forecast = tab.forecast.wire(compute, tab.option_controls, photo)
    tab.run.click(stylize, tab.inputs, tab.outputs, api_name="stylize", **how)
    follow = {"api_visibility": "private", **LAST, **how}
    # Apart, because what else listens to these must not wait until the picture is refined.
    apart(changes)(at_once, [*tab.inputs, tab.drawn], tab.outputs, **follow)
    # What is painted on the last photo does not belong to this one.
    newest.noted(photo.change)(at_once, [*tab.inputs[:-1], gr.State(None), tab.drawn], tab.outputs, **follow)
    photo.change(name_of, photo, tab.trials, **IMMEDIATE)
    for proposal in tab.proposals:
        newest.noted(proposal.success)(at_once, [*tab.inputs, gr.State(None)], tab.outputs, **follow)

    def follow_settings(event: Dependency) -> None:
        newest.noted(event.success)(at_once, [*tab.inputs, tab.drawn], tab.outputs, **follow)

    choose = style_choice.wire(tab.style, tab.use_own, tab.chosen, tab.mix)

    def follow_style(event: Callable) -> None:
        follow_settings(choose(event))

    follow_style(tab.style.input)
    # An upload is shown at once, whatever the device is busy with.
    tab.content.upload(_uploaded, [tab.content, photo], [tab.slider, tab.status], **LAST, **IMMEDIATE)
    with tab.grid_place:
        picked = compare.build(_small(compute), [tab.content, tab.style, tab.mix], tab.option_controls, tab.chosen, tab.use_own, tab.more)
    follow_settings(picked)
    picked.success(None, None, None, js=_INTO_VIEW, **SILENT)
    stage.wire_download(tab.kind, tab.download, tab.result, tab.painting)
    asked_early.wire([tab.download, tab.refine], tab.result, tab.painting, tab.asked, tab.download)
    return _handed(
        tab,
        forecast=forecast,
        follow_style=follow_style,
        follow_settings=follow_settings,
        picked=picked,
        once_restored=lambda event: event(_once_restored(tab, at_once), [*tab.inputs, tab.drawn], tab.outputs, **follow),
    )


def _handed(tab: _Parts, **wired: Any) -> StylizeTab:
    """What the page connects to: the tab's components, and what `build` has `wired`."""
    return StylizeTab(
        content=tab.content,
        style=tab.style,
        use_own=tab.use_own,
        gallery=tab.chosen,
        mix=tab.mix,
        result=tab.result,
        painting=tab.painting,
        refine=tab.refine,
        uses=tab.uses,
        examples=tab.trials,
        download=tab.download,
        drawn=tab.drawn,
        restored=partial(_restored, tab),
        option_controls={**tab.option_controls, "gallery": tab.chosen},
        kept={"style": tab.style, "use_own": tab.use_own, "gallery": tab.chosen, "mix": tab.mix, **tab.more, **tab.option_controls},
        **wired,
    )


def _uploaded(path: str | None, before: str | None) -> tuple:
    """The photo on the slider and the status, until the painting begins."""
    if path == before:  # nothing would be painted, because nothing has changed
        return gr.skip(), gr.skip()
    return stylizing.photo_alone(path), i18n.PAINTING_NOW


def _once_restored(tab: _Parts, at_once: Callable[..., Updates]) -> Callable[..., Updates]:
    """The handler that paints what a restored page would not paint by itself."""

    def once_restored(content, style, gallery_style, mix, regions, last, request: gr.Request, use_style=True, **given) -> Updates:
        """Paint the example photo in the visitor's own painting; everything else that a page restores reports its change itself."""
        if style and use_style and not gallery_style and files.looks_like_same_file(content, first_photo()):
            yield from at_once(content, style, gallery_style, mix, regions, last, request, use_style=use_style, **given)
        else:
            yield {tab.status: gr.skip()}

    return once_restored


def _restored(tab: _Parts, values: dict) -> dict:
    """Updates of the painting's checkbox and the mix slider for values that a browser kept."""
    own, used = values.get("style"), values.get("use_own", True)
    both = bool(own and used and values.get("gallery"))
    return {
        tab.use_own: gr.update(value=bool(used), visible=own is not None),
        tab.mix: gr.update(value=values.get("mix", 0.5), visible=both),
    }


def _small(compute: Compute) -> Callable:
    """A function that paints a picture of the compare grid."""

    def small(gallery_style, content, style, mix, request, **given):
        wanted = stylizing.StylizeRequest.of(content, style, gallery_style, mix, None, {**given, "size": compare.SIDE})
        return gpu.call(stylizing.painted, compute, wanted, i18n.language_of(request))

    return small
