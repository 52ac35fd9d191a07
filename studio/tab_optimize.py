"""The tab "Paint": Gatys optimization with a live preview."""

from collections.abc import Callable
from functools import partial
from typing import Any

import gradio as gr

from studio import brush_size, files, gpu, i18n, jobs, live, more_paintings, painted_masks, retouch, stage
from studio.controls import Field, behind_more, documented, in_view, use_buttons
from studio.events import IMMEDIATE, LAST, SILENT, Updates
from studio.examples import first_painting, first_photo, mark_painting, painting_of, painting_tiles
from studio.forecast import Forecast
from studio.tabs import PaintTab
from studio.uploads import picture_input, read_if_given, read_upload
from style_core import Compute, OptimizeOptions, optimize, read_settings
from style_core.media.images import fit
from style_core.media.settings import iterations_of
from style_core.options import Range
from style_core.recipes.pyramid import level_reached

_LARGER = 1.5  # factor of "Enlarge and repaint"


def build(compute: Compute, photo: gr.State) -> PaintTab:
    """Build the tab.

    Args:
        photo: path of the studio's photo.
    """
    gr.Markdown(i18n.PAINT_INTRO, elem_classes="intro")
    with gr.Row(equal_height=False, elem_classes="work"):
        with gr.Column(scale=7, min_width=340, elem_classes="stage"):
            board = stage.board(i18n.PAINT, "paint", i18n.READY, first_photo())
            larger = retouch.build("paint", board)
            uses = use_buttons("paint")
        with gr.Column(scale=5, min_width=340, elem_classes="panel"):
            with gr.Row(elem_classes="pictures"):
                with gr.Column(min_width=140):
                    content = picture_input(i18n.CONTENT, value=first_photo(), height=200, elem_id="paint-content", path=photo)
                with gr.Column(min_width=140):
                    style = picture_input(i18n.STYLE, value=first_painting(), height=200, elem_id="paint-style")
            tiles = painting_tiles("paint-examples")
            shown = in_view("optimize")
            forecast = Forecast.build("optimize", "paint")
            with gr.Accordion(i18n.MORE, open=False, elem_id="paint-more"):
                option_controls = behind_more("optimize", shown)
                brush_size.build("paint", photo, style, option_controls)
                more = more_paintings.build("paint")
                with gr.Accordion(i18n.INIT_IMAGE, open=False):
                    start = picture_input(i18n.INIT_IMAGE, elem_id="paint-init")
                handed = gr.State(None)  # the start that a button gave: it goes with its photo, unlike one's own
                painted, _ = painted_masks.build(compute, "paint", content, photo, [i18n.STYLE_1, i18n.STYLE_2, i18n.STYLE_3])
    stage.follow_photo(board, photo, i18n.READY)
    photo.change(_without, [start, handed], [start, handed], **IMMEDIATE)
    mark_painting(style, tiles)
    example = tiles.input(painting_of, tiles, style, **LAST, **IMMEDIATE)

    inputs: dict[str, Field] = {"weight": gr.Number(1, visible=False), **more, "init_image": start, "regions": painted, **option_controls}
    paint = _handler(compute, board)
    board.wire(paint, [content, style], inputs, "optimize")
    board.wire_continue(partial(_paint, compute, board), content, {"style": style, **inputs})
    enlarged = larger.click(_enlarged, [board.result, option_controls["size"]], [start, handed, option_controls["size"]], **SILENT)
    board.follow(enlarged.success, paint, [content, style], inputs)
    return PaintTab(
        content=content,
        style=style,
        example=example,
        start=start,
        handed_start=handed,
        status=board.status,
        result=board.result,
        outputs=board.outputs,
        uses=uses,
        option_controls=option_controls,
        kept={"style": style, **more, **option_controls},
        forecast=forecast.wire(compute, option_controls, photo, start),
        follow=lambda trigger: board.follow(trigger, paint, [content, style], inputs),
    )


def _handler(compute: Compute, board: stage.Board) -> Callable:
    """The published function that paints."""

    @documented(
        "optimize",
        content="The photo.",
        style="The painting.",
        weight="Weight of the painting.",
        **more_paintings.SENTENCES,
        init_image="A picture to start from, or null.",
        regions="Masks painted on the photo, or null.",
    )
    @jobs.job("paint", board.status, photo="content")
    def paint(content, style, request: gr.Request, style_2=None, style_3=None, init_image=None, regions=None, **given) -> Updates:
        """Paint a photo in the style of one or more paintings by optimization (Gatys et al. 2016)."""
        given |= {"style": style, "style_2": style_2, "style_3": style_3, "init_image": init_image, "regions": regions}
        yield from _paint(compute, board, content, given, request)

    return paint


def _without(start: str | None, handed: str | None) -> tuple:
    """The start without one that a button gave for the photo before."""
    return (None if files.looks_like_same_file(start, handed) else gr.skip()), None


def _enlarged(path: str | None, size: float, request: gr.Request) -> tuple:
    """The result as the start of the next run, twice, and that run's size."""
    if path is None:
        raise i18n.no_result(request)
    allowed = next(field.allowed for field in OptimizeOptions.fields() if field.name == "size")
    assert isinstance(allowed, Range)
    return path, path, min(allowed.high, round(size * _LARGER / allowed.step) * allowed.step)


def _to_continue(path: str | None, size: int) -> dict[str, Any]:
    """Arguments of `optimize` to continue the result at a path, read at a size in px; none without a path."""
    picture = read_if_given(path, size)
    if path is None or picture is None:
        return {}
    settings = read_settings(path)
    return {"continue_from": picture, "done": iterations_of(settings), "reached": level_reached(settings, picture.shape[-2:])}


def _paint(compute: Compute, board: stage.Board, content, given: dict, request: gr.Request) -> Updates:
    named = [(given.pop("style"), given.pop("weight")), *more_paintings.taken(given)]
    init_image, stopped = given.pop("init_image"), given.pop("continue_from", None)
    masks = painted_masks.masks_of(given.pop("regions"), len(named)) or [None] * len(named)
    # Styles with a mask first, as in the shell.
    there = [(path, weight, mask) for (path, weight), mask in zip(named, masks) if path is not None]
    chosen = sorted(there, key=lambda one: one[2] is None)
    where = [mask for _, _, mask in chosen]
    pictures = {
        "content": content, "styles": [path for path, _, _ in chosen], "style_weights": [weight for _, weight, _ in chosen],
        "mask": painted_masks.saved(where), "init_image": init_image, "continue_from": stopped,
    }  # fmt: skip

    def steps():
        options = OptimizeOptions.make(**given)
        photo = read_upload(content, i18n.say("NO_CONTENT", request), options.size).image
        styles = [read_upload(path, i18n.say("NO_STYLE", request)).image for path in pictures["styles"] or [None]]
        return gpu.steps(
            optimize,
            photo,
            styles,
            options,
            style_weights=pictures["style_weights"],
            masks=where if pictures["mask"] else None,
            init_image=read_if_given(init_image),
            compute=compute,
            preview_every=stage.PREVIEW_EVERY,
            **_to_continue(stopped, options.size),
        )

    def before():
        return fit(read_upload(content, i18n.say("NO_CONTENT", request), given["size"]).image, given["size"], enlarge=True)

    # A result in the photo's colors is expected to lack the style's.
    looks_like = (lambda: read_if_given(chosen[0][0])) if len(chosen) == 1 and given["color"] == "style" else None
    yield from live.run("optimize", steps, board, before, given, request, looks_like, pictures)
