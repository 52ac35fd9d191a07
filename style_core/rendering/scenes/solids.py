"""Solids as signed distance functions, and ray marching (Hart, 1996; smooth unions and soft shadows after Quilez)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

# A Place is a tuple (x, y, z) of flat tensors, that is, points; a solid maps points to signed distances, negative inside.
Place = tuple[Tensor, ...]  # x, y and z
Solid = Callable[[Place], Tensor]


def moved(p: Place, x: float, y: float, z: float) -> Place:
    return p[0] - x, p[1] - y, p[2] - z


def turned(p: Place, axis: int, angle: float) -> Place:
    """Points in a frame rotated by `angle` about an axis: 0 x, 1 y, 2 z."""
    c, s = float(torch.cos(torch.tensor(angle))), float(torch.sin(torch.tensor(angle)))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out = list(p)
    out[i], out[j] = p[i] * c + p[j] * s, p[j] * c - p[i] * s
    return tuple(out)


def length(*parts: Tensor) -> Tensor:
    return dot(parts, parts).sqrt() if len(parts) == 3 else torch.hypot(*parts)


def sphere(p: Place, radius: float) -> Tensor:
    return length(*p) - radius


def ellipsoid(p: Place, rx: float, ry: float, rz: float) -> Tensor:
    """A bound of the distance, accurate near the surface."""
    k = length(p[0] / rx, p[1] / ry, p[2] / rz)
    g = length(p[0] / rx**2, p[1] / ry**2, p[2] / rz**2)
    return k * (k - 1) / g.clamp(min=1e-6)


def box(p: Place, hx: float, hy: float, hz: float, round_: float = 0.0) -> Tensor:
    q = p[0].abs() - hx + round_, p[1].abs() - hy + round_, p[2].abs() - hz + round_
    outside = length(*(part.clamp(min=0) for part in q))
    return outside + torch.maximum(q[0], torch.maximum(q[1], q[2])).clamp(max=0) - round_


def capsule(p: Place, a: tuple[float, float, float], b: tuple[float, float, float], ra: float, rb: float | None = None) -> Tensor:
    """A capsule from `a` to `b` whose radius changes from `ra` to `rb`."""
    rb = ra if rb is None else rb
    d = [end - start for start, end in zip(a, b)]
    q = moved(p, *a)
    share = ((q[0] * d[0] + q[1] * d[1] + q[2] * d[2]) / sum(along * along for along in d)).clamp(0, 1)
    return length(*(part - along * share for part, along in zip(q, d))) - (ra + (rb - ra) * share)


def polygon(r: Tensor, y: Tensor, profile: list[tuple[float, float]]) -> Tensor:
    """The exact distance to a closed polygon `[(r, y), ...]`."""
    ends = [*profile, profile[0]]
    nearest = torch.full_like(r, 1e9)
    sign = torch.ones_like(r)
    for (ax, ay), (bx, by) in zip(ends, ends[1:]):
        ex, ey = bx - ax, by - ay
        wx, wy = r - ax, y - ay
        share = ((wx * ex + wy * ey) / (ex * ex + ey * ey)).clamp(0, 1)
        nearest = torch.minimum(nearest, (wx - ex * share) ** 2 + (wy - ey * share) ** 2)
        above, below, side = y >= ay, y < by, ex * wy > ey * wx
        flips = (above & below & side) | (~above & ~below & ~side)
        sign = torch.where(flips, -sign, sign)
    return sign * nearest.sqrt()


class Lathe:
    """A closed profile revolved about the y axis; distances are read from a table with `fine` samples per unit."""

    def __init__(self, profile: list[tuple[float, float]], round_: float = 0.012, fine: int = 200) -> None:
        self.wide = max(r for r, _ in profile) + 0.3
        self.low, self.high = min(y for _, y in profile) - 0.3, max(y for _, y in profile) + 0.3
        r = torch.linspace(0, self.wide, int(self.wide * fine))
        y = torch.linspace(self.low, self.high, int((self.high - self.low) * fine))
        y, r = torch.meshgrid(y, r, indexing="ij")
        self.table = (polygon(r.reshape(-1), y.reshape(-1), profile).reshape(r.shape) - round_)[None, None]

    def __call__(self, p: Place) -> Tensor:
        r, y = length(p[0], p[2]), p[1]
        u, v = 2 * r / self.wide - 1, 2 * (y - self.low) / (self.high - self.low) - 1
        beyond = length((r - self.wide).clamp(min=0), (y - self.high).clamp(min=0) + (self.low - y).clamp(min=0))
        grid = torch.stack([u, v], -1)[None, None]
        return torch.nn.functional.grid_sample(self.table, grid, align_corners=True, padding_mode="border")[0, 0, 0] + beyond * 0.7


def join(a: Tensor, b: Tensor, smooth: float) -> Tensor:
    """A smooth union; `smooth` is the width of the blend."""
    h = (0.5 + 0.5 * (b - a) / smooth).clamp(0, 1)
    return b + (a - b) * h - smooth * h * (1 - h)


def carve(a: Tensor, b: Tensor, smooth: float) -> Tensor:
    """A smooth difference, `a` without `b`."""
    return -join(-a, b, smooth)


def along(origin: Place, way: Place, t: Tensor) -> Place:
    return tuple(o + w * t for o, w in zip(origin, way))


def cut(place: Place, where: Tensor) -> Place:
    return tuple(x[where] for x in place)


def march(solid: Solid, origin: Place, way: Place, t: Tensor, far: Tensor, steps: int = 70, fine: float = 4e-4) -> Tensor:
    """Distance to the first hit along each ray between `t` and `far`, or infinity."""
    out = torch.full_like(t, math.inf)
    active = torch.arange(len(t))
    for step in range(steps):
        d = solid(along(origin, way, t))
        t = t + d
        done = d < fine * t.clamp(min=0.3)
        if step % 3 == 2 or step == steps - 1:
            out[active[done]] = t[done]
            going = (~done & (t < far)).nonzero()[:, 0]
            active, t, far, origin, way = active[going], t[going], far[going], cut(origin, going), cut(way, going)
            if not len(active):
                break
    return torch.where(out < math.inf, out, torch.full_like(out, math.inf))


@dataclass(frozen=True)
class Thing:
    """A solid inside a bounding sphere; rays that miss the sphere skip its distance function."""

    kind: int
    center: tuple[float, float, float]
    radius: float
    solid: Solid
    casts: bool = True
    convex: bool = False  # casts no shadow on itself

    def crossed(self, origin: Place, way: Place) -> tuple[Tensor, Tensor]:
        """Position of each ray's closest approach to the center, and the squared distance there."""
        off = moved(origin, *self.center)
        middle = -dot(off, way)
        return middle, dot(off, off) - middle * middle


