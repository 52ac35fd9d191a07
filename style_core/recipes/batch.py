"""Batches: pictures made one after the other, under names that never collide; an interrupted batch can be continued."""

import hashlib
import json
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from torch import Tensor

from style_core.errors import RequestError
from style_core.media.images import check_suffix, check_writable, fit, from_pil, to_pil, write_image, write_result
from style_core.media.settings import settings_of
from style_core.memory import memory_in_words
from style_core.options import Options, Range
from style_core.progress import Step, Steps, finish
from style_core.recipes.batch_record import SHEET, BatchRecord
from style_core.weights.gallery import FROM_GALLERY

_SHEET_SIDE, _SMALLEST_CELL = 256, 32  # px, long side of a picture on the contact sheet, and of one among very many
_LONGEST_SHEET, _MOST_SHEET = 32_000, 2**26  # px, and pixels in all
_MARGIN, _LABEL = 8, 16  # px, of the contact sheet


@dataclass(frozen=True)
class Task:
    """One picture of a batch.

    Attributes:
        name: unique name of its file, without suffix.
        recipe, options: what to run.
        steps: starts the recipe: options -> Steps, the last of which holds the picture.
        sources: files and gallery styles that it is made from.
        content, style: labels for the contact sheet.
        alpha: returns its transparency `[1, h, w]`; called as soon as the recipe is started, since the photo may change later.
        extra: returns further settings to store; called before work on it starts.
        asked: what else it depends on, by name, as JSON can hold it.
    """

    name: str
    recipe: str
    options: Options
    steps: Callable[[Options], Steps]
    sources: tuple[str, ...]
    content: str = ""
    style: str = ""
    alpha: Callable[[], Tensor | None] = lambda: None
    extra: Callable[[], Mapping[str, Any]] = dict
    asked: Mapping[str, Any] = field(default_factory=dict)

    def fingerprint(self, writing: Mapping[str, Any]) -> str:
        """A digest that changes with the recipe, any option, any source, and how the file is written."""
        sources = [(source, *_state_of(source)) for source in self.sources]
        facts = [self.recipe, self.options.as_dict(), sources, dict(self.asked), dict(writing)]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Progress:
    """Progress of a batch.

    Attributes:
        task: the current task, or the one just done.
        done, total: numbers of tasks.
        step: the task's last Step; None for a task done by an earlier run.
        path: its file, once written.
        error: why it failed, or empty.
    """

    task: Task
    done: int
    total: int
    step: Step | None = None
    path: Path | None = None
    error: str = ""

    @property
    def share(self) -> float:
        """Share of the work done, in `[0, 1]`, including the current task's."""
        at_work = 0.0 if self.step is None or self.path or self.error else self.step.iteration / max(1, self.step.total)
        return min(1.0, (self.done + min(at_work, 1.0)) / max(1, self.total))


def run_tasks(tasks: Sequence[Task], folder: Path, *, suffix: str = ".png", **writing: Any) -> Generator[Progress, None, None]:
    """Make all pictures that don't exist yet; reports tasks that fail and continues with the rest.

    A picture that an earlier run made from the same files with the same options is kept, whoever has changed it since; one made with
    others is replaced, unless it was changed.

    Args:
        writing: arguments for `write_image`.
    Raises:
        RequestError: when the folder can't be written to, the suffix is unknown, or as `check_targets`.
    """
    check_targets(tasks, folder, suffix, **writing)
    made, total = BatchRecord(folder), len(tasks)
    made.prepare()
    for index, task in enumerate(tasks):
        path = folder / f"{task.name}{suffix}"
        fingerprint = task.fingerprint(writing)
        if made.has(path, fingerprint):
            yield Progress(task, index + 1, total, path=path)
            continue
        step: Step | None = None
        try:
            with made.making(path, fingerprint), closing(make(task, path, **writing)) as steps:
                for step in steps:
                    yield Progress(task, index, total, replace(step, image=None, full=None))
        except RequestError as error:
            yield Progress(task, index + 1, total, step, error=str(error))
            continue
        yield Progress(task, index + 1, total, step, path)


def check_targets(tasks: Sequence[Task], folder: Path, suffix: str, *, sheet: bool = False, **writing: Any) -> None:
    """Check before any work that no result replaces one of the sources, nor anything else but an unchanged result of a batch.

    Args:
        sheet: whether there will be a contact sheet, which is checked, too.
        writing: arguments for `write_image`.
    Raises:
        RequestError: naming what would be replaced.
    """
    sources = {_identity(Path(source)) for task in tasks for source in task.sources if os.path.isfile(source)}
    paths = [folder / f"{task.name}{suffix}" for task in tasks] + ([folder / SHEET] if sheet else [])
    if paths:
        check_suffix(paths[0])
    for path in paths:
        if os.path.isfile(path) and _identity(path) in sources:  # Path raises for a name that is too long
            raise RequestError("{file} is one of the pictures to be painted; choose another folder for the results.", file=path.name)
    record = BatchRecord(folder)
    kept = {path for task, path in zip(tasks, paths) if record.has(path, task.fingerprint(writing))}
    record.check([path for path in paths if path not in kept])


