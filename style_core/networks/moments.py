"""First and second moments of feature maps: what style is measured by, and how styles mix."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor

from style_core.errors import RequestError
from style_core.networks.vgg19 import STYLE_LAYERS

_VARIANCE_FLOOR = 1e-5
_EPSILON = 1e-12
_CHUNK = 1024  # positions of a feature map that are summed at a time


class _SecondMoment(torch.autograd.Function):
    """`X^T X` of features `[B, C, H, W]` times a guide `[1, 1, H, W]` or None, as positions `X` `[B, P, C]`.

    The backward pass has one product where autograd would have two. It multiplies by the guide again: autograd would keep the product,
    which takes as much memory as the features, for each region.

    Summed in chunks, in parallel; `exact` sums are float32 throughout. Otherwise bfloat16 features are summed in bfloat16 within a
    chunk, which is fast on AMX: each chunk has a random error of about 0.2 %, which averages out over the chunks.
    """

    @staticmethod
    def forward(ctx, features: Tensor, guide: Tensor | None, exact: bool) -> Tensor:
        ctx.save_for_backward(features, guide)
        positions = _positions(_guided(features, guide))
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
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        features, guide = ctx.saved_tensors
        positions = _positions(_guided(features, guide))
        found = positions @ (gradient + gradient.mT).to(positions.dtype)
        del positions  # with a guide, a copy as large as the features
        found = found.unflatten(1, features.shape[-2:]).permute(0, 3, 1, 2)
        return found if guide is None else found.mul_(guide.to(found.dtype)), None, None


class _FirstMoment(torch.autograd.Function):
    """Sums of features `[B, C, H, W]` times a guide `[1, 1, H, W]`, squared: `[B, C]`, float32; what is kept is as in `_SecondMoment`."""

    @staticmethod
    def forward(ctx, features: Tensor, guide: Tensor) -> Tensor:
        ctx.save_for_backward(features, guide)
        return (_positions(features).float() * _squared(guide)).sum(1)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        features, guide = ctx.saved_tensors
        found = gradient[:, None, :] * _squared(guide)  # [B, P, C]
        return found.to(features.dtype).unflatten(1, features.shape[-2:]).permute(0, 3, 1, 2), None


def gram_matrix(features: Tensor, guide: Tensor | None = None, *, exact: bool = True) -> Tensor:
    """Channel-by-channel inner products of a feature map: its style, with position forgotten.

    `G[b, i, j] = sum_p T[p]^2 F[b, i, p] F[b, j, p] / sum_p T[p]^2`, after Gatys, Ecker and Bethge (2016), eq. 3, and
    with a guide after Gatys et al. (2017), eq. 3. The 2016 paper divides in the loss; dividing here gives the same
    texture the same matrix at 256 and at 2048 px.

    Args:
        features: `[B, C, H, W]`, any floating type.
        guide: `[1, 1, H, W]`, weight of each position; None weighs all positions equally.
        exact: sum in float32; otherwise sums of bfloat16 features are several times faster, with errors of about 0.1 %.
    Returns:
        `[B, C, C]`, float32 (bfloat16 sums over `H W` lose the style), symmetric, positive semi-definite.
    Raises:
        RequestError: if no positions are left, that is, the picture is smaller than the layer's stride.
    """
    height, width = features.shape[-2:]
    if height * width == 0:
        raise RequestError(
            "The picture is too small for this layer, which has only {width} x {height} positions left. "
            "Use a larger size or an earlier layer.",
            width=width,
            height=height,
        )
    count = height * width if guide is None else guide.float().square().sum().clamp_min(_EPSILON)
    return gram_sum(features, guide, exact=exact) / count


def gram_sum(features: Tensor, guide: Tensor | None = None, *, exact: bool = True) -> Tensor:
    """`gram_matrix` before the division, `[B, C, C]`: sums over the parts of a map add up to the sum over the whole."""
    return _SecondMoment.apply(features, guide, exact)


def channel_means(features: Tensor, guide: Tensor | None = None) -> Tensor:
    """Mean of each channel over (guided) positions: `[B, C, H, W]` -> `[B, C]`, float32."""
    if guide is None:
        return _positions(features).float().mean(1)
    return channel_sums(features, guide) / guide.float().square().sum().clamp_min(_EPSILON)


def channel_sums(features: Tensor, guide: Tensor | None = None) -> Tensor:
    """`channel_means` before the division: `[B, C, H, W]` -> `[B, C]`, float32."""
    return _positions(features).float().sum(1) if guide is None else _FirstMoment.apply(features, guide)


def relative_distance(input: Tensor, target: Tensor) -> Tensor:
    """`|input - target|^2 / |target|^2`, a scalar: 0 when equal, 1 when `input` is 0."""
    target = target.float()
    return (input.float() - target).square().sum() / target.square().sum().clamp_min(_EPSILON)


def relative_distances(input: Tensor, target: Tensor) -> Tensor:
    """`relative_distance` of each element of a batch: `[B, ...]` twice -> `[B]`, float32."""
    difference = (input.float() - target.float()).flatten(1).square().sum(1)
    return difference / target.float().flatten(1).square().sum(1).clamp_min(_EPSILON)


def correlation(one: Tensor, two: Tensor) -> Tensor:
    """Correlation over positions of two feature maps `[B, C, H, W]`, whose channels' means are taken away first; in `[-1, 1]`.

    What a style does to all positions alike doesn't count: it compares where things are.
    """
    one, two = (features.float() - features.float().mean((2, 3), keepdim=True) for features in (one, two))
    return (one * two).sum() / (one.norm() * two.norm()).clamp_min(_EPSILON)


def style_shares(weights: Sequence[float] | None, count: int) -> list[float]:
    """Style weights as shares that sum to 1; None is equal shares.

    Raises:
        RequestError: for a wrong number of weights, one that is negative or no number, or none above 0.
    """
    if weights is None:
        return [1 / count] * count
    if len(weights) != count:
        raise RequestError("There are {weights} style weights for {styles} styles; give one for each.", weights=len(weights), styles=count)
    if not all(isinstance(weight, Real) for weight in weights):
        raise RequestError("The style weights are {weights}; they must be numbers.", weights=", ".join(map(repr, weights)))
    if not all(0 <= weight < float("inf") for weight in weights) or sum(weights) <= 0:
        listed = ", ".join(f"{weight:g}" for weight in weights)
        raise RequestError("The style weights are {weights}; they must not be negative, and one must be above 0.", weights=listed)
    parts = [weight / max(weights) for weight in weights]  # first, so that the sum of huge weights stays finite
    return [part / sum(parts) for part in parts]


def _guided(features: Tensor, guide: Tensor | None) -> Tensor:
    return features if guide is None else features * guide.to(features.dtype)


def _squared(guide: Tensor) -> Tensor:
    """A guide as weights of positions, `[1, P, 1]`: squared, as in the guided Gram matrix, because both moments must weigh alike."""
    return guide.float().square().flatten()[None, :, None]


def _positions(features: Tensor) -> Tensor:
    """`[B, C, H, W]` -> `[B, H W, C]`; a view when the features are channels_last."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


