"""From linear light to a picture: bloom, vignette, film curve, grain."""

import numpy
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional


def blur(light: Tensor, sigma: float) -> Tensor:
    """A Gaussian blur of `[C, H, W]`; wide ones work on a smaller copy."""
    height, width = light.shape[-2:]
    factor = max(1, min(int(sigma / 3), height // 4, width // 4))
    small = functional.interpolate(light[None], scale_factor=1 / factor, mode="area")[0] if factor > 1 else light
    narrow = max(sigma / factor, 0.3)
    reach = max(1, min(int(3 * narrow + 0.5), min(small.shape[-2:]) - 1))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / narrow) ** 2)
    kernel = kernel / kernel.sum()
    for horizontal in (True, False):
        pad = (reach, reach, 0, 0) if horizontal else (0, 0, reach, reach)
        shape = (1, 1, 1, -1) if horizontal else (1, 1, -1, 1)
        small = functional.conv2d(functional.pad(small[:, None], pad, mode="reflect"), kernel.reshape(shape))[:, 0]
    return (
        functional.interpolate(small[None], size=(height, width), mode="bicubic", align_corners=False)[0].clamp(min=0)
        if factor > 1
        else small
    )


def develop(
    light: Tensor,
    seed: int,
    *,
    exposure: float = 1.0,
    bloom: float = 0.06,
    vignette: float = 0.3,
    grain: float = 0.008,
    saturation: float = 1.0,
    contrast: float = 1.0,
) -> Image.Image:
    """Linear light `[3, H, W]` to a photograph, with the effects of a lens, film and print.

    The curve is Narkowicz's fit of ACES (2015); contrast pivots around middle gray.
    """
    height, width = light.shape[-2:]
    unit = max(height, width) / 1536
    light = light.clamp(0, 60) * exposure
    if bloom:
        halo = sum(weight * blur(light, sigma * unit) for weight, sigma in ((0.5, 6), (0.3, 24), (0.2, 90)))
        light = light + bloom * (halo - light)
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    light = light * (1 - vignette * ((x * x + y * y) / 2) ** 1.2)
    print_ = (light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)).clamp(0, 1) ** (1 / 2.2)
    print_ = 0.45 + (print_ - 0.45) * contrast
    gray = (print_ * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0, keepdim=True)
    print_ = gray + (print_ - gray) * saturation
    noise = torch.randn((1, height, width), generator=torch.Generator().manual_seed(seed))
    noise = blur(noise + 5, 0.6 * max(unit, 0.5)) - 5
    print_ = print_ + grain * 2 * noise * (1.1 - gray)
    return Image.fromarray((print_.clamp(0, 1) * 255 + 0.5).byte().permute(1, 2, 0).numpy())


def shrink(light: Tensor, factor: int) -> Tensor:
    """Supersampled light `[3, H, W]` averaged; very bright samples count less, so that their edges stay smooth."""
    if factor == 1:
        return light
    soft = functional.avg_pool2d((light / (1 + light * 0.25))[None], factor)[0]
    return soft / (1 - soft * 0.25).clamp(min=0.05)


def pixels(image: Image.Image) -> numpy.ndarray:
    """`[H, W, 3]` in `[0, 1]`."""
    return numpy.asarray(image, numpy.float32) / 255
