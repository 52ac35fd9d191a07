"""Losses of style transfer: content, style and smoothness.

Distances are relative, `|x - t|^2 / |t|^2`, so that a weight means the same for all pictures, sizes and extractors.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from style_core.errors import RequestError
from style_core.matrices import averaged_to, eigh, matrix_root
from style_core.networks.extractor import FeatureExtractor, in_metric
from style_core.networks.moments import channel_means, gram_matrix, relative_distance, style_shares
from style_core.networks.vgg19 import CONTENT_LAYER, STYLE_LAYERS

_EPSILON = 1e-12
_UNRESOLVED = 2**-8  # relative to the largest, the standard deviation in an area that bfloat16's rounding hides


class _TraceRoot(torch.autograd.Function):
    """`tr (R C R)^(1/2)` for a fixed symmetric root `R`, with its closed-form gradient `R (R C R)^(-1/2) R / 2`.

    The closed form avoids differentiating the eigendecomposition, which diverges at equal eigenvalues. Its inverse is a pseudo-inverse:
    0 in directions whose root is at most `least` times the largest.
    """

    @staticmethod
    def forward(ctx, covariance: Tensor, root: Tensor, least: float) -> Tensor:
        values, vectors = eigh(root @ covariance @ root)
        floor = values[..., -1:].clamp_min(_EPSILON) * 1e-7
        roots = values.clamp_min(floor).sqrt()
        ctx.save_for_backward(roots, vectors, root)
        ctx.least = least
        return roots.sum()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        roots, vectors, root = ctx.saved_tensors
        divisors = roots.masked_fill(roots <= ctx.least * roots[..., -1:], float("inf"))
        inverse = (vectors / divisors[..., None, :]) @ vectors.mT
        return gradient * 0.5 * (root @ inverse @ root), None, None


def wasserstein_distance(
    mean: Tensor, covariance: Tensor, target_mean: Tensor, target_covariance: Tensor, least: float = 0.0
) -> Tensor:  # fmt: skip
    """Squared 2-Wasserstein distance between two Gaussians, relative to the target's own second moment.

    `|m - n|^2 + tr(C + D - 2 (D^(1/2) C D^(1/2))^(1/2))` over `|n|^2 + tr D` (Dowson and Landau 1982).

    Args:
        mean, target_mean: `[B, C]`.
        covariance, target_covariance: `[B, C, C]`, symmetric, positive semi-definite.
        least: standard deviation, relative to the largest, up to which a direction has no gradient.
    Returns:
        A scalar; 0 for equal Gaussians.
    """
    root = matrix_root(target_covariance)
    traces = covariance.diagonal(dim1=-2, dim2=-1).sum() + target_covariance.diagonal(dim1=-2, dim2=-1).sum()
    distance = (mean - target_mean).square().sum() + traces - 2 * _TraceRoot.apply(covariance, root, least)
    scale = target_mean.square().sum() + target_covariance.diagonal(dim1=-2, dim2=-1).sum()
    return distance / scale.clamp_min(_EPSILON)


class _TotalVariation(torch.autograd.Function):
    """`total_variation` with half of autograd's passes over the picture."""

    @staticmethod
    def forward(ctx, batch: Tensor) -> Tensor:
        differences = batch.diff(dim=-1), batch.diff(dim=-2)
        ctx.save_for_backward(*differences)
        return sum(torch.linalg.vector_norm(each).square() / max(1, each.numel()) for each in differences)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        across, down = ctx.saved_tensors
        found = across.new_zeros(*across.shape[:-1], down.shape[-1])
        for difference, dim in ((across, -1), (down, -2)):
            share = difference * (2 * gradient / max(1, difference.numel()))
            found.narrow(dim, 1, difference.shape[dim]).add_(share)
            found.narrow(dim, 0, difference.shape[dim]).sub_(share)
        return found


def total_variation(batch: Tensor) -> Tensor:
    """Mean squared difference of neighboring pixels, `[B, 3, H, W]` -> scalar (Mahendran and Vedaldi 2015, beta 2)."""
    return _TotalVariation.apply(batch)


