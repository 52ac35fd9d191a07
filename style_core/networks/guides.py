"""Guides: the areas of styles that masks give, as weights of each position (Gatys et al. 2017, section 4)."""

from collections.abc import Sequence

import torch
from torch import Tensor


def divided(guides: Sequence[Tensor], shares: Sequence[float]) -> list[Tensor]:
    """Guides that together are at most 1 everywhere: where some overlap, each gets a part by its style's share.

    Guides that don't overlap are returned as they are.

    Args:
        guides: `[..., H, W]` in `[0, 1]` each, all the same size.
        shares: of the guides' styles, above 0; only their ratios matter.
    """
    if not guides:
        return []
    covered = torch.stack(list(guides)).sum(0).clamp_max(1)
    weighed = torch.stack([share * guide for share, guide in zip(shares, guides, strict=True)])
    total = weighed.sum(0)
    return list(torch.where(total > 0, covered * (weighed / total), torch.zeros_like(weighed)))
