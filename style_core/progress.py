"""Steps: what a recipe yields while it runs."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

from torch import Tensor

from style_core.errors import RunFailed
from style_core.memory import memory_in_words

_Told = TypeVar("_Told")
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Level:
    """Where a picture that is painted at several sizes, from small to large, has got to.

    Attributes:
        side: long side of the size at work, px.
        skipped: iterations that the sizes before it left out, because the picture no longer changed.
    """

    side: int
    skipped: int = 0


@dataclass(frozen=True)
class Step:
    """A recipe's progress at one moment.

    Step 0 comes before any heavy work, later ones at most about a second apart, and the last one holds the result.
    Closing the generator cancels the run.

    Attributes:
        iteration: iterations done.
        total: iterations planned; a run may end earlier and says so in `note`.
        losses: relative losses by name, such as `style relu4_1`; empty before the first evaluation.
        image: `[3, H, W]` sRGB in `[0, 1]`, on the CPU and detached; None if no preview was due. Previews of very large results are
            reduced.
        seconds: since the run began.
        eta: expected seconds until the result; None while unknown.
        note: a message to the user, or empty.
        weights: sha256 of the weight file of each network in use, by network, such as `vgg19`.
        level: the size at work; None for a recipe that has one size, or before the first.
        full: where previews are reduced, makes the picture so far at the size of the result; see `whole_picture`. It works until the next
            Step is asked for, or the generator is closed, and also after an exception within the generator. It holds the run's
            memory, and doesn't travel to other processes.
    """

    iteration: int
    total: int
    losses: dict[str, float] = field(default_factory=dict)
    image: Tensor | None = None
    seconds: float = 0.0
    eta: float | None = None
    note: str = ""
    weights: dict[str, str] = field(default_factory=dict)
    level: Level | None = None
    full: Callable[[], Tensor] | None = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "full": None}

    @property
    def result(self) -> Tensor:
        """The picture of a last Step, which always has one."""
        assert self.image is not None, "the last Step of a recipe has a picture"
        return self.image


class Pace:
    """Time that work takes by what was done so far.

    Args:
        warm: whether the first piece of work counts; it often takes longer than the others.
    """

    def __init__(self, *, warm: bool = False):
        self._began = time.monotonic() if warm else None
        self._last, self._done = 0.0, 0

    def tick(self, work: int) -> None:
        """Note that so much work, in any unit, was done just now."""
        self._last = time.monotonic()
        if self._began is None:
            self._began = self._last
        else:
            self._done += work

    def left(self, to_do: int) -> float | None:
        """Seconds that further work will take; None as long as nothing counts."""
        if self._began is None or not self._done:
            return None
        each = (self._last - self._began) / self._done
        return max(0.0, each * to_do - (time.monotonic() - self._last))


# A running recipe. Callers that stop before the end must close it.
Steps = Generator[Step, None, None]


def finish(steps: Iterable[Step]) -> Step:
    """Run a recipe to its end and return the last Step, whose `image` is the result.

    Raises:
        ValueError: if there were no steps at all.
    """
    with closing(steps) if isinstance(steps, Generator) else nullcontext():
        last = deque(steps, maxlen=1)
    if not last:
        raise ValueError("A recipe yields at least one Step; this one yielded none.")
    return last[0]


def whole_picture(last: Step) -> Tensor | None:
    """The picture at full size of a run that ends early, with the Step `last`; None if that can't be had or `last` says nothing of it."""
    if last.full is None:
        return None
    try:
        with memory_in_words(max(1, last.level.side if last.level else 0)):
            return last.full()
    except RunFailed:
        return None


def retold(steps: Generator[_Told, None, _Value], tell: Callable[[_Told], Step]) -> Generator[Step, None, _Value]:
    """Steps of a part of the work, each told by `tell` as one of the whole: `value = yield from retold(steps, tell)`."""
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return end.value
            yield tell(step)


def returned(steps: Generator[Any, None, _Value]) -> _Value:
    """Exhaust a generator, ignore what it yields, and return its return value."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
