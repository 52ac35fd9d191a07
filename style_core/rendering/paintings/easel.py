"""Shared by the paintings: coordinates, colors, light on a relief."""

import torch
from PIL import Image

SIZE = 768


def places(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Coordinates of the pixels, -1 to 1, x to the right and y down."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    return x, y


def color_of(code: str) -> torch.Tensor:
    return torch.tensor([int(code[index : index + 2], 16) / 255 for index in (1, 3, 5)])[:, None, None]


def blended(codes: list[str], share: torch.Tensor) -> torch.Tensor:
    """Colors along a list, blended: `[3, *share.shape]`."""
    table = torch.cat([color_of(code)[:, :, 0] for code in codes], 1)
    at = share.clamp(0, 1) * (len(codes) - 1)
    low = at.floor().long().clamp(max=len(codes) - 2)
    return table[:, low] + (table[:, low + 1] - table[:, low]) * (at - low)


def picked(codes: list[str], share: torch.Tensor) -> torch.Tensor:
    """Colors of a list, unblended."""
    table = torch.cat([color_of(code)[:, :, 0] for code in codes], 1)
    return table[:, (share * len(codes)).long().clamp(0, len(codes) - 1)]


def as_picture(light: torch.Tensor) -> Image.Image:
    return Image.fromarray((light.clamp(0, 1) * 255 + 0.5).byte().permute(1, 2, 0).contiguous().numpy())


def relief(height: torch.Tensor, depth: float) -> torch.Tensor:
    """Light from the upper left on a surface: 1 where it is flat."""
    down, right = torch.gradient(height)
    slope = (-right - down) * depth
    return 1 - slope / (1 + slope.abs())
