"""The tab "Imagine": abstract paintings from the latent space, by seed or similar to a picture, and morphs between them."""

import random
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio import files, first_imagined, gpu, i18n, jobs, live, stage
from studio.controls import Controls, behind_more, documented, in_view, use_buttons
from studio.events import EACH, IMMEDIATE, Update, Updates, watching
from studio.forecast import Forecast
from studio.tabs import JobTab
from studio.tiles import picture_grid
from studio.uploads import picture_input, read_if_given
from style_core import Compute, ImagineOptions, RequestError, Step, imagine, read_settings
from style_core.media.settings import settings_of
from style_core.recipes.imagine import morph, nth
from style_core.recipes.recorded_inputs import request_of

_MORPH_FRAMES, _MORPH_FPS = 72, 24
# The film of a morph, which lies below the buttons.
_INTO_VIEW = """() => {
  setTimeout(() => document.querySelector('#imagine-film')?.scrollIntoView({ block: 'nearest', behavior: 'smooth' }), 300);
}"""
_SEEDS = 100_000  # range of random seeds, short enough to remember


def build(compute: Compute) -> JobTab:
    """Build the tab."""
    gr.Markdown(i18n.IMAGINE_INTRO, elem_classes="intro")
    with gr.Row(equal_height=False, elem_classes="work"):
        with gr.Column(scale=7, min_width=340, elem_classes="stage"):
            opening = [(str(path), str(place)) for place, path in enumerate(first_imagined.pictures(), 1)]
            wall = picture_grid("imagine-wall", 3, opening, label=i18n.IMAGINED, show_label=False, height=520, format="png")
            status = gr.Markdown(i18n.IMAGINE_READY, elem_classes="status", elem_id="imagine-status")
            with gr.Row(elem_classes="actions"):
                run = gr.Button(i18n.IMAGINE, variant="primary", elem_classes="run-button", elem_id="imagine-run")
                stop = gr.Button(i18n.STOP, interactive=False, elem_classes="stop-button", elem_id="imagine-stop")
                download, kind = stage.download_button("imagine")
            with gr.Row(elem_classes="small-actions"):
                alike = gr.Button(i18n.MORE_LIKE, size="sm", elem_id="imagine-alike")
                another = gr.Button(i18n.ANOTHER_SEED, size="sm", elem_id="imagine-another")
                morph_button = gr.Button(i18n.WALK, size="sm", elem_id="imagine-walk")
            film = gr.Video(label=i18n.WALKED, interactive=False, visible=False, loop=True, height=360, elem_id="imagine-film")
            uses = use_buttons("imagine")
        with gr.Column(scale=5, min_width=340, elem_classes="panel"):
            shown = in_view("imagine")
            forecast = Forecast.build("imagine", "imagine")
            with gr.Accordion(i18n.NEAR_HEAD, open=False), gr.Row(elem_classes="pictures"):
                with gr.Column(min_width=140):
                    near = picture_input(i18n.NEAR, elem_id="imagine-near", height=200)
                with gr.Column(min_width=140):
                    far = picture_input(i18n.FAR, elem_id="imagine-far", height=200)
            with gr.Accordion(i18n.MORE, open=False, elem_id="imagine-more"):
                option_controls = behind_more("imagine", shown)
    paths, result = gr.State([]), gr.State(None)
    place = _Place(wall, status, download, kind, stop, film, paths, result)

    @documented("imagine", near="A picture to vary, or null.")
    @jobs.job("imagine", status)
    def imagined(near=None, request: gr.Request | None = None, **given) -> Updates:
        """Imagine abstract paintings by seed, or similar to a picture (VAE-GAN)."""
        yield from _imagined(compute, place, near, given, request)

    @jobs.job("imagine", status)
    def more_like(chosen, request: gr.Request, **given) -> Updates:
        if chosen is None:
            raise i18n.no_result(request)
        yield from _imagined(compute, place, chosen, given, request)

    @jobs.job("imagine", status)
    def morphed(near, far, request: gr.Request, **given) -> Updates:
        yield from _morphed(compute, place, [path for path in (near, far) if path is not None], given, request)

    handlers = {run: (imagined, [near]), alike: (more_like, [result]), morph_button: (morphed, [near, far])}
    _wire(place, handlers, another, option_controls)
    return JobTab(
        content=near,
        result=result,
        outputs=place.outputs,
        uses=uses,
        option_controls=option_controls,
        kept=option_controls,
        forecast=forecast.wire(compute, option_controls, start=near),
    )


@dataclass(frozen=True)
class _Place:
    """The components that show imagined pictures."""

    wall: gr.Gallery
    status: gr.Markdown
    download: gr.DownloadButton
    kind: gr.Dropdown
    stop: gr.Button
    film: gr.Video
    paths: gr.State
    result: gr.State

    @property
    def pictures(self) -> list:
        """What imagined pictures show themselves on."""
        return [self.wall, self.status, self.paths, self.result, self.download, self.kind, self.stop]

    @property
    def outputs(self) -> list:
        return [*self.pictures, self.film]


