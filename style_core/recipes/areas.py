"""Painted areas: what the recipes share about masks and what lies outside them."""

from collections.abc import Sequence

from torch import Tensor


def leave_outside(masks: Sequence[Tensor | None] | None) -> bool:
    """Whether there is an area outside all masks: every style has one."""
    return masks is not None and all(mask is not None for mask in masks)


def unused_outside(outside: float, masks: Sequence[Tensor | None] | None) -> str:
    """A note about a strength outside the painted areas that has no effect, because there are none; else an empty string."""
    return "No area is painted, so the strength outside has no effect." if outside and not leave_outside(masks) else ""
