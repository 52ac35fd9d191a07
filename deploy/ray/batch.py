"""Many pictures, or many films, on a Ray cluster by Ray Data: `python -m deploy.ray.batch job JOB.toml`.

A job file is what `python -m style_core batch` reads. Files and results lie in a folder that all workers share. A worker
loads its weights once. Ray Data replaces one that dies and repeats its picture.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.data import ActorPoolStrategy, DataContext

from deploy.ray.cluster import LOCAL, compute_of_worker, connect, share_of
from style_core.cli.batch import with_origins
from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.images import read_image
from style_core.media.reading import PRINTS
from style_core.progress import finish
from style_core.recipes.batch import check_targets, make
from style_core.recipes.batch_record import BatchRecord
from style_core.recipes.film import CLIP_SUFFIXES
from style_core.recipes.job_file import read_job
from style_core.recipes.stylize import StylizeOptions
from style_core.recipes.stylize_clip import stylize_clip
from style_core.weights.gallery import FROM_GALLERY, gallery_code
from style_core.weights.open import open_generator

Rows = dict[str, np.ndarray]  # columns by name


class PicturePainter:
    """A Ray Data actor that makes the pictures of a job file: it returns rows with a `name` and an `error`, which may be empty."""

    def __init__(self, job: str):
        compute = compute_of_worker()
        open_generator(compute)
        read = read_job(job, compute)
        self._folder, self._suffix = read.folder, read.suffix
        self._tasks = {task.name: task for task in with_origins(read.tasks)}

    def __call__(self, rows: Rows) -> Rows:
        return {**rows, "error": np.array([self._make(name) for name in rows["name"]])}

    def _make(self, name: str) -> str:
        try:
            finish(make(self._tasks[name], self._folder / f"{name}{self._suffix}"))
        except RequestError as error:
            return str(error)
        return ""


class FilmPainter:
    """A Ray Data actor that paints whole clips: a frame needs the one before it. Rows have a `name`, a `clip` and an `out`."""

    def __init__(self, style: str, size: int):
        self._compute, self._options = compute_of_worker(), StylizeOptions(size=size)
        generator = open_generator(self._compute)
        named = style.startswith(FROM_GALLERY)
        self._codes = [gallery_code(style.removeprefix(FROM_GALLERY), generator.sha256)] if named else []
        self._styles = [] if named else [read_image(style, limits=PRINTS)]

    def __call__(self, rows: Rows) -> Rows:
        return {**rows, "error": np.array([self._make(clip, out) for clip, out in zip(rows["clip"], rows["out"])])}

    def _make(self, clip: str, out: str) -> str:
        try:
            finish(stylize_clip(clip, out, self._styles, self._options, codes=self._codes, compute=self._compute))
        except RequestError as error:
            Path(out).unlink(missing_ok=True)  # the frames before it failed would pass for the whole film
            return str(error)
        return ""


def painted(rows: Sequence[dict[str, str]], painter: type, given: tuple, cores: int) -> Iterator[dict[str, Any]]:
    """Finished rows, in any order.

    Args:
        painter: an actor's class; `given` are its arguments.
        cores: for each actor, where the cluster has no GPUs.
    """
    context = DataContext.get_current()
    context.enable_progress_bars, context.print_on_execution_start = False, False
    count, resources = share_of(cores)
    count = min(count, len(rows))
    work = ray.data.from_items(list(rows), override_num_blocks=len(rows)).map_batches(
        painter, fn_constructor_args=given, batch_size=1, compute=ActorPoolStrategy(size=count), **resources
    )
    yield from work.iter_rows()


def paint_job(job: str, cores: int = 1) -> tuple[list[Path], dict[str, str]]:
    """Make every picture of a job file that isn't there yet.

    Returns:
        The files made, and the errors of the others, by name.
    Raises:
        RequestError: for a job file that can't be read, a file that would be replaced but isn't a batch's, or a cluster that is too small.
    """
    read = read_job(job, Compute.choose("cpu"))
    check_targets(read.tasks, read.folder, read.suffix)
    made, tasks = BatchRecord(read.folder), {task.name: task for task in read.tasks}
    made.prepare()
    files = {name: read.folder / f"{name}{read.suffix}" for name in tasks}
    wanted = {name: task.fingerprint({}) for name, task in tasks.items()}
    rows = [{"name": name} for name in tasks if not made.has(files[name], wanted[name])]
    made.begin({files[row["name"]]: wanted[row["name"]] for row in rows})
    done, failed = [], {}
    for row in painted(rows, PicturePainter, (str(Path(job).resolve()),), cores) if rows else ():
        if row["error"]:
            failed[row["name"]] = row["error"]
            made.drop(files[row["name"]])
        else:
            made.note(files[row["name"]])
            done.append(files[row["name"]])
    return done, failed


def paint_films(clips: Path, style: str, out: Path, size: int, cores: int = 1) -> tuple[list[Path], dict[str, str]]:
    """Paint every clip of a folder that has no film yet, a clip to a worker; returns as `paint_job` does.

    Args:
        style: a picture's path, or a gallery style's name behind `gallery:`.
        size: long side in px.
    Raises:
        RequestError: when there are no clips, the style can't be read, the size is out of range, or the cluster is too small.
    """
    found = sorted(path for path in clips.glob("*") if path.suffix.lower() in CLIP_SUFFIXES)
    if not found:
        raise RequestError(f"There are no clips in {clips.name}.")
    out.mkdir(parents=True, exist_ok=True)
    # Clips of one name and two suffixes get films of two names.
    films = {path.name: (out / f"{path.name}.mp4").resolve() for path in found}
    rows = [
        {"name": path.name, "clip": str(path.resolve()), "out": str(films[path.name])} for path in found if not films[path.name].exists()
    ]
    # What is wrong with these is said here: an actor's error would be Ray's.
    StylizeOptions(size=size)
    if style.startswith(FROM_GALLERY):
        gallery_code(style.removeprefix(FROM_GALLERY))
    else:
        read_image(style, limits=PRINTS)
        style = str(Path(style).resolve())
    done, failed = [], {}
    for row in painted(rows, FilmPainter, (style, size), cores) if rows else ():
        if row["error"]:
            failed[row["name"]] = row["error"]
        else:
            done.append(films[row["name"]])
    return done, failed


def _cores(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text[:20]} is not a number of cores; use a whole number from 1.")
    return int(text)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.ray.batch", description=__doc__)
    parser.add_argument("--address", default=LOCAL, help=f"Of the Ray cluster: host:port, auto, or {LOCAL} (the default).")
    parser.add_argument("--cores", type=_cores, default=1, help="CPU cores of each worker, without GPUs (default 1).")
    commands = parser.add_subparsers(dest="command", required=True)
    job = commands.add_parser("job", help="Pictures, as a job file says.")
    job.add_argument("job", metavar="JOB.toml")
    films = commands.add_parser("films", help="Every clip of a folder, by the generator.")
    films.add_argument("clips", type=Path)
    films.add_argument("style", help="A painting, or gallery:NAME.")
    films.add_argument("-o", "--out", type=Path, required=True, help="Folder of the films.")
    films.add_argument("--size", type=int, default=512, help="Long side in px (default 512).")
    given, started = parser.parse_args(), time.monotonic()
    try:
        connect(given.address)
        if given.command == "job":
            done, failed = paint_job(given.job, given.cores)
        else:
            done, failed = paint_films(given.clips, given.style, given.out, given.size, given.cores)
    except RequestError as error:
        parser.error(str(error))
    for name, why in failed.items():
        print(f"{name}: {why}", file=sys.stderr)
    print(f"{len(done)} made, {len(failed)} could not be, in {time.monotonic() - started:.1f} s.", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
