"""Style by sliced optimal transport, after Heitz et al. (2021), "A Sliced Wasserstein Loss for Neural Texture Synthesis"."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from style_core.networks.extractor import FeatureExtractor
from style_core.networks.vgg19 import stride_of
from style_core.optimization.hypercolumns import inside, spread
from style_core.optimization.losses import mixing_shares
from style_core.optimization.tiles import tiles_of

MOST_SORTED = 2**20  # values of a layer sorted per evaluation
_EPSILON = 1e-12


def sliced_distance(projected: Tensor, target: Tensor) -> Tensor:
    """Squared sliced Wasserstein-2 distance of two sets of points, relative to the target's second moment.

    `sum_k sum_p (x_k(p) - t_k(p))^2 / sum_k sum_p t_k(p)^2`, over directions `k`, with both sides sorted (eq. 2). For Gaussians
    that differ by a shift it is the shift's squared length over the target's second moment, if the directions are a basis.

    Args:
        projected: `[K, P]`, points along each direction; differentiable.
        target: `[K, Q]`, sorted.
    """
    wanted = at_ranks(target, projected.shape[1])
    # Each point is drawn to the value of its rank; small moves don't change ranks, so the sort needs no gradient.
    ranks = projected.detach().argsort(1)
    drawn = torch.empty_like(wanted).scatter_(1, ranks, wanted)
    return (projected - drawn).square().mean() / target.square().mean().clamp_min(_EPSILON)


def at_ranks(sorted_values: Tensor, count: int) -> Tensor:
    """Sorted rows `[K, Q]` read at `count` evenly spaced ranks, interpolated: `[K, count]`."""
    if sorted_values.shape[1] == count:
        return sorted_values
    return functional.interpolate(sorted_values[None], size=count, mode="linear", align_corners=False)[0]


@dataclass(frozen=True)
class SlicedTarget:
    """A style as the full distribution of its features, not only its moments.

    Attributes:
        extractor: the name of the extractor that made it.
        projected: `[C, Q]` by layer, features along the directions, sorted.
        directions: `[C, C]` by layer: from the extractor's own channels, through its metric, to random orthogonal directions. As
            in the paper there are as many as channels. The paper draws them anew each time; here they are fixed, so that the loss
            doesn't change between L-BFGS's steps.
    """

    extractor: str
    projected: dict[str, Tensor]
    directions: dict[str, Tensor] = field(repr=False)

    @classmethod
    def of(cls, extractor: FeatureExtractor, batch: Tensor, layers: Iterable[str]) -> "SlicedTarget":
        """Measure a style picture `[1, 3, H, W]`, without gradients."""
        with torch.no_grad():
            features = extractor.extract(batch, layers, measured=False)
            directions = {layer: _directions(feature, extractor.metrics.get(layer)) for layer, feature in features.items()}
            projected = {layer: _projected(feature, directions[layer]).sort(1).values for layer, feature in features.items()}
        return cls(extractor.name, projected, directions)

    @classmethod
    @torch.no_grad()
    def in_tiles(cls, extractor: FeatureExtractor, picture: Tensor, layers: Iterable[str], *, side: int) -> "SlicedTarget":
        """The same of a picture `[1, 3, H, W]` whose features don't fit into memory, in tiles with cores of `side` px."""
        layers, (height, width) = list(layers), picture.shape[-2:]
        wanted: dict[str, Tensor] = {}
        rows: dict[str, list[Tensor]] = {layer: [] for layer in layers}
        for tile in tiles_of(height, width, side, layers):
            down, across = tile.crop
            for layer, feature in extractor.extract(picture[..., down, across], layers, measured=False).items():
                stride, channels = stride_of(layer), feature.shape[1]
                if layer not in wanted:
                    wanted[layer] = _sampled(height // stride, width // stride, channels, picture.device)
                core = feature[0].permute(1, 2, 0)[tile.within(stride)]  # [h, w, C]
                rows[layer].append(core[wanted[layer][tile.whole(stride)]])
        directions = {layer: _directions(found[0].T[None], extractor.metrics.get(layer)) for layer, found in rows.items()}
        projected = {layer: _along(directions[layer], torch.cat(found)).sort(1).values for layer, found in rows.items()}
        return cls(extractor.name, projected, directions)

    @staticmethod
    def mix(targets: Sequence["SlicedTarget"], weights: Sequence[float]) -> "SlicedTarget":
        """Several styles as one: the union of their features, in proportion to their weights.

        Raises:
            RequestError: when the weights don't fit the targets, or different networks made them.
        """
        shares, first = mixing_shares(targets, weights), targets[0]
        projected = {}
        for layer in first.projected:
            count = max(target.projected[layer].shape[1] for target in targets)
            counts = [round(count * share / max(shares)) for share in shares]
            parts = [at_ranks(target.projected[layer], wanted) for target, wanted in zip(targets, counts) if wanted]
            projected[layer] = torch.cat(parts, 1).sort(1).values
        return SlicedTarget(first.extractor, projected, first.directions)

    def distances(self, features: Mapping[str, Tensor], guide: Tensor | None = None) -> dict[str, Tensor]:
        """Relative style distance of a picture by layer.

        Args:
            features: `[1, C, H / s, W / s]` by layer, in the extractor's own channels.
            guide: `[1, 1, H, W]`, the region that carries this style; None is everywhere.
        """
        return {
            layer: sliced_distance(_projected(features[layer], self.directions[layer], guide), target)
            for layer, target in self.projected.items()
        }


def _directions(feature: Tensor, metric: Tensor | None) -> Tensor:
    channels = feature.shape[1]
    drawn = torch.randn(channels, channels, generator=torch.Generator().manual_seed(channels))
    basis = torch.linalg.qr(drawn).Q.to(feature.device)
    return basis if metric is None else metric @ basis


def _projected(feature: Tensor, directions: Tensor, guide: Tensor | None = None) -> Tensor:
    """`[1, C, H, W]` -> `[C, P]`, for at most as many positions `P` as `MOST_SORTED` allows."""
    rows = feature[0].flatten(1).T  # [H W, C]
    kept = inside(guide, (feature.shape[-2], feature.shape[-1]))
    if kept is not None:
        rows = rows[kept]
    rows = rows[spread(len(rows), max(1, MOST_SORTED // rows.shape[1]), rows.device)]
    return _along(directions, rows)


def _along(directions: Tensor, rows: Tensor) -> Tensor:
    """`[P, C]` -> `[C, P]`."""
    return (rows.float() @ directions).T.contiguous()


def _sampled(height: int, width: int, channels: int, device: torch.device) -> Tensor:
    """Which positions of a feature map `_projected` keeps, `[height, width]`."""
    wanted = torch.zeros(height * width, dtype=torch.bool, device=device)
    wanted[spread(len(wanted), max(1, MOST_SORTED // channels), device)] = True
    return wanted.view(height, width)
