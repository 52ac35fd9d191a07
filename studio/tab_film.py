"""The tab "Film": a clip painted with its sound, and a webcam painted live."""

import functools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import gradio as gr

from studio import files, gpu, live, words
from studio.pictures import picture_input
from style_core import Compute, RequestError, StylizeOptions, finish, gallery, gallery_code, read_image, stylize
from style_core.media.images import fit, from_pil, to_pil
from style_core.media.video import Clip
from style_core.recipes.stylize_clip import stylize_clip
from style_core.weights.open import open_generator

_LIVE_EVERY = 0.05  # seconds between frames that the webcam sends
_LIVE_LIMIT = 120  # seconds until the webcam queues up again, so that others get their turn
_LIVE_SIDE = 384  # px
_PREVIEW_SIDE = 512  # px


def build(compute: Compute) -> None:
    """Lay the tab out and wire it."""
    gr.Markdown(words.FILM_INTRO, elem_classes="quiet")
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=320):
            names = [(f"{entry.title} · {entry.painter}", entry.name) for entry in gallery().values()]
            style_name = gr.Dropdown(names, value=names[0][1], label=words.GALLERY_STYLE, elem_id="film-style-name")
            style, _ = picture_input(words.OWN_STYLE, height=160, elem_id="film-style")
            strength = gr.Slider(0, 1, value=1, step=0.01, label=words.label_of("strength"))
            size = gr.Slider(128, 1280, value=384, step=32, label=words.label_of("size", "px"))
        with gr.Column(scale=3, min_width=340), gr.Tabs():
            with gr.Tab(words.CLIP_TAB):
                _build_clip(compute, [style_name, style, strength, size])
            with gr.Tab(words.WEBCAM_TAB):
                _build_webcam(compute, [style_name, style, strength])


def _build_clip(compute: Compute, chosen: list) -> None:
    clip = gr.Video(label=words.CLIP, sources=["upload"], height=240, elem_id="film-clip")
    about = gr.Markdown("", elem_classes="quiet", elem_id="film-about")
    with gr.Row():
        run = gr.Button(words.PAINT_CLIP, variant="primary", elem_classes="run-button", elem_id="film-run")
        stop = gr.Button(words.STOP, interactive=False, elem_classes="stop-button", elem_id="film-stop")
        resume = gr.Button(words.CONTINUE, visible=False, elem_id="film-continue")
    status = gr.Markdown("", elem_classes="status", elem_id="film-status")
    preview = gr.Image(label=words.FORMING, format="jpeg", height=240, interactive=False, buttons=[], elem_id="film-preview")
    result = gr.Video(label=words.RESULT, interactive=False, elem_id="film-result")
    begun = gr.State(None)  # path of a film that was stopped
    idle = {run: gr.update(interactive=True), stop: gr.update(interactive=False)}

    def tell(clip, size, request: gr.Request) -> str:
        """How long and how large the clip is, before it is painted."""
        try:
            return _about(clip, int(size), request) if clip is not None else ""
        except RequestError as error:
            return words.told(str(error), request)

    def paint(clip, earlier, name, own, strength, size, request: gr.Request) -> Iterator[dict]:
        if clip is None:
            raise gr.Error(words.say("NO_CLIP", request), print_exception=False)
        yield {
            status: "…", result: None, preview: None, run: gr.update(interactive=False), stop: gr.update(interactive=True),
            resume: gr.update(visible=False),
        }  # fmt: skip
        out = earlier if files.is_ours(earlier) else str(files.place() / "pentimento-clip.mp4")
        try:
            options = StylizeOptions(size=int(size), strength=strength)
            styles, codes = _style_of(compute, name, own)
            painting = gpu.steps(stylize_clip, clip, out, styles, options, codes=codes, compute=compute, begun=earlier)
            with live.stopping(request) as event, closing(painting) as steps:
                for step in steps:
                    shown = {status: live.status_of(step, request)}
                    if step.image is not None:
                        shown[preview] = to_pil(fit(step.image, _PREVIEW_SIDE))
                    yield shown
                    if event.is_set():
                        break
        except RequestError as error:
            raise words.refusal(error, request) from error
        stopped = step.iteration < step.total
        done = words.say("CLIP_DONE", request, frames=step.iteration, seconds=words.duration(step.seconds))
        if stopped:
            done = words.say("CLIP_STOPPED", request, frames=step.iteration, total=step.total)
        made = out if Path(out).exists() else None
        yield {**idle, status: done, result: made, begun: made if stopped else None, resume: gr.update(visible=stopped)}

    outputs = [status, preview, result, run, stop, resume, begun]
    how = {"concurrency_id": "device", "concurrency_limit": 1, "show_progress": "minimal", "show_progress_on": status}
    for trigger, earlier in ((run.click, gr.State(None)), (resume.click, begun)):
        event = trigger(paint, [clip, earlier, *chosen], outputs, api_visibility="private", **how)
        event.failure(lambda: idle, None, [run, stop], queue=False, api_visibility="private")
    stop.click(live.stop, None, None, queue=False, api_visibility="private")
    gr.on(
        [clip.change, chosen[-1].release], tell, [clip, chosen[-1]], about, queue=False, show_progress="hidden", api_visibility="private"
    )  # fmt: skip


def _build_webcam(compute: Compute, chosen: list) -> None:
    camera = gr.Image(
        label=words.WEBCAM, sources=["webcam"], streaming=True, type="pil", height=300, elem_id="film-camera",
        webcam_options=gr.WebcamOptions(mirror=True, constraints={"video": {"width": 640}}),
    )  # fmt: skip
    shown_live = gr.Image(label=words.RESULT, format="jpeg", height=300, interactive=False, buttons=[], elem_id="film-live")

    def paint_frame(frame, name, own, strength):
        if frame is None:
            return None
        code = _code_of(compute, name, own)
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


def _style_of(compute: Compute, name: str, own: str | None) -> tuple[list, list]:
    """The chosen style as pictures and codes: one's own painting where there is one, else the gallery's."""
    return ([read_image(own)], []) if own else ([], [gallery_code(name, open_generator(compute).sha256)])


@functools.lru_cache(maxsize=16)
def _code_of(compute: Compute, name: str, own: str | None):
    """The chosen style's code; a painting is encoded once and not at every frame."""
    return gpu.call(_encoded, compute, own) if own else gallery_code(name, open_generator(compute).sha256)


def _encoded(compute: Compute, own: str):
    return open_generator(compute).encode_style(read_image(own))


def _painted_live(compute: Compute, frame, code, options: StylizeOptions):
    return to_pil(finish(stylize(frame, [], options, codes=[code], compute=compute)).image)
