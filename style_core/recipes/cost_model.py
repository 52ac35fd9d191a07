"""The cost model: time and memory of a run, predicted from its operations and the machine's speed."""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from style_core.devices import Compute
from style_core.media.images import size_to_fit
from style_core.networks.backbones import BACKBONES
from style_core.networks.costs import Shape
from style_core.networks.generator import FIRST_SIDE
from style_core.networks.vgg19 import block_of, stride_of
from style_core.optimization.hypercolumns import GRID
from style_core.optimization.sliced import MOST_SORTED
from style_core.optimization.tiles import tiles_of
from style_core.recipes.memory_plan import Network, Plan
from style_core.recipes.run_history import BASE_BYTES, Estimate, best_seen

_TRAVERSALS = 35  # passes of all activations through memory per iteration: rectifiers, pooling, Gram matrices, forward and backward
_PICTURE_TRAVERSALS = 100  # passes of the float32 picture through memory per iteration, by the optimizer
# What a style loss computes besides Gram matrices takes as long as moving so many bytes, fitted to 192 to 768 px in one thread: for each
# value of the picture's hypercolumns, for each value sorted, and for each cube of a layer's channels, whose matrix is decomposed.
_COMPARED = {"nearest": 380, "transport": 960}
_SORTED_VALUE, _DECOMPOSED = 1600, 10
_OVERHEAD = 1.1  # of a run's time over its iterations: targets, previews
_DREAM_PICTURES = 12  # float32 pictures that a dream keeps
_ROUND_TRIP = 2.2  # as in memory_plan.py
_GENERATED = 2e5  # operations per pixel of the generator, encoder and decoder
_GENERATED_MOVED = 1.8e4  # bytes per pixel that they move; both fitted to 0.2 to 11 megapixels in float32 and bfloat16
_ADJUSTED = 1.2  # cost of a small first result, which is encoded too, over that of painting as many pixels
_STYLE_READ = 1e5  # encoding a style picture and judging the result cost as much as painting this many pixels
_GENERATED_BYTES = 750  # per pixel, in float32, up to the size of a tile: measured from 1 to 33 megapixels, with the next two
_GENERATED_TILE = 2**20  # pixels of a tile
_COARSE_BYTES = 140  # per pixel, in float32, of the coarse stages, which see the whole picture
_PICTURES = 8  # float32 pictures that stylize keeps
_STEADYING = 4.2e-7  # seconds per pixel of a film's frame, in one thread: motion, and paint that moves along
_FILED = 5e-8  # seconds per pixel: reading a frame and writing one
_IMAGINED = 0.02e12  # operations of a latent picture before it is enlarged
_INVERTED = 1.25e12  # operations of inverting a picture, of which most wait for memory


@dataclass(frozen=True)
class Situation:
    """What the cost of a run depends on besides its options.

    Attributes:
        compute: where it runs.
        photo: height and width; None without a photo.
        network: a name in `BACKBONES`, for recipes that use a feature network.
        started: whether the run starts from a given picture.
        styles: number of styles.
    """

    compute: Compute
    photo: tuple[int, int] | None = None
    network: str = "lite"
    started: bool = False
    styles: int = 1

    def size(self, long_side: int) -> tuple[int, int]:
        """Height and width of the result: the photo's shape, or a square."""
        return (long_side, long_side) if self.photo is None else size_to_fit(self.photo, long_side)


@dataclass(frozen=True)
class Cost:
    """The model's prediction for a run.

    Attributes:
        kind: the recipe, its network and what else sets its pace; predictions are corrected by earlier runs of the same kind.
        estimate: the model's prediction.
        size: height and width that memory depends on; None if the recipe itself refuses what doesn't fit.
    """

    kind: str
    estimate: Estimate
    size: tuple[int, int] | None = None


def network_cost(
    sizes: Sequence[tuple[int, int, int]],
    extractor: str | Shape,
    compute: Compute,
    deepest: str = "relu5_1",
    plans: Sequence[Plan] | None = None,
    largest: int | None = None,
) -> Estimate:
    """Time and memory of passes through a feature network, forward and backward.

    Args:
        sizes: height, width and iterations of each level or octave.
        extractor: the name of a backbone, or a network's shape.
        deepest: the deepest layer used.
        plans: how each size is painted; None means without an optimizer's memory.
        largest: without plans, the longest side in px of the tiles that a picture is seen in; None means that it is seen at once.
    """
    shape = BACKBONES[extractor].shape if isinstance(extractor, str) else extractor
    bytes_each = compute.dtype.itemsize
    work = moved = 0.0
    for index, (height, width, count) in enumerate(sizes):
        passes = _passes(plans[index], deepest) if plans else 1.0
        work += count * passes * 2 * shape.flops(height, width, deepest)
        kept = _TRAVERSALS * passes * bytes_each * shape.activations(height, width, deepest)
        moved += count * (kept + _PICTURE_TRAVERSALS * 12 * height * width)
    height, width, _ = max(sizes)
    most = largest or max(height, width)
    seen = shape.activations(min(height, most), min(width, most), deepest)
    memory = BASE_BYTES + _ROUND_TRIP * bytes_each * seen + _DREAM_PICTURES * 12 * height * width
    memory = max(plan.bytes for plan in plans) if plans else memory
    return Estimate(_OVERHEAD * (work / _rate(compute) + moved / _bandwidth(compute)), memory)