@dataclass(frozen=True)
class Moments:
    """First and second moments of a picture's features, from which a style's code is computed.

    Attributes:
        means: `[B, C]` by level.
        grams: `[B, C, C]` by level, float32.
    """

    means: dict[str, Tensor]
    grams: dict[str, Tensor]

    @classmethod
    def of(cls, features: dict[str, Tensor]) -> "Moments":
        return cls(
            {level: channel_means(features[level]) for level in STYLE_LAYERS},
            {level: gram_matrix(features[level]) for level in STYLE_LAYERS},
        )

    def lerp(self, other: "Moments", share: float) -> "Moments":
        """Moments of a mixture of the two with a `share` of `other`: moments mix linearly."""
        return Moments(
            {level: torch.lerp(mean, other.means[level], share) for level, mean in self.means.items()},
            {level: torch.lerp(gram, other.grams[level], share) for level, gram in self.grams.items()},
        )

    @staticmethod
    def of_one(features: Tensor) -> tuple[Tensor, Tensor]:
        """Means `[B, C]` and Gram matrices `[B, C, C]` of one level."""
        return channel_means(features), gram_matrix(features)

    def deviations(self, level: str) -> Tensor:
        """Standard deviation of each channel, `[B, C]`."""
        variance = self.grams[level].diagonal(dim1=-2, dim2=-1) - self.means[level].square()
        return variance.clamp_min(0).add(_VARIANCE_FLOOR).sqrt()