def out_of_gamut(batch: Tensor) -> Tensor:
    """Mean squared distance of pixels from `[0, 1]`: keeps an unclamped optimizer close to displayable values."""
    # The clamp needs no gradient: inside the range the excess is 0; outside, the clamp is constant.
    return functional.mse_loss(batch, batch.detach().clamp(0, 1))


@dataclass(frozen=True)
class StyleTarget:
    """A style measured by an extractor: first and second moments of its features, layer by layer.

    Attributes:
        extractor: the name of the extractor that made it.
        grams: `[1, C, C]` by layer.
        means: `[1, C]` by layer.
        metrics: the extractor's; they convert moments in its own channels to those of `grams` and `means`.
    """

    extractor: str
    grams: dict[str, Tensor]
    means: dict[str, Tensor]
    metrics: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, extractor: FeatureExtractor, batch: Tensor, layers: Iterable[str], guide: Tensor | None = None) -> "StyleTarget":
        """Measure a style picture `[1, 3, H, W]`, without gradients."""
        with torch.no_grad():
            features = extractor.extract(batch, layers, measured=False)
            return cls.from_features(extractor.name, features, guide, extractor.metrics)

    @classmethod
    def from_features(
        cls, extractor: str, features: dict[str, Tensor], guide: Tensor | None = None, metrics: Mapping[str, Tensor] | None = None
    ) -> "StyleTarget":
        """Measure extracted features, `[1, C, H, W]` by layer, in the extractor's own channels."""
        metrics = metrics or {}
        guides = {layer: guide_at(guide, feature) for layer, feature in features.items()}
        return cls(
            extractor,
            {layer: _measured_gram(feature, guides[layer], metrics.get(layer)) for layer, feature in features.items()},
            {layer: _measured_means(feature, guides[layer], metrics.get(layer)) for layer, feature in features.items()},
            metrics,
        )

    @staticmethod
    def mix(targets: Sequence["StyleTarget"], weights: Sequence[float]) -> "StyleTarget":
        """Several styles as one; moments of a mixture are the weighted sums of its parts' moments.

        Args:
            weights: one for each target, not negative, not all 0; only their ratios matter.
        Raises:
            RequestError: when the weights don't fit the targets.
        """
        shares, first = mixing_shares(targets, weights), targets[0]
        return StyleTarget(
            first.extractor,
            {layer: torch.stack([share * t.grams[layer] for share, t in zip(shares, targets)]).sum(0) for layer in first.grams},
            {layer: torch.stack([share * t.means[layer] for share, t in zip(shares, targets)]).sum(0) for layer in first.means},
            first.metrics,
        )

    def lerp(self, other: "StyleTarget", share: float) -> "StyleTarget":
        """The mixture with a `share` of `other`; a share above 1 goes beyond it."""
        return StyleTarget(
            self.extractor,
            {layer: torch.lerp(gram, other.grams[layer], share) for layer, gram in self.grams.items()},
            {layer: torch.lerp(mean, other.means[layer], share) for layer, mean in self.means.items()},
            self.metrics,
        )

    def covariance(self, layer: str) -> Tensor:
        mean = self.means[layer]
        return self.grams[layer] - mean[:, :, None] * mean[:, None, :]

    def distances(self, features: dict[str, Tensor], kind: str = "gram", guide: Tensor | None = None) -> dict[str, Tensor]:
        """Relative style distance by layer of a feature map from this target.

        Args:
            features: `[1, C, H, W]` by layer, in the extractor's own channels; only the layers of this target count.
            kind: `gram` for Gram matrices, `covariance` for Wasserstein-2 between Gaussians.
            guide: `[1, 1, h, w]`, the region that carries this style; None is everywhere.
        """
        distances = {}
        for layer in self.grams:
            feature, local = features[layer], guide_at(guide, features[layer])
            # A matrix root amplifies small errors; a difference doesn't.
            gram = gram_matrix(feature, local, exact=kind != "gram")
            means = None if kind == "gram" else channel_means(feature, local)
            distances[layer] = self.distance(layer, gram, means, kind, guided=guide is not None)
        return distances

    def distance(self, layer: str, gram: Tensor, means: Tensor | None, kind: str = "gram", *, guided: bool = False) -> Tensor:
        """Relative style distance at a layer, a scalar, from moments alone; differentiable.

        Args:
            gram: `[1, C, C]`, of features in the extractor's own channels.
            means: `[1, C]`, likewise; may be None if `kind` is `gram`.
            kind: as in `distances`.
            guided: whether the moments are of an area.
        """
        metric = self.metrics.get(layer)
        if metric is not None:
            gram, means = metric @ gram @ metric, None if means is None else means @ metric
        if kind == "gram":
            return relative_distance(gram, self.grams[layer])
        assert means is not None  # other losses than "gram" come with means
        spread = gram - means[:, :, None] * means[:, None, :]
        # An area with fewer positions than channels doesn't vary in some directions. There the gradient of the covariance is huge, and
        # features cancel it only if they aren't rounded.
        least = _UNRESOLVED if guided else 0.0
        return wasserstein_distance(means, spread, self.means[layer], self.covariance(layer), least)


