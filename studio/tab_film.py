"""The tab "Film": a clip painted with its sound, and a webcam painted live."""

import functools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import gradio as gr

from studio import files, first, gpu, live, newest, words
from studio.pictures import picture_input
from studio.tab_stylize import style_tiles
from style_core import Compute, RequestError, StylizeOptions, finish, gallery_code, read_image, stylize
from style_core.media.images import fit, from_pil, to_pil
from style_core.media.video import Clip
from style_core.recipes.stylize_clip import stylize_clip
from style_core.weights.open import open_generator

_LIVE_EVERY = 0.05  # seconds between frames that the webcam sends
_LIVE_LIMIT = 120  # seconds until the webcam queues up again, so that others get their turn
_LIVE_SIDE = 384  # px


class _RawVideo(gr.Video):
    """A video input that hands over the uploaded file untouched; what is wrong with it is told by our own reader, in words."""

    is_template = True

    def preprocess(self, payload):
        return None if payload is None else payload.path


def build(compute: Compute) -> None:
    """Lay the tab out and wire it."""
    gr.Markdown(words.FILM_INTRO, elem_classes="intro")
    with gr.Row(equal_height=False, elem_classes="work"):
        stage = gr.Column(scale=7, min_width=340, elem_classes="stage")
        with gr.Column(scale=5, min_width=340, elem_classes="panel"):
            tiles = style_tiles("film-styles", first.first_style())
            style, _ = picture_input(words.OWN_STYLE, height=200, elem_id="film-style")
            use_own = gr.Checkbox(True, label=words.USE_OWN, visible=False, container=False, elem_id="film-use-own")
            strength = gr.Slider(0, 1, value=1, step=0.01, label=words.label_of("strength"))
            size = gr.Slider(128, 1280, value=384, step=32, label=words.label_of("size", "px"))
        with stage, gr.Tabs():
            with gr.Tab(words.CLIP_TAB):
                _build_clip(compute, [tiles, style, use_own, strength, size])
            with gr.Tab(words.WEBCAM_TAB):
                _build_webcam(compute, [tiles, style, use_own, strength])
    newest.wire(style, use_own, tiles)


def _build_clip(compute: Compute, chosen: list) -> None:
    clip = _RawVideo(label=words.CLIP, sources=["upload"], height=260, elem_id="film-clip")
    about = gr.Markdown("", elem_classes="quiet", elem_id="film-about")
    preview = gr.Image(
        label=words.FORMING,
        show_label=False,
        format="jpeg",
        height=320,
        interactive=False,
        visible=False,
        buttons=[],
        elem_id="film-preview",
    )
    result = gr.Video(label=words.RESULT, interactive=False, visible=False, elem_id="film-result")
    status = gr.Markdown("", elem_classes="status", elem_id="film-status")
    with gr.Row(elem_classes="actions"):
        run = gr.Button(words.PAINT_CLIP, variant="primary", elem_classes="run-button", elem_id="film-run")
        stop = gr.Button(words.STOP, interactive=False, elem_classes="stop-button", elem_id="film-stop")
        resume = gr.Button(words.CONTINUE, visible=False, elem_id="film-continue")
    begun = gr.State(None)  # path of a film that was stopped
    idle = {run: gr.update(interactive=True), stop: gr.update(interactive=False)}

    def tell(clip, size, request: gr.Request) -> str:
        """How long and how large the clip is, before it is painted."""
        try:
            return _about(clip, int(size), request) if clip is not None else ""
        except RequestError as error:
            return words.told(str(error), request)

    def paint(clip, earlier, name, own, used, strength, size, request: gr.Request) -> Iterator[dict]:
        yield {
            status: "…", result: gr.update(value=None, visible=False), preview: gr.update(value=None, visible=False),
            run: gr.update(interactive=False), stop: gr.update(interactive=True), resume: gr.update(visible=False),
        }  # fmt: skip
        out = earlier if files.is_ours(earlier) else str(files.place() / "pentimento-video.mp4")
        step = None
        try:
            if clip is None:
                raise RequestError(words.say("NO_CLIP", request))
            options = StylizeOptions(size=int(size), strength=strength)
            styles, codes = _style_of(compute, name, own if used else None, request)
            painting = gpu.steps(stylize_clip, clip, out, styles, options, codes=codes, compute=compute, begun=earlier)
            with live.stopping(request, "film") as event, closing(painting) as steps:
                for step in steps if not event.is_set() else ():
                    shown = {status: live.status_of(step, request)}
                    if step.image is not None:
                        shown[preview] = gr.update(value=to_pil(fit(step.image, live.PREVIEW_SIDE)), visible=True)
                    yield shown
                    if event.is_set():
                        break
        except RequestError as error:
            refusal = words.refusal(error, request)
            yield {**idle, status: refusal.message}
            raise refusal from error
        if step is None:
            yield {**idle, status: words.say("STOPPED_EARLY", request)}
            return
        stopped = step.iteration < step.total
        done = words.say("CLIP_DONE", request, frames=step.iteration, seconds=words.duration(step.seconds))
        if stopped:
            done = words.say("CLIP_STOPPED", request, frames=step.iteration, total=step.total)
        made = out if Path(out).exists() else None
        yield {
            **idle, status: done, result: gr.update(value=made, visible=made is not None), preview: gr.update(visible=False),
            begun: made if stopped else None, resume: gr.update(visible=stopped),
        }  # fmt: skip

    outputs = [status, preview, result, run, stop, resume, begun]
    how = {"concurrency_id": "device", "concurrency_limit": 1, "show_progress": "minimal", "show_progress_on": status}
    for trigger, earlier in ((run.click, gr.State(None)), (resume.click, begun)):
        event = trigger(paint, [clip, earlier, *chosen], outputs, api_visibility="private", **how)
        event.failure(lambda: idle, None, [run, stop], queue=False, api_visibility="private")
    live.wire_stop(run, stop, "film")
    gr.on(
        [clip.change, chosen[-1].release], tell, [clip, chosen[-1]], about, queue=False, show_progress="hidden", api_visibility="private"
    )  # fmt: skip


