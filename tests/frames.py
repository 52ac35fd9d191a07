"""Pictures that move, for tests of films."""

from collections.abc import Generator
from typing import Any

import torch
from torch import Tensor


def smooth(height: int = 96, width: int = 160, seed: int = 0) -> Tensor:
    """A texture that flow can be measured on."""
    coarse = torch.rand(1, 3, height // 6, width // 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)[0].clamp(0, 1)


def crossing(left: int, ground: Tensor, ball: Tensor) -> Tensor:
    """A square of another texture in front of a ground."""
    frame = ground.clone()
    frame[:, 30:62, left : left + 32] = ball[:, 30:62, 40:72]
    return frame


def collected(steps: Generator[Any, None, Any]) -> tuple[list, Any]:
    """What a generator yields, and what it returns."""
    yielded = []
    while True:
        try:
            yielded.append(next(steps))
        except StopIteration as end:
            return yielded, end.value
