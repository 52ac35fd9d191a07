"""Long runs in the browser: Steps in, updates of what the person sees out."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import gradio as gr
import pandas

from studio import files, words
from style_core import RequestError, Step
from style_core.imaging import fit, to_pil
from style_core.settings import settings_of

PREVIEW_SIDE = 768           # px: what a preview is shown at; the file has every pixel
_PLOTTED = 200               # points of the loss plot

_stops: dict[str, threading.Event] = {}
_lock = threading.Lock()


def stop(request: gr.Request) -> None:
    """Ask this visitor's run to end after the step in hand and to keep its picture."""
    with _lock:
        if event := _stops.get(request.session_hash):
            event.set()


@dataclass
class Board:
    """The components on which a run shows itself.

    Attributes:
        preview: the picture as it forms.
        slider: before and after, when it is done.
        status: one line of words.
        plot: losses by iteration.
        download: the result as a file.
        run, stop: the buttons.
        result: path of the last result, for other tabs; None before.
    """

    preview: gr.Image
    slider: gr.ImageSlider
    status: gr.Markdown
    plot: gr.LinePlot
    download: gr.DownloadButton
    run: gr.Button
    stop: gr.Button
    result: gr.State

    @property
    def outputs(self) -> list:
        return [self.preview, self.slider, self.status, self.plot, self.download, self.run, self.stop, self.result]

    def begun(self) -> dict:
        return {
            self.preview: gr.update(value=None, visible=True), self.slider: gr.update(visible=False),
            self.status: gr.update(value="…"), self.plot: None, self.download: gr.update(visible=False),
            self.run: gr.update(interactive=False), self.stop: gr.update(interactive=True),
        }  # fmt: skip

    def idle(self) -> dict:
        """How the buttons stand when nothing runs."""
        return {self.run: gr.update(interactive=True), self.stop: gr.update(interactive=False)}

    def wire(self, recipe: Callable, inputs: list, more: dict, api_name: str) -> None:
        """Let the buttons run `recipe` (published as `api_name`) and stop it; `more` are its inputs by keyword."""
        event = self.run.click(
            recipe, inputs, self.outputs, inputs_kwargs=more, api_name=api_name, concurrency_id="device", concurrency_limit=1,
            show_progress="minimal", show_progress_on=self.status,
        )  # fmt: skip
        event.failure(self.idle, None, [self.run, self.stop], queue=False, api_visibility="private")
        self.stop.click(stop, None, None, queue=False, api_visibility="private")


