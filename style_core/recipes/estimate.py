"""Estimates before a long run: how long it will take here, and how much memory."""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from style_core.devices import Compute
from style_core.networks.costs import activations, flops
from style_core.networks.vgg19 import LITE_WIDTHS, VGG19_WIDTHS

WIDTHS = {"vgg19": VGG19_WIDTHS, "lite": LITE_WIDTHS}

_BASE_BYTES = 0.45e9  # of a process with torch and a network loaded
_HISTORY = 30  # pictures in float32 that L-BFGS and the recipe keep
_ROUND_TRIP = 2.2  # times the activations: they, their gradients on the way back, and what convolutions borrow
_TRAVERSALS = 35  # of all activations through memory in an iteration: rectifiers, pooling, Gram matrices, both ways
_PICTURE_TRAVERSALS = 100  # likewise, of the picture in float32: the optimizer
_OVERHEAD = 1.1  # of a run over its iterations: targets, previews
_GIGABYTE = 1e9


@dataclass(frozen=True)
class Estimate:
    """What a run will take: `seconds`, and `bytes` of memory at its peak."""

    seconds: float
    bytes: float


def estimate(sizes: Sequence[tuple[int, int, int]], extractor: str, compute: Compute, deepest: str = "relu5_1") -> Estimate:
    """Estimate an optimization.

    Args:
        sizes: height, width and iterations of each level or octave.
        extractor: `vgg19` or `lite`.
        deepest: the deepest layer that is used.
    """
    widths = WIDTHS[extractor]
    bytes_each = torch.finfo(compute.dtype).bits / 8
    work = sum(count * 2 * flops(widths, height, width, deepest) for height, width, count in sizes)
    moved = sum(
        count * (_TRAVERSALS * bytes_each * activations(widths, height, width, deepest) + _PICTURE_TRAVERSALS * 12 * height * width)
        for height, width, count in sizes
    )  # fmt: skip
    height, width, _ = max(sizes)
    memory = _BASE_BYTES + _ROUND_TRIP * bytes_each * activations(widths, height, width, deepest) + _HISTORY * 12 * height * width
    return Estimate(_OVERHEAD * (work / _rate(compute) + moved / _bandwidth(compute)), memory)


def largest_that_fits(size: int, needed: Estimate, free: float) -> int:
    """The long side, in steps of 32 px, at which a run that needs too much at `size` would fit into `free` bytes."""
    share = max(0.0, free - _BASE_BYTES) / max(1.0, needed.bytes - _BASE_BYTES)
    return max(64, int(size * share**0.5) // 32 * 32)


@functools.lru_cache(maxsize=4)
def _rate(compute: Compute) -> float:
    """FLOP/s of a typical convolution here, measured once."""
    side, channels = 96, 128
    x = torch.rand(1, channels, side, side, device=compute.device).to(compute.dtype, memory_format=compute.memory_format)
    weight = torch.rand(channels, channels, 3, 3, device=compute.device).to(compute.dtype, memory_format=compute.memory_format)
    return 2 * 9 * channels * channels * side * side / _fastest(lambda: functional.conv2d(x, weight, padding=1))


@functools.lru_cache(maxsize=4)
def _bandwidth(compute: Compute) -> float:
    """Bytes a second that go through memory here, measured once."""
    source = torch.ones(2**24, device=compute.device)
    target = torch.empty_like(source)
    return 2 * source.numel() * source.element_size() / _fastest(lambda: target.copy_(source))


def _fastest(work: Callable[[], Tensor]) -> float:
    """Seconds of the fastest of four runs."""
    best = float("inf")
    for _ in range(4):
        started = time.perf_counter()
        found = work()
        float(found[(0,) * found.ndim])  # reading a value waits for a GPU
        best = min(best, time.perf_counter() - started)
    return best
