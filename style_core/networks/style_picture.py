"""Style pictures as `stylize` reads them: at one size, whatever their file's, and how much of that size they really have."""

from torch import Tensor

from style_core.media.images import fit_short
from style_core.media.sharpness import true_side
from style_core.networks.cache import ByPicture

STYLE_SIDE = 512  # px, short side at which a style picture is read when its scale is 1
_SMALLEST = 64  # px
_sized, _sides = ByPicture(), ByPicture()


def style_at_scale(style: Tensor, scale: float = 1.0) -> Tensor:
    """A style picture `[3, h, w]` at the size at which it is read for a brush size."""
    side = max(_SMALLEST, round(STYLE_SIDE * scale))
    if side >= min(style.shape[-2:]):
        return fit_short(style, side)
    return _sized.get(style, side, lambda: fit_short(style, side))


def true_share(style: Tensor, scale: float = 1.0) -> float:
    """The share of the size at which a style picture `[3, h, w]` is read that it really has: below 1 if it is enlarged for that, or was."""
    side = _sides.get(style, None, lambda: true_side(style))
    return min(1.0, side / (STYLE_SIDE * min(1.0, scale)))