def _identity(path: Path) -> tuple[int, int]:
    """The same for two names of one file."""
    status = path.stat()
    return status.st_dev, status.st_ino


def make(task: Task, path: Path, **writing: Any) -> Steps:
    """Make the picture of a task and write it.

    Args:
        writing: how, as `write_image` takes it.
    Raises:
        RequestError: when it can't be made or written.
    """
    check_writable(path)
    step, extra = None, task.extra()
    with closing(task.steps(task.options)) as steps, memory_in_words(getattr(task.options, "size", 512)):
        alpha = task.alpha()
        for step in steps:
            yield step
    assert step is not None  # a recipe yields at least one Step
    settings = settings_of(task.recipe, task.options.as_dict(), weights=step.weights, **extra)
    write_result(path, step.result, settings=settings, alpha=alpha, **writing)


def contact_sheet(tasks: Sequence[Task], report: Callable[[Progress], None] = lambda progress: None) -> Image.Image:
    """All tasks painted small, side by side: a row for each content, a column for each style and strength.

    Pictures of very many tasks are smaller; if there are too many even then, the last rows and columns are left out.

    Args:
        report: called with the progress of each picture.
    """
    titles = {_column(task): _title(task) for task in tasks}
    columns, rows = list(titles), list(dict.fromkeys(task.content for task in tasks))
    side = _SHEET_SIDE
    while not _fits(_corner(len(rows), len(columns), side)) and side > _SMALLEST_CELL:
        side //= 2
    while not _fits(_corner(len(rows), len(columns), side)):
        longest = rows if _corner(len(rows), 0, side)[1] > _corner(0, len(columns), side)[0] else columns
        longest.pop()
    in_rows, in_columns = set(rows), set(columns)
    tasks = [task for task in tasks if task.content in in_rows and _column(task) in in_columns]
    sheet = Image.new("RGB", _corner(len(rows), len(columns), side), "white")
    draw, letters = ImageDraw.Draw(sheet), side // 6
    for place, column in enumerate(columns):
        draw.text((_corner(0, place, side)[0], _MARGIN // 2), titles[column][:letters], fill="black")
    for index, task in enumerate(tasks):
        left, top = _corner(rows.index(task.content), columns.index(_column(task)), side)
        step = None
        try:
            step = finish(task.steps(_small(task.options)))
            shown = to_pil(fit(step.result, side))
            sheet.paste(shown, (left, top))
            report(Progress(task, index + 1, len(tasks), step))
        except RequestError as error:
            draw.text((left, top), str(error)[:letters], fill="black")
            report(Progress(task, index + 1, len(tasks), step, error=str(error)))
        draw.text((left, top + side + 2), Path(task.content).name[:letters], fill="black")
    return sheet


def write_sheet(folder: Path, sheet: Image.Image) -> Path:
    """Save a contact sheet in the results' folder; returns its path.

    Raises:
        RequestError: when it can't be written, or would replace a file that isn't one.
    """
    record = BatchRecord(folder)
    record.prepare()
    path = folder / SHEET
    with record.making(path, "a contact sheet"):
        write_image(path, from_pil(sheet), quality=90)
    return path


def _small(options: Options) -> Options:
    """The same options at the contact sheet's size, or at the smallest size that the recipe allows."""
    allowed = next(field.allowed for field in options.fields() if field.name == "size")
    least = int(allowed.low) if isinstance(allowed, Range) else 0
    return options.make(**{**options.as_dict(), "size": max(least, _SHEET_SIDE)})


def _state_of(source: str) -> tuple[int, ...]:
    path = Path(source)
    if source.startswith(FROM_GALLERY) or not path.is_file():
        return ()
    return path.stat().st_size, path.stat().st_mtime_ns


def _column(task: Task) -> tuple:
    """What the pictures of a column have in common; files in different folders may have the same name."""
    return task.style, getattr(task.options, "strength", None)


def _title(task: Task) -> str:
    style = Path(task.style.removeprefix(FROM_GALLERY)).stem
    strength = getattr(task.options, "strength", None)
    return style if strength is None else f"{style} {strength:g}".strip()


def _corner(row: int, column: int, side: int) -> tuple[int, int]:
    """Left and top of a cell of the contact sheet, whose pictures have a long side of `side` px."""
    return _MARGIN + column * (side + _MARGIN), _MARGIN + _LABEL + row * (side + _LABEL + _MARGIN)


def _fits(size: tuple[int, int]) -> bool:
    return max(size) <= _LONGEST_SHEET and size[0] * size[1] <= _MOST_SHEET
