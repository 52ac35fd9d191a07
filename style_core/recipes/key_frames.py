"""Films by key frames: few frames are painted, and their paint moves along with the picture to those in between."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import cv2
import numpy
import torch
from torch import Tensor

from style_core.devices import cores
from style_core.media.boxes import Box
from style_core.media.marked import boxes_around
from style_core.media.motion import Motion, carried_along, motions_between, onward, padded_to
from style_core.options import Options, Range, option
from style_core.progress import Step
from style_core.recipes.patches import painted_parts
from style_core.recipes.steady_paint import SteadyPaint

_MOST_UNEXPLAINED = 0.4  # share of the picture that motion needn't explain between two key frames
_KNOWN = 0.6  # of 1; what is known less is a gap
_WIDE_GAP, _LEAST_GAP = 5, 0.001  # px, and share of the picture, from which a gap is painted; smaller ones take the colors around
_MOST_SHEETS = 2  # pictures of the frame's size that gaps between two key frames may cost
_GAP_MARGIN, _GAP_AROUND = 4, 16  # px around a gap that are replaced as far as they are gaps, and px around these for the painter to see


@dataclass(frozen=True)
class FilmOptions(Options):
    """Consistency of a film's frames, and how many of them are painted."""

    steadiness: float = option(
        1.0,
        "How much of the previous frame's paint moves along with the picture; at 0 every frame is painted, and the video flickers.",
        Range(0, 1, 0.05),
    )
    key_every: int = option(
        8, "Paint only every n-th frame, a key frame; the frames in between get its paint, moved with the picture.", Range(1, 24, 1)
    )

    @property
    def painted_every(self) -> int:
        """Frames from one that is painted to the next: without steadiness, each is."""
        return self.key_every if self.steadiness else 1


@dataclass(frozen=True)
class _Moved:
    """A photo `[3, H, W]`, the motion from the one before, and the motion back to that."""

    photo: Tensor
    motion: Motion
    back: Motion