@dataclass
class Record:
    """What a run has shown so far."""

    last: Step = field(default_factory=lambda: Step(0, 0))
    image: object = None
    rows: list = field(default_factory=list)

    def take(self, step: Step) -> None:
        self.last = step
        if step.image is not None:
            self.image = step.image
        kept = {"style": [], "content": []}
        for name, value in step.losses.items():
            kept.setdefault(name.split()[0], []).append(value)
        for name, values in kept.items():
            if values and name != "total":
                self.rows.append((step.iteration, name, sum(values) / len(values)))

    def plot(self) -> pandas.DataFrame | None:
        """Losses as a table; None while there are none, because a plot that was born empty never shows a line."""
        if not self.rows:
            return None
        rows = self.rows[:: max(1, len(self.rows) // _PLOTTED)]
        return pandas.DataFrame(rows, columns=["iteration", "distance", "loss"]).astype(
            {"iteration": float, "loss": float, "distance": "string"}
        )


def run(
    recipe: str,
    steps: Callable[[], Iterator[Step]],
    board: Board,
    before: Callable[[], object],
    options: dict,
    request: gr.Request | None,
) -> Iterator[dict]:
    """Follow a recipe on a board until it ends, fails in words, or the visitor stops it.

    Args:
        steps: makes the recipe's generator; called once there is a first sign of life on the page.
        before: gives the picture that the slider compares with, `[3, H, W]`, or None.
        options: for the settings inside the file.
    """
    yield board.begun()
    event = threading.Event()
    key = getattr(request, "session_hash", None) or ""
    with _lock:
        _stops[key] = event
    record, stopped = Record(), False
    try:
        with closing(steps()) as generator:
            for step in generator:
                record.take(step)
                yield _shown(step, board, record)
                if event.is_set():
                    stopped = True
                    break
    except RequestError as error:
        if record.image is not None:
            yield _finished(recipe, board, record, before, options, str(error))
        raise gr.Error(str(error), print_exception=False) from error
    finally:
        with _lock:
            if _stops.get(key) is event:
                del _stops[key]
    if record.image is None:
        yield {**board.idle(), board.status: words.STOPPED.format(iteration=record.last.iteration, total=record.last.total)}
        return
    yield _finished(recipe, board, record, before, options, _last_words(record, stopped))


def _shown(step: Step, board: Board, record: Record) -> dict:
    shown = {board.status: _status(step)}
    if step.image is not None:
        shown[board.preview] = gr.update(value=to_pil(fit(step.image, PREVIEW_SIDE)))
        if record.rows:
            shown[board.plot] = record.plot()
    return shown


def _status(step: Step) -> str:
    parts = [f"**{step.iteration} of {step.total}**"] if step.total and step.seconds else []
    if step.eta is not None:
        parts.append(f"{words.duration(step.eta)} left")
    if step.note:
        parts.append(step.note)
    return " · ".join(parts) or "…"


def _last_words(record: Record, stopped: bool) -> str:
    step = record.last
    height, width = record.image.shape[-2:]
    done = words.DONE.format(width=width, height=height, seconds=words.duration(step.seconds))
    if stopped:
        done = words.STOPPED.format(iteration=step.iteration, total=step.total)
    used = ", ".join(step.weights)
    return " ".join(filter(None, (done, step.note, f"Network: {used}." if used else "")))


def _finished(recipe: str, board: Board, record: Record, before: Callable, options: dict, sentence: str) -> dict:
    path = files.save(record.image, recipe, settings_of(recipe, options, record.last.weights))
    original = before()
    if original is not None:
        from_photo = to_pil(fit(original, max(record.image.shape[-2:])))
        compare = gr.update(value=(from_photo.resize(record.image.shape[:0:-1]), path), visible=True)
    return {
        **board.idle(),
        board.status: sentence,
        board.preview: gr.update(value=to_pil(fit(record.image, PREVIEW_SIDE)), visible=original is None),
        board.slider: compare if original is not None else gr.update(visible=False),
        board.plot: record.plot(),
        board.download: gr.update(value=path, visible=True),
        board.result: path,
    }


def board(run_label: str, run_id: str) -> Board:
    """Lay out a result column: preview, slider, status, buttons, plot."""
    preview = gr.Image(label=words.FORMING, format="jpeg", height=520, interactive=False, buttons=["fullscreen"], elem_id=f"{run_id}-preview")
    slider = gr.ImageSlider(
        label=words.BEFORE_AFTER, type="filepath", format="png", max_height=560, interactive=False, visible=False,
        buttons=["fullscreen"], elem_id=f"{run_id}-slider",
    )  # fmt: skip
    status = gr.Markdown(words.READY.format(button=run_label), elem_classes="status", elem_id=f"{run_id}-status")
    with gr.Row():
        button = gr.Button(run_label, variant="primary", elem_classes="run-button", elem_id=f"{run_id}-run")
        stopper = gr.Button(words.STOP, interactive=False, elem_classes="stop-button", elem_id=f"{run_id}-stop")
        download = gr.DownloadButton(words.DOWNLOAD, visible=False, elem_id=f"{run_id}-download")
    plot = gr.LinePlot(
        x="iteration", y="loss", color="distance", title=words.LOSSES, height=220, elem_id=f"{run_id}-plot",
        x_title=words.ITERATION, y_title=words.DISTANCE, color_title=" ",
    )  # fmt: skip
    return Board(preview, slider, status, plot, download, button, stopper, gr.State(None))