class World:
    """Things to trace rays through."""

    def __init__(self, things: list[Thing]) -> None:
        self.things = things

    def hit(self, origin: Place, way: Place, far: float) -> tuple[Tensor, Tensor]:
        """Distance along each ray (`far` for none) and the index of the thing there (-1 for none)."""
        best, which = torch.full_like(origin[0], far), torch.full(origin[0].shape, -1)
        for index, thing in enumerate(self.things):
            middle, near = thing.crossed(origin, way)
            half = (thing.radius**2 - near).clamp(min=0).sqrt()
            rays = ((near < thing.radius**2) & (middle + half > 0) & (middle - half < best)).nonzero()[:, 0]
            if not len(rays):
                continue
            start, end = (middle[rays] - half[rays]).clamp(min=0), torch.minimum(middle[rays] + half[rays], best[rays])
            t = march(thing.solid, cut(origin, rays), cut(way, rays), start, end)
            closer = t < best[rays]
            best[rays[closer]], which[rays[closer]] = t[closer], index
        return best, which

    def normals(self, p: Place, which: Tensor, step: float = 6e-4) -> Place:
        """Surface normals, from four corners of a tetrahedron; up where there is no thing."""
        out = torch.zeros_like(p[0]), torch.ones_like(p[0]), torch.zeros_like(p[0])
        for index, thing in enumerate(self.things):
            here = (which == index).nonzero()[:, 0]
            if not len(here):
                continue
            total = [torch.zeros(len(here)) for _ in range(3)]
            for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
                d = thing.solid(tuple(part[here] + step * c for part, c in zip(p, corner)))
                total = [sum_ + d * c for sum_, c in zip(total, corner)]
            for axis, part in enumerate(total):
                out[axis][here] = part / length(*total).clamp(min=1e-9)
        return out

    def shade(self, origin: Place, way: Place, far: Tensor, width: float, which: Tensor, steps: int = 22) -> Tensor:
        """Visible share of a light of angular radius `width`: the smallest ratio of clearance to distance along the ray, by thing.

        `which`: the thing at each ray's origin, from `hit`.
        """
        seen = torch.ones_like(far)
        for index, thing in enumerate(self.things):
            if not thing.casts:
                continue
            middle, near = thing.crossed(origin, way)
            reach = thing.radius + width * middle.clamp(min=0)
            half = (reach**2 - near).clamp(min=0).sqrt()
            meets = (near < reach**2) & (middle + half > 0) & (middle - half < far) & (seen > 0.003)
            if thing.convex:
                meets &= which != index
            rays = meets.nonzero()[:, 0]
            if not len(rays):
                continue
            o, w = cut(origin, rays), cut(way, rays)
            t, end = (middle[rays] - half[rays]).clamp(min=0.02), torch.minimum(middle[rays] + half[rays], far[rays])
            least = torch.full_like(t, 1.0)
            pace = (end - t).clamp(min=0.05) / steps
            for _ in range(steps):
                d = thing.solid(along(o, w, t))
                least = torch.minimum(least, torch.where(t <= end, d / (width * t), least))
                t = t + torch.maximum(d * 0.7, pace * 0.5)
            least = least.clamp(-1, 1)
            seen[rays] = torch.minimum(seen[rays], 0.25 * (1 + least) ** 2 * (2 - least))
        return seen

    def openness(self, p: Place, n: Place, reach: float = 0.5, samples: int = 4) -> Tensor:
        """Ambient occlusion along the normal: 1 in the open, near 0 in a corner; the factors of all things are multiplied."""
        out = torch.ones_like(p[0])
        for thing in self.things:
            off = moved(p, *thing.center)
            here = (dot(off, off) < (thing.radius + reach) ** 2).nonzero()[:, 0]
            if not len(here):
                continue
            q, m = cut(p, here), cut(n, here)
            hidden, weight = torch.zeros(len(here)), 1.0
            for index in range(samples):
                height = reach * (0.04 + 0.96 * (index / (samples - 1)) ** 1.4)
                d = thing.solid(along(q, m, torch.full_like(q[0], height)))
                hidden = hidden + (1 - d / height).clamp(0, 1.2) * weight
                weight *= 0.75
            out[here] = out[here] * (1 - 0.34 * hidden).clamp(0, 1)
        return out


