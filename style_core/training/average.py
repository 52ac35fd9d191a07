"""The running average of a network's weights, which is what ships (Polyak and Juditsky 1992)."""

from copy import deepcopy

import torch
from torch import nn


class Average(nn.Module):
    """A running average of a network's weights; `net` holds it. Its decay grows with the steps, unlike `swa_utils`'.

    Args:
        net: the network to average; frozen weights are left alone.
        kept: decay, in `[0, 1)`.
    """

    def __init__(self, net: nn.Module, kept: float):
        super().__init__()
        self.net = deepcopy(net)
        self.kept = kept

    @torch.no_grad()
    def follow(self, net: nn.Module, steps: int) -> None:
        """Average in `net`, after `steps` steps of the whole run."""
        # A short memory at first, so that the average forgets the start.
        keep = min(self.kept, steps / (steps + 10))
        for mine, theirs in zip(self.net.parameters(), net.parameters(), strict=True):
            if theirs.requires_grad:
                mine.lerp_(theirs, 1 - keep)
