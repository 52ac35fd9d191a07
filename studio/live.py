"""Runs in the browser: turns Steps into updates of the page."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
import pandas
from gradio.i18n import I18nData

from studio import files, i18n, jobs
from studio.events import IMMEDIATE, SILENT, Update, Updates
from style_core import RequestError, Step, read_image
from style_core.media.diagnosis import diagnose
from style_core.media.images import ImageTensor, fit, resize, to_pil
from style_core.media.settings import done_of, read_settings, settings_of
from style_core.media.video import FrameWriter
from style_core.progress import Steps
from style_core.recipes.recorded_inputs import digest_of, digests_in, request_of

PREVIEW_SIDE = 768  # px, of previews; the file has the full size
STAGE_HEIGHT = 640  # px
FIRST_KIND = files.KINDS[0]
_PLOTTED = 200  # points of the loss plot
_MEASURES = {"LOSSES": "LOSSES_AXIS", "DREAM_LOSSES": "DREAM_LOSSES_AXIS"}  # what it shows, by its title


@dataclass
class Board:
    """The components on which a run shows itself.

    Attributes:
        preview: the picture as it forms.
        slider: before and after, when it is done.
        status: one line of words.
        plot: losses by iteration.
        download: the result as a file.
        run, stop, resume: the buttons; the last one continues a result, where there is one.
        kind: the file type that is downloaded.
        original: path of the last result as it was painted; None before.
        result: path of the last result as it stands now, for other tabs; None before.
        losses: key of the plot's title, one of `_MEASURES`.
    """

    preview: gr.Image
    slider: gr.ImageSlider
    status: gr.Markdown
    plot: gr.LinePlot
    download: gr.DownloadButton
    kind: gr.Dropdown
    run: gr.Button
    stop: gr.Button
    resume: gr.Button
    original: gr.State
    result: gr.State
    run_id: str
    losses: str

    @property
    def outputs(self) -> list:
        return [
            self.preview,
            self.slider,
            self.status,
            self.plot,
            self.download,
            self.kind,
            self.run,
            self.stop,
            self.original,
            self.result,
        ]

    def waiting(self) -> dict:
        """What is shown until a run has got somewhere: everything of before, which a request that is refused must not lose."""
        return {self.status: "…", self.run: gr.update(interactive=False), self.stop: gr.update(interactive=True)}

    def begun(self, request: gr.Request | None) -> dict:
        keys = {"title": self.losses, "x_title": "ITERATION", "y_title": _MEASURES[self.losses]}
        words: dict[str, Any] = {name: i18n.say(key, request) for name, key in keys.items()}
        return {
            self.preview: gr.update(value=None, visible=True),
            self.slider: gr.update(visible=False),
            # Sentences rather than labels that follow the browser, because plots show those as code.
            self.plot: gr.update(value=None, **words),
            self.download: None,
            self.result: None,
            self.original: None,
        }

    def idle(self) -> dict:
        """State of the buttons when nothing runs."""
        return {self.run: gr.update(interactive=True), self.stop: gr.update(interactive=False)}

    def wire(self, recipe: Callable, inputs: list, more: dict, api_name: str) -> None:
        """Let the buttons run `recipe` (published as `api_name`) and stop it; `more` are its inputs by keyword."""
        self.follow(self.run.click, recipe, inputs, more, api_name=api_name)
        jobs.wire_stop(self.stop, self.run_id)
        wire_download(self.kind, self.download, self.result)

    def wire_continue(self, updates: Callable[..., Updates], photo: gr.Image, more: dict) -> None:
        """Let the button `resume`, shown where there is a result, continue it.

        Args:
            updates: makes the updates of a run from the photo, the other inputs by keyword, and the request; the path of the
                result is among those as `begun`.
            more: these other inputs.
        """

        @jobs.job(self.run_id, self.status, photo="photo")
        def continued(photo, begun, request: gr.Request, **given) -> Updates:
            if not files.is_result(begun):
                raise i18n.no_result(request)
            if photo is not None and not _made_from(begun, photo):
                raise gr.Error(i18n.say("CONTINUE_OTHER_PHOTO", request), print_exception=False)
            yield from updates(photo, {**given, "begun": begun}, request)

        self.follow(self.resume.click, continued, [photo, self.original], more)
        self.original.change(lambda path: gr.update(visible=path is not None), self.original, self.resume, **IMMEDIATE)

    def follow(self, trigger: Callable, recipe: Callable, inputs: list, more: dict, **published) -> None:
        """Run `recipe`, a job, on this board when `trigger` fires."""
        event = trigger(
            recipe,
            inputs,
            self.outputs,
            inputs_kwargs=more,
            concurrency_limit=None,  # it only watches a job
            show_progress="minimal",
            show_progress_on=self.status,
            **(published or {"api_visibility": "private"}),
        )
        event.failure(self.idle, None, [self.run, self.stop], queue=False, api_visibility="private")


def _made_from(result: str, photo: str) -> bool:
    """Whether a result was made from this photo, or doesn't say."""
    known = digests_in(read_settings(result).get("request", {}), ("content", "image"))
    return not known or digest_of(photo) in known


