"""Running a recipe from the shell: progress to standard error, the picture to its file, JSON to standard output."""

import argparse
import json
import math
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from style_core.devices import Compute
from style_core.errors import RequestError, RunFailed
from style_core.media.images import check_writable, resize, write_result
from style_core.media.settings import done_of, settings_of
from style_core.media.video import FrameWriter, check_video_path
from style_core.memory import memory_in_words
from style_core.messages import joined
from style_core.networks.backbones import EXTRACTORS
from style_core.options import Options
from style_core.progress import Step, Steps
from style_core.recipes.imagine import ImagineOptions, nth
from style_core.recipes.recorded_inputs import MADE_FROM, request_of
from style_core.recipes.run_so_far import RunSoFar

USUAL = {"dpi": None, "quality": 95, "depth": 8}  # how files are written unless flags say otherwise
_TIMELAPSE_FRAMES = 240
FILM_FPS = 24
_SECONDS_A_LINE = 5.0


def run_recipe(recipe: str, steps: Steps, options: Options, compute: Compute, given: argparse.Namespace) -> int:
    """Run a recipe to its end, or until Ctrl-C, and save its picture with its settings.

    Returns:
        The exit status, as in `followed`.
    """
    check_writable(given.out)
    film = getattr(given, "timelapse", None)
    if film:
        check_video_path(film)
    request = requested(given)
    with FrameWriter(film, FILM_FPS) if film else nullcontext() as timelapse:
        follower = Follower(timelapse)
        status = followed(follower, steps, options)
        settings = settings_of(
            recipe, options.as_dict(), weights=follower.last.weights, request=request, **done_of(follower.shown, follower.last)
        )
        write_result(given.out, follower.result, settings=settings, alpha=getattr(given, "transparency", None), **file_options(given))
        follower.hold_last_frame()
    report(given, follower, options, compute)
    return status


def check_outputs(given: argparse.Namespace) -> None:
    """Check before any work that no result replaces a picture that it is made from; what is continued may be replaced.

    Raises:
        RequestError: naming the picture.
    """
    out, count = Path(given.out), getattr(given, "count", 1)
    outs = [out] if count < 2 else [_numbered(out, number) for number in range(1, count + 1)]
    outs += [Path(film) for name in ("timelapse", "morph", "zoom") if (film := getattr(given, name, None))]
    for name in MADE_FROM:
        value = getattr(given, name, None) or []
        for path in map(Path, [value] if isinstance(value, str) else value):
            if any(os.path.isfile(path) and os.path.isfile(each) and path.samefile(each) for each in outs):
                raise RequestError("{file} is one of the pictures to paint from; give the result another name.", file=path.name)


def _numbered(out: Path, number: int) -> Path:
    return out.with_name(f"{out.stem}-{number}{out.suffix}")


def requested(given: argparse.Namespace) -> dict[str, Any]:
    """The request to store in a picture, including what it takes over from the one that it continues; see `request_of`."""
    writing = file_options(given) if hasattr(given, "sized") else {}
    unusual = {name: None if value == USUAL[name] else value for name, value in writing.items()}
    return {**getattr(given, "carried", {}), **request_of({**vars(given), **unusual})}


def batch_names(files: Sequence[Path]) -> dict[Path, str]:
    """The name of each picture's result: `photo.png`, or `photo-jpg.png` if several pictures are called photo."""
    taken = Counter(path.stem.casefold() for path in files)
    names: dict[Path, str] = {}
    for path in sorted(files, key=lambda path: taken[path.stem.casefold()]):  # pictures with unique names keep them
        stem = path.stem if taken[path.stem.casefold()] == 1 else f"{path.stem}-{path.suffix.removeprefix('.')}"
        name, number = f"{stem}.png", 2
        while name.casefold() in {other.casefold() for other in names.values()}:
            name, number = f"{stem}-{number}.png", number + 1
        names[path] = name
    return names


def run_many(recipe: str, steps: Steps, options: ImagineOptions, compute: Compute, given: argparse.Namespace) -> int:
    """Run a recipe whose Steps hold separate pictures. Each is saved as it arrives, numbered from 1."""
    check_writable(given.out)
    out, paths, request = Path(given.out), [], requested(given)
    follower = Follower()

    def kept() -> Steps:
        for step in steps:
            if step.image is not None:
                path = _numbered(out, step.iteration)
                own = nth(options, step.iteration - 1).as_dict()
                write_result(
                    path,
                    step.image,
                    settings=settings_of(recipe, own, weights=step.weights, request=request),
                    **file_options(given),
                )
                paths.append(str(path))
            yield step

    status = followed(follower, kept(), options)
    report(given, follower, options, compute, out=paths)
    return status


