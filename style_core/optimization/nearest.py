"""Style by nearest neighbors: each position of a picture is drawn toward the most similar position of the painting.

After Kolkin et al. (2022), "Neural Neighbor Style Transfer". Gram matrices record how often features occur together in the whole
painting; here features are matched position by position, which preserves strokes.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from style_core.networks.extractor import FeatureExtractor
from style_core.networks.vgg19 import stride_of
from style_core.optimization.hypercolumns import StyleColumns, columns_of, grid_size, grid_stride, inside, joined, nearest, unit
from style_core.optimization.losses import StyleTarget

_RENEWED = 10  # evaluations between searches for neighbors; with fixed neighbors the loss is smooth, as L-BFGS needs


class NearestTarget:
    """The nearest-neighbor style distance.

    The distance of a layer is `mean_p (1 - cos(x_p - m, s_n(p) - m))`: `x_p` and `s_q` are columns of the picture and the style,
    `m` is the style's mean, and `n(p)` is the position of the style whose columns have the largest weighted mean of cosines with
    those at `p`. It is 0 for a picture made of the style's positions, and about 1 for one unrelated to the style.

    The paper centers the picture by its own mean, and matches colors at the end. Here only the search does so: the loss measures
    both pictures from the style's mean, so that colors are transferred too.

    Columns average the layers that are finer than their grid, which loses fine structure. For those layers, Gram matrices make up
    half of the distance.

    Args:
        style: its columns.
        weights: weight of each layer in the search.
        fine: moments of the layers that are finer than the grid; None omits them.
    """

    def __init__(self, style: StyleColumns, weights: Mapping[str, float], fine: StyleTarget | None = None):
        self.style = style
        self.fine = fine
        self.weights = {layer: weight for layer, weight in weights.items() if weight > 0}
        self._units = {layer: unit(style.rows[layer], style.means[layer]) for layer in self.weights}
        self._joined = joined(style.rows, style.means, self.weights)
        self._forth: Tensor | None = None
        self._back: Tensor | None = None
        self._age = 0

    @property
    def extractor(self) -> str:
        """The name of the extractor that made it."""
        return self.style.extractor

    @classmethod
    def of(cls, extractor: FeatureExtractor, batch: Tensor, weights: Mapping[str, float] | Iterable[str]) -> "NearestTarget":
        """Measure a style picture `[1, 3, H, W]`; layers given without weights count equally."""
        weights = dict(weights) if isinstance(weights, Mapping) else dict.fromkeys(weights, 1.0)
        layers = [layer for layer, weight in weights.items() if weight > 0]
        finer = [layer for layer in layers if stride_of(layer) < grid_stride(layers)]
        return cls(StyleColumns.of(extractor, batch, layers), weights, StyleTarget.of(extractor, batch, finer) if finer else None)

    @classmethod
    def mix(cls, targets: Sequence["NearestTarget"], shares: Sequence[float]) -> "NearestTarget":
        """Several styles as one, with positions in proportion to their weights.

        Raises:
            RequestError: when the weights don't fit the targets, or different networks made them.
        """
        fine_targets = [target.fine for target in targets]
        fine = None if None in fine_targets else StyleTarget.mix([target for target in fine_targets if target is not None], shares)
        return cls(StyleColumns.mix([target.style for target in targets], shares), targets[0].weights, fine)

    def distances(self, features: Mapping[str, Tensor], guide: Tensor | None = None) -> dict[str, Tensor]:
        """Style distance of a picture by layer.

        Args:
            features: `[1, C, H / s, W / s]` by layer, in the extractor's own channels.
            guide: `[1, 1, H, W]`, the region that carries this style; None is everywhere. It must stay the same from one
                evaluation to the next.
        """
        columns = self._columns(features, guide)
        self._compare(columns)
        return self._with_fine_layers(self._forth_distances(columns), features, guide)

    def _with_fine_layers(self, distances: dict[str, Tensor], features: Mapping[str, Tensor], guide: Tensor | None) -> dict[str, Tensor]:
        if self.fine is None:
            return distances
        return distances | {
            layer: (distances[layer] + distance) / 2 for layer, distance in self.fine.distances(dict(features), "gram", guide).items()
        }

    def _columns(self, features: Mapping[str, Tensor], guide: Tensor | None) -> dict[str, Tensor]:
        layers = list(self.weights)
        columns = columns_of(features, layers, self.style.metrics)
        kept = inside(guide, grid_size(features, layers))
        return columns if kept is None else {layer: column[kept] for layer, column in columns.items()}

    @torch.no_grad()
    def _compare(self, columns: Mapping[str, Tensor]) -> None:
        """Search for neighbors again, if the last search is some evaluations old or was on a grid of another size."""
        count = len(next(iter(columns.values())))
        if self._age == 0 or self._forth is None or len(self._forth) != count:
            means = {layer: column.mean(0) for layer, column in columns.items()}
            self._forth, self._back = nearest(joined(columns, means, self.weights), self._joined)
        self._age = (self._age + 1) % _RENEWED

    def _forth_distances(self, columns: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """From each position of the picture to the style."""
        return {
            layer: 1 - (unit(column, self.style.means[layer]) * self._units[layer][self._forth]).sum(1).mean()
            for layer, column in columns.items()
        }
