"""Batches from a shell: `python -m style_core batch JOB.toml`, and `--batch` of every recipe."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from style_core.cli.run import batch_names, file_options, requested
from style_core.devices import DEVICES, Compute
from style_core.errors import RequestError
from style_core.options import Options
from style_core.progress import Steps
from style_core.recipes.batch import Progress, Task, check_targets, contact_sheet, run_tasks, write_sheet
from style_core.recipes.batch_record import results_in
from style_core.recipes.job_file import files_of, read_job
from style_core.recipes.recorded_inputs import PLAIN
from style_core.recipes.table import RECIPES, picture_name

_EPILOG = """A job file, TOML or JSON:

    recipe = "stylize"
    out = "painted"                          # folder
    contents = ["photos", "more/*.jpg"]      # files, folders, patterns
    styles = ["paintings", "gallery:red-fuji"]
    strengths = [0.5, 1.0]
    options = { size = 1024 }

Each content is painted in each style at each strength. A contact sheet of small versions, sheet.jpg, comes first, unless sheet is false.
If interrupted, run the same command again to continue. With other options, results are replaced, but not those changed since, nor files
that no batch made.
"""


def add(commands: Any) -> None:
    """The command `batch`."""
    parser = commands.add_parser(
        "batch", help="Paint the pictures listed in a job file.", epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("job", metavar="JOB.toml", help="The job file.")
    parser.add_argument("--sheet-only", action="store_true", help="Paint only the contact sheet.")
    parser.add_argument("--device", default="auto", metavar="|".join(DEVICES), help="Where to compute (default auto).")
    parser.add_argument("--json", action="store_true", help="Print one JSON object to standard output at the end.")
    parser.set_defaults(run=_run_job)


def check_flags(given: argparse.Namespace) -> None:
    """Refuse flags that work only with one picture.

    Raises:
        RequestError: naming the first such flag.
    """
    for name, flag in {"continue_from": "--continue", "timelapse": "--timelapse", "zoom": "--zoom", "morph": "--morph"}.items():
        if getattr(given, name, None):
            raise RequestError("{flag} works with one picture, not with --batch.", flag=flag)
    if getattr(given, "count", 1) > 1:
        raise RequestError("--batch makes one picture from each; leave out --count.")


def run_folder(
    recipe: str, source: str | None, steps: Callable[[Path], Steps], options: Options, compute: Compute, given: argparse.Namespace
) -> int:
    """Process every picture of a folder into another folder; reports unreadable pictures and does the rest.

    Args:
        source: the folder.
        steps: file -> Steps.
    Returns:
        The exit status: 0, or 1 when some pictures could not be made.
    Raises:
        RequestError: when the folder isn't there, or holds no pictures.
    """
    folder = Path(source or "")
    if not source or not folder.is_dir():
        raise RequestError(
            "{folder} is not a folder; with --batch, the first picture is a folder of pictures.", folder=folder.name or "That"
        )
    others = [str(path) for name in ("styles", "guide", "mask", "init_image") for path in _listed(getattr(given, name, None))]
    tasks, first = [], _first_of(recipe)
    for path, name in batch_names(files_of([str(folder)], without=results_in(Path(given.out)))).items():
        start = partial(_start, steps, path)
        asked = argparse.Namespace(**{**vars(given), first: [str(path)] if first == "near" else str(path)})
        tasks.append(
            Task(
                Path(name).stem,
                recipe,
                options,
                start,
                (str(path), *others),
                str(path),
                alpha=lambda: getattr(given, "transparency", None),
                extra=partial(_extra, asked),
                asked={name: getattr(given, name, None) for name in PLAIN},
            )
        )
    return _run(tasks, Path(given.out), compute, given, **file_options(given))


def _start(steps: Callable[[Path], Steps], path: Path, options: Options) -> Steps:
    return steps(path)


def _extra(given: argparse.Namespace) -> dict[str, Any]:
    return {"request": requested(given)}


def _first_of(recipe: str) -> str:
    """Name of the argument for a recipe's first picture."""
    return picture_name(RECIPES[recipe].takes[0]) if RECIPES[recipe].takes else "near"


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _run_job(given: argparse.Namespace) -> int:
    compute = Compute.choose(given.device)
    job = read_job(given.job, compute)
    check_targets(job.tasks, job.folder, job.suffix, sheet=job.sheet or given.sheet_only)
    if job.sheet or given.sheet_only:
        with _bar(len(job.tasks)) as bar:
            path = write_sheet(job.folder, contact_sheet(job.tasks, lambda progress: _show(bar, progress)))
        print(f"{path}: {len(job.tasks)} pictures, small.", file=sys.stderr)
    if given.sheet_only:
        return 0
    return _run(with_origins(job.tasks), job.folder, compute, given, suffix=job.suffix)


def with_origins(tasks: Sequence[Task]) -> list[Task]:
    """Tasks whose pictures record what they were made from."""
    return [replace(task, extra=partial(_extra, _asked(task))) for task in tasks]


def _asked(task: Task) -> argparse.Namespace:
    """The command-line arguments that correspond to a task."""
    pictures = {_first_of(task.recipe): task.content, "styles": [task.style] if task.style else None}
    return argparse.Namespace(**pictures, keep_alpha=True)


def _run(tasks: Sequence[Task], folder: Path, compute: Compute, given: argparse.Namespace, **how: Any) -> int:
    """Run all tasks with one progress bar, and report at the end, or after Ctrl-C."""
    done, failed, kept, started, stopped = [], {}, 0, time.monotonic(), False
    with _bar(len(tasks)) as bar, closing(run_tasks(tasks, folder, **how)) as progresses:
        try:
            for progress in progresses:
                _show(bar, progress)
                if progress.error:
                    failed[Path(progress.task.content).name] = progress.error
                elif progress.path:
                    done.append(str(progress.path))
                    kept += progress.step is None
        except KeyboardInterrupt:
            stopped = True
    if given.json:
        facts = {
            "out": done,
            "failed": failed,
            "kept": kept,
            "seconds": round(time.monotonic() - started, 3),
            "device": compute.device.type,
        }
        print(json.dumps(facts))
    else:
        already = f", {kept} of them by an earlier run" if kept else ""
        print(f"{folder}: {len(done)} of {len(tasks)} pictures{already}.", file=sys.stderr)
    return 130 if stopped else 1 if failed else 0


def _bar(total: int) -> tqdm:
    shape = "{l_bar}{bar}| {n:.1f} of {total} [{elapsed}<{remaining}]"
    return tqdm(total=total, file=sys.stderr, disable=not sys.stderr.isatty(), leave=False, bar_format=shape)


def _show(bar: tqdm, progress: Progress) -> None:
    if progress.error:
        tqdm.write(progress.error, file=sys.stderr)
    bar.update(progress.share * progress.total - bar.n)