def dot(a: Place, b: Place) -> Tensor:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def unit(*p) -> Place:
    size = length(*p)
    return tuple(part / size for part in p)


def mirrored(way: Place, n: Place) -> Place:
    twice = 2 * dot(way, n)
    return tuple(w - twice * part for w, part in zip(way, n))


class Camera:
    """Rays through the pixels of a picture, from a camera that looks at a point; `tangent` is that of half the horizontal angle."""

    def __init__(self, eye: tuple[float, float, float], at: tuple[float, float, float], tangent: float) -> None:
        self.eye, self.tangent = eye, tangent
        forward = torch.tensor(at) - torch.tensor(eye)
        self.forward = forward / forward.norm()
        right = torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0]), self.forward)
        self.right = right / right.norm()
        self.up = torch.linalg.cross(self.forward, self.right)

    def rays(self, width: int, height: int) -> tuple[Place, Place]:
        """Origins and directions, flat, row by row."""
        y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        u = (x.reshape(-1) / width * 2 - 1) * self.tangent
        v = (1 - y.reshape(-1) / height * 2) * self.tangent * height / width
        way = unit(*(self.forward[i] + u * self.right[i] + v * self.up[i] for i in range(3)))
        return tuple(torch.full_like(u, part) for part in self.eye), way
