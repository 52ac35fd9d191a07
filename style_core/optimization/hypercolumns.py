"""Hypercolumns: the features of all layers at one position, concatenated; and nearest neighbors among them.

Hypercolumns are from Hariharan et al. (2015); Kolkin et al. (2019, 2022) compare paintings by them. Here each layer is normalized
to unit length before the layers are joined. So strong layers don't dominate, and the distance of two columns is a weighted sum of
one distance per layer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from style_core.errors import RequestError
from style_core.matrices import averaged_to
from style_core.networks.extractor import FeatureExtractor
from style_core.networks.vgg19 import stride_of
from style_core.optimization.losses import mixing_shares

GRID = 4  # px between the columns of a picture (Kolkin et al. 2022)
MOST_POSITIONS = 4096  # of a style that are compared with; more take time and change little
_CHUNK = 2048  # columns compared with a style's at a time: 32 MB of products
_EPSILON = 1e-6


def grid_stride(layers: Iterable[str]) -> int:
    """Pixels between columns: `GRID`, or the finest layer's stride if that is larger."""
    return max(GRID, min(stride_of(layer) for layer in layers))


def columns_of(features: Mapping[str, Tensor], layers: Sequence[str], metrics: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Features resampled to one grid, in the extractor's metrics: `[1, C, H / s, W / s]` by layer -> `[P, C]`, float32.

    Finer layers are averaged down to the grid, coarser ones interpolated.
    """
    size = grid_size(features, layers)
    stride, columns = grid_stride(layers), {}
    for layer in layers:
        feature, own = features[layer], stride_of(layer)
        if own < stride:
            feature = functional.avg_pool2d(feature, stride // own)
        elif own > stride:
            feature = functional.interpolate(feature, size=size, mode="bilinear", align_corners=False)
        rows = feature[0].flatten(1).T.float()  # [P, C]
        columns[layer] = rows if layer not in metrics else rows @ metrics[layer]
    return columns


def grid_size(features: Mapping[str, Tensor], layers: Sequence[str]) -> tuple[int, int]:
    """Rows and columns of the grid that `columns_of` uses.

    Raises:
        RequestError: if no position is left.
    """
    finest = min(layers, key=stride_of)
    factor = grid_stride(layers) // stride_of(finest)
    height, width = (side // factor for side in features[finest].shape[-2:])
    if height * width == 0:
        raise RequestError(
            "The picture is too small for this style loss, which needs at least {least} px a side. Use a larger size.",
            least=grid_stride(layers),
        )
    return height, width


def inside(guide: Tensor | None, size: tuple[int, int]) -> Tensor | None:
    """Indices of the grid positions that a guide `[1, 1, H, W]` assigns to a style: those with at least half of its largest value."""
    if guide is None:
        return None
    shares = averaged_to(guide.float(), size).flatten()
    return (shares >= shares.max() / 2).nonzero().flatten()


def spread(count: int, most: int, device: torch.device) -> Tensor:
    """At most `most` of `count` positions, in order, drawn at random with a fixed seed."""
    if count <= most:
        return torch.arange(count, device=device)
    drawn = torch.randperm(count, generator=torch.Generator().manual_seed(0))[:most]
    return drawn.sort().values.to(device)


def unit(rows: Tensor, mean: Tensor) -> Tensor:
    """Rows `[P, C]` minus a mean `[C]`, normalized to unit length; a row equal to the mean becomes 0."""
    centered = rows - mean
    return centered / torch.linalg.vector_norm(centered, dim=1, keepdim=True).clamp_min(_EPSILON)


def joined(columns: Mapping[str, Tensor], means: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Hypercolumns `[P, sum C]` whose inner products are weighted means of the layers' cosines."""
    total = sum(weights.values())
    return torch.cat([unit(columns[layer], means[layer]) * (weight / total) ** 0.5 for layer, weight in weights.items()], 1)


@torch.no_grad()
def nearest(rows: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Nearest rows of two sets by inner product, chunk by chunk to limit memory.

    Args:
        rows: `[P, C]`.
        others: `[Q, C]`.
    Returns:
        The index into `others` for each row, `[P]`, and the index into `rows` for each of `others`, `[Q]`.
    """
    forth, best = [], rows.new_full((len(others),), -torch.inf)
    back = torch.zeros(len(others), dtype=torch.long, device=rows.device)
    for start in range(0, len(rows), _CHUNK):
        products = rows[start : start + _CHUNK] @ others.T
        forth.append(products.argmax(1))
        found, where = products.max(0)
        better = found > best
        best = torch.where(better, found, best)
        back = torch.where(better, where + start, back)
    return torch.cat(forth), back


@dataclass(frozen=True)
class StyleColumns:
    """A style as a sample of its hypercolumns, rather than as moments.

    Attributes:
        extractor: the name of the extractor that made it.
        rows: `[Q, C]` by layer, in the extractor's metrics; row `q` of every layer is of the same position.
        means: `[C]` by layer, over the whole picture.
        metrics: the extractor's.
    """

    extractor: str
    rows: dict[str, Tensor]
    means: dict[str, Tensor]
    metrics: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, extractor: FeatureExtractor, batch: Tensor, layers: Iterable[str], most: int = MOST_POSITIONS) -> "StyleColumns":
        """Measure a style picture `[1, 3, H, W]`, without gradients."""
        layers = list(layers)
        with torch.no_grad():
            columns = columns_of(extractor.extract(batch, layers, measured=False), layers, extractor.metrics)
        chosen = spread(len(columns[layers[0]]), most, batch.device)
        rows = {layer: column[chosen] for layer, column in columns.items()}
        return cls(extractor.name, rows, {layer: column.mean(0) for layer, column in columns.items()}, extractor.metrics)

    @staticmethod
    def mix(targets: Sequence["StyleColumns"], weights: Sequence[float]) -> "StyleColumns":
        """Several styles as one, with positions in proportion to their weights.

        Raises:
            RequestError: when the weights don't fit the targets, or different networks made them.
        """
        shares, first = mixing_shares(targets, weights), targets[0]
        firsts = [next(iter(target.rows.values())) for target in targets]
        most = max(map(len, firsts))
        kept = []
        for share, rows in zip(shares, firsts):
            wanted = round(most * share / max(shares))
            # Of a smaller picture, some positions count more than once.
            repeated = torch.arange(wanted, device=rows.device) % len(rows)
            kept.append(repeated if wanted > len(rows) else spread(len(rows), wanted, rows.device))
        return StyleColumns(
            first.extractor,
            {layer: torch.cat([t.rows[layer][rows] for t, rows in zip(targets, kept)]) for layer in first.rows},
            {layer: torch.stack([share * t.means[layer] for share, t in zip(shares, targets)]).sum(0) for layer in first.means},
            first.metrics,
        )
