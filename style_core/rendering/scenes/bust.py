"""A marble bust with a warm key light and a cool back light, in front of a plain backdrop."""

import torch
from PIL import Image
from torch import Tensor

from style_core.rendering.scenes.darkroom import develop
from style_core.rendering.scenes.noise import fractal, mix, smoothstep, tiled
from style_core.rendering.scenes.shading import Surface, fresnel, highlight, photograph, rgb
from style_core.rendering.scenes.solids import (
    Camera,
    Place,
    Thing,
    World,
    along,
    capsule,
    carve,
    cut,
    dot,
    ellipsoid,
    join,
    length,
    moved,
    sphere,
    turned,
)

_FAR = 20.0
_YAW, _PITCH = 0.44, -0.10  # rotation of the head away from the camera, and downward
# lights: direction, color, angular radius
_LIGHTS = (((-4.2, 2.6, -3.8), rgb(1.0, 0.80, 0.56) * 1.75, 0.16), ((4.6, 1.4, 2.2), rgb(0.30, 0.55, 1.0) * 1.7, 0.2))


class Bust:
    def __init__(self, seed: int) -> None:
        self.volume = fractal(seed, (64, 64, 64), 1.3)
        self.soft, self.fine = fractal(seed + 1, (512, 512), 1.6), fractal(seed + 2, (512, 512), 0.7)
        self.world = World([Thing(0, (0.0, -0.95, 0.25), 2.75, self.solid)])

    def solid(self, p: Place) -> Tensor:
        body = self._body(p)
        q = turned(turned(moved(p, 0.0, 0.0, 0.1), 1, _YAW), 0, _PITCH)
        twin = (q[0].abs(), q[1], q[2])
        head = self._face(q, twin)
        d = join(head, body, 0.10)
        return torch.minimum(d, self._hair(q)) * 0.85

    def _body(self, p: Place) -> Tensor:
        """Neck, shoulders, and draped cloth that ends in a round foot."""
        neck = capsule(p, (0.02, -0.55, 0.34), (0.0, -1.75, 0.36), 0.40, 0.47)
        tendon = capsule((p[0].abs(), p[1], p[2]), (0.36, -0.75, 0.25), (0.10, -1.72, -0.06), 0.08, 0.07)
        chest = join(ellipsoid(moved(p, 0, -2.25, 0.36), 1.42, 0.72, 0.66), ellipsoid(moved(p, 0, -2.75, 0.25), 1.0, 1.0, 0.75), 0.4)
        skin = join(join(neck, tendon, 0.12), chest, 0.32)
        slope = p[1] + 1.86 - 0.42 * length(p[0], torch.full_like(p[0], 0.22)) + 0.10 * p[0]
        fold = torch.sin(slope * 13 + 2.2 * torch.sin(p[0] * 1.7 + 0.6) + p[2] * 2.0) * 0.5 + 0.5
        cloth = chest - 0.06 - 0.055 * fold * smoothstep(0.0, -0.25, slope)
        cloth = torch.maximum(cloth, slope * 0.8)
        return join(skin, cloth, 0.03)

    def _face(self, q: Place, twin: Place) -> Tensor:
        d = ellipsoid(moved(q, 0, 0.28, 0.12), 0.76, 0.88, 0.94)
        d = join(d, ellipsoid(moved(q, 0, -0.30, -0.16), 0.57, 0.76, 0.64), 0.28)
        d = join(d, sphere(moved(q, 0, -0.88, -0.56), 0.15), 0.22)
        d = join(d, capsule(twin, (0.53, -0.42, 0.02), (0.16, -0.88, -0.50), 0.13, 0.11), 0.22)
        d = join(d, sphere(moved(twin, 0.40, -0.10, -0.50), 0.17), 0.24)
        d = join(d, capsule(twin, (0.10, 0.235, -0.79), (0.42, 0.25, -0.62), 0.055, 0.05), 0.16)
        d = carve(d, ellipsoid(moved(twin, 0.295, 0.075, -0.90), 0.20, 0.125, 0.17), 0.16)
        d = self._eyes(d, twin)
        d = join(d, capsule(q, (0, 0.17, -0.80), (0, -0.25, -1.03), 0.055, 0.085), 0.11)
        d = join(d, ellipsoid(moved(twin, 0.088, -0.275, -0.915), 0.058, 0.055, 0.09), 0.06)
        d = carve(d, ellipsoid(moved(twin, 0.052, -0.335, -0.94), 0.022, 0.024, 0.04), 0.02)
        d = self._mouth(d, q, twin)
        ear = ellipsoid(turned(moved(twin, 0.755, -0.02, 0.16), 1, 0.5), 0.07, 0.26, 0.17)
        ear = carve(ear, ellipsoid(turned(moved(twin, 0.83, 0.03, 0.12), 1, 0.5), 0.06, 0.16, 0.09), 0.05)
        return join(d, ear, 0.05)

    def _eyes(self, d: Tensor, twin: Place) -> Tensor:
        """Eyeballs under half-lowered lids."""
        e = moved(twin, 0.295, 0.055, -0.635)
        ball = sphere(e, 0.148)
        upper = torch.maximum(sphere(e, 0.176), (-0.012 + 0.30 * e[0] ** 2 * 4 - e[1]) * 0.9 - 0.006)
        lower = torch.maximum(sphere(e, 0.170), (e[1] + 0.078 - 1.1 * e[0] ** 2) * 0.9)
        return join(join(torch.minimum(d, ball), upper, 0.022), lower, 0.022)

    def _mouth(self, d: Tensor, q: Place, twin: Place) -> Tensor:
        d = join(d, ellipsoid(moved(q, 0, -0.56, -0.665), 0.25, 0.17, 0.15), 0.12)
        upper = ellipsoid(turned(moved(twin, 0.070, -0.530, -0.780), 2, -0.16), 0.120, 0.040, 0.062)
        lower = ellipsoid(moved(q, 0, -0.618, -0.772), 0.130, 0.052, 0.070)
        d = join(join(d, upper, 0.035), lower, 0.04)
        line = capsule(twin, (0.0, -0.572, -0.858), (0.165, -0.566, -0.775), 0.010, 0.006)
        d = carve(d, line, 0.035)
        return carve(d, sphere(moved(q, 0, -0.455, -0.90), 0.032), 0.05)

    def _hair(self, q: Place) -> Tensor:
        """Wavy hair combed back from a parting, with a knot at the back."""
        cap = ellipsoid(moved(q, 0, 0.40, 0.24), 0.86, 0.88, 0.97)
        side = ellipsoid(moved((q[0].abs(), q[1], q[2]), 0.60, 0.10, 0.20), 0.26, 0.50, 0.46)
        cap = join(cap, side, 0.15)
        knot = ellipsoid(moved(q, 0, 0.28, 1.22), 0.42, 0.44, 0.36)
        d = join(cap, knot, 0.14)
        window = ellipsoid(moved(q, 0, -0.22, -0.86), 0.66, 0.86, 0.66)
        d = carve(d, window, 0.09)
        d = carve(d, ellipsoid(moved((q[0].abs(), q[1], q[2]), 0.86, -0.10, 0.02), 0.22, 0.22, 0.20), 0.08)
        # Strands run from the forehead over the head, side by side by their angle about that way.
        angle = torch.atan2(q[0].abs(), q[1] - 0.05)
        sway = 0.9 * torch.sin(q[2] * 3.1 + 2.0 * angle) + 0.4 * torch.sin(q[2] * 7.3 - 3.0 * angle + 1.0)
        lock = torch.sin(angle * 15 + sway) * 0.026 + torch.sin(angle * 41 + 2.4 * sway) * 0.009 + torch.sin(angle * 90 + 3 * sway) * 0.003
        groove = 0.03 * torch.exp(-((q[0] / 0.035) ** 2)) * (q[2] < 0.6)
        near = d.abs() < 0.2
        return d - torch.where(near, lock - groove, torch.zeros_like(d))

    # light

    def _stone(self, p: Place) -> tuple[Tensor, Tensor]:
        """Color `[3, n]` and gloss of veined marble."""
        bend = tiled(self.volume, p[0] * 0.12, p[1] * 0.12, p[2] * 0.12)
        vein = tiled(self.volume, p[0] * 0.17 + bend * 0.10, p[1] * 0.10 + 0.3, p[2] * 0.17 + bend * 0.08)
        line = torch.exp(-((vein / 0.16) ** 2)) * 0.28 * smoothstep(-0.6, 0.8, bend)
        speck = tiled(self.volume, p[0] * 1.3, p[1] * 1.3, p[2] * 1.3)
        color = mix(rgb(0.74, 0.69, 0.61), rgb(0.80, 0.765, 0.70), (0.5 + 0.3 * bend).clamp(0, 1)[None])
        color = mix(color, rgb(0.46, 0.40, 0.35), line[None]) * (1 + 0.02 * speck)[None]
        return color, 0.42 + 0.05 * speck.clamp(-1, 1)

    def backdrop(self, way: Place) -> Tensor:
        """Painted canvas, lighter behind the shaded shoulder."""
        u, v = way[0] / way[2], way[1] / way[2]
        mottle = 0.5 + 0.18 * tiled(self.soft, u * 0.7, v * 0.7) + 0.05 * tiled(self.fine, u * 1.9, v * 1.9)
        glow = torch.exp(-((u - 0.14) ** 2 + (v + 0.06) ** 2) / 0.09)
        return mix(rgb(0.016, 0.040, 0.046), rgb(0.16, 0.25, 0.22), (mottle * (0.25 + 0.95 * glow)).clamp(0, 1)[None])

    def seen(self, origin: Place, way: Place) -> Tensor:
        out = self.backdrop(way)
        t, which = self.world.hit(origin, way, _FAR)
        there = (which >= 0).nonzero()[:, 0]
        if len(there):
            out[:, there] = self._lit(cut(origin, there), cut(way, there), t[there], which[there])
        return out

    def _lit(self, origin: Place, way: Place, t: Tensor, which: Tensor) -> Tensor:
        p = along(origin, way, t)
        n = self.world.normals(p, which, 1.2e-3)
        color, gloss = self._stone(p)
        s = Surface(p, n, way, color, gloss, torch.full_like(t, 0.045), which, which)
        open_ = self.world.openness(p, n, 0.34, 4)
        up = 0.5 + 0.5 * n[1]
        light = (rgb(0.085, 0.095, 0.115) * (0.4 + up)[None] + rgb(0.075, 0.052, 0.036) * (1 - up)[None]) * open_[None]
        shine = torch.zeros_like(color)
        start = tuple(a + 0.012 * b for a, b in zip(p, n))
        for place, strength, width in _LIGHTS:
            toward = tuple(torch.full_like(x, at) - x for x, at in zip(p, place))
            away = length(*toward)
            toward = tuple(x / away for x in toward)
            facing = dot(n, toward)
            visible = torch.zeros_like(away)
            lit = (facing > -0.25).nonzero()[:, 0]
            if len(lit):
                visible[lit] = self.world.shade(cut(start, lit), cut(toward, lit), away[lit], width, which[lit], 40)
            # subsurface scattering: light bleeds past the terminator, in a warmer color
            wrap = torch.tensor([0.26, 0.19, 0.15])[:, None]
            light = light + strength * visible[None] * ((facing[None] + wrap) / (1 + wrap)).clamp(min=0) ** 1.15
            shine = shine + strength * (visible * highlight(s, toward, torch.full_like(t, 0.36)))[None] * 0.5
        rim = fresnel(s) * open_ * 0.22
        return color * light * (0.55 + 0.45 * open_)[None] + shine + rgb(0.30, 0.36, 0.42) * rim[None]


def render(height: int, seed: int = 15) -> Image.Image:
    """The bust, `height` pixels high, 4:5."""
    bust = Bust(seed)
    camera = Camera((-0.15, -0.35, -8.2), (0.0, -0.50, 0.2), 0.222)
    light = photograph(camera, height * 4 // 5, height, bust.seen, finer=0.12)
    return develop(light, seed, exposure=0.82, bloom=0.05, vignette=0.4, saturation=1.12, contrast=1.06)
