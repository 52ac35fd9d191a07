"""Plans for the available memory: whether a picture is optimized whole or in tiles, and how much the optimizer remembers."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.images import size_to_fit
from style_core.memory import available_bytes
from style_core.messages import Message, joined
from style_core.networks.costs import Shape
from style_core.networks.vgg19 import LAYERS, block_of, stride_of
from style_core.optimization.descent import History
from style_core.optimization.dream_term import term_layers
from style_core.optimization.hypercolumns import GRID, MOST_POSITIONS
from style_core.optimization.objective import MOMENT_LOSSES, LossWeights
from style_core.optimization.tiles import reach_of, tiles_of

_BASE_BYTES = 0.55e9  # of a process with torch and a network loaded
_ROUND_TRIP = 2.2  # memory relative to the activations: with gradients and the convolutions' workspace
_GUIDED = 2  # copies of the style layers' features while one of several regions is compared: measured with 6
_COLUMNS = 24  # bytes per value of a picture's hypercolumns: values, unit vectors, and gradients of both
_PICTURES = 13.5  # float32 pictures that the recipe and L-BFGS keep besides its pairs: measured at 3 and 12 megapixels
_PICTURES_ADAM = 3.9  # likewise, with Adam and a start in 8 bits: measured at 66 megapixels
_LOADED = 4  # float32 pictures that a run keeps while it measures its styles
# Bytes per activation, without gradients, of measuring a style picture: of the network's own type, and besides.
_FORWARD, _BESIDE = 0.55, 0.8
_MEASURED = 8  # bytes per value of a style's hypercolumns while they are measured
_SAMPLED = 12  # likewise, of the sample that is kept
STYLE_TILE = 1024  # px, tiles for style pictures larger than a result that is painted at once
_LEAST_STYLE_TILE = 256  # px, likewise, of small results
# Long style pictures are cut to so many times the pixels of the result, but never below this ratio of their sides.
_MOST_STYLE, _LONG_STYLE = 32, 4
# Sides of tiles, px. The smallest one's crops are mostly halo, which costs time, so an optimizer that remembers less comes before it.
_SIDES, _SMALLEST_SIDES = (2048, 1536, 1024, 768, 512, 384), (256,)
_SHARE = 0.9  # of the free memory that a run may use
_UNKNOWN = 4e9  # bytes to assume if the system doesn't report free memory
# From the best to the smallest. Three pairs in bfloat16 are as good as ten in float32 at large sizes; Adam is worse (benchmarks/large.md).
_HISTORIES = (History(10), History(3, torch.bfloat16), History(0), History(0, torch.bfloat16))


@dataclass(frozen=True)
class Network:
    """A feature network in use, as memory and time depend on it.

    Attributes:
        shape: the network's cost.
        style, content, dream: the layers in use.
        regions: number of regions with their own style.
        loss: the style loss, one of `STYLE_LOSSES`.
        styles: height and width of each style picture.
        style_scale: as in `style_size`.
    """

    shape: Shape
    style: tuple[str, ...]
    content: tuple[str, ...]
    regions: int = 1
    loss: str = "gram"
    dream: tuple[str, ...] = ()
    styles: tuple[tuple[int, int], ...] = ()
    style_scale: float = 1.0

    @property
    def layers(self) -> tuple[str, ...]:
        return (*self.style, *self.content, *self.dream)

    @property
    def places(self) -> bool:
        """Whether the style loss compares positions, which keeps hypercolumns."""
        return self.loss not in MOMENT_LOSSES

    @property
    def deepest(self) -> str:
        return max(self.layers, key=LAYERS.index)


def network_of(shape: Shape, loss_weights: LossWeights, regions: int = 1, loss: str = "gram") -> Network:
    """The parts of a network that loss weights use, with one of `STYLE_LOSSES`."""
    return Network(
        shape,
        tuple(layer for layer, weight in loss_weights.style.items() if weight > 0),
        tuple(layer for layer, weight in loss_weights.content.items() if weight > 0),
        regions,
        loss,
        tuple(term_layers(loss_weights.dream)),
    )


@dataclass(frozen=True)
class Plan:
    """How a level is optimized.

    Attributes:
        height, width: px.
        side: side of tiles, px; None is the whole picture at once.
        history: the optimizer's kind and memory.
        bytes: peak memory.
        instead: whether Adam takes the place of L-BFGS, for which memory is too short.
    """

    height: int
    width: int
    side: int | None
    history: History
    bytes: float
    instead: bool = False

    def sentence(self) -> str:
        """A note to the user about it, or empty."""
        if self.side is None and self.history.dtype == torch.float32 and not self.instead:
            return ""
        facts = {"width": self.width, "height": self.height, "side": self.side, "pairs": self.history.pairs, "gigabytes": self.bytes / 1e9}
        if self.history.is_adam and self.side is None:
            how = "The picture of {width} x {height} px is painted with Adam, in about {gigabytes:.1f} GB of memory."
        elif self.history.is_adam:
            how = "The picture of {width} x {height} px is painted in tiles of {side} px with Adam, in about {gigabytes:.1f} GB of memory."
        elif self.side is None:
            how = "The picture of {width} x {height} px is painted with {pairs} L-BFGS pairs, in about {gigabytes:.1f} GB of memory."
        else:
            how = (
                "The picture of {width} x {height} px is painted in tiles of {side} px with {pairs} L-BFGS pairs, in about "
                "{gigabytes:.1f} GB of memory."
            )
        return joined(Message(how, **facts), "There is too little memory for L-BFGS." if self.instead else "")


def plan_for(
    size: tuple[int, int], network: Network, compute: Compute, optimizer: str = "lbfgs", free: float | None = None, tileable: bool = True
) -> Plan:
    """The best plan for a picture of `size` (height, width) that fits into memory.

    Args:
        free: bytes that the run may use; None is 90 % of the free memory.
        tileable: whether the objective can be computed in tiles.
    Raises:
        RequestError: when no plan fits; names a size that would.
    """
    allowed = budget(compute) if free is None else free
    for found in _ways(size, network, compute, optimizer, tileable):
        if found.bytes <= allowed:
            return replace(found, instead=found.history.is_adam and optimizer == "lbfgs")
    least = min(_ways(size, network, compute, optimizer, tileable), key=lambda way: way.bytes)
    raise _too_large(size, least.bytes, allowed, lambda smaller: _fits(smaller, network, compute, optimizer, tileable, allowed))


def check_fits(size: tuple[int, int], needed: Callable[[tuple[int, int]], float], allowed: float) -> None:
    """Check that a picture of `size` (height, width), which needs so many bytes, fits into those that are allowed.

    Raises:
        RequestError: if it doesn't fit; names a size that would.
    """
    if needed(size) > allowed:
        raise _too_large(size, needed(size), allowed, lambda smaller: needed(smaller) <= allowed)


def _too_large(size: tuple[int, int], needed: float, allowed: float, fits: Callable[[tuple[int, int]], bool]) -> RequestError:
    height, width = size
    facts = {"width": width, "height": height, "needed": needed / 1e9, "free": allowed / 1e9}
    fitting = largest_that_fits(size, fits)
    if not fits(size_to_fit(size, fitting)):
        return RequestError(
            "A picture of {width} x {height} px needs at least {needed:.1f} GB of memory, and {free:.1f} GB can be used here, which is too "
            "little for any size; close other programs, or allow more.",
            **facts,
        )
    return RequestError(
        "A picture of {width} x {height} px needs at least {needed:.1f} GB of memory, and {free:.1f} GB can be used here; choose a size of "
        "at most {fitting} px.",
        fitting=fitting,
        **facts,
    )


def budget(compute: Compute) -> float:
    """Bytes that a run may use."""
    free = free_memory(compute)
    return _UNKNOWN if free is None else _SHARE * free


def largest_that_fits(size: tuple[int, int], fits: Callable[[tuple[int, int]], bool]) -> int:
    """The largest long side, in steps of 32 px, at which a picture shaped like `size` (height, width) `fits`; at least 64."""
    low, high = 2, max(3, max(size) // 32)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(size_to_fit(size, 32 * middle)) else (low, middle)
    return 32 * low


def _fits(size, network, compute, optimizer, tileable, allowed) -> bool:
    return any(way.bytes <= allowed for way in _ways(size, network, compute, optimizer, tileable))


def _ways(size: tuple[int, int], network: Network, compute: Compute, optimizer: str, tileable: bool) -> Iterator[Plan]:
    """Possible plans, the best first."""
    histories = _HISTORIES if optimizer == "lbfgs" else _HISTORIES[-2:]
    for history in histories[:2] if tileable else histories:
        yield _plan(size, None, history, network, compute)
    for sides in (_SIDES, _SMALLEST_SIDES) if tileable else ():
        for history in histories:
            yield from (_plan(size, side, history, network, compute) for side in sides if side < max(size))


def _plan(size: tuple[int, int], side: int | None, history: History, network: Network, compute: Compute) -> Plan:
    height, width = size
    pixels, each = height * width, compute.dtype.itemsize
    pictures = (_PICTURES_ADAM if history.is_adam else _PICTURES) + history.pictures
    guides = network.regions if network.regions > 1 else 0
    photo = _values(network.content, network, size)
    if side is None:
        crop, photo = size, photo * each
    else:
        crops = [tile.crop for tile in tiles_of(height, width, side, network.layers)]
        crop, photo = tuple(max(part.stop - part.start for part in axis) for axis in zip(*crops)), photo * 2
    features = _ROUND_TRIP * each * network.shape.activations(*crop, network.deepest)
    guided = _GUIDED * each * _values(network.style, network, crop) if guides else 0
    columns = _COLUMNS * sum(network.shape.widths[block_of(layer)] for layer in network.style) * pixels / GRID**2 if network.places else 0
    needed = _BASE_BYTES + columns + 12 * pixels * pictures + 5.4 * guides * pixels + guided + photo + features
    if network.places and len(network.styles) > 1:  # each, and all of them mixed
        needed += _SAMPLED * MOST_POSITIONS * sum(network.shape.widths[block_of(layer)] for layer in network.style) * len(network.styles)
    return Plan(height, width, side, history, max(needed, _measuring(size, side, network, compute)))


def _measuring(size: tuple[int, int], side: int | None, network: Network, compute: Compute) -> float:
    """Bytes that it takes to measure the largest of the styles, before the first iteration."""
    largest, each = 0.0, compute.dtype.itemsize
    for style in network.styles if network.style else ():
        sized = style_size(style, size, network.style_scale)
        tile = style_side(sized, size, side, network)
        deepest = max(network.style, key=LAYERS.index)
        most = max(sized) if tile is None else tile + 2 * (reach_of(deepest) + stride_of(deepest))
        seen = min(sized[0], most), min(sized[1], most)
        forward = (_FORWARD * each + _BESIDE) * network.shape.activations(*seen, deepest)
        if network.places:
            channels = sum(network.shape.widths[block_of(layer)] for layer in network.style)
            forward = max(forward, each * _values(network.style, network, seen) + _MEASURED * channels * seen[0] * seen[1] / GRID**2)
        largest = max(largest, 12 * sized[0] * sized[1] + forward)
    return _BASE_BYTES + 12 * _LOADED * size[0] * size[1] + largest


def style_size(style: tuple[int, int], size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Height and width at which a style picture is measured, for a result of `size` (height, width).

    At `scale` 1 their short sides are equal. A very long picture is cut, so that it takes no more memory than a few of the results.

    Args:
        style: height and width of the style picture, or others of the same ratio.
    """
    short = style_short(size, scale)
    long = max(short, round(short * min(max(style) / min(style), longest_ratio(size, scale))))
    return (long, short) if style[0] > style[1] else (short, long)


