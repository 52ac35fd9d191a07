"""Color control: luminance transfer, color matching by mean and covariance, and palette transfer."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from style_core.matrices import matrix_root
from style_core.media.images import row_strips
from style_core.options import option

COLORS = ("style", "keep", "match")
PAINTING_COLORS = (*COLORS, "palette")
# Luma weights of Rec. 601, as in the YIQ space that Gatys et al. use.
LUMA = (0.299, 0.587, 0.114)
_TURNS = 8  # rotations of color space in which palettes are matched; more make no visible difference
_RANKS = 512  # points of the curve from one distribution to another; few enough not to amplify grain
_PART = 2**22  # pixels matched at a time, so that large pictures fit into memory
_SAMPLED = 2**16  # pixels sampled to represent a picture's colors


def painting_color_option() -> Any:
    """The option `color` of recipes that have the style pictures."""
    return option(
        "style",
        "The painting's colors, the photo's, a blend of both, or exactly the painting's palette.",
        PAINTING_COLORS,
    )


def luminance_of(image: Tensor) -> Tensor:
    """`[3, H, W]` -> its luma `[1, H, W]` in `[0, 1]`."""
    return (image * image.new_tensor(LUMA).view(3, 1, 1)).sum(0, keepdim=True)


def keep_color(result: Tensor, photo: Tensor) -> Tensor:
    """The luminance of `result` with the colors of `photo`, both `[3, H, W]`.

    Colors outside the gamut are desaturated until they fit, which preserves the luminance.
    """
    luma = luminance_of(result)
    chroma = photo - luminance_of(photo)
    # The largest fraction of the chroma for which luma + fraction * chroma stays within [0, 1] in every channel.
    room = torch.where(chroma > 0, 1 - luma, luma) / chroma.abs().clamp_min(1e-6)
    share = room.amin(0, keepdim=True).clamp(0, 1)
    return (luma + share * chroma).clamp(0, 1)


def match_color(image: Tensor, reference: Tensor, region: Tensor | None = None) -> Tensor:
    """`image` recolored so that its colors have the mean and covariance of those of `reference`, clamped to `[0, 1]`.

    Args:
        region: `[1, H, W]` in `[0, 1]`: weight of each pixel's color in `image`; None weighs all equally.
    """
    return matched_unclamped(image, reference, region).clamp(0, 1)


def matched_unclamped(image: Tensor, reference: Tensor, region: Tensor | None = None) -> Tensor:
    """`C_r^(1/2) C_i^(-1/2) (x - m_i) + m_r`: Gatys et al. (2017), eq. 10 and 11, computed in double precision."""
    return mapped(image, *color_map(color_moments(image, region), color_moments(reference)))


def color_map(have: tuple[Tensor, Tensor], wanted: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The transform `[3, 3]` and offset `[3, 1]` that give colors of some moments others, both as from `color_moments`."""
    (mean, spread), (wanted_mean, wanted_spread) = have, wanted
    # The ridge makes the covariance of a single-color picture invertible.
    ridge = 1e-8 * torch.eye(3, dtype=torch.float64)
    transform = matrix_root(wanted_spread) @ torch.linalg.inv(matrix_root(spread + ridge))
    return transform, wanted_mean - transform @ mean


def mapped(image: Tensor, transform: Tensor, offset: Tensor) -> Tensor:
    """`transform @ x + offset` for each color `x` of an image `[3, H, W]`, in the precision of the transform `[3, 3]`."""
    found = torch.empty_like(image, memory_format=torch.contiguous_format)
    for rows in row_strips(image):
        pixels = image[:, rows].flatten(1).to(transform.dtype)
        found[:, rows] = (transform @ pixels + offset).view_as(found[:, rows])
    return found