def _build_webcam(compute: Compute, chosen: list) -> None:
    gr.Markdown(words.WEBCAM_READY, elem_classes="quiet")
    with gr.Row():
        camera = gr.Image(
            label=words.WEBCAM, sources=["webcam"], streaming=True, type="pil", height=360, elem_id="film-camera",
            webcam_options=gr.WebcamOptions(mirror=True, constraints={"video": {"width": 640}}),
        )  # fmt: skip
        shown_live = gr.Image(label=words.RESULT, format="jpeg", height=360, interactive=False, buttons=[], elem_id="film-live")

    def paint_frame(frame, name, own, used, strength, request: gr.Request):
        if frame is None or not (name or own):
            return None
        code = _code_of(compute, name, own if used else None)
        return gpu.call(_painted_live, compute, from_pil(frame), code, StylizeOptions(size=_LIVE_SIDE, strength=strength))

    camera.stream(
        paint_frame, [camera, *chosen], shown_live, stream_every=_LIVE_EVERY, time_limit=_LIVE_LIMIT, concurrency_id="device",
        show_progress="hidden", api_visibility="private",
    )  # fmt: skip


def _about(path: str, size: int, request: gr.Request) -> str:
    clip = Clip.open(path)
    height, width = clip.size(size)
    return words.say(
        "CLIP_ABOUT", request, seconds=words.duration(clip.seconds), frames=clip.frames, width=clip.width, height=clip.height,
        painted_width=width, painted_height=height,
    )  # fmt: skip


def _style_of(compute: Compute, name: str, own: str | None, request: gr.Request) -> tuple[list, list]:
    """The chosen style as pictures and codes: one's own painting where it is used, else the gallery's."""
    if not (own or name):
        raise RequestError(words.say("NO_STYLE_AT_ALL", request))
    return ([read_image(own)], []) if own else ([], [gallery_code(name, open_generator(compute).sha256)])


@functools.lru_cache(maxsize=16)
def _code_of(compute: Compute, name: str, own: str | None):
    """The chosen style's code; a painting is encoded once and not at every frame."""
    return gpu.call(_encoded, compute, own) if own else gallery_code(name, open_generator(compute).sha256)


def _encoded(compute: Compute, own: str):
    return open_generator(compute).encode_style(read_image(own))


def _painted_live(compute: Compute, frame, code, options: StylizeOptions):
    return to_pil(finish(stylize(frame, [], options, codes=[code], compute=compute)).image)
