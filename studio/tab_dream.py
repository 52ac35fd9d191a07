"""The tab "Dream": DeepDream with a live preview."""

from functools import partial

import gradio as gr
from gradio.events import Dependency

from studio import dream_presets, dream_zoom, gpu, i18n, jobs, live, painted_masks, retouch, stage
from studio.controls import Controls, Field, behind_more, documented, in_view, use_buttons
from studio.events import EACH, IMMEDIATE, Updates
from studio.examples import first_photo
from studio.forecast import Forecast
from studio.tabs import JobTab
from studio.tiles import picture_grid
from studio.uploads import picture_input, read_if_given
from style_core import Compute, DreamOptions, dream, read_settings
from style_core.media.images import fit
from style_core.media.settings import iterations_of
from style_core.weights.layer_pictures import layer_pictures


def build(compute: Compute, photo: gr.State) -> JobTab:
    """Build the tab.

    Args:
        photo: path of the studio's photo.
    """
    gr.Markdown(i18n.DREAM_INTRO, elem_classes="intro")
    with gr.Row(equal_height=False, elem_classes="work"):
        with gr.Column(scale=7, min_width=340, elem_classes="stage"):
            board = stage.board(i18n.DREAM, "dream", i18n.DREAM_READY, first_photo(), "DREAM_LOSSES")
            retouch.build("dream", board, larger=False)
            uses = use_buttons("dream")
            zoom_place = gr.Column()
        with gr.Column(scale=5, min_width=340, elem_classes="panel"):
            with gr.Row(elem_classes="pictures"), gr.Column():
                image = picture_input(i18n.CONTENT, value=first_photo(), height=200, elem_id="dream-content", path=photo)
            looks_place = gr.Column()
            shown = in_view("dream")
            forecast = Forecast.build("dream", "dream")
            with gr.Accordion(i18n.MORE, open=False, elem_id="dream-more"):
                guide = picture_input(i18n.GUIDE, height=170, elem_id="dream-guide")
                painted, _ = painted_masks.build(
                    compute, "dream", image, photo, [i18n.WHERE_TO_DREAM], i18n.DREAM_REGIONS, i18n.DREAM_REGIONS_INFO
                )
                option_controls = behind_more("dream", shown)
                by_eye = _layer_browser(option_controls)
        with looks_place:
            looks = dream_presets.build(option_controls)
        for event in (by_eye.success, option_controls["layer"].input):
            event(lambda: "", None, looks, **IMMEDIATE)
        with zoom_place:
            zoom_outputs = dream_zoom.build(compute, image, guide, option_controls)
    stage.follow_photo(board, photo, i18n.DREAM_READY)

    @documented(
        "dream", image="The photo.", guide="A picture whose features the dream imitates, or null.", where="Where to dream, or null."
    )
    @jobs.job("dream", board.status, photo="image")
    def grow(image, request: gr.Request, guide=None, where=None, **given) -> Updates:
        """Amplify the patterns that a network finds in a photo, or in noise (DeepDream)."""
        yield from _grow(compute, board, image, {**given, "guide": guide, "where": where}, request)

    inputs: dict[str, Field] = {"guide": guide, "where": painted, **option_controls}
    board.wire(grow, [image], inputs, "dream")
    board.wire_continue(partial(_grow, compute, board), image, inputs)
    return JobTab(
        content=image,
        result=board.result,
        outputs=[*board.outputs, *zoom_outputs],
        uses=uses,
        option_controls=option_controls,
        kept=option_controls,
        forecast=forecast.wire(compute, option_controls, photo),
    )


def _grow(compute: Compute, board: stage.Board, image, given: dict, request: gr.Request) -> Updates:
    guide, stopped = given.pop("guide"), given.pop("continue_from", None)
    (mask,) = painted_masks.masks_of(given.pop("where"), 1) or [None]
    pictures = {"image": image, "guide": guide, "mask": next(iter(painted_masks.saved([mask])), None), "continue_from": stopped}

    def steps():
        options = DreamOptions.make(**given)
        return gpu.steps(
            dream,
            read_if_given(image, options.size),
            options,
            guide=read_if_given(guide),
            mask=mask,
            continue_from=read_if_given(stopped),
            done=0 if stopped is None else iterations_of(read_settings(stopped)),
            compute=compute,
            preview_every=stage.PREVIEW_EVERY,
        )

    def before():
        photo = read_if_given(image, given["size"])
        return None if photo is None else fit(photo, given["size"], enlarge=True)

    yield from live.run("dream", steps, board, before, given, request, inputs=pictures)


def _layer_browser(option_controls: Controls) -> Dependency:
    """Pictures of the layers' patterns; a click on one selects its layer. Returns the event that does."""
    pictures = layer_pictures()
    captions = [picture.layer if picture.channel is None else f"{picture.layer} · {picture.channel}" for picture in pictures]
    with gr.Accordion(i18n.LAYERS_HEAD, open=False, elem_id="dream-layers-head"):
        gr.Markdown(i18n.LAYERS_INFO, elem_classes="quiet")
        tiles = [(str(picture.path), caption) for picture, caption in zip(pictures, captions)]
        grid = picture_grid("dream-layers", 4, tiles, label=i18n.LAYERS, show_label=False, height=330)

    def choose(event: gr.SelectData) -> dict:
        picture = pictures[event.index]
        # Channel numbers are specific to a network; whole layers are not.
        network = gr.skip() if picture.channel is None else picture.extractor
        return {option_controls["layer"]: picture.term, option_controls["extractor"]: network}

    return grid.select(
        choose,
        None,
        [option_controls["layer"], option_controls["extractor"]],
        **EACH,
        **IMMEDIATE,
    )
