"""How large a picture really is: many files on the web were enlarged, and lack what that blurred.

Up to the highest frequency that a small picture has, its spectrum falls by about a power of the frequency, as those of natural pictures
do (Field 1987); beyond it, the enlarged one has hardly anything. So it was enlarged where its spectrum falls below that power at once,
down to the noise of its rounding and compression.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

_LARGEST = 1024  # px, short side that is looked at; larger pictures are reduced to less
_SQUARE = 768  # px, side of the square in the middle that is looked at
_RINGS = 64  # of frequencies
_FEWEST = 3  # rings in a range of them
_SHARES = [2 ** (-step / 8) for step in range(3, 25)]  # of its side that a picture may have had: 0.77 to 0.13
# Of the highest frequency that it would have had: where the power is fitted, and where the spectrum is compared with it.
_FITTED, _BEYOND = (0.2, 0.8), (1.15, 1.8)
# In decibels: the least slope of the power, by octave; how far the spectrum of a picture scatters around it at most, which those of drawn
# patterns do more; how far it falls below in a picture that was enlarged; and how far above the noise of rounding it then is at most.
# models/sharpening.md says how often that is right.
_LEAST_SLOPE, _SCATTER, _FALL, _REST = -4.0, 4.5, 6.0, 18.0
# What is found is a little larger than it was, because a filter's band ends softly.
_SOFT = 0.85
_ROUNDING = 1 / 255**2 / 12  # variance of a pixel's, in 8 bits


def true_side(image: Tensor) -> float:
    """The short side, px, of the file that a picture `[3, H, W]` in `[0, 1]` was enlarged from, estimated; its own if it was not.

    Enlargements by less than a third are not found, because too little of the spectrum lies beyond.
    """
    side = min(image.shape[-2:])
    reduced = math.ceil(side / _LARGEST)
    levels = _levels(functional.avg_pool2d(image[None].float(), reduced)[0])
    fall, share = max((_fall(levels, share), share) for share in _SHARES)
    return side / reduced * share * _SOFT if fall > _FALL else float(side)


def _levels(image: Tensor) -> Tensor:
    """The power of a picture's gray values by frequency, in decibels above the noise of rounding: `[_RINGS]` up to half a cycle a pixel."""
    side = min(*image.shape[-2:], _SQUARE)
    top, left = ((length - side) // 2 for length in image.shape[-2:])
    gray = image[:, top : top + side, left : left + side].mean(0).cpu()
    window = torch.hann_window(side) * torch.hann_window(side)[:, None]
    power = torch.fft.rfft2((gray - gray.mean()) * window).abs().square().flatten()
    frequency = (torch.fft.fftfreq(side)[:, None].square() + torch.fft.rfftfreq(side).square()).sqrt().flatten()
    ring = (frequency * 2 * _RINGS).long().clamp_max(_RINGS)  # the last one, of the corners, is left out
    total = torch.zeros(_RINGS + 1).index_add_(0, ring, power) / torch.bincount(ring, minlength=_RINGS + 1).clamp_min(1)
    return 10 * (total[:_RINGS] / (window.square().sum() * _ROUNDING)).clamp_min(1e-3).log10()


def _fall(levels: Tensor, share: float) -> float:
    """By how many decibels levels fall below a power of the frequency, beyond the highest one of a picture of this share of the side."""
    frequency = (torch.arange(_RINGS) + 0.5) / (2 * _RINGS)
    octaves, highest = frequency.log2(), share / 2
    fitted, beyond = ((frequency > low * highest) & (frequency < high * highest) for low, high in (_FITTED, _BEYOND))
    if min(int(fitted.sum()), int(beyond.sum())) < _FEWEST or float(levels[frequency > _BEYOND[0] * highest].mean()) > _REST:
        return -math.inf
    x, y = octaves - octaves[fitted].mean(), levels - levels[fitted].mean()
    slope = float((x * y)[fitted].sum() / x[fitted].square().sum())
    if float((y - slope * x)[fitted].square().mean().sqrt()) > _SCATTER:
        return -math.inf
    return float((min(_LEAST_SLOPE, slope) * x - y)[beyond].mean())