def file_options(given: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments for `write_image`."""
    return {"dpi": given.sized.dpi, "quality": given.quality, "depth": given.depth}


def followed(follower: "Follower", steps: Steps, options: Options | None = None) -> int:
    """Follow Steps to the end, or until they fail after the first picture.

    Args:
        options: of the recipe. Their size, if they have one, is named if memory runs out.
    Returns:
        The exit status: 0, 130 after Ctrl-C, or 1 if the run failed on its way; what it made so far is kept in either case.
    """
    try:
        with closing(steps):
            status = _status_of(follower, steps, options)
            if status:  # only now, when what the run's last step computed is no longer in memory
                follower.complete(getattr(options, "size", 0))
    finally:
        follower.close()
    return status


def _status_of(follower: "Follower", steps: Steps, options: Options | None) -> int:
    try:
        with memory_in_words(getattr(options, "size", 512)):
            follower.follow(steps)
    except KeyboardInterrupt:
        if follower.image is None:
            raise
        return 130
    except RunFailed as error:
        if follower.image is None:
            raise
        print(error, file=sys.stderr)
        return 1
    return 0


class Follower(RunSoFar):
    """Shows Steps as a progress bar, keeps the last picture and the losses, and writes the frames of a timelapse."""

    def __init__(self, timelapse: FrameWriter | None = None):
        super().__init__()
        self.timelapse = timelapse
        self._film_size: tuple[int, ...] = ()
        self.losses: dict[str, float] = {}
        self._note = ""
        self._written = 0.0
        self._bar: tqdm | None = None

    def follow(self, steps: Steps) -> None:
        for step in steps:
            self.take(step)
            self.losses = step.losses or self.losses
            if step.image is not None and step.iteration % max(1, math.ceil(step.total / _TIMELAPSE_FRAMES)) == 0:
                self._add_frame(step.image)
            self._show(step)

    def complete(self, size: int) -> str:
        """As in any run; what can't be had is said here."""
        if note := super().complete(size):
            self.last = replace(self.last, note=joined(self.last.note, note))
            print(note, file=sys.stderr)
        return note

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def hold_last_frame(self) -> None:
        """End the timelapse with a second of the result."""
        if self.timelapse is not None:
            for _ in range(FILM_FPS):
                self._add_frame(self.result)

    def _add_frame(self, image: Tensor) -> None:
        """Add a frame to the timelapse, at the size of its first one: the result's, or that of previews if that is very large."""
        if self.timelapse is not None:
            self._film_size = self._film_size or tuple(image.shape[-2:])
            self.timelapse.add(image if tuple(image.shape[-2:]) == self._film_size else resize(image, self._film_size))

    def _show(self, step: Step) -> None:
        if step.note and step.note != self._note:
            self._note = step.note
            tqdm.write(step.note, file=sys.stderr)
            sys.stderr.flush()
        if not sys.stderr.isatty():
            self._write_progress(step)
        if self._bar is None or self._bar.total != step.total:
            self.close()
            self._bar = tqdm(total=step.total, file=sys.stderr, disable=not sys.stderr.isatty(), leave=False)
        self._bar.update(step.iteration - self._bar.n)
        if "total" in step.losses:
            self._bar.set_postfix({"loss": f"{step.losses['total']:.4f}"}, refresh=False)

    def _write_progress(self, step: Step) -> None:
        """A progress line every few seconds, for logs."""
        if step.iteration and step.seconds - self._written > _SECONDS_A_LINE:
            self._written = step.seconds
            left = "" if step.eta is None else f", {step.eta:.0f} s left"
            print(f"{step.iteration} of {step.total}{left}", file=sys.stderr, flush=True)


def report(given: argparse.Namespace, follower: Follower, options: Options | None, compute: Compute, out: list[str] | None = None) -> None:
    """Report the result. `out` lists the files if there are several."""
    height, width = follower.result.shape[-2:]
    last = follower.last
    if not given.json:
        print(f"{', '.join(out) if out else given.out}: {width} x {height} px in {last.seconds:.1f} s.", file=sys.stderr)
        return
    facts = {
        "out": out or str(Path(given.out)),
        "width": width,
        "height": height,
        "seconds": round(last.seconds, 3),
        "device": compute.device.type,
        "extractor": next((name for name in last.weights if name in EXTRACTORS), None),
        "iterations": last.iteration,
        "losses": {name: round(value, 6) for name, value in follower.losses.items()},
        "seed": getattr(options, "seed", None),
        "note": last.note or None,
    }
    print(json.dumps({key: value for key, value in facts.items() if value is not None}))
