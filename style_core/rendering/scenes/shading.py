"""Shared by the ray-marched scenes: surfaces, highlights, color bleeding, supersampled edges."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from style_core.rendering.scenes.noise import CHUNK
from style_core.rendering.scenes.solids import Camera, Place, cut, dot, unit


@dataclass
class Surface:
    """The surfaces that rays hit: flat tensors; colors are `[3, n]`."""

    p: Place
    n: Place
    way: Place
    color: Tensor
    gloss: Tensor  # 0 matte .. 1 mirror
    sheen: Tensor  # reflectance at normal incidence; 0.04 for most materials
    kind: Tensor
    which: Tensor

    def part(self, mask: Tensor) -> "Surface":
        rest = self.color[:, mask], self.gloss[mask], self.sheen[mask], self.kind[mask], self.which[mask]
        return Surface(cut(self.p, mask), cut(self.n, mask), cut(self.way, mask), *rest)


def rgb(r: float, g: float, b: float) -> Tensor:
    """A color to blend with: `[3, 1]`."""
    return torch.tensor([r, g, b])[:, None]


def highlight(s: Surface, toward: Place, rough: Tensor) -> Tensor:
    """The GGX lobe (Walter et al., 2007) with Schlick's reflectance, times the cosine, for one direction of light."""
    half = unit(*(a - b for a, b in zip(toward, s.way)))
    nh, nl = dot(s.n, half).clamp(min=0), dot(s.n, toward).clamp(min=0)
    nv, lh = (-dot(s.n, s.way)).clamp(min=0.05), dot(toward, half).clamp(min=0)
    a2 = rough**4
    lobe = a2 / (3.14159 * (nh * nh * (a2 - 1) + 1) ** 2)
    k = (rough + 1) ** 2 / 8
    seen = 1 / ((nl * (1 - k) + k) * (nv * (1 - k) + k) * 4)
    return lobe * seen * (s.sheen + (1 - s.sheen) * (1 - lh) ** 5) * nl


def fresnel(s: Surface) -> Tensor:
    """Share of light reflected toward the camera (Schlick, 1994)."""
    return s.sheen + (1 - s.sheen) * (1 + dot(s.n, s.way)).clamp(0, 1) ** 5 * s.gloss


def bled(p: Place, n: Place, balls: list[tuple[tuple[float, float, float], float, Tensor]]) -> Tensor:
    """Light `[3, n]` that spheres (center, radius, emitted light `[3, 1]`) cast on nearby points, by a sphere's form factor."""
    total = torch.zeros((3, len(p[0])))
    for center, radius, light in balls:
        off = tuple(at - x for x, at in zip(p, center))
        square = dot(off, off).clamp(min=radius * radius)
        total = total + light * (dot(off, n) / square.sqrt() * radius * radius / square).clamp(min=0)[None]
    return total


def chunked(function: Callable, *places) -> Tensor:
    """`function` over points (tuples of flat tensors) or flat tensors, in pieces; its result's last axis runs over the points."""
    first = places[0][0] if isinstance(places[0], tuple) else places[0]
    out = []
    for start in range(0, len(first), CHUNK):
        cut = slice(start, start + CHUNK)
        out.append(function(*(tuple(x[cut] for x in place) if isinstance(place, tuple) else place[cut] for place in places)))
    return torch.cat(out, -1)


def photograph(camera: Camera, width: int, height: int, seen: Callable, *, finer: float = 0.10) -> Tensor:
    """Light `[3, H, W]`: a ray through each pixel, and four more where neighbors differ.

    `seen(origin, way)` returns `[3, n]`. `finer`: contrast above which a pixel counts as an edge.
    """
    origin, way = camera.rays(width, height)
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    row, column = row.reshape(-1) + 0.5, column.reshape(-1) + 0.5
    light = chunked(seen, origin, way)
    tone = (light / (light + 0.4)).reshape(3, height, width)
    high = torch.nn.functional.max_pool2d(tone[None], 3, 1, 1)[0]
    low = -torch.nn.functional.max_pool2d(-tone[None], 3, 1, 1)[0]
    edge = ((high - low).amax(0) > finer).reshape(-1).nonzero()[:, 0]
    x = torch.cat([column[edge] + dx for dx in (-0.375, 0.125, 0.375, -0.125)])
    y = torch.cat([row[edge] + dy for dy in (-0.125, -0.375, 0.125, 0.375)])
    u, v = (x / width * 2 - 1) * camera.tangent, (1 - y / height * 2) * camera.tangent * height / width
    way = unit(*(camera.forward[i] + u * camera.right[i] + v * camera.up[i] for i in range(3)))
    fine = chunked(seen, tuple(torch.full_like(u, part) for part in camera.eye), way)
    total = tone.reshape(3, -1)[:, edge] + (fine / (fine + 0.4)).reshape(3, 4, -1).sum(1)
    mean = (total / 5).clamp(max=0.995)
    light[:, edge] = 0.4 * mean / (1 - mean)
    return light.reshape(3, height, width)
