"""A still life: fruit, a bowl and a bottle on a cloth, in window light."""

from functools import partial

import torch
from PIL import Image
from torch import Tensor

from style_core.rendering.scenes.coats import (
    APPLE,
    BOTTLE,
    BOWL,
    BOWL_PLACE,
    CLOTH,
    COATS,
    GRAPE,
    LEMON,
    ORANGE,
    PEAR,
    ROUND,
    STEM,
    TABLE,
    WALL,
    Noises,
)
from style_core.rendering.scenes.darkroom import develop
from style_core.rendering.scenes.noise import fractal, smoothstep, tiled
from style_core.rendering.scenes.shading import Surface, bled, fresnel, highlight, photograph, rgb
from style_core.rendering.scenes.solids import (
    Camera,
    Lathe,
    Place,
    Thing,
    World,
    along,
    capsule,
    cut,
    dot,
    ellipsoid,
    join,
    length,
    mirrored,
    moved,
    sphere,
    turned,
    unit,
)

_FAR = 14.0
_LAMP = (-4.6, 4.0, -2.6)
_KEY = rgb(1.0, 0.85, 0.64) * 72
_ROOM = rgb(0.10, 0.115, 0.15)
_BOTTLE = (-1.18, 0.0, 0.95)
_BLED = {ORANGE: rgb(0.9, 0.30, 0.03) * 0.5, APPLE: rgb(0.6, 0.06, 0.03) * 0.5}


def _curve(points: list[tuple[float, float]], fine: int = 4) -> list[tuple[float, float]]:
    """A profile smoothed by a Catmull-Rom spline with fixed ends."""
    padded = [points[0], *points, points[-1]]
    out = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:]):
        for index in range(fine):
            t = index / fine
            x, y = (
                0.5 * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t**2 + (3 * q - p - 3 * r + s) * t**3)
                for p, q, r, s in zip(a, b, c, d)
            )
            out.append((x, y))
    return [*out, points[-1]]


_BOTTLE_PROFILE = [
    (0, 0),
    (0.33, 0),
    *_curve([(0.37, 0.05), (0.375, 0.7), (0.375, 1.22), (0.30, 1.50), (0.15, 1.74), (0.115, 1.95), (0.11, 2.3)]),
    (0.145, 2.31),
    (0.15, 2.40),
    (0, 2.41),
]
_BOWL_PROFILE = [
    (0, 0.06),
    (0.36, 0.03),
    (0.38, 0.0),
    (0.43, 0.0),
    (0.44, 0.08),
    *_curve([(0.62, 0.16), (0.86, 0.36), (0.97, 0.60), (1.0, 0.66)]),
    (0.96, 0.67),
    *_curve([(0.90, 0.56), (0.78, 0.36), (0.55, 0.20), (0.0, 0.14)]),
]


def _grape_places() -> list[tuple[float, float, float, float]]:
    random = torch.Generator().manual_seed(5)
    places = []
    for index in range(30):
        share = index / 30
        spread = 0.36 * (1 - share) ** 0.6
        dx, dz, up = (torch.rand(3, generator=random) * 2 - 1).tolist()
        x, z = 1.05 + 0.78 * share + dx * spread * 0.5, -0.62 - 0.10 * share + dz * spread
        y = 0.12 + (0.5 + 0.5 * up) * 0.32 * (1 - share) ** 0.8
        places.append((x, y, z, 0.118 + 0.016 * dx))
    # pushed apart, so that berries touch without overlapping
    at = torch.tensor(places)
    for _ in range(60):
        off = at[:, None, :3] - at[None, :, :3]
        gap = off.norm(dim=-1) + torch.eye(len(at)) * 9
        push = (at[:, None, 3] + at[None, :, 3] - gap).clamp(min=0)
        at[:, :3] += 0.3 * (off / gap[..., None] * push[..., None]).sum(1)
        at[:, 1] = torch.maximum(at[:, 1] - 0.004, at[:, 3] + 0.035)
    return [tuple(row) for row in at.tolist()]


