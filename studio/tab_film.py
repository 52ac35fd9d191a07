"""The tab "Video": a clip painted with its sound; a webcam painted live is in `webcam`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import gradio as gr

from studio import files, first_picture, gpu, i18n, jobs, live, stage, style_choice, webcam
from studio.controls import Control, Field, change_events, component
from studio.events import IMMEDIATE, LAST, Update, Updates, apart, watching
from studio.forecast import network_of_auto, sentence_of
from studio.tab_stylize import style_tiles
from studio.tabs import FilmTab
from studio.uploads import picture_input
from style_core import Compute, OptimizeOptions, RequestError, StylizeOptions, gallery_code, read_image
from style_core.media.clip import Clip
from style_core.media.images import fit, to_pil
from style_core.options import OptionField
from style_core.progress import Steps
from style_core.recipes.estimate import film_estimate
from style_core.recipes.key_frames import FilmOptions
from style_core.recipes.optimize_clip import FULL_STRENGTH, OptimizedFilmOptions, optimize_clip
from style_core.recipes.stylize_clip import stylize_clip
from style_core.weights.registry import registry

_SHOWN = (".mp4", ".m4v", ".mov", ".webm")  # kinds of files that most browsers play

_SIDE = 640  # px, of the frames of a clip that is at least as large


class _RawVideo(gr.Video):
    """A video input that hands over the uploaded file unchanged; our own reader says what is wrong with it."""

    is_template = True

    def preprocess(self, payload):
        return None if payload is None else payload.path


def build(compute: Compute, tab: gr.Tab) -> FilmTab:
    """Lay the tab out and wire it."""
    gr.Markdown(i18n.FILM_INTRO, elem_classes="intro")
    with gr.Row(equal_height=False, elem_classes="work"):
        left = gr.Column(scale=7, min_width=340, elem_classes="stage")
        with gr.Column(scale=5, min_width=340, elem_classes="panel"):
            tiles = style_tiles("film-styles", first_picture.style())
            with gr.Row(elem_classes="pictures"), gr.Column():
                style = picture_input(i18n.OWN_STYLE, height=200, elem_id="film-style")
            use_own = gr.Checkbox(True, label=i18n.USE_OWN, visible=False, container=False, elem_id="film-use-own")
            # Ranges of their own: one strength serves both recipes, whose scales differ, and frames as large as a picture may be
            # would take hours.
            strength = gr.Slider(0, 1, value=1, step=0.01, label=i18n.label_of("strength"))
            size = gr.Slider(128, 1280, value=_SIDE, step=32, label=i18n.label_of("size", "px"))
            fields = {field.name: field for field in OptimizedFilmOptions.fields()}
            film: dict[str, Control] = {"size": size, "steadiness": _control_of(fields["steadiness"])}
            with gr.Accordion(i18n.FINER, open=False, elem_classes="finer"):
                film["finer"] = gr.Checkbox(False, label=i18n.FINER_ON, info=i18n.FINER_INFO, elem_id="film-finer")
                film |= {name: _control_of(fields[name]) for name in ("frame_iterations", "key_every")}
        with left, gr.Tabs():
            with gr.Tab(i18n.CLIP_TAB):
                outputs = _build_clip(compute, {"style": tiles, "painting": style, "use_own": use_own, "strength": strength}, film)
            with gr.Tab(i18n.WEBCAM_TAB) as camera_tab:
                camera = webcam.build(compute, [tiles, style, use_own, strength])
    style_choice.wire(style, use_own, tiles)(style.input)
    camera.afresh(tab.select, camera_tab.select)
    return FilmTab(result=camera.result, uses=camera.uses, outputs=outputs)


def _control_of(field: OptionField) -> Control:
    return component(OptimizedFilmOptions, field, field.default)


def _build_clip(compute: Compute, look: dict[str, Field], film: dict[str, Control]) -> list:
    """The part for clips; returns the components that a run shows itself on.

    Args:
        look: the controls by which a request says what the film looks like, by name: `_FilmRequest.of`.
        film: the others, on which its time and memory depend.
    """
    clip = _RawVideo(label=i18n.CLIP, sources=["upload"], height=260, elem_id="film-clip")
    about = gr.Markdown("", elem_classes="quiet", elem_id="film-about")
    status = gr.Markdown("", elem_classes="status", elem_id="film-status")
    with gr.Row(elem_classes="actions"):
        run = gr.Button(i18n.PAINT_CLIP, variant="primary", elem_classes="run-button", elem_id="film-run")
        stop = gr.Button(i18n.STOP, interactive=False, elem_classes="stop-button", elem_id="film-stop")
        resume = gr.Button(i18n.CONTINUE, visible=False, elem_id="film-continue")
    # Below the buttons, which they would push out of sight.
    preview = gr.Image(
        label=i18n.FORMING, show_label=False, format="jpeg", height=320, interactive=False, visible=False, buttons=[],
        elem_id="film-preview",
    )  # fmt: skip
    result = gr.Video(label=i18n.RESULT, interactive=False, visible=False, height=360, elem_id="film-result")
    place = _Place(status, preview, result, run, stop, resume, gr.State(None))

    opened = gr.State(None)  # the clip, or why it can't be read

    def tell(path: str | None, opened: Clip | str | None, request: gr.Request, **given) -> str:
        """How long and how large the clip is, before it is painted, and what painting it takes."""
        if path is None:
            return ""
        if opened is None:  # with many visitors, the states of those who were away for long are dropped
            opened, *_ = _opened(path)
        if not isinstance(opened, Clip):
            return i18n.translate(opened, request)
        try:
            return _about(compute, opened, _FilmRequest.of(str(opened.path), **given), request)
        except RequestError as error:
            return i18n.translate(str(error), request)

    @jobs.job("film", status)
    def paint(clip, earlier, request: gr.Request, **given) -> Updates:
        wanted = _FilmRequest.of(clip, **given)
        try:
            wanted.check(request)
        except RequestError as error:  # at once, rather than after the runs before it
            raise i18n.refusal(error, request) from error
        yield from _painted_clip(compute, place, wanted, earlier, request)

    for trigger, earlier in ((run.click, gr.State(None)), (resume.click, place.unfinished)):
        inputs = [clip, earlier]
        event = trigger(paint, inputs, place.outputs, inputs_kwargs={**look, **film}, api_visibility="private", **watching(status))
        event.failure(place.idle, None, [run, stop], queue=False, api_visibility="private")
    jobs.wire_stop(stop, "film")
    # Before the listener below, which tells what a film of that size takes; the status is cleared of what was said of the last clip.
    clip.upload(_opened, clip, [opened, film["size"], status], **LAST, **IMMEDIATE)
    clip.clear(lambda: None, None, opened, **IMMEDIATE)
    changed = apart([clip.upload, clip.clear, *change_events(film)])
    changed(tell, [clip, opened], about, inputs_kwargs=film, **LAST, **IMMEDIATE)
    return place.outputs


def _opened(path: str | None) -> tuple:
    """An uploaded clip, or why it can't be read; a size to begin with: its own, unless that is very large; and an empty status."""
    if path is None:
        return None, gr.skip(), ""
    try:
        clip = Clip.open(path)
    except RequestError as error:
        return str(error), gr.skip(), ""
    return clip, min(_SIDE, max(128, max(clip.size()) // 32 * 32)), ""


@dataclass(frozen=True)
class _Place:
    """The components that show a film.

    Attributes:
        unfinished: path of a film that was stopped, or None.
    """

    status: gr.Markdown
    preview: gr.Image
    result: gr.Video
    run: gr.Button
    stop: gr.Button
    resume: gr.Button
    unfinished: gr.State

    @property
    def outputs(self) -> list:
        return [self.status, self.preview, self.result, self.run, self.stop, self.resume, self.unfinished]

    def idle(self) -> dict:
        """State of the buttons when nothing runs."""
        return {self.run: gr.update(interactive=True), self.stop: gr.update(interactive=False)}

    def kept(self, out: str, earlier: str | None) -> Update:
        """The film so far, which can be continued: the new one, or the earlier one if no frame was added."""
        film = next((path for path in (out, earlier) if path is not None and Path(path).exists()), None)
        there = film is not None
        return {self.result: gr.update(value=film, visible=there), self.unfinished: film, self.resume: gr.update(visible=there)}


@dataclass(frozen=True)
class _FilmRequest:
    """A request from the page.

    Attributes:
        clip: its path, or None.
        style: a gallery style's name, or empty.
        painting: path of the visitor's painting, which is used instead of a gallery style, or None.
        size: px, long side of the frames.
        finer: whether to optimize frames instead of using the generator.
        frame_iterations: of each frame that is optimized.
        key_every: frames from one that is painted to the next.
    """

    clip: str | None
    size: int
    steadiness: float
    finer: bool
    frame_iterations: int
    key_every: int
    style: str = ""
    painting: str | None = None
    strength: float = 1.0

    @classmethod
    def of(cls, clip: str | None, *, size: float, painting: str | None = None, use_own: bool = True, **given: Any) -> Self:
        """A request from the controls' values, by name."""
        return cls(clip, size=int(size), painting=painting if use_own else None, **given)

    def check(self, request: gr.Request) -> None:
        """Refuse what can't be painted.

        Raises:
            RequestError: for a missing clip, style or painting, or options out of range.
        """
        if self.clip is None:
            raise RequestError(i18n.say("NO_CLIP", request))
        if self.finer and not self.painting:
            raise RequestError(i18n.say("FINER_NEEDS_PAINTING", request))
        if not (self.painting or self.style):
            raise RequestError(i18n.say("NO_STYLE_AT_ALL", request))
        self.options()

    def steps(self, compute: Compute, out: str, earlier: str | None) -> Steps:
        """The Steps of painting the film `out`, of a request that was checked; `earlier` is a stopped film to continue."""
        assert self.clip is not None
        options, film = self.options()
        more: dict[str, Any] = {"compute": compute, "continue_from": earlier}
        if self.finer:
            assert self.painting is not None
            return gpu.steps(optimize_clip, self.clip, out, [read_image(self.painting)], options, film, **more)
        styles, codes = _style_of(self.style, self.painting)
        return gpu.steps(stylize_clip, self.clip, out, styles, options, film, codes=codes, **more)

    def options(self) -> tuple[StylizeOptions | OptimizeOptions, FilmOptions]:
        """Options of the recipe, and those of the film.

        Raises:
            RequestError: for options out of range.
        """
        steady: dict[str, Any] = {"steadiness": self.steadiness, "key_every": self.key_every}
        if self.finer:
            slow = OptimizeOptions(size=self.size, strength=FULL_STRENGTH * self.strength)
            return slow, OptimizedFilmOptions(frame_iterations=self.frame_iterations, **steady)
        return StylizeOptions(size=self.size, strength=self.strength, refine=0), FilmOptions(**steady)


def _painted_clip(compute: Compute, place: _Place, wanted: _FilmRequest, earlier: str | None, request: gr.Request) -> Updates:
    """A film, frame by frame; if stopped, it ends there and can be continued. `earlier` is one that was stopped before."""
    yield {place.status: "…", place.run: gr.update(interactive=False), place.stop: gr.update(interactive=True)}
    out = str(files.new_folder() / "pentimento-video.mp4")  # a film to continue is copied, and stays if this one starts anew
    step = None
    # Hidden with this film's first picture: until then the last film stays, should this one be refused.
    hidden: Update = {place.result: gr.update(value=None, visible=False), place.resume: gr.update(visible=False)}
    try:
        with live.UntilStopped(lambda: wanted.steps(compute, out, earlier)) as steps:
            for step in steps:
                shown: Update = {place.status: live.status_of(step, request)}
                if step.image is not None:
                    shown[place.preview] = gr.update(value=to_pil(fit(step.image, stage.PREVIEW_SIDE)), visible=True)
                    shown, hidden = shown | hidden, {}
                files.in_use(out)
                yield shown
    except RequestError as error:
        refusal = i18n.refusal(error, request)
        yield {**place.idle(), place.status: refusal.message, place.preview: gr.update(visible=False), **place.kept(out, earlier)}
        raise refusal from error
    if step is None or not step.iteration:
        said = i18n.say("STOPPED_EARLY", request)
        yield {**place.idle(), place.status: said, place.preview: gr.update(visible=False), **place.kept(out, earlier)}
        return
    if steps.stopped:
        done = i18n.say("CLIP_STOPPED", request, frames=step.iteration, total=step.total)
    else:
        done = i18n.say("CLIP_DONE", request, frames=step.iteration, seconds=i18n.duration(step.seconds))
        done += f" {i18n.translate(step.note, request)}" if step.note else ""
    over: Update = {place.unfinished: None, place.resume: gr.update(visible=False)} if not steps.stopped else {}
    yield {**place.idle(), place.status: done, place.preview: gr.update(visible=False), **place.kept(out, earlier), **over}


def _about(compute: Compute, clip: Clip, wanted: _FilmRequest, request: gr.Request) -> str:
    """A clip's length and sizes, and the time and memory of the film; without these on a lent GPU, as in `Forecast`.

    Raises:
        RequestError: when its frames don't fit into memory, or options are out of range.
    """
    height, width = clip.size(wanted.size)
    said = i18n.say(
        "CLIP_ABOUT", request, seconds=i18n.duration(clip.seconds), frames=clip.frames, width=clip.width, height=clip.height,
        painted_width=width, painted_height=height,
    )  # fmt: skip
    if clip.path.suffix.lower() not in _SHOWN:
        said += " " + i18n.say("CLIP_UNSEEN", request)
    if gpu.is_lent():
        return said
    options, film = wanted.options()
    needed = gpu.call(film_estimate, clip, options, film, compute, extractor=network_of_auto())
    return f"{said} {sentence_of(needed, request)}"


def _style_of(name: str, own: str | None) -> tuple[list, list]:
    """The chosen style as pictures and codes: one's own painting where it is used, else the gallery's."""
    return ([read_image(own)], []) if own else ([], [gallery_code(name, registry()["generator"].sha256)])
