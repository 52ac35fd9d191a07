"""Painted areas: what the recipes share about masks, and about the strength where nothing is painted."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from torch import Tensor

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


def in_effect(options: _O, masks: Masks, shares: Sequence[float] | None = None) -> tuple[_O, str]:
    """Options without an `outside` that has no effect, and a note that says so, or an empty string."""
    if not getattr(options, "outside", 0.0) or leave_outside(masks, shares):
        return options, ""
    if masks is None or all(mask is None for mask in masks):
        note = "No area is painted, so the strength outside has no effect."
    else:
        note = "Another style covers the rest, so the strength outside has no effect."
    return replace(options, **{"outside": 0.0}), note
