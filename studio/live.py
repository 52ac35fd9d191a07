"""Runs in the browser: turns Steps into updates of the page."""

from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Self

import gradio as gr
import pandas

from studio import files, gpu, i18n, jobs
from studio.events import Update, Updates
from studio.stage import FIRST_KIND, PREVIEW_SIDE, Board
from style_core import RequestError, Step
from style_core.media.diagnosis import diagnose
from style_core.media.images import ImageTensor, fit, resize, to_pil
from style_core.media.settings import done_of, settings_of
from style_core.media.video import FrameWriter
from style_core.messages import joined
from style_core.progress import Steps
from style_core.recipes.recorded_inputs import request_of
from style_core.recipes.run_so_far import RunSoFar

_PLOTTED = 200  # points of the loss plot


class Record(RunSoFar):
    """What a run has shown so far, with its losses and how its picture formed, and what its file will say.

    Args:
        recipe, options: for the settings in the file.
        before: returns the picture that the slider compares with, `[3, H, W]`, or None.
    Attributes:
        inputs: what the picture is made from, for the settings; as from `request_of`.
        rows: of the plot: iteration, kind of loss, its mean.
        trail: the previews, in the result's folder.
    """

    def __init__(self, recipe: str, options: dict, before: Callable[[], ImageTensor | None]):
        super().__init__()
        self.before = before
        self.inputs: dict = {}
        self._recipe, self._options = recipe, options
        self.rows: list[tuple[int, str, float]] = []
        self.trail = files.Trail()

    def take(self, step: Step) -> None:
        super().take(step)
        if step.image is not None:
            self.trail.add(step.image)
        kept: dict[str, list[float]] = {"style": [], "content": []}
        for name, value in step.losses.items():
            kept.setdefault(name.split()[0], []).append(value)
        for name, values in kept.items():
            if values and name != "total":
                self.rows.append((step.iteration, name, sum(values) / len(values)))

    def save(self) -> str:
        """Write the picture with its settings, and return its path."""
        done = done_of(self.shown, self.last)
        settings = settings_of(self._recipe, self._options, self.last.weights, request=self.inputs, **done)
        return files.save(self.result, self._recipe, settings, self.trail.where)

    def complete(self, size: int) -> str:
        """As in any run; computing the picture takes its turn."""
        with gpu.turn() if self.last.full is not None else nullcontext():
            return super().complete(size)

    def plot(self) -> pandas.DataFrame | None:
        """Losses as a table; None while there are none, because a plot created empty never shows a line."""
        if not self.rows:
            return None
        rows = self.rows[:: max(1, len(self.rows) // _PLOTTED)]
        return pandas.DataFrame(rows, columns=["iteration", "distance", "loss"]).astype(
            {"iteration": float, "loss": float, "distance": "string"}
        )


class UntilStopped:
    """A recipe's Steps until its end, or until this thread's job is asked to stop: `with UntilStopped(start) as steps: for step in steps`.

    The recipe is closed at the end of the block, so that a picture can still be asked of the last Step; see `Step.full`.

    Args:
        start: starts the recipe; not called if the job was asked to stop while it waited for its turn.
    Attributes:
        stopped: whether the Steps ended because of that.
    """

    def __init__(self, start: Callable[[], Steps]):
        self._start, self._asked = start, jobs.stopping()
        self._steps: Steps | None = None
        self.stopped = False

    def __enter__(self) -> Self:
        self.stopped = self._asked.is_set()
        if not self.stopped:
            self._steps = self._start()
        return self

    def __exit__(self, *details: object) -> None:
        if self._steps is not None:
            self._steps.close()

    def __iter__(self) -> Iterator[Step]:
        for step in self._steps or ():
            yield step
            if self._asked.is_set():
                self.stopped = True
                return


def run(
    recipe: str,
    steps: Callable[[], Steps],
    board: Board,
    before: Callable[[], ImageTensor | None],
    options: dict,
    request: gr.Request | None,
    looks_like: Callable[[], ImageTensor | None] | None = None,
    inputs: dict | None = None,
) -> Updates:
    """Follow a recipe on a board until it ends, fails with a message, or its job is asked to stop.

    Args:
        steps: starts the recipe; called after the first update of the page.
        before: returns the picture that the slider compares with, `[3, H, W]`, or None.
        options: for the settings in the file.
        looks_like: returns the style picture, to detect lost colors; None if there is none.
        inputs: paths of pictures and other inputs, for the settings; as in `request_of`.
    """
    yield board.waiting()
    record, cleared, note = Record(recipe, options, before), False, ""
    try:
        record.inputs = request_of(inputs or {})  # at once, because what it is made from may be swept away meanwhile
        with UntilStopped(steps) as running:
            for step in running:
                if not cleared and (step.image is not None or step.losses or step.iteration):
                    cleared = True
                    yield board.cleared(request)
                record.take(step)
                yield _shown(step, board, record, request)
            if running.stopped:
                note = record.complete(options.get("size", 0))
    except RequestError as error:
        refusal = i18n.refusal(error, request)
        if record.image is not None:
            note = record.complete(options.get("size", 0))
            yield from _ended(board, record, joined(refusal.message, i18n.translate(note, request)), request)
        else:
            yield {**board.idle(), board.status: refusal.message}
        raise refusal from error
    if record.image is None:
        yield {**board.idle(), board.status: i18n.say("STOPPED_EARLY", request)}
        return
    sentence = joined(_last_words(record, running.stopped, request), i18n.translate(note, request))
    if options.get("extractor") == "auto" and "lite" in record.last.weights:
        sentence += " " + i18n.say("RETRY", request)
    trouble = "" if running.stopped else diagnose(record.result, _if_there(before), _if_there(looks_like))
    if trouble:
        sentence += f"\n\n⚠ {i18n.say(f'DIAGNOSIS_{trouble}', request)}"
    yield from _ended(board, record, sentence, request)


def _ended(board: Board, record: Record, sentence: str, request: gr.Request | None) -> Updates:
    """Save a run's picture and show it, or why it can't be saved."""
    try:
        yield _finished(board, record, sentence)
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
    frames, seconds = 0, 0.0
    with FrameWriter(out, fps) as writer, UntilStopped(steps) as running:
        for step in running:
            seconds = step.seconds
            if step.image is not None:
                writer.add(step.image)
                frames += 1
            files.in_use(out)
            yield show(step)
    return frames, seconds, running.stopped


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
    height, width = record.result.shape[-2:]
    if stopped:
        done = i18n.say("STOPPED", request, iteration=step.iteration, total=step.total)
    else:
        done = i18n.say("DONE", request, width=width, height=height, seconds=i18n.duration(step.seconds))
    network = i18n.say("NETWORK", request, names=", ".join(step.weights)) if step.weights else ""
    return " ".join(filter(None, (done, i18n.translate(step.note, request), network)))


def _finished(board: Board, record: Record, sentence: str) -> Update:
    path, original = record.save(), _if_there(record.before)
    if original is not None:
        photo = record.trail.begin(resize(original, tuple(record.result.shape[-2:])))
        compare = gr.update(value=(photo, path), visible=True)
    return {
        **board.idle(),
        board.status: sentence,
        # Files rather than arrays, because a job keeps its updates in memory.
        board.preview: gr.update(value=record.trail.show(fit(record.result, PREVIEW_SIDE)), visible=original is None),
        board.slider: compare if original is not None else gr.update(visible=False),
        board.plot: record.plot(),
        # Plain values rather than updates, because programs receive them unchanged.
        board.download: path,
        board.kind: FIRST_KIND,
        board.original: path,
        board.result: path,
    }