def style_loss_seconds(height: int, width: int, network: Network, compute: Compute) -> float:
    """Time that one evaluation of a network's style loss takes beyond that of Gram matrices, for a picture of this size."""
    channels = {layer: network.shape.widths[block_of(layer)] for layer in network.style}
    moved: float
    if network.loss == "covariance":
        moved = _DECOMPOSED * network.regions * sum(each**3 for each in channels.values())
    elif network.loss == "sliced":
        values = [min(MOST_SORTED, each * height * width / stride_of(layer) ** 2) for layer, each in channels.items()]
        moved = _SORTED_VALUE * sum(values)
    else:
        moved = _COMPARED.get(network.loss, 0) * sum(channels.values()) * height * width / GRID**2
    return _OVERHEAD * moved / _bandwidth(compute)


def generator_cost(height: int, width: int, compute: Compute, count: int = 1, imagined: bool = False) -> Estimate:
    """Time and memory of `count` pictures of the generator; `imagined` ones come from the latent space first."""
    if imagined:
        return _painting(height, width, compute, count, operations=_IMAGINED)
    first = _ADJUSTED * height * width * min(1, FIRST_SIDE / min(height, width)) ** 2
    return _painting(height, width, compute, count, first + _STYLE_READ)


def inversion_seconds() -> float:
    """Time to invert a picture in the latent space, which always runs on the CPU in float32."""
    return _INVERTED / _rate(Compute.choose("cpu", "fp32"))


def _painting(height: int, width: int, compute: Compute, count: int = 1, first: float = 0.0, operations: float = 0.0) -> Estimate:
    """Time and memory of `count` pictures.

    Args:
        first: pixels that are painted beforehand, for each picture.
        operations: others, for each picture.
    """
    pixels = height * width
    seen = pixels + first
    seconds = (_GENERATED * seen + operations) / _rate(compute) + _GENERATED_MOVED * seen / _bandwidth(compute)
    features = compute.dtype.itemsize / 4 * (_GENERATED_BYTES * min(pixels, _GENERATED_TILE) + _COARSE_BYTES * pixels)
    return Estimate(0.05 + count * seconds, BASE_BYTES + features + _PICTURES * 12 * pixels)


def film_cost(height: int, width: int, compute: Compute, frames: int, painted_every: int, steady: bool) -> Estimate:
    """Time and memory of a stylized film, of which one frame of `painted_every` is painted."""
    painted = _painting(height, width, compute)  # codes are adjusted only once for a scene
    return Estimate(frames * (painted.seconds / painted_every + carrying_seconds(height, width, steady)), painted.bytes)


def carrying_seconds(height: int, width: int, steady: bool = True) -> float:
    """Time that a film's frame takes besides painting: reading and writing, and if `steady`, motion and paint that moves along."""
    return (_FILED + _STEADYING * steady) * height * width


def _passes(plan: Plan, deepest: str) -> float:
    """Cost of a level relative to painting it at once: tiles add a forward pass without gradients, and their halos."""
    if plan.side is None:
        return 1.0
    seen = 0
    for tile in tiles_of(plan.height, plan.width, plan.side, [deepest]):
        rows, columns = tile.crop
        seen += (rows.stop - rows.start) * (columns.stop - columns.start)
    return 1.5 * seen / (plan.height * plan.width)


def measure_machine(compute: Compute) -> None:
    """Measure the machine's speed, from which estimates start. Call it once, while the machine is still idle; it takes under a second."""
    _rate(compute)
    _bandwidth(compute)


@functools.lru_cache(maxsize=4)
def _rate(compute: Compute) -> float:
    """FLOP/s of a typical convolution on this machine, measured once per process."""
    side, channels = 96, 128
    x = torch.rand(1, channels, side, side, device=compute.device).to(compute.dtype, memory_format=compute.memory_format)
    weight = torch.rand(channels, channels, 3, 3, device=compute.device).to(compute.dtype, memory_format=compute.memory_format)
    work = 2 * 9 * channels * channels * side * side
    return best_seen("operations a second", compute, lambda: work / _fastest(lambda: functional.conv2d(x, weight, padding=1)))


@functools.lru_cache(maxsize=4)
def _bandwidth(compute: Compute) -> float:
    """Memory bandwidth of this machine in bytes per second, measured once per process."""
    source = torch.ones(2**24, device=compute.device)
    target = torch.empty_like(source)
    moved = 2 * source.numel() * source.element_size()
    return best_seen("bytes a second", compute, lambda: moved / _fastest(lambda: target.copy_(source)))


def _fastest(work: Callable[[], Tensor]) -> float:
    """Seconds of the fastest of four runs."""
    best = float("inf")
    for _ in range(4):
        started = time.perf_counter()
        found = work()
        float(found[(0,) * found.ndim])  # reading a value waits for a GPU
        best = min(best, time.perf_counter() - started)
    return best
