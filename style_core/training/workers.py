"""Workers: single-core threads that share the pictures of a training step."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

_Part = TypeVar("_Part")
_Result = TypeVar("_Result")


class Workers:
    """Shares pictures among threads, which uses the cores better than spreading each small operation over them.

    Args:
        cores: number of threads.
    """

    def __init__(self, cores: int):
        self.cores = cores
        self._pool = ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,))

    def spans(self, count: int) -> list[slice]:
        """`count` pictures, divided evenly."""
        cuts = [count * index // self.cores for index in range(self.cores + 1)]
        return [slice(start, end) for start, end in zip(cuts, cuts[1:]) if end > start]

    def map(self, work: Callable[[_Part], _Result], parts: Sequence[_Part]) -> list[_Result]:
        return list(self._pool.map(work, parts))

    def learn(self, losses: Callable[[slice], dict[str, Tensor]], objective: str, count: int) -> dict[str, float]:
        """Add the gradients of a step's mean `objective`, and return its mean losses by name.

        Args:
            losses: means over the pictures of a slice.
            objective: name of the loss to minimize.
            count: number of pictures in the step.
        """

        def learnt(span: slice) -> dict[str, float]:
            share = (span.stop - span.start) / count
            means = {name: loss * share for name, loss in losses(span).items()}
            means[objective].backward()
            return {name: float(loss.detach()) for name, loss in means.items()}

        done = self.map(learnt, self.spans(count))
        return {name: sum(means[name] for means in done) for name in done[0]}
