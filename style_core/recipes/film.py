"""Painting a clip frame by frame, with any painter; it can be stopped and continued at any frame."""

import hashlib
import json
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from style_core.errors import RequestError, RunFailed
from style_core.files import sha256_of
from style_core.media.clip import Clip, Damage, Frame
from style_core.media.video import SUFFIXES, FrameWriter
from style_core.memory import memory_in_words
from style_core.messages import Message, joined
from style_core.progress import Pace, Step, Steps, retold

CLIP_SUFFIXES = (
    ".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".mts", ".m2ts", ".ts", ".mpg", ".mpeg", ".3gp", ".wmv", ".flv", ".ogv",
)  # fmt: skip
_KEY = "pentimento"
_OURS = f'{{"{_KEY}": '  # how the requests begin that are stored in films
_WARM_UP = 12  # frames that are read again before a stopped film continues
_TOLD_EVERY = 0.5  # seconds between Steps while frames pass that are painted already
_CUT_OFF = 0.9  # share of a clip's length; one that ends before has probably been cut off


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


def is_clip(source: str | Path, out: str | Path) -> bool:
    """Whether a file is painted as a clip into `out`, rather than as a picture; a GIF is if `out` is a film."""
    suffix = Path(source).suffix.lower()
    return suffix in CLIP_SUFFIXES or (suffix == ".gif" and Path(out).suffix.lower() in SUFFIXES)


def painted_film(
    clip: Clip, out: str | Path, painter: Painter, request: str, long_side: int, *, continue_from: str | Path | None = None,
    preview_every: float = 1.0,
) -> Steps:  # fmt: skip
    """Paint a clip into the film `out`, with its sound and timing; yields a Step for each frame, and others in between.

    The film appears when the iteration ends. If it is stopped early, or fails because the clip is damaged or memory runs out, the frames
    so far become a playable film; after another error, an older file at `out` is kept. A film of ours at `out` that was painted for
    another request is kept too, unless the new one is whole or at least as long.

    Args:
        request: as returned by `film_request`.
        long_side: px, of the frames.
        continue_from: a stopped film of the same request to continue, which may be `out` itself.
    Raises:
        RequestError: if `continue_from` was painted for another request, and is not `out`, which then starts anew.
    """
    earlier, other = earlier_film(continue_from, request), None
    said = ""
    if earlier is None and (other := _film_of_ours(continue_from)) is not None:
        if Path(out) != other.path:
            raise RequestError(
                "The film to continue was painted with other settings or from another clip; set them as they were, or start anew."
            )
        said = Message("{file} was painted with other settings or from another clip, so this film starts anew.", file=other.path.name)
    elif Path(out).suffix.lower() == ".gif":
        said = Message("A GIF has no sound and can't be continued once it was stopped; an .mp4 has sound and can be continued.")
    least = earlier.frames + 1 if earlier else other.frames if other else 1
    with (
        FrameWriter(out, clip.fps, clip.path, origin=clip.origin, comment=request, least=least) as writer,
        memory_in_words(long_side),
    ):
        if said:
            yield Step(0, clip.frames, note=said)
        yield from _Filming(clip, writer, painter, preview_every).steps(clip.read(long_side, damage := Damage()), damage, earlier)


class _Filming:
    """A film being painted.

    Args:
        preview_every: least seconds between two Steps with a picture.
    """

    def __init__(self, clip: Clip, writer: FrameWriter, painter: Painter, preview_every: float):
        self._clip, self._writer, self._painter, self._preview_every = clip, writer, painter, preview_every
        self._started, self._shown_at = time.monotonic(), float("-inf")
        self._pace = Pace()  # the first frame takes longest
        self._waiting: deque[Frame] = deque()  # those that are not painted yet
        self._painted: Tensor | None = None

    def steps(self, frames: Iterable[Frame], damage: Damage, earlier: Clip | None) -> Steps:
        """Paint a clip's frames; those that an `earlier` film has are copied from it."""
        frames, end = iter(frames), 0.0
        if earlier:
            yield from self._continued(frames, earlier)
            self._pace = Pace(warm=True)
        for frame in frames:
            end = float(frame.at + frame.lasts)
            self._waiting.append(frame)
            yield from self._kept(self._painter.paint_next(frame.image))
        yield from self._kept(self._painter.paint_rest())
        count = self._writer.count
        yield self._step(count, self._painted, 0.0, self._missing(damage, end), total=count)

    def _kept(self, working: Generator[Step, None, list[Tensor]]) -> Steps:
        """Write what a painter has done when it has, and show how it gets on."""
        paintings = yield from retold(working, lambda step: self._step(self._writer.count, step.image, self._left(), step.note))
        if paintings:
            self._pace.tick(len(paintings))
        for painted in paintings:
            frame, self._painted = self._waiting.popleft(), painted
            self._writer.add(painted, frame.at, frame.lasts)
            preview = None
            if time.monotonic() - self._shown_at >= self._preview_every:
                preview, self._shown_at = painted, time.monotonic()
            yield self._step(self._writer.count, preview, self._left())

    def _continued(self, frames: Iterator[Frame], earlier: Clip) -> Steps:
        """Copy a stopped film's frames and bring the painter up to date with the clip."""
        done, told = earlier.frames, time.monotonic()
        yield self._step(done, note=Message("Continuing after frame {frames}.", frames=done))
        copied = self._writer.copy(earlier)
        for _ in chain(self._added(earlier) if copied is None else copied, self._caught_up(frames, earlier)):
            if time.monotonic() - told >= _TOLD_EVERY:
                yield self._step(done)
                told = time.monotonic()

    def _caught_up(self, frames: Iterator[Frame], earlier: Clip) -> Iterator[None]:
        """Show the painter what it needs of the clip's frames that the earlier film has; yields after each."""
        seen = None
        for index, seen in zip(range(earlier.frames), frames):
            if index >= earlier.frames - _WARM_UP:
                self._painter.observe(seen.image)
            yield
        if seen is None:
            raise RunFailed("{file} is damaged ({reason}); export or download it again.", file=self._clip.path.name, reason="its beginning")
        self._painted = earlier.last().image
        self._painter.resume_from(seen.image, self._painted)

    def _added(self, earlier: Clip) -> Iterator[None]:
        for frame in earlier.read():
            self._writer.add(frame.image, frame.at, frame.lasts)
            yield

    def _left(self) -> float | None:
        return self._pace.left(max(0, self._clip.frames - self._writer.count))

    def _missing(self, damage: Damage, end: float) -> str:
        """What of the clip is missing from the film, if anything is."""
        said = ""
        if end < _CUT_OFF * self._clip.seconds:
            said = Message(
                "The clip ends after {end:.1f} s, though its file says {told:.1f} s; it has probably been cut off.",
                end=end, told=self._clip.seconds,
            )  # fmt: skip
        elif damage.packets:
            said = Message("Parts of the clip are damaged ({reason}) and were left out.", reason=damage.reason)
        return joined(said, self._writer.note)

    def _step(
        self, count: int, image: Tensor | None = None, left: float | None = None, note: str = "", total: int | None = None
    ) -> Step:  # fmt: skip
        return Step(
            count, max(count, self._clip.frames) if total is None else total, image=image,
            seconds=time.monotonic() - self._started, eta=left, note=note, weights=self._painter.weights,
        )  # fmt: skip


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