class StillLife:
    def __init__(self, seed: int) -> None:
        self.folds = fractal(seed, (256, 256), 2.1)
        fine, soft = fractal(seed + 1, (512, 512), 0.9), fractal(seed + 2, (512, 512), 1.5)
        self.noises = Noises(fine, soft, skin=fractal(seed + 3, (64, 64, 64), 0.6, low=6))
        self.grapes = torch.tensor(_grape_places()).T[..., None]
        self.bowl, self.bottle = Lathe(_BOWL_PROFILE), Lathe(_BOTTLE_PROFILE)
        self.world = World(self._things())
        self.kinds = torch.tensor([thing.kind for thing in self.world.things] + [WALL])
        self.bleeding = [((x, y, z), r, _BLED[kind]) for kind, x, y, z, r in ROUND]

    # solids

    def _cloth(self, p: Place) -> tuple[Tensor, Tensor]:
        """Height of the cloth over the table and whether it lies there (positive inside its hem)."""
        x, z = p[0] * 0.94 + p[2] * 0.34, p[2] * 0.94 - p[0] * 0.34
        hem = torch.minimum(2.0 - (x - 0.28).abs(), 0.98 - (z + 0.36).abs() + 0.05 * torch.sin(x * 2.6)) + 0.03 * torch.sin(z * 5)
        warp = tiled(self.folds, x * 0.13 + 0.2, z * 0.13)
        flat = smoothstep(0.50, 1.15, length(p[0] - BOWL_PLACE[0], p[2] - BOWL_PLACE[2]))
        crease = (0.5 + 0.5 * torch.cos(x * 4.8 + z * 3.0 + warp * 3.0)) ** 1.7 * 0.10
        crease = crease + (0.5 + 0.5 * torch.cos(x * 2.2 - z * 6.8 + warp * 3.8 + 2)) ** 2 * 0.06
        height = 0.02 + flat * (crease + 0.022 * (warp + 1).clamp(min=0))
        height = 0.02 + (height - 0.02) * smoothstep(-0.03, 0.32, hem)
        return height * smoothstep(-0.05, 0.03, hem), hem

    def _table(self, p: Place) -> Tensor:
        return (p[1] - self._cloth(p)[0]) * 0.72

    def _bowl(self, p: Place) -> Tensor:
        return self.bowl(moved(p, *BOWL_PLACE))

    def _bottle(self, p: Place) -> Tensor:
        return self.bottle(moved(p, *_BOTTLE))

    def _bunch(self, p: Place) -> Tensor:
        x, y, z, radius = self.grapes
        return (length(p[0] - x, p[1] - y, p[2] - z) - radius).amin(0)

    def _standing_pear(self, p: Place) -> Tensor:
        return self._one_pear(turned(moved(p, -1.52, 0.38, -0.02), 2, 0.10))

    def _lying_pear(self, p: Place) -> Tensor:
        return self._one_pear(turned(turned(moved(p, -0.32, 0.39, -0.80), 1, -0.35), 2, -1.86))

    def _one_pear(self, q: Place) -> Tensor:
        return join(ellipsoid(q, 0.38, 0.37, 0.38), ellipsoid(moved(q, 0.02, 0.44, 0), 0.18, 0.30, 0.18), 0.30)

    def _lemon(self, p: Place) -> Tensor:
        q = turned(moved(p, 1.92, 0.27, 0.42), 1, 0.7)
        return join(ellipsoid(q, 0.36, 0.275, 0.275), sphere(moved(q, 0.37, 0, 0), 0.05), 0.10)

    def _ball(self, kind: int, ball: tuple[float, float, float, float], p: Place) -> Tensor:
        *center, r = ball
        q = moved(p, *center)
        if kind == ORANGE:
            return length(q[0], q[1] * 1.05, q[2]) - r
        across = length(q[0], q[2])  # an apple: a torus so thick that its hole closes, with hollows above and below
        return length(across - 0.30 * r, q[1] * (1.0 + 0.12 * q[1] / r)) - 0.74 * r

    def _things(self) -> list[Thing]:
        things = [
            Thing(TABLE, (0.0, 0.0, -1.0), 9.0, self._table),
            Thing(WALL, (0.0, 0.0, 3.2), 12.0, lambda p: 3.2 - p[2], casts=False),
            Thing(BOWL, (BOWL_PLACE[0], 0.36, BOWL_PLACE[2]), 1.10, self._bowl),
            Thing(BOTTLE, (_BOTTLE[0], 1.2, _BOTTLE[2]), 1.30, self._bottle, convex=True),
            Thing(PEAR, (-1.50, 0.58, -0.02), 0.62, self._standing_pear, convex=True),
            Thing(
                PEAR,
                (-0.08, 0.32, -0.86),
                0.74,
                self._lying_pear,
                convex=True,
            ),
            Thing(LEMON, (1.92, 0.28, 0.42), 0.48, self._lemon, convex=True),
            Thing(STEM, (-1.57, 1.07, 0.01), 0.14, lambda p: capsule(p, (-1.60, 0.98, 0.0), (-1.55, 1.17, 0.03), 0.012, 0.020)),
            Thing(STEM, (0.39, 1.28, 0.28), 0.13, lambda p: capsule(p, (0.36, 1.18, 0.30), (0.42, 1.37, 0.27), 0.010, 0.017)),
            Thing(STEM, (-0.80, 0.64, -0.43), 0.13, lambda p: capsule(p, (-0.82, 0.54, -0.42), (-0.77, 0.73, -0.45), 0.010, 0.017)),
        ]
        things.append(Thing(GRAPE, (1.35, 0.25, -0.65), 0.85, self._bunch))
        for kind, x, y, z, r in ROUND:
            things.append(Thing(kind, (x, y, z), r * 1.08, partial(self._ball, kind, (x, y, z, r)), convex=True))
        return things

    # surfaces

    def meet(self, origin: Place, way: Place) -> tuple[Surface, Tensor]:
        t, which = self.world.hit(origin, way, _FAR)
        p = along(origin, way, t)
        kinds = self.kinds[which]
        kinds = torch.where((kinds == TABLE) & (self._cloth(p)[1] > -0.045), torch.full_like(kinds, CLOTH), kinds)
        n = self.world.normals(p, which)
        s = Surface(p, n, way, torch.zeros((3, len(t))), torch.zeros_like(t), torch.full_like(t, 0.04), kinds, which)
        self._dress(s)
        return s, t

    def _dress(self, s: Surface) -> None:
        """Colors, gloss and small bumps."""
        for kind in s.kind.unique().tolist():
            mask = s.kind == kind
            p = tuple(x[mask] for x in s.p)
            color, gloss, bump = COATS[kind](self.noises, p)
            s.color[:, mask] = color.clamp(0.004, 0.95)
            s.gloss[mask] = gloss
            if bump:
                size, fine = bump
                n = [x[mask] for x in s.n]
                lump = [
                    tiled(self.noises.skin, p[0] * fine + shift, p[1] * fine + shift * 0.7, p[2] * fine + shift * 1.3)
                    for shift in (0.0, 0.37, 0.71)
                ]
                for axis, part in enumerate(unit(*(a + size * b for a, b in zip(n, lump)))):
                    s.n[axis][mask] = part

    # light

    def _direct(self, s: Surface, steps: int = 22) -> tuple[Tensor, Place, Tensor]:
        """Window light on each point, its direction, and its visible share."""
        toward = tuple(torch.full_like(x, at) - x for x, at in zip(s.p, _LAMP))
        away = length(*toward)
        toward = tuple(x / away for x in toward)
        facing = dot(s.n, toward)
        start = tuple(p + 0.01 * n for p, n in zip(s.p, s.n))
        seen = torch.zeros_like(away)
        lit = (facing > -0.3).nonzero()[:, 0]
        if len(lit):
            seen[lit] = self.world.shade(cut(start, lit), cut(toward, lit), away[lit], 0.17, s.which[lit], steps)
        return _KEY * (seen / (away * away))[None], toward, facing.clamp(min=0)

    def _sky(self, way: Place) -> Tensor:
        """Light from behind the camera: a window with bars, in dim walls."""
        toward = unit(*(torch.tensor(x) for x in (_LAMP[0], _LAMP[1] - 0.6, _LAMP[2])))
        across = unit(*(torch.tensor(x) for x in (-_LAMP[2], 0.0, _LAMP[0])))
        up = (
            toward[1] * across[2] - toward[2] * across[1],
            toward[2] * across[0] - toward[0] * across[2],
            toward[0] * across[1] - toward[1] * across[0],
        )
        ahead = dot(way, toward).clamp(min=1e-3)
        a, b = dot(way, across) / ahead, dot(way, up) / ahead

        def edge(x: Tensor, half: float) -> Tensor:
            return smoothstep(half + 0.03, half - 0.03, x.abs())

        pane = edge(a, 0.34) * edge(b, 0.46) * (1 - edge(a, 0.03)) * (1 - edge(b, 0.03)) * (ahead > 0.2)
        return _ROOM * (0.9 + 0.5 * way[1])[None] + rgb(1.0, 0.9, 0.74) * 7.5 * pane

    def _around(self, s: Surface, open_: Tensor) -> Tensor:
        """Light from the room, reflected by the table, and bleeding from fruit to fruit."""
        up = 0.5 + 0.5 * s.n[1]
        toward_light = (0.5 - 0.5 * s.n[0] * 0.8).clamp(0, 1)
        room = _ROOM * (1.1 + 1.3 * up * toward_light)[None]
        low = torch.exp(-s.p[1].clamp(min=0) * 1.1)
        cloth = rgb(0.62, 0.50, 0.36) * ((1 - up) * (0.25 + 0.75 * low))[None] * 0.75
        return (room + cloth) * open_[None] + bled(s.p, s.n, self.bleeding) * open_[None]

    def seen(self, origin: Place, way: Place) -> Tensor:
        s, _ = self.meet(origin, way)
        light, toward, facing = self._direct(s)
        open_ = self.world.openness(s.p, s.n, 0.42)
        around = self._around(s, open_)
        wrap = torch.where(s.kind == GRAPE, 0.35, 0.0) + torch.where((s.kind == ORANGE) | (s.kind == PEAR) | (s.kind == LEMON), 0.1, 0.0)
        facing = ((dot(s.n, toward) + wrap) / (1 + wrap)).clamp(min=0)
        out = s.color * (light * facing[None] + around)
        rough = (0.62 - 0.42 * s.gloss).clamp(min=0.16)
        out = out + light * highlight(s, toward, rough)[None] * (0.15 + 0.5 * s.gloss)[None]
        shiny = (s.gloss > 0.55).nonzero()[:, 0]
        if len(shiny):
            out[:, shiny] = out[:, shiny] + self._mirrored(s.part(shiny)) * (fresnel(s.part(shiny)) * s.gloss[shiny] * open_[shiny])[None]
        return self._glass(s, out, toward)

    def _mirrored(self, s: Surface) -> Tensor:
        way = mirrored(s.way, s.n)
        start = tuple(p + 0.01 * n for p, n in zip(s.p, s.n))
        back, t = self.meet(start, way)
        light, _, facing = self._direct(back, 12)
        near = back.color * (light * facing[None] + _ROOM * 2.2)
        return torch.where((t >= _FAR)[None], self._sky(way), near)

    def _glass(self, s: Surface, out: Tensor, toward: Place) -> Tensor:
        """Green glass: light collects on the side away from the window, and the body is dark."""
        through = (-dot(s.n, toward)).clamp(min=0) ** 2 + 0.25 * (1 + dot(s.n, s.way)).clamp(0, 1) ** 2
        glow = rgb(0.10, 0.30, 0.05) * (0.06 + 1.1 * through)[None]
        return torch.where(((s.kind == BOTTLE) & (s.gloss > 0.9))[None], out + glow, out)


def render(width: int, seed: int = 8) -> Image.Image:
    """The still life, `width` pixels wide, 3:2."""
    height = width * 2 // 3
    scene = StillLife(seed)
    camera = Camera((-0.1, 2.15, -6.0), (0.22, 0.80, 0.2), 0.40)
    light = photograph(camera, width, height, scene.seen)
    return develop(light, seed, exposure=0.85, bloom=0.05, vignette=0.45, saturation=1.08, contrast=1.05)
