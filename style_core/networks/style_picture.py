"""Style pictures at the sizes at which they are measured, and how much of these they really have."""

from torch import Tensor

from style_core.media.images import fit_short
from style_core.media.sharpness import true_side
from style_core.networks.cache import ByPicture

STYLE_SIDE = 512  # px, short side at which `stylize` reads a style picture when its scale is 1
_SMALLEST = 64  # px
_sized, _sides = ByPicture(), ByPicture()


def style_at_scale(style: Tensor, scale: float = 1.0) -> Tensor:
    """A style picture `[3, h, w]` at the size at which `stylize` reads it for a brush size."""
    side = max(_SMALLEST, round(STYLE_SIDE * scale))
    if side >= min(style.shape[-2:]):
        return fit_short(style, side)
    return _sized.get(style, side, lambda: fit_short(style, side))


def true_share(style: Tensor, scale: float = 1.0, side: int = STYLE_SIDE) -> float:
    """The share of the size at which a style picture `[3, h, w]` is measured that it really has: below 1 if it is enlarged, or was before.

    Args:
        scale: of its strokes. Above 1 they are to be larger, which is no lack.
        side: px, the short side at which it is measured when the scale is 1.
    """
    own = _sides.get(style, None, lambda: true_side(style))
    return min(1.0, own / (side * min(1.0, scale)))
