"""Color: luminance kept apart from chroma, and colors matched by mean and covariance (Gatys et al. 2017, section 5)."""

import torch
from torch import Tensor

from style_core.matrices import matrix_root

COLORS = ("style", "keep", "match")
# Luma weights of Rec. 601, as in the YIQ space that Gatys et al. use.
_LUMA = (0.299, 0.587, 0.114)


def luminance_of(image: Tensor) -> Tensor:
    """`[3, H, W]` -> its luma `[1, H, W]` in `[0, 1]`."""
    return (image * image.new_tensor(_LUMA).view(3, 1, 1)).sum(0, keepdim=True)


def keep_color(result: Tensor, photo: Tensor) -> Tensor:
    """The luminance of `result` with the colors of `photo`, both `[3, H, W]`.

    Where that leaves the gamut, the color is desaturated towards its gray until it fits, so that the luminance, which
    carries the painting, stays.
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
        region: `[1, H, W]` in `[0, 1]`: how much the colors of `image` count at each place; None for the same everywhere.
    """
    return matched_unclamped(image, reference, region).clamp(0, 1)


def matched_unclamped(image: Tensor, reference: Tensor, region: Tensor | None = None) -> Tensor:
    """`C_r^(1/2) C_i^(-1/2) (x - m_i) + m_r`: Gatys et al. (2017), eq. 10 and 11, in double precision inside."""
    mean, spread = _moments(image, region)
    wanted_mean, wanted_spread = _moments(reference)
    # The ridge lets a picture of one color, whose covariance has no inverse, take the reference's mean.
    ridge = 1e-8 * torch.eye(3, dtype=torch.float64)
    transform = matrix_root(wanted_spread) @ torch.linalg.inv(matrix_root(spread + ridge))
    pixels = image.double().flatten(1) - mean
    return (transform @ pixels + wanted_mean).view_as(image).to(image.dtype)


def _moments(image: Tensor, region: Tensor | None = None) -> tuple[Tensor, Tensor]:
    pixels = image.double().flatten(1)  # [3, P]
    weights = pixels.new_ones(1, pixels.shape[1]) if region is None else region.double().flatten(1) + 1e-9
    weights = weights / weights.sum()
    mean = (pixels * weights).sum(1, keepdim=True)
    centered = pixels - mean
    return mean, (centered * weights) @ centered.mT
