"""The tab "Film": a clip painted with its sound, and a webcam painted live."""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import gradio as gr

from studio import files, gpu, live, words
from studio.pictures import picture_input
from style_core import Compute, RequestError, StylizeOptions, finish, gallery, gallery_code, read_image, stylize
from style_core.media.images import fit, from_pil, to_pil
from style_core.recipes.stylize_clip import stylize_clip
from style_core.weights.open import open_generator

_LIVE_EVERY = 0.15  # seconds between frames that the webcam sends
_LIVE_LIMIT = 120  # seconds until the webcam queues up again, so that others get their turn


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
        with gr.Column(scale=3, min_width=340):
            with gr.Tabs():
                with gr.Tab(words.CLIP_TAB):
                    clip = gr.Video(label=words.CLIP, sources=["upload"], height=240, elem_id="film-clip")
                    with gr.Row():
                        run = gr.Button(words.PAINT_CLIP, variant="primary", elem_classes="run-button", elem_id="film-run")
                        stop = gr.Button(words.CANCEL, elem_classes="stop-button", elem_id="film-stop")
                    status = gr.Markdown("", elem_classes="status", elem_id="film-status")
                    preview = gr.Image(
                        label=words.FORMING, format="jpeg", height=240, interactive=False, buttons=[], elem_id="film-preview"
                    )
                    result = gr.Video(label=words.RESULT, interactive=False, elem_id="film-result")
                with gr.Tab(words.WEBCAM_TAB):
                    camera = gr.Image(
                        label=words.WEBCAM, sources=["webcam"], streaming=True, type="pil", height=300, elem_id="film-camera",
                        webcam_options=gr.WebcamOptions(mirror=True, constraints={"video": {"width": 640}}),
                    )  # fmt: skip
                    shown_live = gr.Image(label=words.RESULT, format="jpeg", height=300, interactive=False, buttons=[], elem_id="film-live")

    def code_for(name: str, own: str | None):
        """The chosen style: one's own painting where there is one, else the gallery's."""
        generator = open_generator(compute)
        return generator.encode_style(read_image(own)) if own else gallery_code(name, generator.sha256)

    def paint_clip(clip, name, own, strength, size, request: gr.Request) -> Iterator[dict]:
        yield {status: "…", result: None, preview: None}
        if clip is None:
            raise gr.Error(words.say("NO_CLIP", request), print_exception=False)
        out = str(Path(tempfile.mkdtemp(dir=files.folder())) / "pentimento-clip.mp4")
        try:
            options = StylizeOptions(size=int(size), strength=strength)
            with closing(gpu.steps(stylize_clip, clip, out, [], options, codes=[code_for(name, own)], compute=compute)) as steps:
                for step in steps:
                    shown = {status: live.status_of(step, request)}
                    if step.image is not None:
                        shown[preview] = to_pil(fit(step.image, 512))
                    yield shown
        except RequestError as error:
            raise words.refusal(error, request) from error
        yield {status: words.say("CLIP_DONE", request, frames=step.iteration, seconds=words.duration(step.seconds)), result: out}

    def paint_frame(frame, name, own, strength, size):
        if frame is None:
            return None
        options = StylizeOptions(size=min(384, int(size)), strength=strength)
        return to_pil(finish(stylize(from_pil(frame), [], options, codes=[code_for(name, own)], compute=compute)).image)

    chosen = [style_name, style, strength, size]
    event = run.click(
        paint_clip, [clip, *chosen], [status, preview, result], concurrency_id="device", concurrency_limit=1,
        show_progress="minimal", show_progress_on=status, api_visibility="private",
    )  # fmt: skip
    stop.click(lambda: words.CANCELLED, None, status, cancels=[event], queue=False, api_visibility="private")
    camera.stream(
        paint_frame, [camera, *chosen], shown_live, stream_every=_LIVE_EVERY, time_limit=_LIVE_LIMIT, concurrency_id="device",
        show_progress="hidden", api_visibility="private",
    )  # fmt: skip