def follow_photo(board: Board, photo: gr.State, ready: I18nData) -> None:
    """Show a photo large as soon as it is chosen, and clear the results of the one before."""

    def shown(path: str | None, request: gr.Request) -> dict:
        if not jobs.here.let_go(board.run_id, request, path, files.same_picture):
            return {board.status: gr.skip()}  # the photo was restored with the page, and so are its results
        try:
            picture = None if path is None else to_pil(fit(read_image(path, long_side=PREVIEW_SIDE), PREVIEW_SIDE))
        except RequestError:
            picture = None  # already reported next to the picture
        return {
            board.preview: gr.update(value=picture, visible=True),
            board.slider: gr.update(visible=False),
            board.status: ready,
            board.download: None,
            board.original: None,
            board.result: None,
        }

    outputs = [board.preview, board.slider, board.status, board.download, board.original, board.result]
    photo.change(shown, photo, outputs, **IMMEDIATE)


def wire_download(kind: gr.Dropdown, download: gr.DownloadButton, result: gr.State) -> None:
    """Make the file type menu change the file of the download button."""

    def convert(path, kind):
        return gr.update(value=files.converted(path, kind)) if files.is_result(path) else gr.skip()

    def missing(path, request: gr.Request):
        if path is None:
            gr.Info(i18n.say("NO_RESULT", request))

    kind.change(convert, [result, kind], download, **SILENT)
    download.click(missing, result, None, **SILENT)


