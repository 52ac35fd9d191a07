"""Surfaces of the still life: color, gloss and bumps of wood, plaster, linen, glaze, glass and fruit."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from style_core.rendering.scenes.noise import mix, smoothstep, tiled
from style_core.rendering.scenes.shading import rgb
from style_core.rendering.scenes.solids import Place, length, moved

BOWL_PLACE = (0.42, 0.0, 0.35)
TABLE, WALL, CLOTH, BOWL, BOTTLE, ORANGE, APPLE, PEAR, LEMON, GRAPE, STEM = range(11)
# in the bowl and beside it: kind, x, y, z, radius
ROUND = (
    (ORANGE, 0.02, 0.62, 0.22, 0.33),
    (ORANGE, 0.72, 0.60, 0.02, 0.34),
    (APPLE, 0.40, 0.66, 0.75, 0.36),
    (APPLE, 0.36, 0.98, 0.30, 0.35),
    (ORANGE, 0.92, 0.64, 0.60, 0.33),
    (APPLE, -0.82, 0.33, -0.42, 0.36),
)


@dataclass(frozen=True)
class Noises:
    """Noise for surfaces: `fine` and `soft` tile in two dimensions, `skin` in three."""

    fine: Tensor
    soft: Tensor
    skin: Tensor


def _wood(noises: Noises, p: Place):
    plank = (p[2] * 0.9 + 0.3).floor()
    grain = tiled(noises.soft, p[0] * 0.05 + plank * 0.37, p[2] * 1.1) + 0.45 * tiled(noises.fine, p[0] * 0.12 + plank * 0.2, p[2] * 2.9)
    gap = smoothstep(0.012, 0.0, ((p[2] * 0.9 + 0.3) - plank - 0.5).abs() * -1 + 0.5)
    color = mix(rgb(0.15, 0.070, 0.032), rgb(0.34, 0.18, 0.085), (0.45 + 0.24 * grain).clamp(0, 1)) * (1 - 0.8 * gap)
    return color, (0.45 + 0.06 * grain).clamp(0.1, 0.54), None


def _plaster(noises: Noises, p: Place):
    mottle = tiled(noises.soft, p[0] * 0.11, p[1] * 0.11) + 0.3 * tiled(noises.fine, p[0] * 0.5, p[1] * 0.5)
    return mix(rgb(0.085, 0.098, 0.088), rgb(0.19, 0.185, 0.145), (0.5 + 0.22 * mottle).clamp(0, 1)), 0.05, None


def _linen(noises: Noises, p: Place):
    x, z = p[0] * 0.94 + p[2] * 0.34, p[2] * 0.94 - p[0] * 0.34
    weave = 0.5 + 0.25 * torch.sin(x * 260) + 0.25 * torch.sin(z * 260)
    stripe = smoothstep(0.035, 0.02, (z + 1.18).abs()) + smoothstep(0.02, 0.01, (z + 1.10).abs()) + smoothstep(0.02, 0.01, (z + 1.26).abs())
    stripe = stripe + smoothstep(0.035, 0.02, (x + 1.55).abs()) + smoothstep(0.02, 0.01, (x + 1.45).abs())
    color = (
        mix(rgb(0.74, 0.70, 0.62), rgb(0.16, 0.25, 0.42), stripe.clamp(0, 1)) * (0.9 + 0.1 * weave) * (1 + 0.03 * tiled(noises.fine, x, z))
    )
    return color, 0.0, (0.03, 5.0)


def _glaze(noises: Noises, p: Place):
    q = moved(p, *BOWL_PLACE)
    angle, r = torch.atan2(q[2], q[0]), length(q[0], q[2])
    wobble = 0.008 * tiled(noises.soft, angle / math.tau * 2, q[1])

    def band(at: float, half: float) -> Tensor:
        return smoothstep(half, half * 0.6, (q[1] + wobble - at).abs())

    petals = smoothstep(0.35, 0.55, torch.sin(angle * 13) * 0.5 + 0.5 - ((q[1] - 0.40) / 0.13).abs() * 0.8)
    outside = (r > 0.6 + 0.0 * r) & (q[1] < 0.64)
    blue = (band(0.60, 0.022) + band(0.225, 0.016) + petals * 0.9).clamp(0, 1) * outside
    return mix(rgb(0.76, 0.74, 0.68), rgb(0.035, 0.09, 0.30), blue) * (1 + 0.03 * tiled(noises.soft, angle, q[1])), 0.85, None


def _green_glass(noises: Noises, p: Place):
    label = (p[1] > 0.42) & (p[1] < 1.02)
    cap = p[1] > 1.98
    color = torch.where(label, rgb(0.62, 0.55, 0.40), rgb(0.006, 0.020, 0.008))
    stripe = label & (
        ((p[1] - 0.50).abs() < 0.012) | ((p[1] - 0.94).abs() < 0.012) | (((p[1] - 0.72).abs() < 0.07) & (torch.sin(p[0] * 30) > -0.2))
    )
    color = torch.where(stripe, rgb(0.22, 0.06, 0.04), color)
    color = torch.where(cap, rgb(0.24, 0.03, 0.03), color)
    return color, torch.where(label, 0.1, torch.where(cap, 0.6, 0.97)), None


def _orange(noises: Noises, p: Place):
    shade = tiled(noises.skin, p[0] * 0.5, p[1] * 0.5, p[2] * 0.5)
    return mix(rgb(0.86, 0.26, 0.018), rgb(0.90, 0.38, 0.03), (0.5 + 0.3 * shade).clamp(0, 1)), 0.5, (0.10, 2.2)


def _apple(noises: Noises, p: Place):
    apples = torch.tensor([ball[1:4] for ball in ROUND if ball[0] == APPLE])
    off = torch.stack([(p[0] - a[0]) ** 2 + (p[1] - a[1]) ** 2 + (p[2] - a[2]) ** 2 for a in apples])
    center = apples[off.argmin(0)].T
    q = tuple(x - c for x, c in zip(p, center))
    angle = torch.atan2(q[2], q[0]) / math.tau
    streak = tiled(noises.fine, angle * 2, q[1] * 0.08 + center[0]) + 0.7 * tiled(noises.soft, angle + center[0], q[1] * 0.3)
    green = smoothstep(0.35, 1.5, streak * 0.42 + 0.30 - q[0] * 0.6 + torch.cos(angle * math.tau + 2.2) * 0.45)
    stalk = smoothstep(0.13, 0.03, length(q[0], q[2])) * (q[1] > 0)
    dots = smoothstep(1.7, 2.3, tiled(noises.skin, p[0] * 1.6, p[1] * 1.6, p[2] * 1.6))
    color = mix(mix(rgb(0.46, 0.018, 0.022), rgb(0.62, 0.05, 0.03), (0.5 + 0.3 * streak).clamp(0, 1)), rgb(0.66, 0.46, 0.07), green)
    color = mix(color, rgb(0.36, 0.34, 0.07), stalk * 0.8)
    return mix(color, rgb(0.8, 0.6, 0.3), dots * 0.35), 0.72, None


def _pear(noises: Noises, p: Place):
    freckle = smoothstep(1.4, 2.2, tiled(noises.skin, p[0] * 1.4, p[1] * 1.4, p[2] * 1.4))
    shade = tiled(noises.skin, p[0] * 0.25, p[1] * 0.25, p[2] * 0.25)
    blush = smoothstep(-0.1, 0.5, p[0] + 1.35 + shade * 0.12) * smoothstep(1.0, 0.3, p[1]) * (p[0] < -0.7)
    color = mix(rgb(0.52, 0.46, 0.085), rgb(0.66, 0.50, 0.11), (0.5 + 0.4 * shade).clamp(0, 1))
    return mix(mix(color, rgb(0.62, 0.17, 0.05), blush * 0.75), rgb(0.28, 0.18, 0.05), freckle * 0.5), 0.42, (0.03, 1.7)


def _lemon(noises: Noises, p: Place):
    shade = tiled(noises.skin, p[0] * 0.4, p[1] * 0.4, p[2] * 0.4)
    return mix(rgb(0.88, 0.62, 0.035), rgb(0.80, 0.66, 0.08), (0.5 + 0.3 * shade).clamp(0, 1)), 0.5, (0.09, 1.9)


def _grape(noises: Noises, p: Place):
    bloom = (0.5 + 0.35 * tiled(noises.skin, p[0] * 0.7, p[1] * 0.7, p[2] * 0.7)).clamp(0, 1)
    return mix(rgb(0.055, 0.012, 0.040), rgb(0.15, 0.12, 0.19), bloom * 0.55), 0.58, None


def _stem(noises: Noises, p: Place):
    return rgb(0.12, 0.075, 0.03).expand(3, len(p[0])), 0.1, (0.2, 3.0)


# By kind, a function of noises and positions `[N]` each: color `[3, N]`, gloss, and the bumps' height and frequency.
COATS = {
    TABLE: _wood,
    WALL: _plaster,
    CLOTH: _linen,
    BOWL: _glaze,
    BOTTLE: _green_glass,
    ORANGE: _orange,
    APPLE: _apple,
    PEAR: _pear,
    LEMON: _lemon,
    GRAPE: _grape,
    STEM: _stem,
}
