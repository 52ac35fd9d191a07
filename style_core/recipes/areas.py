"""Painted areas: what the recipes share about masks, palettes in them, and the strength where nothing is painted."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from style_core.media.color import match_palette, palette_of
from style_core.media.images import resize
from style_core.networks.guides import divided
from style_core.options import Options

_O = TypeVar("_O", bound=Options)
Masks = Sequence[Tensor | None] | None  # for each style the area that it covers; None covers what the others leave


def leave_outside(masks: Masks, shares: Sequence[float] | None = None) -> bool:
    """Whether the masks leave an area that belongs to no style.

    Args:
        shares: of the styles; one that has no share covers nothing.
    """
    shares = shares or [1.0] * len(masks or ())
    return masks is not None and all(mask is not None or not share for mask, share in zip(masks, shares, strict=True))


def recolored_where_painted(
    plain: Tensor, recolored: Tensor, masks: Masks, shares: Sequence[float] | None = None, outside: float = 0.0
) -> Tensor:  # fmt: skip
    """`recolored` in the painted areas, and `plain` in what the masks leave to no style; `[3, H, W]` each.

    Args:
        outside: strength there, by which it is recolored as well.
    """
    if recolored is plain or not leave_outside(masks, shares):
        return recolored
    size = (plain.shape[-2], plain.shape[-1])
    shares = shares or [1.0] * len(masks or ())
    areas = [resize(mask.to(plain), size).clamp(0, 1) for mask, share in zip(masks or (), shares) if mask is not None and share]
    painted = torch.stack(areas).amax(0)
    return torch.lerp(plain, recolored, painted + (1 - painted) * min(1.0, outside))


def in_palettes(image: Tensor, styles: Sequence[Tensor], shares: Sequence[float], masks: Masks, outside: float = 0.0) -> Tensor:
    """An image with the palette of the styles, in each area that of its own style; see `match_palette`.

    What the masks leave belongs to the styles without one. If there are none, it keeps its colors.

    Args:
        image: `[3, H, W]` in `[0, 1]`.
        styles: `[3, h, w]` each.
        shares: of the styles; one that has no share covers nothing.
        outside: strength in what the masks leave to no style, by which it takes the palette of all of them.
    """
    masked = {index: mask for index, mask in enumerate(masks or ()) if mask is not None and shares[index]}
    if not masked:
        return match_palette(image, palette_of(styles, shares))
    size = (image.shape[-2], image.shape[-1])
    sized = [resize(mask.to(image), size).clamp(0, 1) for mask in masked.values()]
    guides = divided(sized, [shares[index] for index in masked])
    free = [index for index, share in enumerate(shares) if share and index not in masked]
    areas = [([index], guide, 1.0) for index, guide in zip(masked, guides)]
    areas.append((free or list(masked), (1 - torch.stack(sized).sum(0)).clamp(0, 1), 1.0 if free else min(1.0, outside)))
    result = image.clone()
    for chosen, guide, strength in areas:
        inside = guide[0] > 0
        if strength and inside.any():
            pixels, weights = image[:, inside, None], guide[:, inside, None]  # [3, N, 1] and [1, N, 1], as a picture of one column
            palette = palette_of([styles[index] for index in chosen], [shares[index] for index in chosen])
            result[:, inside] += (strength * weights * (match_palette(pixels, palette, weights) - pixels))[..., 0]
    return result.clamp(0, 1)


def in_effect(options: _O, masks: Masks, shares: Sequence[float] | None = None) -> tuple[_O, str]:
    """Options without an `outside` that has no effect, and a note that says so, or an empty string."""
    if not getattr(options, "outside", 0.0) or leave_outside(masks, shares):
        return options, ""
    if masks is None or all(mask is None for mask in masks):
        note = "No area is painted, so the strength outside has no effect."
    else:
        note = "Another style covers the rest, so the strength outside has no effect."
    return replace(options, **{"outside": 0.0}), note
