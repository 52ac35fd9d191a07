"""Color control: luminance transfer, and matching colors by mean and covariance (Gatys et al. 2017, section 5)."""

from collections.abc import Iterator

import torch
from torch import Tensor

from style_core.matrices import matrix_root

COLORS = ("style", "keep", "match")
_STRIP = 2**20  # pixels that are computed in double precision together
# Luma weights of Rec. 601, as in the YIQ space that Gatys et al. use.
_LUMA = (0.299, 0.587, 0.114)


def luminance_of(image: Tensor) -> Tensor:
    """`[3, H, W]` -> its luma `[1, H, W]` in `[0, 1]`."""
    return (image * image.new_tensor(_LUMA).view(3, 1, 1)).sum(0, keepdim=True)


def keep_color(result: Tensor, photo: Tensor) -> Tensor:
    """The luminance of `result` with the colors of `photo`, both `[3, H, W]`.

    A color outside the gamut is desaturated until it fits, so that the luminance, which carries the painting, stays.
    """
    luma = luminance_of(result)
    chroma = photo - luminance_of(photo)
    # The largest share of the chroma that keeps luma + share * chroma inside [0, 1], channel by channel.
    room = torch.where(chroma > 0, 1 - luma, luma) / chroma.abs().clamp_min(1e-6)
    share = room.amin(0, keepdim=True).clamp(0, 1)
    return (luma + share * chroma).clamp(0, 1)


def match_color(image: Tensor, reference: Tensor, region: Tensor | None = None) -> Tensor:
    """`image` recolored so that its colors have the mean and covariance of those of `reference`, clamped to `[0, 1]`.

    Args:
        region: `[1, H, W]` in `[0, 1]`: weight of the colors of `image` at each pixel; None weighs all alike.
    """
    return matched_unclamped(image, reference, region).clamp(0, 1)


def matched_unclamped(image: Tensor, reference: Tensor, region: Tensor | None = None) -> Tensor:
    """`C_r^(1/2) C_i^(-1/2) (x - m_i) + m_r`: Gatys et al. (2017), eq. 10 and 11, computed in double precision."""
    mean, spread = _moments(image, region)
    wanted_mean, wanted_spread = _moments(reference)
    # The ridge makes the covariance of a single-color picture invertible.
    ridge = 1e-8 * torch.eye(3, dtype=torch.float64)
    transform = matrix_root(wanted_spread) @ torch.linalg.inv(matrix_root(spread + ridge))
    found = torch.empty_like(image, memory_format=torch.contiguous_format)
    for rows in _strips(image):
        pixels = image[:, rows].double().flatten(1) - mean
        found[:, rows] = (transform @ pixels + wanted_mean).view_as(found[:, rows])
    return found


def _moments(image: Tensor, region: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean `[3, 1]` and covariance `[3, 3]` of the pixels."""
    total = torch.zeros((), dtype=torch.float64)
    sums, products = torch.zeros(3, 1, dtype=torch.float64), torch.zeros(3, 3, dtype=torch.float64)
    for rows in _strips(image):
        pixels = image[:, rows].double().flatten(1) - 0.5  # near 0, so that little is lost in the last subtraction
        weights = pixels.new_ones(1, pixels.shape[1]) if region is None else region[:, rows].double().flatten(1) + 1e-9
        total += weights.sum()
        sums += (pixels * weights).sum(1, keepdim=True)
        products += (pixels * weights) @ pixels.mT
    mean = sums / total
    return mean + 0.5, products / total - mean @ mean.mT


def _strips(image: Tensor) -> Iterator[slice]:
    """Rows by turns: in double precision a whole print would take eight times the memory of its file."""
    height, width = image.shape[-2:]
    rows = max(1, _STRIP // width)
    for start in range(0, height, rows):
        yield slice(start, min(height, start + rows))
