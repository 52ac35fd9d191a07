"""What style transfer minimises: content, style and smoothness, each as pure functions of tensors.

Distances are relative, `|x - t|^2 / |t|^2`, so that one weight means the same for every pair of pictures, every size
and every extractor.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from style_core.errors import RequestError
from style_core.networks.extractor import FeatureExtractor, in_metric

JUDGE_STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
JUDGE_CONTENT_LAYER = "relu4_2"
_EPSILON = 1e-12
_CHUNK = 1024                # positions of a feature map that are summed at a time


class _SecondMoment(torch.autograd.Function):
    """`X^T X` of `[B, P, C]` with one product in the backward pass where autograd would make two.

    Summed by chunks, of which every core has some; `exact` sums are float32 throughout. Otherwise those of bfloat16 features are
    bfloat16 within a chunk, by the units that are made for it: each is 0.2 % off, at random, and the sum of `n` of them
    `n^(1/2)` times less.
    """

    @staticmethod
    def forward(ctx, positions: Tensor, exact: bool) -> Tensor:
        ctx.save_for_backward(positions)
        batch, count, channels = positions.shape
        wide = torch.promote_types(positions.dtype, torch.float32)
        if exact or count < 4 * _CHUNK:
            positions = positions.to(wide)
        whole = count - count % _CHUNK
        chunks = positions[:, :whole].reshape(-1, _CHUNK, channels)
        found = (chunks.mT @ chunks).view(batch, -1, channels, channels).sum(1, dtype=wide)
        rest = positions[:, whole:].to(wide)
        return found + rest.mT @ rest if whole < count else found

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (positions,) = ctx.saved_tensors
        symmetric = (gradient + gradient.mT).to(positions.dtype)
        return positions @ symmetric, None


def gram_matrix(features: Tensor, guide: Tensor | None = None, *, exact: bool = True) -> Tensor:
    """Channel-by-channel inner products of a feature map: its style, with position forgotten.

    `G[b, i, j] = sum_p T[p]^2 F[b, i, p] F[b, j, p] / sum_p T[p]^2`, after Gatys, Ecker and Bethge (2016), eq. 3, and
    with a guide after Gatys et al. (2017), eq. 3. The 2016 paper divides in the loss; dividing here gives the same
    texture the same matrix at 256 and at 2048 px.

    Args:
        features: `[B, C, H, W]`, any floating type.
        guide: `[1, 1, H, W]`, where the style counts and how much; None is everywhere.
        exact: sums in float32; else those of bfloat16 features may be about 0.1 % off, in several times less time.
    Returns:
        `[B, C, C]`, float32 (bfloat16 sums over `H W` lose the style), symmetric, positive semi-definite.
    Raises:
        RequestError: if no positions are left, that is, the picture is smaller than the layer's stride.
    """
    height, width = features.shape[-2:]
    if height * width == 0:
        raise RequestError(
            f"The picture is too small for this layer: {width} x {height} positions are left of it. "
            "Use a larger size or an earlier layer."
        )
    count = height * width
    if guide is not None:
        features = features * guide.to(features.dtype)
        count = guide.float().square().sum().clamp_min(_EPSILON)
    return _SecondMoment.apply(_positions(features), exact) / count      # [B, C, C]


def channel_means(features: Tensor, guide: Tensor | None = None) -> Tensor:
    """Mean of each channel over (guided) positions: `[B, C, H, W]` -> `[B, C]`, float32."""
    positions = _positions(features).float()                             # [B, P, C]
    if guide is None:
        return positions.mean(1)
    # The square, as in the guided Gram matrix: moments of one distribution need one weighting.
    weight = guide.float().square().flatten()[None, :, None]
    return (positions * weight).sum(1) / weight.sum().clamp_min(_EPSILON)


def relative_distance(input: Tensor, target: Tensor) -> Tensor:
    """`|input - target|^2 / |target|^2`, a scalar: 0 when equal, 1 when `input` is nothing."""
    target = target.float()
    return (input.float() - target).square().sum() / target.square().sum().clamp_min(_EPSILON)


def relative_distances(input: Tensor, target: Tensor) -> Tensor:
    """`relative_distance` of each element of a batch: `[B, ...]` twice -> `[B]`, float32."""
    difference = (input.float() - target.float()).flatten(1).square().sum(1)
    return difference / target.float().flatten(1).square().sum(1).clamp_min(1e-8)


class _TraceRoot(torch.autograd.Function):
    """`tr (R C R)^(1/2)` for a fixed symmetric root `R`, with its closed-form gradient `R (R C R)^(-1/2) R / 2`.

    The closed form avoids differentiating the eigendecomposition, which blows up where eigenvalues meet.
    """

    @staticmethod
    def forward(ctx, covariance: Tensor, root: Tensor) -> Tensor:
        values, vectors = _eigh(root @ covariance @ root)
        floor = values[..., -1:].clamp_min(_EPSILON) * 1e-7
        roots = values.clamp_min(floor).sqrt()
        ctx.save_for_backward(roots, vectors, root)
        return roots.sum()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        roots, vectors, root = ctx.saved_tensors
        inverse = (vectors / roots[..., None, :]) @ vectors.mT
        return gradient * 0.5 * (root @ inverse @ root), None


def wasserstein_distance(mean: Tensor, covariance: Tensor, target_mean: Tensor, target_covariance: Tensor) -> Tensor:
    """Squared 2-Wasserstein distance between two Gaussians, relative to the target's own second moment.

    `|m - n|^2 + tr(C + D - 2 (D^(1/2) C D^(1/2))^(1/2))` over `|n|^2 + tr D` (Dowson and Landau 1982).

    Args:
        mean, target_mean: `[B, C]`.
        covariance, target_covariance: `[B, C, C]`, symmetric, positive semi-definite.
    Returns:
        A scalar; 0 for equal Gaussians.
    """
    root = matrix_root(target_covariance)
    traces = covariance.diagonal(dim1=-2, dim2=-1).sum() + target_covariance.diagonal(dim1=-2, dim2=-1).sum()
    distance = (mean - target_mean).square().sum() + traces - 2 * _TraceRoot.apply(covariance, root)
    scale = target_mean.square().sum() + target_covariance.diagonal(dim1=-2, dim2=-1).sum()
    return distance / scale.clamp_min(_EPSILON)


def matrix_root(matrix: Tensor) -> Tensor:
    """The symmetric square root of symmetric positive semi-definite matrices, `[..., C, C]`."""
    values, vectors = _eigh(matrix)
    return (vectors * values.clamp_min(0).sqrt()[..., None, :]) @ vectors.mT


class _TotalVariation(torch.autograd.Function):
    """`total_variation`, in half the passes over the picture that autograd would make of it."""

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
    """Mean squared difference of neighbouring pixels, `[B, 3, H, W]` -> scalar (Mahendran and Vedaldi 2015, beta 2)."""
    return _TotalVariation.apply(batch)


def out_of_gamut(batch: Tensor) -> Tensor:
    """Mean squared distance of pixels from `[0, 1]`: keeps an unclamped optimiser inside what a screen can show."""
    # Nothing flows back through the clamp: inside, the excess is 0 there; outside, the clamp stands still.
    return functional.mse_loss(batch, batch.detach().clamp(0, 1))


@dataclass(frozen=True)
class StyleTarget:
    """A style as an extractor sees it: first and second moments of its features, layer by layer.

    Attributes:
        extractor: the name of the extractor that made it.
        grams: `[1, C, C]` by layer.
        means: `[1, C]` by layer.
        metrics: the extractor's, by which moments of features in its own channels are brought to these.
    """

    extractor: str
    grams: dict[str, Tensor]
    means: dict[str, Tensor]
    metrics: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, extractor: FeatureExtractor, batch: Tensor, layers: Iterable[str], guide: Tensor | None = None) -> "StyleTarget":
        """Measure a style picture `[1, 3, H, W]`; nothing is kept for gradients."""
        with torch.no_grad():
            features = extractor.extract(batch, layers, measured=False)
            return cls.from_features(extractor.name, features, guide, extractor.metrics)

    @classmethod
    def from_features(
        cls, extractor: str, features: dict[str, Tensor], guide: Tensor | None = None, metrics: Mapping[str, Tensor] | None = None
    ) -> "StyleTarget":
        """Measure features that are there already, `[1, C, H, W]` by layer, in the extractor's own channels."""
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
        shares = style_shares(weights, len(targets))
        first = targets[0]
        if any(target.extractor != first.extractor for target in targets):
            raise RequestError("Styles measured by different feature networks can't be mixed; measure them with one.")
        return StyleTarget(
            first.extractor,
            {layer: sum(share * t.grams[layer] for share, t in zip(shares, targets)) for layer in first.grams},
            {layer: sum(share * t.means[layer] for share, t in zip(shares, targets)) for layer in first.means},
            first.metrics,
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
        for layer, gram in self.grams.items():
            feature, local, metric = features[layer], guide_at(guide, features[layer]), self.metrics.get(layer)
            # A matrix root, unlike a difference, is undone by small errors.
            own = _measured_gram(feature, local, metric, exact=kind != "gram")
            if kind == "gram":
                distances[layer] = relative_distance(own, gram)
            else:
                mean = _measured_means(feature, local, metric)
                spread = own - mean[:, :, None] * mean[:, None, :]
                distances[layer] = wasserstein_distance(mean, spread, self.means[layer], self.covariance(layer))
        return distances


@dataclass(frozen=True)
class ContentTarget:
    """A photo as an extractor sees it: its features, `[1, C, H, W]` by layer, in the extractor's metrics."""

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


def style_shares(weights: Sequence[float] | None, count: int) -> list[float]:
    """Style weights as shares that sum to 1; None is equal shares.

    Raises:
        RequestError: for a wrong number of weights, a negative one, or none above 0.
    """
    if weights is None:
        return [1 / count] * count
    if len(weights) != count:
        raise RequestError(f"There are {len(weights)} style weights for {count} styles; give one for each.")
    if not all(0 <= weight < float("inf") for weight in weights) or sum(weights) <= 0:
        listed = ", ".join(f"{weight:g}" for weight in weights)
        raise RequestError(f"The style weights are {listed}; they must not be negative, and one must be above 0.")
    return [weight / sum(weights) for weight in weights]


def guide_at(guide: Tensor | None, feature: Tensor) -> Tensor | None:
    """A guide `[1, 1, H, W]` averaged down to a feature map's positions."""
    if guide is None or guide.shape[-2:] == feature.shape[-2:]:
        return guide
    return functional.interpolate(guide, size=feature.shape[-2:], mode="area")


def judge(extractor: FeatureExtractor, result: Tensor, content: Tensor, style: Tensor) -> dict[str, float]:
    """How far a result is from its style and its photo: the two figures that this project quotes.

    Args:
        extractor: VGG-19, in float32 for figures that are published.
        result, content: `[3, H, W]`, the same size.
        style: `[3, h, w]`, at the size at which its strokes should show: its short side that of the result.
    Returns:
        `style`, the mean over relu1_1..relu5_1 of relative Gram distances; `content`, the relative distance at
        relu4_2; and each style layer's own.
    """
    device = extractor.compute.device
    target = StyleTarget.of(extractor, style[None].to(device), JUDGE_STYLE_LAYERS)
    photo = ContentTarget.of(extractor, content[None].to(device), [JUDGE_CONTENT_LAYER])
    with torch.no_grad():
        features = extractor.extract(result[None].to(device), [*JUDGE_STYLE_LAYERS, JUDGE_CONTENT_LAYER], measured=False)
        by_layer = {layer: float(value) for layer, value in target.distances(features).items()}
        content_distance = float(photo.distances(features)[JUDGE_CONTENT_LAYER])
    return {"style": sum(by_layer.values()) / len(by_layer), "content": content_distance, **by_layer}


def _measured_gram(features: Tensor, guide: Tensor | None, metric: Tensor | None, exact: bool = True) -> Tensor:
    """The Gram matrix that features `[B, C, H, W]` would have in a symmetric metric `[C, C]`; None is none."""
    gram = gram_matrix(features, guide, exact=exact)
    return gram if metric is None else metric @ gram @ metric


def _measured_means(features: Tensor, guide: Tensor | None, metric: Tensor | None) -> Tensor:
    """Likewise, the means `[B, C]` of its channels."""
    means = channel_means(features, guide)
    return means if metric is None else means @ metric


def _positions(features: Tensor) -> Tensor:
    """`[B, C, H, W]` -> `[B, H W, C]`; no copy when the features are channels_last."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def _eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:
    # MPS has no eigendecomposition.
    if matrix.device.type == "mps":
        values, vectors = torch.linalg.eigh(matrix.cpu())
        return values.to(matrix.device), vectors.to(matrix.device)
    return torch.linalg.eigh(matrix)