def _wire(place: _Place, handlers: dict[gr.Button, tuple], another: gr.Button, option_controls: Controls) -> None:
    """Let the buttons run their handlers, the first of which is published, and a click on the wall choose a picture.

    Args:
        handlers: by button, what it runs and that one's inputs; the first imagines pictures.
        another: draws another seed, and then imagines.
    """
    how: dict[str, Any] = {"inputs_kwargs": option_controls, **watching(place.status)}
    (first, (imagined, inputs)), *others = handlers.items()
    drawn = another.click(lambda: random.randrange(_SEEDS), None, option_controls["seed"], **IMMEDIATE)
    runs = [
        first.click(imagined, inputs, place.pictures, api_name="imagine", **how),
        drawn.success(imagined, inputs, place.pictures, api_visibility="private", **how),
        *(button.click(run, given, place.outputs, api_visibility="private", **how) for button, (run, given) in others),
    ]
    runs[-1].success(None, None, None, js=_INTO_VIEW, **IMMEDIATE)
    for event in runs:
        event.failure(lambda: gr.update(interactive=False), None, place.stop, queue=False, api_visibility="private")
    jobs.wire_stop(place.stop, "imagine")
    stage.wire_download(place.kind, place.download, place.result)

    def choose(event: gr.SelectData, paths: list, request: gr.Request) -> dict:
        if paths and event.index >= len(paths):  # the page has not seen yet that they are new ones
            return {place.result: gr.skip()}
        path = paths[event.index] if paths else first_imagined.result(event.index)
        seed = read_settings(path)["options"]["seed"]
        chosen: Update = {place.result: path, place.download: path, place.kind: stage.FIRST_KIND}
        if all(job.ended for job in jobs.here.of(request) if job.name == "imagine"):  # a run says how far it is
            chosen[place.status] = i18n.say("IMAGINE_CHOSEN", request, number=event.index + 1, seed=seed)
        return chosen

    place.wall.select(choose, place.paths, [place.result, place.download, place.kind, place.status], **EACH, **IMMEDIATE)


def _imagined(compute: Compute, place: _Place, near: str | None, given: dict, request: gr.Request | None) -> Updates:
    """Pictures one after the other, each selectable as soon as it is shown; if stopped, those so far are kept."""
    made: list[tuple[str, str]] = []  # paths and captions
    step = Step(0, 0)
    yield {place.status: "…", place.stop: gr.update(interactive=True)}
    try:
        options = ImagineOptions.make(**given)
        asked_for = request_of({"near": [near] if near else None})
        with live.UntilStopped(lambda: gpu.steps(imagine, options, read_if_given(near), compute=compute)) as steps:
            for step in steps:
                if step.image is not None:
                    own = nth(options, step.iteration - 1).as_dict()
                    path = files.save(step.image, "imagine", settings_of("imagine", own, step.weights, request=asked_for))
                    made.append((path, i18n.say("IMAGINE_NUMBER", request, number=len(made) + 1)))
                    # The first one takes the place of what was chosen of the last run; after that, the visitor may choose.
                    chosen: Update = {place.result: path, place.download: path, place.kind: stage.FIRST_KIND} if len(made) == 1 else {}
                    yield {
                        place.wall: list(made),  # with one picture, the frame around what was chosen before goes
                        place.status: live.status_of(step, request),
                        place.paths: [path for path, _ in made],
                        place.stop: gr.update(interactive=True),  # the end of a run before this one has turned it off
                        **chosen,
                    }
    except RequestError as error:
        refusal = i18n.refusal(error, request)
        yield {place.status: refusal.message, place.stop: gr.update(interactive=False)}
        raise refusal from error
    if not made:
        yield {place.status: i18n.say("STOPPED_EARLY", request), place.stop: gr.update(interactive=False)}
        return
    key, seconds = ("IMAGINE_STOPPED" if steps.stopped else "IMAGINE_DONE"), i18n.duration(step.seconds)
    said = i18n.say(key, request, count=len(made), seconds=seconds)
    yield {place.status: said, place.stop: gr.update(interactive=False)}


def _morphed(compute: Compute, place: _Place, ends: list[str], given: dict, request: gr.Request) -> Updates:
    """A film from picture to picture; if stopped, it ends there."""
    yield {place.status: "…", place.stop: gr.update(interactive=True)}
    out = files.new_folder() / "pentimento-morph.mp4"
    try:
        pictures, options = [read_if_given(path) for path in ends], ImagineOptions.make(**given)
        frames, seconds, stopped = yield from live.write_film(
            out,
            _MORPH_FPS,
            lambda: gpu.steps(morph, options, pictures, frames=_MORPH_FRAMES, compute=compute),
            lambda step: {place.status: live.status_of(step, request)},
        )
    except RequestError as error:
        refusal = i18n.refusal(error, request)
        yield {place.status: refusal.message, place.film: gr.update(visible=False), place.stop: gr.update(interactive=False)}
        raise refusal from error
    if not frames:
        yield {place.status: i18n.say("NO_FRAME", request), place.film: gr.update(visible=False), place.stop: gr.update(interactive=False)}
        return
    done = i18n.say("FRAMES_KEPT" if stopped else "CLIP_DONE", request, frames=frames, seconds=i18n.duration(seconds))
    yield {place.status: done, place.film: gr.update(value=str(out), visible=True), place.stop: gr.update(interactive=False)}