def style_short(size: tuple[int, int], scale: float) -> int:
    """Short side in px at which a style picture is measured; see `style_size`."""
    return max(16, round(min(size) * scale))


def longest_ratio(size: tuple[int, int], scale: float) -> float:
    """The largest ratio of the sides of a style picture that is not cut; see `style_size`."""
    return max(_LONG_STYLE, _MOST_STYLE * size[0] * size[1] / style_short(size, scale) ** 2)


def style_side(style: tuple[int, int], size: tuple[int, int], side: int | None, network: Network) -> int | None:
    """Side in px of the tiles that a style picture is measured in; None is at once.

    Args:
        style: height and width as from `style_size`.
        size: of the result.
        side: of the tiles that the result is painted in; None is at once.
    """
    if side is None and not network.shape.local:
        return None
    enough = 2 * size[0] * size[1] if network.places else max(2 * size[0] * size[1], STYLE_TILE**2)
    if side is None and style[0] * style[1] <= enough:
        return None
    if network.places:
        return min(STYLE_TILE, max(_LEAST_STYLE_TILE, max(size) // 2))
    return min(side or STYLE_TILE, STYLE_TILE)


def _values(layers: Iterable[str], network: Network, size: tuple[int, int]) -> float:
    """Number of values of the features at layers, for a picture of `size` (height, width)."""
    return sum(network.shape.widths[block_of(layer)] / stride_of(layer) ** 2 for layer in layers) * size[0] * size[1]


def free_memory(compute: Compute) -> float | None:
    """Free bytes on the device; None if the system doesn't report them."""
    if compute.device.type == "cuda":
        # What torch keeps of freed memory can be used again, although the device counts it as taken.
        kept = torch.cuda.memory_reserved(compute.device) - torch.cuda.memory_allocated(compute.device)
        return float(torch.cuda.mem_get_info(compute.device)[0] + kept)
    return available_bytes()
