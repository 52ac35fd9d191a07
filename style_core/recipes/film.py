"""Painting a clip frame by frame, with any painter; it can be stopped and continued at any frame."""

import hashlib
import json
import time
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from style_core.errors import RequestError
from style_core.files import sha256_of
from style_core.media.video import Clip, FrameWriter
from style_core.memory import memory_in_words
from style_core.messages import Message
from style_core.progress import Pace, Step, Steps

CLIP_SUFFIXES = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi")
_KEY = "pentimento"
_OURS = f'{{"{_KEY}": '  # how the requests begin that are stored in films
_WARM_UP = 12  # frames that are read again before a stopped film continues


class Painter(Protocol):
    """Paints the frames of a film in order.

    Attributes:
        weights: sha256 of the weight file of each network in use, as in a Step.
    """

    weights: dict[str, str]

    def paint_next(self, photo: Tensor) -> Generator[Step, None, list[Tensor]]:
        """Take the next frame `[3, H, W]`; yields Steps, with a picture if it shows a frame forming, and returns what is painted now.

        Those may be none, or of several frames, in order.
        """

    def paint_rest(self) -> Generator[Step, None, list[Tensor]]:
        """The paintings of all frames that are not done yet, likewise."""

    def observe(self, photo: Tensor) -> Any:
        """Update the state for a frame that was painted in an earlier run."""

    def resume_from(self, photo: Tensor, painted: Tensor) -> None:
        """Continue a film after its last frame, `painted`, which may lack an odd row and column."""


def announcement(clip: Clip, long_side: int) -> Step:
    """Step 0: the length and size of a clip, and the size of its film."""
    height, width = clip.size(long_side)
    said = Message(
        "{file} is {seconds:.1f} s long: {frames} frames of {width} x {height} px, painted at {across} x {down} px.",
        file=clip.path.name, seconds=clip.seconds, frames=clip.frames, width=clip.width, height=clip.height, across=width, down=height,
    )  # fmt: skip
    return Step(0, clip.frames, note=said)


def film_request(recipe: str, clip: Clip, pictures: Sequence[Tensor], options: Mapping[str, Any], weights: Mapping[str, str]) -> str:
    """A film's request as text, stored in the film, so that only the same request continues it."""
    digest = hashlib.sha256()
    for tensor in pictures:
        digest.update(repr(tuple(tensor.shape)).encode() + tensor.contiguous().numpy().tobytes())
    asked: dict[str, Any] = {"clip": sha256_of(clip.path), "styles": digest.hexdigest(), "options": dict(options), "weights": dict(weights)}
    return json.dumps({_KEY: {"recipe": recipe, **asked}}, sort_keys=True)


def painted_film(
    clip: Clip, out: str | Path, painter: Painter, request: str, long_side: int, *, begun: str | Path | None = None,
    preview_every: float = 1.0,
) -> Steps:  # fmt: skip
    """Paint a clip into the film `out`, with its sound and timing; yields a Step for each frame, and others in between.

    The film appears when the iteration ends. If it is stopped early, or fails because the clip is damaged or memory runs out, the frames
    so far become a playable film; after another error, an older file at `out` is kept.

    Args:
        request: as returned by `film_request`.
        long_side: px, of the frames.
        begun: a stopped film of the same request to continue, which may be `out` itself. A film of another request is ignored.
    """
    earlier = earlier_film(begun, request)
    done = earlier.frames if earlier else 0
    made, started, shown_at, painted = painter.weights, time.monotonic(), float("-inf"), None
    with (
        FrameWriter(out, clip.fps, clip.path, origin=clip.origin, comment=request, least=done + 1) as writer,
        memory_in_words(long_side),
    ):
        if earlier is None and (other := _film_of_ours(begun)) is not None:
            said = Message("{file} was painted with other settings or from another clip, so this film starts anew.", file=other.path.name)
            yield Step(0, clip.frames, note=said)
        if earlier:
            yield Step(done, clip.frames, note=Message("Continuing after frame {frames}.", frames=done), weights=made)
            painted = yield from _copied_from(earlier, clip, writer, painter, long_side)
        pace = Pace(warm=earlier is not None)  # the first frame takes longest
        waiting: deque[Fraction] = deque()  # times of the frames that are not painted yet
        for frame in chain(clip.read(long_side, skip=done), (None,)):
            if frame is not None:
                waiting.append(frame.at)
            working = painter.paint_rest() if frame is None else painter.paint_next(frame.image)
            while True:
                try:
                    step = next(working)
                except StopIteration as finished:
                    paintings = finished.value
                    break
                seconds, left = time.monotonic() - started, pace.left(clip.frames - writer.count)
                yield Step(writer.count, clip.frames, image=step.image, seconds=seconds, eta=left, note=step.note, weights=made)
            if paintings:
                pace.tick(len(paintings))
            for painted in paintings:
                writer.add(painted, waiting.popleft())
                preview = None
                if time.monotonic() - shown_at >= preview_every:
                    preview, shown_at = painted, time.monotonic()
                total = max(writer.count, clip.frames)
                left = pace.left(total - writer.count)
                yield Step(writer.count, total, image=preview, seconds=time.monotonic() - started, eta=left, weights=made)
    seconds = time.monotonic() - started
    yield Step(writer.count, writer.count, image=painted, seconds=seconds, eta=0.0, note=writer.note, weights=made)


def earlier_film(path: str | Path | None, request: str) -> Clip | None:
    """The film at `path`, if it belongs to this request and so can be continued."""
    film = _film_of_ours(path)
    return film if film is not None and film.comment == request else None


def _film_of_ours(path: str | Path | None) -> Clip | None:
    """The film at `path`, if it was painted by `painted_film`."""
    if path is None or not Path(path).is_file() or Path(path).suffix.lower() != ".mp4":
        return None
    try:
        film = Clip.open(path)
    except RequestError:
        return None  # not a readable film: start anew
    return film if film.comment.startswith(_OURS) else None


def _copied_from(earlier: Clip, clip: Clip, writer: FrameWriter, painter: Painter, long_side: int) -> Generator[Step, None, Tensor]:
    """Copy a stopped film's frames and bring the painter up to date with the clip; returns the last frame."""
    for frame in earlier.read():
        writer.add(frame.image, frame.at)
    done = writer.count
    for seen in islice(clip.read(long_side, skip=max(0, done - _WARM_UP)), min(done, _WARM_UP)):
        painter.observe(seen.image)
        yield Step(done, clip.frames)
    painter.resume_from(seen.image, frame.image)
    return frame.image
