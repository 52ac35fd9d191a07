"""The sizes at which a picture is optimized, the iterations at each, and the time left."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from style_core.errors import RequestError
from style_core.media.images import size_to_fit
from style_core.media.settings import iterations_of
from style_core.progress import Level
from style_core.recipes.optimize_options import OptimizeOptions

_SMALLEST_LEVEL = 96  # px, long side; smaller pictures have no strokes
_NARROWEST_LEVEL = 32  # px, short side: two positions of the deepest layers; only a panorama meets this limit
_SMALLEST_STARTED = 384  # likewise, for a run from a given picture, which already has large strokes
_PYRAMID_FROM = 256  # px, long side: smaller pictures are painted at once
_COARSE_SHARE = 0.4  # share of the iterations for all levels but the last
# Above this long side in px the last level gets fewer iterations, since the strokes are there already and only fine grain is missing:
# by this exponent of the size, but at least so many, or a fifth of all. Of 200, 50 remain at 2,048 px and 20 from 12 megapixels to A1
# (benchmarks/large.md).
_SHRINKING_FROM, _SHRINKING, _FEWEST = 1024, 1.25, 20
_NEWEST, _STEADY = 20, 3  # iterations that the time left is told from, and the fewest


def levels_of(size: tuple[int, int], options: OptimizeOptions, started: bool = False) -> list[tuple[int, int, int]]:
    """Height, width and iterations of each size at which a picture of `size` (height, width) is painted, smallest first.

    Args:
        started: whether the run starts from a given picture.
    """
    height, width = size
    factors = [1.0]
    smallest = _SMALLEST_STARTED if started or options.init == "generator" else _SMALLEST_LEVEL
    if options.pyramid and max(size) >= _PYRAMID_FROM:
        while max(size) * factors[-1] / 2 >= smallest and min(size) * factors[-1] / 2 >= _NARROWEST_LEVEL:
            factors.append(factors[-1] / 2)
    counts = split_iterations(options.iterations, len(factors), max(size))
    return [
        (max(1, round(height * factor)), max(1, round(width * factor)), count) for factor, count in zip(reversed(factors), counts) if count
    ]


def split_iterations(total: int, levels: int, side: int = 0) -> list[int]:
    """Iterations for each level, smallest first; the last level always gets some.

    Args:
        side: long side of the last level, px.
    """
    if levels == 1:
        return [total]
    last = (1 - _COARSE_SHARE) * min(1.0, (_SHRINKING_FROM / max(side, 1)) ** _SHRINKING)
    coarse = total - max(1, round(max(total * last, min(_FEWEST, total / 5))))
    each = [coarse // (levels - 1)] * (levels - 1)
    return [*each, total - sum(each)]


def levels_left(levels: Sequence[tuple[int, int, int]], done: int, reached: Level | None = None) -> list[tuple[int, int, int]]:
    """The rest of the levels from `levels_of` after `done` iterations, which are fewer than all of them.

    Args:
        reached: the level of the picture that goes on. A smaller one would undo its detail, so its iterations are made at this one, or
            at the next larger one there is. None goes on wherever so many iterations lead.
    """
    position = done if reached is None else done + reached.skipped
    left = []
    for height, width, count in levels:
        made = min(position, count)
        position -= made
        if count > made:
            left.append((height, width, count - made))
    if reached is None:
        return left
    large = [level for level in left if max(level[:2]) >= reached.side]
    (height, width, count), *rest = large or [(*left[-1][:2], 0)]
    total = sum(count for *_, count in left)
    return [(height, width, total - sum(count for *_, count in rest)), *rest]


def level_reached(settings: Mapping[str, Any], shape: Sequence[int]) -> Level:
    """The level that an optimized picture was at when it ended.

    Pictures of earlier versions don't say it; theirs follows from their own options, as if no level had ended early.

    Args:
        settings: as stored in it.
        shape: its height and width, or others of the same ratio.
    Raises:
        RequestError: if the settings are damaged.
    """
    options = OptimizeOptions.make(**settings["options"])
    if "done" not in settings:
        return Level(options.size)
    if "level" in settings:
        return _level_in(settings["level"])
    levels = levels_of(size_to_fit(shape, options.size), options, started="init_image" in settings.get("request", {}))
    left = levels_left(levels, iterations_of(settings))
    height, width, _ = left[0] if left else levels[-1]
    return Level(max(height, width))


def _level_in(stored: Any) -> Level:
    try:
        return Level(int(stored["side"]), int(stored["skipped"]))
    except (KeyError, TypeError, ValueError) as error:
        raise RequestError(
            "The settings inside the picture are damaged, so it can't be continued; start from it as a picture instead."
        ) from error


class PaintingPace:
    """Time left of a painting, by the pixels of all its iterations; the first iteration includes warm-up and doesn't count.

    By the median of the newest iterations, because between two of them a run may stand still for another one. Unknown before there are
    a few.
    """

    def __init__(self, levels: Sequence[tuple[int, int, int]], started: float):
        self._started, self._last = started, 0.0
        self._each: deque[float] | None = None  # seconds per pixel, of the newest iterations
        self._to_do = sum(height * width * count for height, width, count in levels)

    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def tick(self, pixels: int) -> None:
        now = time.monotonic()
        if self._each is None:
            self._each = deque(maxlen=_NEWEST)
        else:
            self._each.append((now - self._last) / pixels)
        self._last = now
        self._to_do -= pixels

    def skip(self, pixels: int) -> None:
        """Remove the remaining work of a level that ended early."""
        self._to_do -= pixels

    def left(self) -> float | None:
        if self._each is None or len(self._each) < _STEADY:
            return None
        return max(0.0, median(self._each) * self._to_do - (time.monotonic() - self._last))
