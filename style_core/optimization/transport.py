"""Style by optimal transport and content by self-similarity.

After Kolkin, Salavon and Shakhnarovich (2019), "Style Transfer by Relaxed Optimal Transport and Self-Similarity" (STROTSS).
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from style_core.networks.extractor import FeatureExtractor, in_metric
from style_core.optimization.hypercolumns import StyleColumns, spread, unit
from style_core.optimization.losses import StyleTarget
from style_core.optimization.nearest import NearestTarget

_COMPARED = 1024  # positions of the photo compared with each other, as in the paper
_EPSILON = 1e-8


class TransportTarget(NearestTarget):
    """The relaxed earth mover's style distance.

    It is the larger of two mean distances: from each position of the picture to the nearest one in the style, and from each
    position of the style to the nearest one in the picture. A layer's distance is the mean of its part of that and of the
    relative distance of means and covariances.

    Unlike in the paper, cosines are measured from the style's mean, as in `NearestTarget`. The palette term is left out, because
    the moments of the first layer already include the colors.
    """

    def __init__(self, style: StyleColumns, weights: Mapping[str, float], fine: StyleTarget | None = None):
        super().__init__(style, weights, fine)
        self._covariances = {layer: _covariance(style.rows[layer]) for layer in self.weights}

    def distances(self, features: Mapping[str, Tensor], guide: Tensor | None = None) -> dict[str, Tensor]:
        columns = self._columns(features, guide)
        self._compare(columns)
        forth, back = self._forth_distances(columns), self._back_distances(columns)
        larger = forth if self._total(forth) >= self._total(back) else back
        distances = {layer: (larger[layer] + self._moment_distance(layer, column)) / 2 for layer, column in columns.items()}
        return self._with_fine_layers(distances, features, guide)

    def _back_distances(self, columns: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """From each position of the style to the picture."""
        return {
            layer: 1 - (unit(column[self._back], self.style.means[layer]) * self._units[layer]).sum(1).mean()
            for layer, column in columns.items()
        }

    def _total(self, parts: Mapping[str, Tensor]) -> float:
        return float(sum(self.weights[layer] * part.detach() for layer, part in parts.items()))

    def _moment_distance(self, layer: str, column: Tensor) -> Tensor:
        mean, wanted_mean = column.mean(0), self.style.means[layer]
        return (_relative(mean, wanted_mean) + _relative(_covariance(column), self._covariances[layer])) / 2


class SelfSimilarityTarget:
    """A photo as the distances between its positions: similar regions stay similar, whatever their colors.

    `D[p, q] = 1 - cos(F_p, F_q)`, each column divided by its sum; the distance of two such matrices is the sum of absolute
    differences, relative to that of a picture whose positions are all equally distant.

    Args:
        features: the photo's, `[1, C, H, W]` by layer, in the extractor's metrics.
        metrics: the extractor's.
    """

    def __init__(self, features: Mapping[str, Tensor], metrics: Mapping[str, Tensor] | None = None):
        self.metrics = metrics or {}
        with torch.no_grad():
            self._wanted = {layer: _self_distances(feature) for layer, feature in features.items()}

    @classmethod
    def of(cls, extractor: FeatureExtractor, batch: Tensor, layers: Iterable[str]) -> "SelfSimilarityTarget":
        """Measure a photo `[1, 3, H, W]`."""
        with torch.no_grad():
            return cls(extractor.extract(batch, layers), extractor.metrics)

    def distances(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Relative content distance by layer.

        Args:
            features: `[1, C, H, W]` by layer, in the extractor's own channels.
        """
        distances = {}
        for layer, wanted in self._wanted.items():
            found = _self_distances(in_metric(features[layer], self.metrics.get(layer)))
            flat = (1 / len(wanted) - wanted).abs().sum()
            distances[layer] = (found - wanted).abs().sum() / flat.clamp_min(_EPSILON)
        return distances


def _self_distances(features: Tensor) -> Tensor:
    """`[1, C, H, W]` -> `[N, N]`, for a sample of `N` positions; each column sums to 1."""
    rows = features[0].flatten(1).T.float()
    rows = functional.normalize(rows[spread(len(rows), _COMPARED, rows.device)], dim=1, eps=_EPSILON)
    distances = (1 - rows @ rows.T).clamp_min(0)
    return distances / distances.sum(0, keepdim=True).clamp_min(_EPSILON)


def _covariance(rows: Tensor) -> Tensor:
    centered = rows - rows.mean(0)
    return centered.T @ centered / len(rows)


def _relative(input: Tensor, target: Tensor) -> Tensor:
    return (input - target).abs().sum() / target.abs().sum().clamp_min(_EPSILON)
