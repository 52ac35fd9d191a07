"""Tones: a picture's color statistics as nine numbers, and a picture moved toward given ones in closed form.

They are the means of the colors and of their products, both centered on mid-gray. Being means, they mix linearly: the average of two
pictures' tones are the tones of both side by side.
"""

import torch
from torch import Tensor

from style_core.matrices import eigh, matrix_root
from style_core.media.color import LUMA, color_moments, mapped

TONES = 9  # three means, six products
_MIDDLE = 0.5
_LEAST_VARIANCE = 1e-5  # of a color; less is noise, which must not be amplified
_MOST_GAIN = 2.0  # of contrast along any color direction, and the inverse of the smallest


def tones_of(image: Tensor, weight: Tensor | None = None) -> Tensor:
    """The tones `[9]` of an image `[3, H, W]` in `[0, 1]`.

    Args:
        weight: `[1, H, W]`: weight of each pixel; None weighs all equally.
    """
    mean, spread = color_moments(image, weight)
    mean = mean[:, 0] - _MIDDLE
    rows, columns = torch.triu_indices(3, 3)
    return torch.cat([mean, (spread + torch.outer(mean, mean))[rows, columns]]).float()


def toned(image: Tensor, own: Tensor, wanted: Tensor, share: float) -> Tensor:
    """An image `[3, H, W]` whose colors are moved by `share` of the way to the wanted mean and covariance; not clamped.

    The linear Monge-Kantorovich map of color transfer (Pitié and Kokaram 2007), the smallest movement between two Gaussians. Its gains
    are limited, so that an almost uniform picture doesn't become noise.

    Args:
        own, wanted: tones `[9]`; `own` are the image's.
    """
    mean, spread = _gaussian(own)
    wanted_mean, wanted_spread = _gaussian(wanted)
    root = matrix_root(spread)
    inverse = torch.linalg.inv(root)
    gains, axes = eigh(inverse @ matrix_root(root @ wanted_spread @ root) @ inverse)
    transform = (axes * gains.clamp(1 / _MOST_GAIN, _MOST_GAIN)) @ axes.mT
    transform = torch.lerp(torch.eye(3, dtype=transform.dtype), transform, share)
    offset = torch.lerp(mean, wanted_mean, share) + _MIDDLE - transform @ (mean + _MIDDLE)
    return mapped(image, transform.float(), offset.float()[:, None])


def saturated(tones: Tensor, factor: float) -> Tensor:
    """The tones `[9]` of a picture whose colors' distances from the gray of the same brightness are multiplied by `factor`."""
    scale = factor * torch.eye(3) + (1 - factor) * torch.tensor(LUMA).expand(3, 3)
    (rows, columns), products = torch.triu_indices(3, 3), torch.zeros(3, 3)
    products[rows, columns] = products[columns, rows] = tones[3:]
    return torch.cat([scale @ tones[:3], (scale @ products @ scale.mT)[rows, columns]])


def _gaussian(tones: Tensor) -> tuple[Tensor, Tensor]:
    """The mean `[3]`, from mid-gray, and the covariance `[3, 3]`."""
    mean, (rows, columns) = tones[:3].double(), torch.triu_indices(3, 3)
    products = torch.zeros(3, 3, dtype=torch.float64)
    products[rows, columns] = products[columns, rows] = tones[3:].double()
    values, vectors = eigh(products - torch.outer(mean, mean))
    return mean, (vectors * values.clamp_min(_LEAST_VARIANCE)) @ vectors.mT
