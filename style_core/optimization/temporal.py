"""A temporal loss, which keeps the frames of an optimized film consistent."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from style_core.media.images import resize

_Loss = Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]]


@dataclass(frozen=True)
class TemporalTarget:
    """A picture that the result should resemble, weighted by confidence (Ruder, Dosovitskiy and Brox 2016, eq. 8).

    Attributes:
        picture: `[3, H, W]`, such as the last painted frame warped by the motion.
        confidence: `[H, W]` in `[0, 1]`; 0 at positions that were hidden in the last frame.
        weight: of the mean squared difference.
    """

    picture: Tensor
    confidence: Tensor
    weight: float

    def beside(self, objective: _Loss) -> _Loss:
        """An objective plus this term, for pictures `[1, 3, h, w]` of any size."""
        sized: dict[tuple, tuple[Tensor, Tensor]] = {}

        def held(picture: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            size = tuple(picture.shape[-2:])
            if size not in sized:
                sized[size] = resize(self.picture, size).to(picture), resize(self.confidence[None], size).to(picture)
            wanted, confidence = sized[size]
            loss, parts = objective(picture)
            apart = (confidence * (picture[0] - wanted).square()).mean()
            return loss + self.weight * apart, {**parts, "temporal": torch.sqrt(apart.detach())}

        return held