@dataclass
class Record:
    """What a run has shown so far."""

    last: Step = field(default_factory=lambda: Step(0, 0))
    image: ImageTensor | None = None
    done: int = 0  # iterations of the image
    rows: list[tuple[int, str, float]] = field(default_factory=list)
    trail: files.Trail = field(default_factory=files.Trail)

    @property
    def picture(self) -> ImageTensor:
        """The newest picture, which a run that has got so far has."""
        assert self.image is not None
        return self.image

    def take(self, step: Step) -> None:
        self.last = step
        if step.image is not None:
            self.image, self.done = step.image, step.iteration
            self.trail.add(step.image)
        kept: dict[str, list[float]] = {"style": [], "content": []}
        for name, value in step.losses.items():
            kept.setdefault(name.split()[0], []).append(value)
        for name, values in kept.items():
            if values and name != "total":
                self.rows.append((step.iteration, name, sum(values) / len(values)))

    def plot(self) -> pandas.DataFrame | None:
        """Losses as a table; None while there are none, because a plot created empty never shows a line."""
        if not self.rows:
            return None
        rows = self.rows[:: max(1, len(self.rows) // _PLOTTED)]
        return pandas.DataFrame(rows, columns=["iteration", "distance", "loss"]).astype(
            {"iteration": float, "loss": float, "distance": "string"}
        )


def run(
    recipe: str,
    steps: Callable[[], Steps],
    board: Board,
    before: Callable[[], ImageTensor | None],
    options: dict,
    request: gr.Request | None,
    looks_like: Callable[[], ImageTensor | None] | None = None,
    given: dict | None = None,
) -> Updates:
    """Follow a recipe on a board until it ends, fails with a message, or its job is asked to stop.

    Args:
        steps: starts the recipe; called after the first update of the page.
        before: returns the picture that the slider compares with, `[3, H, W]`, or None.
        options: for the settings in the file.
        looks_like: returns the style picture, to detect lost colors; None if there is none.
        given: paths of pictures and other inputs, for the settings; as in `request_of`.
    """
    facts = {"options": options}
    yield board.waiting()
    record, event, begun = Record(), jobs.stopping(), False
    stopped = event.is_set()  # while waiting for its turn
    try:
        facts["request"] = request_of(given or {})  # at once, because what it is made from may be swept away meanwhile
        with closing(steps() if not stopped else (_ for _ in ())) as generator:
            for step in generator:
                if not begun and (step.image is not None or step.losses or step.iteration):
                    begun = True
                    yield board.begun(request)
                record.take(step)
                yield _shown(step, board, record, request)
                if event.is_set():
                    stopped = True
                    break
    except RequestError as error:
        refusal = i18n.refusal(error, request)
        if record.image is not None:
            yield from _ended(recipe, board, record, before, facts, refusal.message, request)
        else:
            yield {**board.idle(), board.status: refusal.message}
        raise refusal from error
    if record.image is None:
        yield {**board.idle(), board.status: i18n.say("STOPPED_EARLY", request)}
        return
    sentence = _last_words(record, stopped, request)
    if options.get("extractor") == "auto" and "lite" in record.last.weights:
        sentence += " " + i18n.say("RETRY", request)
    trouble = "" if stopped else diagnose(record.picture, _if_there(before), _if_there(looks_like))
    if trouble:
        sentence += f"\n\n⚠ {i18n.say(f'DIAGNOSIS_{trouble}', request)}"
    yield from _ended(recipe, board, record, before, facts, sentence, request)


def _ended(recipe: str, board: Board, record: Record, before: Callable, facts: dict, sentence: str, request: gr.Request | None) -> Updates:
    """Save a run's picture and show it, or why it can't be saved."""
    try:
        yield _finished(recipe, board, record, before, facts, sentence)
    except RequestError as error:  # such as a full disk
        refusal = i18n.refusal(error, request)
        yield {**board.idle(), board.status: refusal.message}
        raise refusal from error


def _if_there(read: Callable[[], ImageTensor | None] | None) -> ImageTensor | None:
    """What `read` returns; None if its file was swept away during a long run, whose result must not be lost with it."""
    try:
        return None if read is None else read()
    except RequestError:
        return None


def write_film(
    out: Path, fps: int, steps: Callable[[], Steps], show: Callable[[Step], Update]
) -> Generator[Update, None, tuple[int, float, bool]]:
    """Write the pictures of a recipe's Steps as a film until it ends, or its job is asked to stop; yields what `show` makes of each Step.

    Returns:
        The number of frames, the seconds that it took, and whether it was stopped.
    """
    event, frames, seconds = jobs.stopping(), 0, 0.0
    with FrameWriter(out, fps) as writer, closing(steps()) as running:
        for step in running if not event.is_set() else ():
            seconds = step.seconds
            if step.image is not None:
                writer.add(step.image)
                frames += 1
            yield show(step)
            files.in_use(out)
            if event.is_set():
                break
    return frames, seconds, event.is_set()


def _shown(step: Step, board: Board, record: Record, request: gr.Request | None) -> Update:
    # Stop works, whatever the end of a run before this one, or the refusal of one after it, has done to the button.
    shown: Update = {board.status: status_of(step, request), board.stop: gr.update(interactive=True)}
    if step.image is not None:
        shown[board.preview] = gr.update(value=to_pil(fit(step.image, PREVIEW_SIDE)))
        if record.rows:
            shown[board.plot] = record.plot()
    return shown


def status_of(step: Step, request: gr.Request | None) -> str:
    """Progress of a run: a bar with its percentage and the time left, then the note."""
    parts = []
    if step.total and step.seconds:
        share = min(1.0, step.iteration / step.total)
        parts.append(f'<progress value="{step.iteration}" max="{step.total}"></progress> **{share:.0%}**')
        if step.eta is not None:
            parts.append(i18n.say("LEFT", request, seconds=i18n.duration(step.eta)))
        parts.append(i18n.say("PROGRESS", request, iteration=step.iteration, total=step.total))
    if step.note:
        parts.append(i18n.translate(step.note, request))
    return " · ".join(parts) or "…"


def _last_words(record: Record, stopped: bool, request: gr.Request | None) -> str:
    step = record.last
    height, width = record.picture.shape[-2:]
    if stopped:
        done = i18n.say("STOPPED", request, iteration=step.iteration, total=step.total)
    else:
        done = i18n.say("DONE", request, width=width, height=height, seconds=i18n.duration(step.seconds))
    network = i18n.say("NETWORK", request, names=", ".join(step.weights)) if step.weights else ""
    return " ".join(filter(None, (done, i18n.translate(step.note, request), network)))


def _finished(recipe: str, board: Board, record: Record, before: Callable, facts: dict, sentence: str) -> dict:
    done = done_of(record.done, record.last)
    settings = settings_of(recipe, facts["options"], record.last.weights, request=facts["request"], **done)
    path = files.save(record.picture, recipe, settings, record.trail.where)
    original = _if_there(before)
    if original is not None:
        photo = record.trail.begin(resize(original, tuple(record.picture.shape[-2:])))
        compare = gr.update(value=(photo, path), visible=True)
    return {
        **board.idle(),
        board.status: sentence,
        # Files rather than arrays, because a job keeps its updates in memory.
        board.preview: gr.update(value=record.trail.show(fit(record.picture, PREVIEW_SIDE)), visible=original is None),
        board.slider: compare if original is not None else gr.update(visible=False),
        board.plot: record.plot(),
        # Plain values rather than updates, because programs receive them unchanged.
        board.download: path,
        board.kind: files.KINDS[0],
        board.original: path,
        board.result: path,
    }


def board(run_label: I18nData, run_id: str, ready: I18nData, photo: str | None = None, losses: str = "LOSSES") -> Board:
    """Build a stage: the picture as it forms, then before and after; status; buttons; the folded plot.

    Args:
        photo: the picture shown before the first run.
        losses: key of the plot's title, one of `_MEASURES`.
    """
    preview = gr.Image(
        photo,
        label=i18n.FORMING,
        show_label=False,
        format="jpeg",
        interactive=False,
        buttons=["fullscreen"],
        elem_id=f"{run_id}-preview",
        elem_classes="picture",
    )
    slider = gr.ImageSlider(
        label=i18n.BEFORE_AFTER,  # type: ignore[arg-type]  # Gradio declares str
        show_label=False,
        type="filepath",
        format="png",
        max_height=STAGE_HEIGHT,
        interactive=False,
        visible=False,
        buttons=["fullscreen"],
        slider_position=50,
        elem_id=f"{run_id}-slider",
    )
    status = gr.Markdown(ready, elem_classes="status", elem_id=f"{run_id}-status")
    with gr.Row(elem_classes="actions"):
        button = gr.Button(run_label, variant="primary", elem_classes="run-button", elem_id=f"{run_id}-run")
        stopper = gr.Button(i18n.STOP, interactive=False, elem_classes="stop-button", elem_id=f"{run_id}-stop")
        resume = gr.Button(i18n.CONTINUE, visible=False, elem_id=f"{run_id}-continue")
        download, kind = download_button(run_id)
    small_buttons(run_id, download)
    with gr.Accordion(i18n.DETAILS, open=False, elem_id=f"{run_id}-details"):
        plot = gr.LinePlot(
            x="iteration",
            y="loss",
            color="distance",
            height=220,
            elem_id=f"{run_id}-plot",
            color_title=" ",
        )
    return Board(preview, slider, status, plot, download, kind, button, stopper, resume, gr.State(None), gr.State(None), run_id, losses)


def download_button(run_id: str) -> tuple[gr.DownloadButton, gr.Dropdown]:
    """A download button with a menu of file types."""
    download = gr.DownloadButton(i18n.DOWNLOAD, elem_id=f"{run_id}-download")  # type: ignore[arg-type]  # Gradio declares str
    kind = gr.Dropdown(
        [(kind.upper(), kind) for kind in files.KINDS],
        value=FIRST_KIND,
        label=i18n.FILE_KIND,
        show_label=False,
        container=False,
        filterable=False,
        scale=0,
        min_width=92,
        elem_id=f"{run_id}-kind",
        elem_classes="file-kind",
    )
    return download, kind


def small_buttons(run_id: str, download: gr.DownloadButton) -> None:
    """Actions of the page on a result: show the photo while a button is held, share, copy."""
    with gr.Row(elem_classes="small-actions"):
        gr.Button(i18n.HOLD, size="sm", min_width=60, elem_id=f"{run_id}-hold", elem_classes="hold-button")
        handed = gr.Button(i18n.SHARE, size="sm", min_width=60, elem_id=f"{run_id}-share", elem_classes="share-button")
        copied = gr.Button(i18n.COPY, size="sm", min_width=60, elem_id=f"{run_id}-copy", elem_classes="copy-button")
    for button, act in ((handed, "share"), (copied, "copy")):
        button.click(None, download, None, js=f"(file) => window.pentimento.{act}(file)", api_visibility="private")
