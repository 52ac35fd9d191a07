"""Gradient ascent on the activations of a network, after DeepDream (Mordvintsev et al. 2015)."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.matrices import averaged_to
from style_core.networks.costs import Shape
from style_core.networks.extractor import FeatureExtractor, layer_name
from style_core.networks.vgg19 import stride_of
from style_core.optimization.losses import total_variation

_SMALLEST_LEVEL = 8  # px, short side: the coarsest scale that the gradient is split into
_LARGEST_SHIFT = 0.25  # of the short side, so that mirrored borders don't become the subject
LARGEST_TILE = 1.5  # times the usual side
_SMALLEST_TILE = 96  # px; smaller tiles are mostly border
# Limit on the operations of one tile, forward and backward, so that a Step comes about once a second on two cores, and
# activations fit into a GPU's memory.
_TILE_OPERATIONS = {"cpu": 6e10, "cuda": 4e12, "mps": 5e11}
_GUIDE_POSITIONS = 1024  # at most so many positions of the guide are compared with, drawn at random
_COMPARED = 4096  # positions of the picture that are compared at once, because each needs a number for each of the guide's
_SILENCE = 1e-12  # mean squared activations below this count as none


@dataclass(frozen=True)
class Term:
    """What to amplify: a layer, or some of its channels, with a weight."""

    layer: str
    weight: float = 1.0
    channels: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """As it is written: `relu4_2`, or `relu4_2[12,40]`."""
        return self.layer + (f"[{','.join(map(str, self.channels))}]" if self.channels else "")


class DreamObjective:
    """The objective of a dream: the response of the chosen features, position by position.

    Without a guide, the response at `p` is `mean_c F[c, p]^2`. With a guide it is `mean_c F[c, p] Y[c, q]`, where `q` is the
    position of the guide whose features `Y` are most similar to those at `p` by cosine. (Google's notebook compares raw
    products, so that the guide's strongest position attracts everything.)

    Args:
        extractor: the network.
        terms: what to amplify.
        guide: `[1, 3, h, w]`, whose features attract, or None.
    Raises:
        RequestError: for a layer or channel that the network doesn't have.
    """

    def __init__(self, extractor: FeatureExtractor, terms: Sequence[Term], guide: Tensor | None = None):
        self.extractor = extractor
        self.terms = tuple(terms)
        self.layers = sorted({layer_name(term.layer) for term in terms})
        self._check_channels()
        self._guides = [None] * len(terms) if guide is None else self._guide_features(guide)

    @property
    def verb(self) -> str:
        return "activation" if self._guides[0] is None else "similarity"

    @property
    def compared(self) -> float:
        """Multiplications and additions per pixel for the comparison with the guide."""
        strides = [stride_of(layer_name(term.layer)) for term in self.terms]
        return sum(2 * guide.numel() / stride**2 for guide, stride in zip(self._guides, strides) if guide is not None)

    def responses(self, batch: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Responses summed over positions, and the number of positions, by term and picture.

        Args:
            batch: `[B, 3, h, w]` on the extractor's device.
            mask: `[1, 1, h, w]`, weight of each position; None weighs all equally.
        Returns:
            Two `[T, B]` in float32; the quotient of their sums over tiles is the mean response of the whole picture.
        """
        features = self.extractor.unsmoothed(batch, self.layers)
        sums, counts = [], []
        for term, guide in zip(self.terms, self._guides):
            response = _response(self._chosen(features, term), guide)  # [B, 1, h / s, w / s]
            weight = torch.ones_like(response[:1])
            if mask is not None:
                weight = averaged_to(mask, (response.shape[-2], response.shape[-1]))
            sums.append((response * weight).sum((1, 2, 3)))
            counts.append(weight.sum().expand(len(batch)))
        return torch.stack(sums), torch.stack(counts)

    def _check_channels(self) -> None:
        with torch.no_grad():
            probe = torch.zeros(1, 3, 32, 32, device=self.extractor.compute.device)
            widths = {layer: features.shape[1] for layer, features in self.extractor.unsmoothed(probe, self.layers).items()}
        for term in self.terms:
            width = widths[layer_name(term.layer)]
            if missing := [channel for channel in term.channels if channel >= width]:
                raise RequestError(
                    "{layer} of {network} has no channel {channel}; its channels are 0 to {last}.",
                    layer=term.layer,
                    network=self.extractor.name,
                    channel=missing[0],
                    last=width - 1,
                )

    def _chosen(self, features: dict[str, Tensor], term: Term) -> Tensor:
        chosen = features[layer_name(term.layer)]
        if term.channels:
            chosen = chosen[:, list(term.channels)]
        return chosen.float()

    @torch.no_grad()
    def _guide_features(self, guide: Tensor) -> list[Tensor]:
        features = self.extractor.unsmoothed(guide, self.layers)
        guides = []
        for term in self.terms:
            flat = self._chosen(features, term)[0].flatten(1)  # [C, P]
            drawn = torch.randperm(flat.shape[1], generator=torch.Generator().manual_seed(0))[:_GUIDE_POSITIONS]
            guides.append(flat[:, drawn.sort().values.to(flat.device)].contiguous())
        return guides


def _response(features: Tensor, guide: Tensor | None) -> Tensor:
    """`[B, C, h, w]` -> `[B, 1, h, w]`; `guide` is `[C, Q]`."""
    if guide is None:
        return features.square().mean(1, keepdim=True)
    with torch.no_grad():
        # The length of F[:, p] scales all its products equally, so only the guide needs normalizing.
        directions = functional.normalize(guide, dim=0)  # [C, Q]
        positions = features.movedim(1, -1).flatten(0, 2)  # [B h w, C]
        nearest = torch.cat([(part @ directions).argmax(1) for part in positions.split(_COMPARED)])
        nearest = guide.T[nearest].unflatten(0, (len(features), *features.shape[-2:])).movedim(-1, 1)  # [B, C, h, w]
    return (features * nearest).mean(1, keepdim=True)


@dataclass(frozen=True)
class AscentConfig:
    """Settings of gradient ascent.

    Attributes:
        step: root mean square of a move, in pixel values.
        jitter: largest random shift, in pixels, that hides the network's grid.
        smoothing: in `[0, 1]`; 0 leaves the gradient unchanged, 1 gives each octave of spatial frequency the same
            energy, as in natural pictures (Field 1987).
        tv: weight of the logarithm of the total variation, relative to that of the response.
        colors: `[3, 3]`, multiplies the colors of a move; None leaves them unchanged.
        wrap: whether the picture wraps around at its borders, as a repeating tile does, or is mirrored.
        outside: share of the dream outside a mask, in `[0, 1]`.
    """

    step: float
    jitter: int = 32
    smoothing: float = 0.5
    tv: float = 0.0
    colors: Tensor | None = None
    wrap: bool = False
    outside: float = 0.0


class Ascent:
    """Gradient ascent at one size, tile by tile, so that large pictures fit into memory and stop quickly.

    Maximizes `sum_t weight_t log(response_t)`, so that weights mean the same for strong and weak layers. Tiles are cut at
    random positions each time, which hides their seams.

    Args:
        picture: `[1, 3, H, W]`; moved in place.
        objective: what to maximize.
        config: settings.
        generator: of the random shifts and cuts, on the CPU, so that a seed gives the same ones on every device.
        mask: `[1, 1, H, W]`, where to dream; None dreams everywhere. Elsewhere it dreams `config.outside` as much.
    """

    def __init__(
        self, picture: Tensor, objective: DreamObjective, config: AscentConfig, generator: torch.Generator, mask: Tensor | None = None
    ):
        self.picture = picture
        self.objective = objective
        self.config = config
        # It weighs responses and moves, one after the other; roots, so that both together give the share.
        self.mask = torch.lerp(mask, torch.ones_like(mask), config.outside).sqrt() if mask is not None and config.outside else mask
        self._generator = generator
        self._weights = torch.tensor([term.weight for term in objective.terms], device=picture.device)
        self._levels: Tensor | None = None

    def measure(self) -> Generator[None, None, Tensor]:
        """The mean response `[T]` of the current picture; yields between tiles."""
        tally = _Tally()
        for rows, columns in self._tiles(*self.picture.shape[-2:]):
            with torch.no_grad():
                tally.add(*self.objective.responses(self.picture[..., rows, columns], _cut(self.mask, rows, columns)))
            yield
        self._levels = tally.means().clamp_min(_SILENCE)
        return tally.means()

    def step(self) -> Generator[None, None, Tensor]:
        """Move once; yields between tiles and returns the mean response `[T]` before the move."""
        if self._levels is None:
            yield from self.measure()
        assert self._levels is not None
        shift = self._shift()
        seen, mask = shift.apply(self.picture), None if self.mask is None else shift.apply(self.mask)
        gradient, tally = torch.zeros_like(seen), _Tally()
        for rows, columns in self._tiles(*seen.shape[-2:]):
            part = _cut(mask, rows, columns)
            if part is None or part.any():
                gradient[..., rows, columns] = self._tile_gradient(seen[..., rows, columns], part, tally, self._levels)
            yield
        self._levels = tally.means().clamp_min(_SILENCE)
        self._move(shift.undo(gradient))
        return tally.means()

    def _tile_gradient(self, tile: Tensor, mask: Tensor | None, tally: "_Tally", levels: Tensor) -> Tensor:
        with torch.enable_grad():
            leaf = tile.detach().clone().requires_grad_()
            sums, counts = self.objective.responses(leaf, mask)
            # The gradient of a logarithm, with the denominator from the last pass over all tiles.
            (gradient,) = torch.autograd.grad((self._weights / levels) @ sums[:, 0], leaf)
        tally.add(sums.detach(), counts)
        return gradient

    def _move(self, gradient: Tensor) -> None:
        if not gradient.any():
            # If all rectifiers output 0, the gradient is 0: move in a random direction.
            gradient = torch.randn(gradient.shape, generator=self._generator).to(gradient)
        if self.config.tv:
            gradient = gradient - self.config.tv * _roughening(self.picture)
        direction = equalize(gradient, self.config.smoothing)
        if self.config.colors is not None:
            direction = torch.einsum("ij,bjhw->bihw", self.config.colors, direction)
        size = _rms(direction)
        if self.mask is not None:
            direction = direction * self.mask
            size = _rms(direction) / _rms(self.mask)
        with torch.no_grad():
            self.picture.add_(direction * (self.config.step / size)).clamp_(0, 1)

    def _shift(self) -> "_Shift":
        height, width = self.picture.shape[-2:]
        if self.config.wrap:
            return _Shift(self._draw(height), self._draw(width), None)
        reach = min(self.config.jitter, int(_LARGEST_SHIFT * min(height, width)))
        return _Shift(self._draw(reach + 1), self._draw(reach + 1), reach)

    def _tiles(self, height: int, width: int) -> Iterator[tuple[slice, slice]]:
        side = self._tile_side()
        across = self._cuts(width, side)
        for rows in self._cuts(height, side):
            for columns in across:
                yield rows, columns

    def _tile_side(self) -> int:
        extractor = self.objective.extractor
        return tile_side(extractor.shape, self.objective.layers, extractor.compute, self.objective.compared)

    def _cuts(self, length: int, side: int) -> list[slice]:
        """`length` cut into pieces of about `side` from a random start; the first and last are at least half as long."""
        if length <= LARGEST_TILE * side:
            return [slice(0, length)]
        first = side // 2 + self._draw(side // 2 + 1)
        marks = [0, *range(first, length - side // 2 + 1, side), length]
        return [slice(*pair) for pair in zip(marks, marks[1:])]

    def _draw(self, below: int) -> int:
        return int(torch.randint(max(1, below), (), generator=self._generator))


@dataclass(frozen=True)
class _Shift:
    """A shift by `down` and `right`: wrapped around, or, with a `reach`, into a mirrored margin of that many pixels.

    Rolling puts the left edge next to the right one, and dreams follow that seam; mirroring leaves no seam.
    """

    down: int
    right: int
    reach: int | None

    def apply(self, batch: Tensor) -> Tensor:
        if self.reach is None:
            return batch.roll((self.down, self.right), (-2, -1))
        margins = (self.right, self.reach - self.right, self.down, self.reach - self.down)
        return functional.pad(batch, margins, mode="reflect")

    def undo(self, batch: Tensor) -> Tensor:
        if self.reach is None:
            return batch.roll((-self.down, -self.right), (-2, -1))
        height, width = batch.shape[-2] - self.reach, batch.shape[-1] - self.reach
        return batch[..., self.down : self.down + height, self.right : self.right + width]


class _Tally:
    """Responses summed over the tiles of one picture."""

    def __init__(self):
        self._sums = torch.zeros(())
        self._counts = torch.zeros(())

    def add(self, sums: Tensor, counts: Tensor) -> None:
        self._sums = sums[:, 0] + self._sums.to(sums)
        self._counts = counts[:, 0] + self._counts.to(counts)

    def means(self) -> Tensor:
        return self._sums / self._counts.clamp_min(_SILENCE)


@torch.no_grad()
def equalize(gradient: Tensor, smoothing: float) -> Tensor:
    """Bring a gradient's octaves of spatial frequency closer to equal energy.

    The octaves are the levels of a Laplacian pyramid (Burt and Adelson 1983). Each is divided by its own root mean square to the
    power of `smoothing`: at 0 they add up to the gradient again; at 1 coarse shapes move as far as fine grain, which dominates
    the raw gradient.

    Args:
        gradient: `[B, 3, H, W]`.
        smoothing: in `[0, 1]`.
    """
    if smoothing == 0:
        return gradient
    octaves, rest = [], gradient
    while min(rest.shape[-2:]) >= 2 * _SMALLEST_LEVEL:
        coarser = _scaled(rest, (rest.shape[-2] // 2, rest.shape[-1] // 2))
        octaves.append(rest - _scaled(coarser, rest.shape[-2:]))
        rest = coarser
    total = rest / _rms(rest) ** smoothing
    for octave in reversed(octaves):
        total = _scaled(total, octave.shape[-2:]) + octave / _rms(octave) ** smoothing
    return total


def operations(shape: Shape, layers: Sequence[str]) -> float:
    """Multiplications and additions per pixel, forward and backward, up to the deepest of `layers`."""
    side = 1024  # px: a multiple of every stride
    return 3 * shape.flops(side, side, max(layers)) / side**2  # names sort as depth does


def tile_side(shape: Shape, layers: Sequence[str], compute: Compute, compared: float = 0.0) -> int:
    """About how long a tile's sides are, in px; the largest tiles are `LARGEST_TILE` times as long.

    Args:
        compared: operations per pixel besides the network's.
    """
    affordable = _TILE_OPERATIONS[compute.device.type] / (operations(shape, layers) + compared)
    return max(_SMALLEST_TILE, int(affordable**0.5))


def _roughening(picture: Tensor) -> Tensor:
    """The gradient of the logarithm of the total variation."""
    with torch.enable_grad():
        leaf = picture.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad((total_variation(leaf) + _SILENCE).log(), leaf)
    return gradient


def _cut(mask: Tensor | None, rows: slice, columns: slice) -> Tensor | None:
    return None if mask is None else mask[..., rows, columns]


def _scaled(batch: Tensor, size: Sequence[int]) -> Tensor:
    """Resized with antialiasing and without clamping, because differences and gradients have signs."""
    return functional.interpolate(batch, tuple(size), mode="bilinear", antialias=True, align_corners=False)


def _rms(batch: Tensor) -> Tensor:
    return batch.square().mean().sqrt().clamp_min(1e-20)
