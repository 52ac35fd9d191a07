"""HDR and wide-gamut pictures and frames as sRGB: transfer curves, tone mapping and primaries.

Curves and primaries are numbered as in ITU-T H.273, as files store them.
"""

import torch
from torch import Tensor

LINEAR, PQ, HLG = 8, 16, 18  # transfer curves
BT2020, P3 = 9, 12  # primaries

_WHITE = 203.0  # cd/m^2 of SDR white within HDR (ITU-R BT.2408)
_PEAK = 1000.0  # cd/m^2 that maps to white; brighter light is clipped
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128  # of PQ (SMPTE ST 2084)
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073  # of HLG (ITU-R BT.2100)
_LUMINANCE = (0.2627, 0.6780, 0.0593)  # of BT.2020's primaries

# Linear light in these primaries, to linear light in those of sRGB.
_TO_SRGB = {
    BT2020: ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    P3: ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)),
}


def is_plain(curve: int, primaries: int) -> bool:
    """Whether frames with this curve and these primaries need no conversion to sRGB."""
    return curve not in (LINEAR, PQ, HLG) and primaries not in _TO_SRGB


def to_srgb(image: Tensor, curve: int, primaries: int) -> Tensor:
    """A frame `[3, H, W]` in `[0, 1]`, coded with `curve` in `primaries`, as sRGB in `[0, 1]`.

    HDR is tone mapped (BT.2390): light up to about half of SDR white is kept, and what is brighter rolls off, so that white itself is
    shown a little darker (0.9 of 1) and leaves room for highlights.
    """
    if curve in (PQ, HLG):
        light = tone_mapped(nits_of_pq(image) if curve == PQ else nits_of_hlg(image))
        primaries = BT2020 if primaries not in _TO_SRGB else primaries
    else:
        light = image if curve == LINEAR else _linear(image)
    if primaries in _TO_SRGB:
        light = torch.einsum("ij,jhw->ihw", light.new_tensor(_TO_SRGB[primaries]), light)
    return _coded(light.clamp(0, 1))


def nits_of_pq(coded: Tensor) -> Tensor:
    """PQ's code values in `[0, 1]` -> light of the display in cd/m^2 (SMPTE ST 2084)."""
    power = coded.clamp(0, 1) ** (1 / _M2)
    return 10000 * ((power - _C1).clamp_min(0) / (_C2 - _C3 * power)) ** (1 / _M1)


def pq_of_nits(nits: Tensor) -> Tensor:
    """The inverse of `nits_of_pq`."""
    power = (nits.clamp(0, 10000) / 10000) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def nits_of_hlg(coded: Tensor) -> Tensor:
    """HLG's code values `[3, H, W]` in `[0, 1]` -> light of a display of 1000 cd/m^2 (ITU-R BT.2100)."""
    coded = coded.clamp(0, 1)
    scene = torch.where(coded <= 0.5, coded.square() / 3, (((coded - _C) / _A).exp() + _B) / 12)
    luminance = torch.einsum("i,ihw->hw", scene.new_tensor(_LUMINANCE), scene)
    return _PEAK * luminance.clamp_min(1e-9) ** 0.2 * scene


def tone_mapped(nits: Tensor) -> Tensor:
    """HDR light `[3, H, W]` in cd/m^2 -> light of an SDR display, 1 its white (the curve of ITU-R BT.2390, 5.4.1).

    The curve is evaluated at the brightest channel, and all three are scaled equally, which preserves hues.
    """
    brightest = nits.amax(0, keepdim=True).clamp_min(1e-6)
    white, peak = (float(pq_of_nits(torch.tensor(level))) for level in (_WHITE, _PEAK))
    target = white / peak
    knee = 1.5 * target - 0.5
    level = (pq_of_nits(brightest) / peak).clamp(0, 1)
    t = (level - knee) / (1 - knee)
    rolled = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * target
    shown = nits_of_pq(torch.where(level < knee, level, rolled) * peak)
    return nits * (shown / brightest) / _WHITE


def _linear(coded: Tensor) -> Tensor:
    """sRGB's code values -> linear light, which is close enough to BT.1886."""
    return torch.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055).clamp_min(0) ** 2.4)


def _coded(light: Tensor) -> Tensor:
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light.clamp_min(1e-9) ** (1 / 2.4) - 0.055)
