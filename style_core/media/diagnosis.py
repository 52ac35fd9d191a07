"""Detect common failures of a result: unchanged, gray, saturated, grainy."""

import torch
from torch import Tensor

from style_core.media.color import luminance_of
from style_core.media.images import fit

_SIDE = 384  # px; a fixed size, so that verdicts don't depend on the picture's
_UNCHANGED = 0.02  # mean difference from the photo, in pixel values
_GRAY = 0.25  # of the style's chroma
_FEW_COLORS = 0.02  # chroma below which a style counts as gray itself
_SATURATED = 0.25  # share of pixels with a channel at its limit, beyond that of photo and style
_GRAINY = 2.5  # times the finest detail of whichever of photo and style has more


def diagnose(result: Tensor, photo: Tensor | None = None, style: Tensor | None = None) -> str:
    """What is wrong with a result, as one word, or an empty string.

    Args:
        result, photo, style: `[3, H, W]`, any sizes; without a photo or a style, fewer failures can be detected.
    Returns:
        `unchanged`, `gray`, `saturated`, `grainy`, or an empty string.
    """
    result, others = fit(result, _SIDE), [fit(image, _SIDE) for image in (photo, style) if image is not None]
    if photo is not None and others[0].shape == result.shape and (result - others[0]).abs().mean() < _UNCHANGED:
        return "unchanged"
    if style is not None and _chroma(others[-1]) > _FEW_COLORS and _chroma(result) < _GRAY * _chroma(others[-1]):
        return "gray"
    if _at_limits(result) > _SATURATED + max([_at_limits(image) for image in others], default=0.0):
        return "saturated"
    # Bold strokes have as much fine detail as grain, so without the style nothing can be concluded.
    if style is not None and _grain(result) > _GRAINY * max(map(_grain, others)):
        return "grainy"
    return ""


def _chroma(image: Tensor) -> float:
    return float((image - luminance_of(image)).square().mean().sqrt())


def _at_limits(image: Tensor) -> float:
    return float(((image < 2 / 255) | (image > 253 / 255)).any(0).float().mean())


def _grain(image: Tensor) -> float:
    """Mean absolute second difference: the detail at the scale of single pixels."""
    luma = luminance_of(image)
    across = luma[..., 2:] - 2 * luma[..., 1:-1] + luma[..., :-2]
    down = luma[..., 2:, :] - 2 * luma[..., 1:-1, :] + luma[..., :-2, :]
    return float(torch.cat([across.abs().flatten(), down.abs().flatten()]).mean())
