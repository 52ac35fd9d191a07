"""Films from the shell: painted clips, morphs between imagined pictures, dream zooms."""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from style_core.cli.run import FILM_FPS, Follower, file_options, followed, report
from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.images import check_writable, read_image, write_image, write_result
from style_core.media.settings import settings_of
from style_core.media.video import FrameWriter, check_video_path
from style_core.options import Options
from style_core.progress import Steps

_FACTS = "zoom.json"


def run_clip(steps: Steps, compute: Compute, given: argparse.Namespace) -> int:
    """Run a recipe that writes its own film.

    Returns:
        The exit status, as in `followed`. The film so far is kept, and the same command resumes it.
    """
    follower, before = Follower(), _state(given.out)
    status = followed(follower, steps)
    if before and _state(given.out) == before:
        print(f"Ended before the new film was as long as the one that is there; {given.out} is as it was.", file=sys.stderr)
    elif not os.path.exists(given.out) or not follower.last.iteration:
        print("Ended before a frame was done; no film was written.", file=sys.stderr)
    else:
        report(given, follower, None, compute)
    return status


def _state(path: str) -> tuple[int, int] | None:
    """What changes with a file; None if there is none."""
    return (os.stat(path).st_ino, os.stat(path).st_mtime_ns) if os.path.exists(path) else None


def run_morph(recipe: str, steps: Steps, options: Options, compute: Compute, given: argparse.Namespace) -> int:
    """Run a recipe whose Steps are the frames of a film; its last picture is also saved."""
    check_writable(given.out)
    check_video_path(given.morph)
    follower = Follower()
    with FrameWriter(given.morph, FILM_FPS) as writer:

        def filmed() -> Steps:
            for step in steps:
                if step.image is not None:
                    writer.add(step.image)
                yield step

        status = followed(follower, filmed(), options)
    settings = settings_of(recipe, options.as_dict(), weights=follower.last.weights)
    write_result(given.out, follower.result, settings=settings, **file_options(given))
    report(given, follower, options, compute)
    return status


def run_zoom(zoom: Callable[..., Steps], facts: dict[str, Any], options: Options, compute: Compute, given: argparse.Namespace) -> int:
    """Write a dream zoom. Its frames are kept in a folder beside the film until the film is complete.

    Args:
        zoom: makes the Steps, given the `last` frame and how many are `done`.
        facts: of the request. Frames in the folder are reused only if they belong to the same request.
    Returns:
        The exit status: 0, or 130 when interrupted. The same command then resumes.
    Raises:
        RequestError: when the folder holds the frames of another zoom.
    """
    check_writable(given.out)
    film = check_video_path(given.zoom)
    folder = film.with_name(f"{film.name}.frames")
    frames = _kept_frames(folder, facts)
    follower = Follower()

    def kept() -> Steps:
        last = read_image(frames[-1]) if frames else None
        with closing(zoom(last=last, done=len(frames))) as steps:
            for step in steps:
                if step.image is not None:
                    if not frames:
                        _make(folder, facts)
                    path = folder / f"{step.iteration:05}.png"
                    write_image(path, step.image)
                    frames.append(path)
                yield step

    status = followed(follower, kept(), options)
    with FrameWriter(film, FILM_FPS) as writer:
        for path in frames:
            writer.add(read_image(path))
    follower.image = read_image(frames[-1])
    settings = settings_of("dream", options.as_dict(), weights=follower.last.weights)
    write_result(given.out, follower.result, settings=settings, **file_options(given))
    if not status:
        shutil.rmtree(folder)
    report(given, follower, options, compute)
    return status


def _kept_frames(folder: Path, facts: dict[str, Any]) -> list[Path]:
    """Frames left by an earlier run of the same zoom, in order.

    Raises:
        RequestError: if they are those of another zoom.
    """
    frames = sorted(folder.glob("*.png"))
    if frames and (not (folder / _FACTS).is_file() or json.loads((folder / _FACTS).read_text(encoding="utf-8")) != facts):
        raise RequestError("{folder} holds the frames of another zoom; remove it, or choose another name for the film.", folder=folder.name)
    return frames


def _make(folder: Path, facts: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / _FACTS).write_text(json.dumps(facts), encoding="utf-8")
