"""Dream zoom in the browser: a film that zooms into the dream, shown frame by frame."""

from dataclasses import dataclass

import gradio as gr

from studio import files, gpu, i18n, jobs, live, stage
from studio.controls import Controls, controls_of
from studio.events import Update, Updates, watching
from studio.uploads import read_if_given
from style_core import Compute, DreamOptions, RequestError, Step
from style_core.media.images import fit, to_pil
from style_core.recipes.dream_zoom import ZoomOptions, dream_zoom

_FPS = 24
_START = {"frames": 48}  # two seconds, short enough to finish soon


def build(compute: Compute, image: gr.Image, guide: gr.Image, option_controls: Controls) -> list:
    """Build the section; `option_controls` are those of the dream.

    Returns:
        The components that show a run.
    """
    with gr.Accordion(i18n.ZOOM_HEAD, open=False, elem_id="zoom"):
        gr.Markdown(i18n.ZOOM_INTRO, elem_classes="quiet")
        zoom_controls = controls_of(ZoomOptions, _START)
        with gr.Row():
            run = gr.Button(i18n.ZOOM, variant="primary", elem_id="zoom-run")
            stop = gr.Button(i18n.STOP, interactive=False, elem_classes="stop-button", elem_id="zoom-stop")
        status = gr.Markdown("", elem_classes="status", elem_id="zoom-status")
        preview = gr.Image(
            label=i18n.FORMING, format="jpeg", height=300, interactive=False, visible=False, buttons=[], elem_id="zoom-preview"
        )
        film = gr.Video(label=i18n.ZOOM_HEAD, interactive=False, visible=False, loop=True, elem_id="zoom-film")

    place = _Place(status, preview, film, stop)

    @jobs.job("zoom", status)
    def zoom_in(image, guide, request: gr.Request, **given) -> Updates:
        zoom = {name: given.pop(name) for name in zoom_controls}
        yield from _zoomed(compute, place, image, guide, zoom, given, request)

    outputs = [status, preview, film, stop]
    run.click(
        zoom_in,
        [image, guide],
        outputs,
        inputs_kwargs={**option_controls, **zoom_controls},
        api_visibility="private",
        **watching(status),
    )
    jobs.wire_stop(stop, "zoom")
    return outputs


@dataclass(frozen=True)
class _Place:
    """The components that show a zoom."""

    status: gr.Markdown
    preview: gr.Image
    film: gr.Video
    stop: gr.Button


def _zoomed(compute: Compute, place: _Place, image, guide, zoom: dict, given: dict, request: gr.Request) -> Updates:
    """The zoom, frame by frame; if stopped, the film ends there."""
    ended = {place.preview: gr.update(visible=False), place.stop: gr.update(interactive=False)}
    yield {
        place.status: "…",
        place.preview: gr.update(value=None, visible=True),
        place.film: gr.update(value=None, visible=False),
        place.stop: gr.update(interactive=True),
    }
    out = files.new_folder() / "pentimento-zoom.mp4"

    def show(step: Step) -> Update:
        shown: Update = {place.status: live.status_of(step, request)}
        if step.image is not None:
            shown[place.preview] = to_pil(fit(step.image, stage.PREVIEW_SIDE))
        return shown

    try:
        path, options = ZoomOptions.make(**zoom), DreamOptions.make(**given)
        how = {"guide": read_if_given(guide), "compute": compute}
        photo = read_if_given(image)
        frames, seconds, stopped = yield from live.write_film(out, _FPS, lambda: gpu.steps(dream_zoom, photo, options, path, **how), show)
    except RequestError as error:
        refusal = i18n.refusal(error, request)
        yield {**ended, place.status: refusal.message}
        raise refusal from error
    if not frames:
        yield {**ended, place.status: i18n.say("NO_FRAME", request)}
        return
    done = i18n.say("FRAMES_KEPT" if stopped else "CLIP_DONE", request, frames=frames, seconds=i18n.duration(seconds))
    yield {**ended, place.status: done, place.film: gr.update(value=str(out), visible=True)}