def color_moments(image: Tensor, region: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean `[3, 1]` and covariance `[3, 3]` of the pixels, in double precision; `region` as in `match_color`."""
    total = torch.zeros((), dtype=torch.float64)
    sums, products = torch.zeros(3, 1, dtype=torch.float64), torch.zeros(3, 3, dtype=torch.float64)
    for rows in row_strips(image):
        pixels = image[:, rows].double().flatten(1) - 0.5  # centered, to limit cancellation in the covariance
        weights = pixels.new_ones(1, pixels.shape[1]) if region is None else region[:, rows].double().flatten(1) + 1e-9
        total += weights.sum()
        sums += (pixels * weights).sum(1, keepdim=True)
        products += (pixels * weights) @ pixels.mT
    mean = sums / total
    return mean + 0.5, products / total - mean @ mean.mT


def match_histogram(image: Tensor, reference: Tensor, axes: Tensor | None = None, region: Tensor | None = None) -> Tensor:
    """`image` `[3, H, W]` with the distribution of the reference's colors along each of three axes.

    Each value is mapped to the reference's value of the same rank, by curves of `_RANKS` points.

    Args:
        reference: `[3, h, w]`.
        axes: `[3, 3]`, orthonormal columns; None is red, green and blue.
        region: as in `match_color`.
    Returns:
        `[3, H, W]`, unclamped if `axes` are given.
    """
    axes = torch.eye(3) if axes is None else axes
    ranks = torch.linspace(0, 1, _RANKS)
    sample = _sampled(image) if region is None else _drawn(image, region)
    have = torch.quantile(axes.T @ sample, ranks, dim=1).T  # [3, ranks]
    want = torch.quantile(axes.T @ _sampled(reference), ranks, dim=1).T
    curves = have.contiguous(), want.contiguous()
    return torch.cat([axes @ _interpolated(axes.T @ part, *curves) for part in image.flatten(1).split(_PART, 1)], 1).view_as(image)


def match_palette(image: Tensor, reference: Tensor, region: Tensor | None = None) -> Tensor:
    """`image` with the reference's palette, that is, the same share of each color, in `[0, 1]`.

    Mean and covariance are matched first; then histograms along rotated axes, which converges to the three-dimensional
    distribution (Pitié, Kokaram and Dahyot 2007, "Automated colour grading using colour distribution transfer").

    Args:
        region: as in `match_color`; with it, the shares of colors in the region are the reference's.
    """
    matched = matched_unclamped(image, reference, region)
    generator = torch.Generator().manual_seed(0)
    for turn in range(_TURNS):
        axes = torch.linalg.qr(torch.randn(3, 3, generator=generator)).Q if turn else torch.eye(3)
        matched = match_histogram(matched, reference, axes, region)
    return matched.clamp(0, 1)


def palette_of(images: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """Pixels of several pictures in proportion to their shares, as one picture `[3, 1, N]` to match colors to."""
    counts = [round(_SAMPLED * share / max(shares)) for share in shares]
    return torch.cat([_sampled(image, count, exactly=True) for image, count in zip(images, counts) if count], 1)[:, None]


def _sampled(image: Tensor, most: int = _SAMPLED, *, exactly: bool = False) -> Tensor:
    """At most `most` pixels `[3, N]`, evenly spaced; `exactly` as many, some of them repeated if there are fewer."""
    pixels = image.flatten(1)
    if pixels.shape[1] <= most and not exactly:
        return pixels
    return pixels[:, torch.linspace(0, pixels.shape[1] - 1, most, dtype=torch.float64).long()]


def _drawn(image: Tensor, region: Tensor) -> Tensor:
    """`_SAMPLED` pixels `[3, N]`, spaced evenly by their weights in a region `[1, H, W]`."""
    weights = region.flatten().cumsum(0)
    places = (torch.arange(_SAMPLED, device=weights.device) + 0.5) * (weights[-1] / _SAMPLED)
    return image.flatten(1)[:, torch.searchsorted(weights, places).clamp_max(len(weights) - 1)]


def _interpolated(values: Tensor, have: Tensor, want: Tensor) -> Tensor:
    """Rows `[3, P]` mapped by the curves from the ascending `have` to `want`, `[3, N]` each; constant beyond the ends."""
    mapped = []
    for right in (False, True):  # equal values share the mean of their ranks: a large white area is as light as all of them together
        index = torch.searchsorted(have, values.contiguous(), right=right).clamp(1, have.shape[1] - 1)
        low, high = have.gather(1, index - 1), have.gather(1, index)
        share = ((values - low) / (high - low).clamp_min(1e-9)).clamp(0, 1)
        mapped.append(torch.lerp(want.gather(1, index - 1), want.gather(1, index), share))
    return (mapped[0] + mapped[1]) / 2