class KeyFramePainter(ABC):
    """Paints frames in order, each consistent with those before it. Subclasses add `_fresh`, `_sketch`, and `observe` for a `Painter`.

    Paint moves along with the picture (as in Ruder et al. 2016, but blended) and starts anew at a cut.

    With steadiness, only key frames are painted. What the frames between two of them show for the first time takes its paint from
    the later one, back along the motion (as key frames are propagated by Jamriska et al. 2019, "Stylizing Video by Example"). What
    neither of the two shows, such as the limbs of somebody who walks, is painted for itself. A key frame is set earlier if motion
    explains too little of the picture.

    Args:
        film: how steady, and how often a key frame is painted.
        paint: what carries the paint along.
    """

    _linked = False  # whether a frame starts from the last one even without steadiness

    def __init__(self, film: FilmOptions, paint: SteadyPaint):
        self.weights: dict[str, str] = {}
        self._film, self._paint = film, paint
        self._last: Tensor | None = None  # the newest photo
        self._waiting: deque[tuple[Tensor, Future]] = deque()  # photos that aren't painted yet, and their motion
        self._pool = ThreadPoolExecutor(cores())  # OpenCV computes most of the motion in one thread

    @abstractmethod
    def _fresh(self, photo: Tensor, frames: int = 1, motions: Sequence[Motion] = ()) -> Generator[Step, None, Tensor]:
        """Paint a frame `[3, H, W]`; yields Steps, with a picture if it shows the frame forming. An odd row and column may be missing.

        Args:
            frames: how many have passed since one was painted like this.
            motions: from frame to frame, from the last one of the film so far to this one; none if it is painted anew.
        """

    @abstractmethod
    def _sketch(self, picture: Tensor, photo: Tensor, key: Tensor) -> Generator[Step, None, Tensor]:
        """Paint at once a picture `[3, H, W]` that shows parts of frames on the last key frame, `photo`, whose painting is `key`."""

    def _finished(self, painted: Tensor, photo: Tensor) -> Tensor:
        """What is shown of a painted frame; paint moves along before that."""
        return painted

    def paint_next(self, photo: Tensor) -> Generator[Step, None, list[Tensor]]:
        """Take the next frame `[3, H, W]`, and return the paintings that are done then, in order; see `Painter`."""
        last, self._last = self._last, photo
        if last is None or not (self._film.steadiness or self._linked):
            return [(yield from self._painted_anew(photo))]
        self._waiting.append((photo, self._pool.submit(motions_between, last, photo)))
        return (yield from self.paint_rest()) if len(self._waiting) == self._film.painted_every else []

    def paint_rest(self) -> Generator[Step, None, list[Tensor]]:
        """Paint the frames that wait; see `Painter`."""
        done: list[Tensor] = []
        while self._waiting:
            done += yield from self._painted_group()
        return done

    def _painted_group(self) -> Generator[Step, None, list[Tensor]]:
        """Paint the frames that wait, up to the next key frame."""
        group: list[_Moved] = []
        unexplained = 0.0
        while self._waiting and len(group) < self._film.painted_every and unexplained < _MOST_UNEXPLAINED:
            moved = _Moved(self._waiting[0][0], *self._waiting[0][1].result())
            if moved.motion.cut and group:
                break
            self._waiting.popleft()
            if moved.motion.cut:
                return [(yield from self._painted_anew(moved.photo, cut=True))]
            group.append(moved)
            unexplained += 1 - float(moved.motion.confidence.mean())
        return (yield from self._painted_together(group))

    def _painted_together(self, group: Sequence[_Moved]) -> Generator[Step, None, list[Tensor]]:
        """Paint frames that follow each other, the last one as a key frame."""
        painted = yield from self._fresh(group[-1].photo, len(group), [moved.motion for moved in group])
        key = padded_to(painted, group[-1].photo)
        ways: list[Motion] = []  # from each frame but the last to the key frame, the last of these first
        for after in reversed(group[1:]):
            ways.append(onward(after.back, ways[-1]) if ways else after.back)
        between = list(zip(group, reversed(ways)))
        patches = yield from self._patches(between, group[-1].photo, key)
        done = []
        for (moved, way), patched in zip(between, patches):
            fresh, shown = carried_along(key, way), way.confidence.copy()
            for box, patch in patched:
                known = shown[box.slices()]
                box.of(fresh).copy_(torch.lerp(patch, box.of(fresh), torch.from_numpy(known)))
                known[:] = 1
            done.append(self._paint.onto(moved.photo, fresh, moved.motion, shown))
        done.append(self._paint.onto(group[-1].photo, key, group[-1].motion))
        return [self._finished(painted, moved.photo) for painted, moved in zip(done, group)]

    def _patches(
        self, frames: Sequence[tuple[_Moved, Motion]], photo: Tensor, key: Tensor
    ) -> Generator[Step, None, list[list[tuple[Box, Tensor]]]]:
        """For each frame, what neither the one before nor the key frame shows, painted: boxes of it, and their paintings.

        If there is too much of it, the least high boxes are left out.

        Args:
            frames: each with the way to the key frame.
            photo, key: the key frame and its painting.
        """
        size = (photo.shape[-2], photo.shape[-1])
        boxes = [_gaps(way.confidence, moved.motion.confidence) for moved, way in frames]
        parts = [box.grown(_GAP_AROUND, size).of(moved.photo) for (moved, _), gaps in zip(frames, boxes) for box in gaps]
        painted = iter((yield from painted_parts(parts, photo, partial(self._sketch, photo=photo, key=key), _MOST_SHEETS)))
        pairs = [[(box, next(painted)) for box in gaps] for gaps in boxes]
        return [[(box, box.within(box.grown(_GAP_AROUND, size)).of(part)) for box, part in gaps if part is not None] for gaps in pairs]

    def _painted_anew(self, photo: Tensor, *, cut: bool = False) -> Generator[Step, None, Tensor]:
        """The painting of a frame that takes nothing from the others; `cut` if that is because a scene begins."""
        fresh = yield from self._fresh(photo)
        self._paint.start(photo, fresh)
        return self._finished(fresh, photo)

    def resume_from(self, photo: Tensor, painted: Tensor) -> None:
        """Continue a film after its last frame, `painted`, which may lack an odd row and column."""
        self._last = photo
        self._paint.start(photo, painted)


def _gaps(shown: numpy.ndarray, carried: numpy.ndarray) -> list[Box]:
    """Boxes around what neither the key frame shows nor the paint of the frame before, `[H, W]` in `[0, 1]` each."""
    unknown = (shown + (1 - shown) * carried < _KNOWN).astype(numpy.uint8)
    wide = cv2.morphologyEx(unknown, cv2.MORPH_OPEN, numpy.ones((_WIDE_GAP, _WIDE_GAP), numpy.uint8))
    return [box for box in boxes_around(wide > 0, _GAP_MARGIN) if wide[box.slices()].sum() > _LEAST_GAP * wide.size]
