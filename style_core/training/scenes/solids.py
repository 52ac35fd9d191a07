"""Solids as signed distances, and the tracing of rays through them (Hart, 1996; smooth unions and soft shadows after Quilez)."""

from collections.abc import Callable

import torch
from torch import Tensor

# A place is a tuple (x, y, z) of flat tensors; a solid maps a place to its distance, negative inside.
Place = tuple[Tensor, Tensor, Tensor]
Solid = Callable[[Place], Tensor]


def moved(p: Place, x: float, y: float, z: float) -> Place:
    return p[0] - x, p[1] - y, p[2] - z


def turned(p: Place, axis: int, angle: float) -> Place:
    """The place in a frame turned by `angle` about an axis: 0 x, 1 y, 2 z."""
    c, s = float(torch.cos(torch.tensor(angle))), float(torch.sin(torch.tensor(angle)))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out = list(p)
    out[i], out[j] = p[i] * c + p[j] * s, p[j] * c - p[i] * s
    return tuple(out)


def length(*parts: Tensor) -> Tensor:
    return sum(part * part for part in parts).sqrt()


def sphere(p: Place, radius: float) -> Tensor:
    return length(*p) - radius


def ellipsoid(p: Place, rx: float, ry: float, rz: float) -> Tensor:
    """A bound of the distance, close near the surface."""
    k = length(p[0] / rx, p[1] / ry, p[2] / rz)
    g = length(p[0] / rx**2, p[1] / ry**2, p[2] / rz**2)
    return k * (k - 1) / g.clamp(min=1e-6)


def box(p: Place, hx: float, hy: float, hz: float, round_: float = 0.0) -> Tensor:
    q = p[0].abs() - hx + round_, p[1].abs() - hy + round_, p[2].abs() - hz + round_
    outside = length(*(part.clamp(min=0) for part in q))
    return outside + torch.maximum(q[0], torch.maximum(q[1], q[2])).clamp(max=0) - round_


def capsule(p: Place, a: tuple[float, float, float], b: tuple[float, float, float], ra: float, rb: float | None = None) -> Tensor:
    """A stick from `a` to `b` whose radius changes from `ra` to `rb`."""
    rb = ra if rb is None else rb
    d = [end - start for start, end in zip(a, b)]
    q = moved(p, *a)
    share = (sum(part * along for part, along in zip(q, d)) / sum(along * along for along in d)).clamp(0, 1)
    return length(*(part - along * share for part, along in zip(q, d))) - (ra + (rb - ra) * share)


def torus(p: Place, radius: float, thick: float) -> Tensor:
    """A ring about the y axis."""
    return length(length(p[0], p[2]) - radius, p[1]) - thick


def lathe(p: Place, profile: list[tuple[float, float]], round_: float = 0.0) -> Tensor:
    """A closed profile `[(radius, height), ...]` turned about the y axis: the exact distance to a polygon."""
    r, y = length(p[0], p[2]), p[1]
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
    return sign * nearest.sqrt() - round_


def join(a: Tensor, b: Tensor, smooth: float) -> Tensor:
    """A union whose seam is filled over a distance."""
    h = (0.5 + 0.5 * (b - a) / smooth).clamp(0, 1)
    return b + (a - b) * h - smooth * h * (1 - h)


def carve(a: Tensor, b: Tensor, smooth: float) -> Tensor:
    """`a` without `b`, the edge rounded over a distance."""
    return -join(-a, b, smooth)


def along(origin: Place, way: Place, t: Tensor) -> Place:
    return tuple(o + w * t for o, w in zip(origin, way))


def trace(solid: Solid, origin: Place, way: Place, *, near: float = 0.0, far: float = 30.0, steps: int = 90, fine: float = 6e-4) -> Tensor:
    """Distance to the first hit along each ray, `far` where there is none.

    `fine`: how near counts as hit, as a share of the distance. Rays that are done are not moved on.
    """
    out = torch.full_like(origin[0], near)
    active = torch.arange(len(out))
    t, o, w = out, origin, way
    for step in range(steps):
        d = solid(along(o, w, t))
        t = t + d
        going = (d.abs() > fine * t.clamp(min=0.3)) & (t < far)
        if step % 4 == 3 or step == steps - 1:
            out[active] = t
            active, t = active[going], t[going]
            o, w = tuple(x[going] for x in o), tuple(x[going] for x in w)
            if not len(active):
                break
    return out.clamp(max=far)


def normal(solid: Solid, p: Place, step: float = 6e-4) -> Place:
    """Direction in which the distance grows, from four corners of a tetrahedron."""
    total = [torch.zeros_like(p[0]) for _ in range(3)]
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        d = solid(tuple(part + step * c for part, c in zip(p, corner)))
        total = [sum_ + d * c for sum_, c in zip(total, corner)]
    size = length(*total).clamp(min=1e-9)
    return tuple(part / size for part in total)


def shadow(solid: Solid, origin: Place, way: Place, far: Tensor | float, width: float, steps: int = 28, start: float = 0.02) -> Tensor:
    """Share of a light of angular radius `width` that is seen along each ray: the nearest miss in proportion to the way gone."""
    seen = torch.ones_like(origin[0])
    t = torch.full_like(seen, start)
    for _ in range(steps):
        d = solid(along(origin, way, t))
        seen = torch.minimum(seen, d / (width * t))
        t = torch.minimum(t + d.clamp(0.01, 0.35), torch.as_tensor(far))
    seen = seen.clamp(-1, 1)
    return 0.25 * (1 + seen) ** 2 * (2 - seen)


def openness(solid: Solid, p: Place, n: Place, reach: float = 0.5, samples: int = 5) -> Tensor:
    """Ambient occlusion along the normal: 1 in the open, towards 0 in a corner."""
    hidden, weight = torch.zeros_like(p[0]), 1.0
    for index in range(samples):
        height = reach * (0.03 + (index / (samples - 1)) ** 1.4)
        hidden = hidden + (height - solid(along(p, n, torch.full_like(p[0], height)))).clamp(min=0) * weight / reach
        weight *= 0.8
    return (1 - 0.62 * hidden).clamp(0, 1)


def dot(a: Place, b: Place) -> Tensor:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def unit(*p) -> Place:
    size = length(*p)
    return tuple(part / size for part in p)


def mirrored(way: Place, n: Place) -> Place:
    twice = 2 * dot(way, n)
    return tuple(w - twice * part for w, part in zip(way, n))


class Camera:
    """Rays through the pixels of a picture, from an eye that looks at a place; `tangent` of half the angle across."""

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