@dataclass(frozen=True)
class ContentTarget:
    """A photo measured by an extractor: its features, `[1, C, H, W]` by layer, in the extractor's metrics."""

    extractor: str
    features: dict[str, Tensor]
    metrics: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, extractor: FeatureExtractor, batch: Tensor, layers: Iterable[str]) -> "ContentTarget":
        with torch.no_grad():
            return cls(extractor.name, extractor.extract(batch, layers), extractor.metrics)

    def distances(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Relative content distance by layer: `|F(x) - F(c)|^2 / |F(c)|^2`, Gatys et al. (2016), eq. 1, made relative.

        Args:
            features: `[1, C, H, W]` by layer, in the extractor's own channels.
        """
        return {
            layer: relative_distance(in_metric(features[layer], self.metrics.get(layer)), target) for layer, target in self.features.items()
        }


def mixing_shares(targets: Sequence, weights: Sequence[float]) -> list[float]:
    """Weights of styles to be mixed, as shares that sum to 1.

    Args:
        targets: measured styles, each with the extractor's name as `extractor`.
    Raises:
        RequestError: when the weights don't fit the targets, or different networks made them.
    """
    if any(target.extractor != targets[0].extractor for target in targets):
        raise RequestError("Styles measured by different feature networks can't be mixed; measure them with the same one.")
    return style_shares(weights, len(targets))


def guide_at(guide: Tensor | None, feature: Tensor) -> Tensor | None:
    """A guide `[1, 1, H, W]` averaged down to a feature map's positions."""
    if guide is None or guide.shape[-2:] == feature.shape[-2:]:
        return guide
    return averaged_to(guide, (feature.shape[-2], feature.shape[-1]))


def evaluate(extractor: FeatureExtractor, result: Tensor, content: Tensor, style: Tensor) -> dict[str, float]:
    """Distances of a result from its style and its photo: the two figures that this project quotes.

    Args:
        extractor: VGG-19, in float32 for published figures.
        result, content: `[3, H, W]`, the same size.
        style: `[3, h, w]`, with the same short side as the result.
    Returns:
        `style`, the mean of the relative Gram distances at relu1_1 to relu5_1; `content`, the relative distance at relu4_2; and
        each style layer's distance.
    """
    device = extractor.compute.device
    target = StyleTarget.of(extractor, style[None].to(device), STYLE_LAYERS)
    photo = ContentTarget.of(extractor, content[None].to(device), [CONTENT_LAYER])
    with torch.no_grad():
        features = extractor.extract(result[None].to(device), [*STYLE_LAYERS, CONTENT_LAYER], measured=False)
        by_layer = {layer: float(value) for layer, value in target.distances(features).items()}
        content_distance = float(photo.distances(features)[CONTENT_LAYER])
    return {"style": sum(by_layer.values()) / len(by_layer), "content": content_distance, **by_layer}


def _measured_gram(features: Tensor, guide: Tensor | None, metric: Tensor | None) -> Tensor:
    """The Gram matrix of features `[B, C, H, W]` in a symmetric metric `[C, C]`, or without one."""
    gram = gram_matrix(features, guide)
    return gram if metric is None else metric @ gram @ metric


def _measured_means(features: Tensor, guide: Tensor | None, metric: Tensor | None) -> Tensor:
    """Likewise, the means `[B, C]` of the channels."""
    means = channel_means(features, guide)
    return means if metric is None else means @ metric
