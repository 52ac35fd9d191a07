"""A street at night after rain: lit windows, lanterns and strings of bulbs, reflected in the wet stones."""

from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from style_core.rendering.scenes.darkroom import develop
from style_core.rendering.scenes.noise import fractal, hashed, mix, smoothstep, tiled
from style_core.rendering.scenes.shading import photograph, rgb
from style_core.rendering.scenes.solids import Camera, Place, along, cut

_HALF = 5.4  # from the middle of the street to the fronts, in meters
_CURB = 3.3
_END = 95.0
_FLOOR, _BAY = 3.3, 2.3  # height of a floor, width of a window's bay
_LAMP_HEIGHT, _LAMP_SIDE = 4.3, 3.75
_LAMP_LIGHT = torch.tensor([1.0, 0.60, 0.25])
_GARLANDS = (7.5, 13.5, 20.5, 29.0, 40.0)
_WALLS = ((0.46, 0.30, 0.20), (0.50, 0.42, 0.30), (0.30, 0.24, 0.24), (0.42, 0.22, 0.17), (0.26, 0.30, 0.32), (0.52, 0.36, 0.22))
_AWNINGS = ((0.34, 0.055, 0.04), (0.04, 0.14, 0.09), (0.05, 0.09, 0.22), (0.30, 0.16, 0.03))
_GOODS = ((0.55, 0.10, 0.06), (0.10, 0.22, 0.16), (0.75, 0.42, 0.10), (0.12, 0.14, 0.30), (0.35, 0.16, 0.08), (0.85, 0.75, 0.55))
_SIGNS = ((6.0, 0.7, 0.35), (0.4, 4.2, 3.4), (5.5, 0.5, 3.0), (5.6, 3.4, 0.6))


@dataclass
class _Hit:
    """The nearest hit along each ray so far: its distance and light `[3, n]`."""

    t: Tensor
    light: Tensor

    def put(self, t: Tensor, light: Tensor, where: Tensor) -> None:
        closer = where & (t > 1e-3) & (t < self.t)
        self.t = torch.where(closer, t, self.t)
        self.light = torch.where(closer[None], light, self.light)


class Street:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.soft, self.fine = fractal(seed, (512, 512), 1.5), fractal(seed + 1, (512, 512), 0.8)
        random = torch.Generator().manual_seed(seed + 2)
        self.edges, self.heights = [], []
        for _ in (0, 1):
            width = 7.0 + 6.5 * torch.rand(14, generator=random)
            self.edges.append(torch.cat([torch.tensor([-9.0]), -9.0 + (width / _BAY).round().cumsum(0) * _BAY]))
            self.heights.append(((3.0 + 3.4 * torch.rand(14, generator=random)).round()) * _FLOOR + 1.4)
        self.lamps = [(side * _LAMP_SIDE, 6.5 + 8.5 * index + (4.2 if side > 0 else 0)) for index in range(8) for side in (-1, 1)]

    # light

    def _lamplight(self, p: Place, n: tuple[float, float, float]) -> Tensor:
        """Light from nearby lanterns on a surface with normal `n`: `[3, n]`."""
        total = torch.zeros_like(p[0])
        for x, z in self.lamps:
            off = x - p[0], _LAMP_HEIGHT - p[1], z - p[2]
            square = off[0] ** 2 + off[1] ** 2 + off[2] ** 2 + 0.15
            facing = (off[0] * n[0] + off[1] * n[1] + off[2] * n[2]) / square.sqrt()
            total = total + facing.clamp(min=0) / square
        return _LAMP_LIGHT[:, None] * (total * 9.0)[None]

    def _haze(self, origin: Place, way: Place, t: Tensor, light: Tensor) -> Tensor:
        """Damp air: dims with distance, and glows around each lantern (scattered light along a ray has a closed form)."""
        fade = torch.exp(-t * 0.012)
        light = light * fade[None] + rgb(0.075, 0.085, 0.135) * (1 - fade)[None]
        glow = torch.zeros_like(t)
        for x, z in self.lamps:
            off = origin[0] - x, origin[1] - _LAMP_HEIGHT, origin[2] - z
            along_ = off[0] * way[0] + off[1] * way[1] + off[2] * way[2]
            height = (off[0] ** 2 + off[1] ** 2 + off[2] ** 2 - along_**2).clamp(min=0.02).sqrt()
            glow = glow + (torch.atan((t + along_) / height) - torch.atan(along_ / height)) / height
        return light + _LAMP_LIGHT[:, None] * (glow * 0.012)[None]

    # things

    def _front(self, side: int, p: Place) -> tuple[Tensor, Tensor]:
        """Light from the houses' fronts at points of their plane, and where there is a house."""
        edges, heights = self.edges[(side + 1) // 2], self.heights[(side + 1) // 2]
        house = (torch.searchsorted(edges, p[2].contiguous()) - 1).clamp(0, len(heights) - 1)
        top, start = heights[house], edges[house]
        there = (p[1] < top) & (p[1] > 0) & (p[2] > edges[0]) & (p[2] < edges[-1])
        number = house * 7 + (side + 1) * 50
        wall = torch.tensor(_WALLS)[(number % len(_WALLS)).long()].T
        wall = wall * (1 + 0.13 * tiled(self.soft, p[2] * 0.06, p[1] * 0.06) + 0.10 * tiled(self.fine, p[2] * 0.21, p[1] * 0.21))[None]
        wall = wall * (1 - 0.35 * smoothstep(1.2, 0.0, p[1]))[None]
        brick_row = (p[1] / 0.13).floor()
        brick = torch.maximum(((p[1] / 0.13) % 1 - 0.5).abs() - 0.06, (((p[2] / 0.34) + 0.5 * (brick_row % 2)) % 1 - 0.5).abs())
        bricks = smoothstep(0.47, 0.40, brick) + 0.5 * (hashed((p[2] / 0.34 + 0.5 * (brick_row % 2)).floor(), brick_row, 17) - 0.5)
        wall = wall * torch.where(number % 3 == 0, torch.ones_like(bricks), 0.68 + 0.38 * bricks)[None]
        lit = self._lamplight(p, (-float(side), 0.0, 0.0)) + rgb(0.030, 0.040, 0.085) * (0.6 + 0.05 * p[1])[None]
        course = ((p[1] - 1.0) % _FLOOR - 0.06).abs() < 0.075
        lit = torch.where(course[None] & (p[1] > 3)[None], lit * 1.35, lit)
        shadow = 1 - 0.5 * smoothstep(0.35, 0.0, ((p[1] - 1.0) % _FLOOR - _FLOOR + 0.06).abs()) * (p[1] > 3)
        light = wall * lit * shadow[None]
        cornice = (top - p[1] < 0.5) & (top - p[1] > 0.12)
        light = torch.where(cornice[None], light * 1.5, light)
        gap = ((p[2] - start) < 0.12) | ((p[2] - start) < 0.0)
        light = torch.where(gap[None], light * 0.4, light)
        light = self._windows(p, start, number, light, top)
        return self._shops(side, p, start, number, light), there

    def _windows(self, p: Place, start: Tensor, number: Tensor, light: Tensor, top: Tensor) -> Tensor:
        column, row = ((p[2] - start) / _BAY).floor(), ((p[1] - 1.0) / _FLOOR).floor()
        u, v = (p[2] - start) - (column + 0.5) * _BAY, (p[1] - 1.0) - row * _FLOOR - 1.75
        inside = (row >= 1) & (p[1] < top - 1.1)
        half_w, half_h = 0.55, 0.92
        frame = inside & (u.abs() < half_w + 0.13) & (v.abs() < half_h + 0.13)
        pane = inside & (u.abs() < half_w) & (v.abs() < half_h)
        sill = inside & (u.abs() < half_w + 0.2) & ((v + half_h + 0.19).abs() < 0.06)
        chance = hashed(column + number * 13, row + number, self.seed + 5)
        on = chance < 0.46
        tint = hashed(column + 40, row + number * 3, self.seed + 6)
        glow = mix(rgb(2.9, 1.45, 0.50), rgb(2.6, 1.75, 0.95), tint[None])
        glow = torch.where((tint > 0.90)[None], rgb(0.6, 1.2, 1.9), glow)
        # the room behind the window: ceiling lamp above, dark furniture below, curtains at the sides
        drawn = hashed(column, row, self.seed + 7)
        curtain = smoothstep(0.0, 0.1, u.abs() - half_w * (0.35 + 0.75 * drawn))
        fold = 0.75 + 0.25 * torch.sin(u * 38 + drawn * 20)
        room = 0.55 + 0.5 * smoothstep(-0.9, 0.8, v) + 0.18 * tiled(self.soft, u * 0.35 + drawn * 5, v * 0.35 + tint)
        room = room * mix(torch.ones_like(u), 0.55 * fold, curtain) * (0.45 + 0.8 * hashed(column + 9, row, self.seed + 8))
        dark = rgb(0.012, 0.016, 0.026) + rgb(0.02, 0.03, 0.06) * smoothstep(-0.9, 0.9, v + u * 0.3)[None]
        inner = torch.where(on[None], glow * room.clamp(min=0.08)[None], dark)
        bar = (u.abs() < 0.03) | ((v - 0.28).abs() < 0.03)
        light = torch.where(frame[None], light * 0.55 + rgb(0.03, 0.025, 0.02), light)
        light = torch.where((pane & ~bar)[None], inner, light)
        spill = inside & on & ~frame
        light = (
            light
            + rgb(0.10, 0.055, 0.022) * torch.where(spill, torch.exp(-((u / 0.9) ** 2) - ((v + 0.2) / 1.2) ** 2), torch.zeros_like(u))[None]
        )
        return torch.where(sill[None], light * 1.6 + rgb(0.01, 0.008, 0.006), light)

    def _shops(self, side: int, p: Place, start: Tensor, number: Tensor, light: Tensor) -> Tensor:
        column = ((p[2] - start) / (2 * _BAY)).floor()
        u = (p[2] - start) - (column + 0.5) * 2 * _BAY
        key = hashed(column + number * 5, number + 3, self.seed + 9)
        low = p[1] < 3.5
        shop = low & (key < 0.66)
        glass = shop & (u.abs() < 1.85) & (p[1] > 0.55) & (p[1] < 2.75) & ((u.abs() - 0.62).abs() > 0.035)
        shelf = smoothstep(0.16, 0.05, ((p[1] - 0.55) % 0.62 - 0.1).abs()) * 0.4
        goods, paint = self._goods(u, p[1], key)
        lamp = torch.exp(-(((u.abs() - 0.9) / 0.5) ** 2 + ((p[1] - 2.5) / 0.5) ** 2)) * 1.6
        inner = mix(rgb(2.0, 1.0, 0.36), rgb(1.7, 1.22, 0.70), hashed(column, number, self.seed + 10)[None])
        inner = (
            inner * (0.35 + 0.45 * smoothstep(0.5, 2.7, p[1]) + lamp - shelf * 0.5).clamp(min=0.1)[None] * (1 - goods)[None]
            + paint * goods[None] * 0.7
        )
        light = torch.where(shop[None], light * 0.55, light)
        light = torch.where(glass[None], inner, light)
        awning = shop & (p[1] > 2.75) & (p[1] < 3.3) & (u.abs() < 2.05)
        cloth = torch.where(
            ((u / 0.32).floor() % 2 == 0)[None], torch.tensor(_AWNINGS)[(key * 97).long() % len(_AWNINGS)].T, rgb(0.50, 0.43, 0.33)
        )
        lit = self._lamplight(p, (-side * 0.7, 0.7, 0.0)) + rgb(0.4, 0.24, 0.1) * smoothstep(3.3, 2.75, p[1])[None]
        light = torch.where(awning[None], cloth * lit, light)
        door = low & (key >= 0.66) & (u.abs() < 0.62) & (p[1] < 2.5)
        light = torch.where(door[None], light * 0.3 + rgb(0.02, 0.03, 0.03), light)
        return light

    def _goods(self, u: Tensor, y: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """Rounded goods on two shelves of a shop: their area, and their colors `[3, n]`."""
        board = torch.where(y > 1.42, torch.full_like(y, 1.45), torch.full_like(y, 0.62))
        cell = (u / 0.27 + key * 31).floor()
        off = (u / 0.27 + key * 31 - cell - 0.5) * 0.27
        tall = 0.16 + 0.46 * hashed(cell, board * 10, self.seed + 11)
        wide = 0.07 + 0.06 * hashed(cell, board * 10, self.seed + 12)
        up = (y - board) / tall
        body = smoothstep(0.015, -0.015, off.abs() - wide * (1 - up.clamp(0, 1) ** 3).sqrt()) * (up > 0) * (up < 1)
        shelf = smoothstep(0.03, 0.015, (y - board).abs())
        paint = torch.tensor(_GOODS)[(hashed(cell, board * 10, self.seed + 13) * len(_GOODS)).long()].T
        return torch.maximum(body * 0.9, shelf * 0.8), paint * (0.5 + 0.5 * (1 - off.abs() / wide).clamp(0, 1))[None]

    def _signs(self, hit: _Hit, origin: Place, way: Place) -> None:
        """Neon signs that project from the fronts."""
        for index, (side, z, y) in enumerate(((1, 12.6, 4.4), (-1, 15.8, 4.9), (1, 24.5, 4.6), (-1, 30.0, 5.0))):
            t = (z - origin[2]) / way[2]
            x, up = origin[0] + way[0] * t, origin[1] + way[1] * t
            u, v = side * _HALF - x if side > 0 else x + _HALF, up - y
            u = u - 0.62
            board = (u.abs() < 0.42) & (v.abs() < 1.05)
            ring = smoothstep(0.05, 0.02, (torch.maximum(u.abs() - 0.32, v.abs() - 0.95)).abs())
            bars = smoothstep(0.05, 0.02, ((v + 0.95) % 0.38 - 0.19).abs()) * (u.abs() < 0.2) * (v.abs() < 0.8)
            tube = torch.tensor(_SIGNS[index])[:, None] * (ring + bars).clamp(0, 1)[None] + torch.tensor(_SIGNS[index])[:, None] * 0.05
            hit.put(t, tube, board)

    def _lanterns(self, hit: _Hit, origin: Place, way: Place) -> None:
        flat = (way[0] ** 2 + way[2] ** 2).clamp(min=1e-6)
        for x, z in self.lamps:
            dx, dz = x - origin[0], z - origin[2]
            t = (dx * way[0] + dz * way[2]) / flat
            miss = (dx * way[2] - dz * way[0]).abs() / flat.sqrt()
            y = origin[1] + way[1] * t
            thick = 0.055 + 0.05 * smoothstep(0.9, 0.2, y) + 0.03 * smoothstep(0.06, 0.0, (y - 3.7).abs())
            post = (miss < thick) & (y < _LAMP_HEIGHT - 0.25) & (y > 0)
            hit.put(t, rgb(0.012, 0.012, 0.014) + _LAMP_LIGHT[:, None] * (0.05 * smoothstep(2.2, 4.1, y))[None], post)
            v = y - _LAMP_HEIGHT
            glass = (miss < 0.17 + 0.10 * v) & (v.abs() < 0.27)
            hit.put(
                t - 0.2, _LAMP_LIGHT[:, None] * (16 * (1 - 0.5 * (miss / 0.2).clamp(0, 1)))[None], glass & ((miss - 0.08).abs() > 0.008)
            )
            roof = (miss < 0.26 * (1 - (v - 0.27) / 0.26)) & (v > 0.27) & (v < 0.5)
            hit.put(t - 0.2, rgb(0.01, 0.01, 0.012).expand_as(hit.light), roof)

    def _bulbs(self, hit: _Hit, origin: Place, way: Place) -> None:
        for index, z in enumerate(_GARLANDS):
            t = (z - origin[2]) / way[2]
            x, y = origin[0] + way[0] * t, origin[1] + way[1] * t
            sag = 5.6 + 0.035 * x * x + 0.25 * (index % 2)
            wire = (y - sag).abs() < 0.012
            hit.put(t, rgb(0.01, 0.01, 0.012).expand_as(hit.light), wire & (x.abs() < _HALF))
            near = (x / 0.62).round() * 0.62
            away = torch.hypot(x - near, y - (5.6 + 0.035 * near * near + 0.25 * (index % 2)) + 0.10)
            hit.put(t, rgb(14.0, 7.5, 2.6).expand_as(hit.light), (away < 0.065 + 0.0006 * z) & (x.abs() < _HALF))

    def _walker(self, hit: _Hit, origin: Place, way: Place) -> None:
        """A person under a red umbrella, seen from behind."""
        z, middle = 9.2, 0.75
        t = (z - origin[2]) / way[2]
        x, y = origin[0] + way[0] * t - middle, origin[1] + way[1] * t
        rim = 1.62 + 0.05 * torch.cos(x * 9.8)
        dome = ((x / 0.72) ** 2 + ((y - 1.6) / 0.56) ** 2 < 1) & (y > rim)
        rib = 0.75 + 0.25 * torch.cos(torch.atan2(x, y - 1.0) * 24)
        shine = (0.10 + 0.5 * smoothstep(-0.4, 0.7, x) + 0.25 * smoothstep(1.6, 2.05, y)) * rib
        coat = (x.abs() < 0.17 + 0.16 * smoothstep(1.35, 0.55, y) - 0.05 * smoothstep(1.25, 1.45, y)) & (y > 0.52) & (y < 1.47)
        head = torch.hypot(x * 1.1, y - 1.56) < 0.125
        legs = (((x.abs() - 0.10 + 0.02 * y).abs() < 0.058) & (y < 0.56) & (y > 0.0)) | (
            torch.hypot((x.abs() - 0.11), (y - 0.05) * 1.6) < 0.09
        )
        edge = smoothstep(0.10, 0.42, x.abs())
        dark = rgb(0.018, 0.018, 0.024) + _LAMP_LIGHT[:, None] * (0.035 * edge + 0.04 * edge * smoothstep(0.0, 0.2, x))[None]
        hit.put(t, dark, coat | head | legs)
        hit.put(t - 0.3, rgb(0.85, 0.035, 0.03) * shine[None] * 1.5, dome)
        hit.put(t - 0.3, rgb(0.02, 0.02, 0.02).expand_as(hit.light), ((x - 0.0).abs() < 0.012) & (y > 2.08) & (y < 2.2))

    def _cars(self, hit: _Hit, origin: Place, way: Place) -> None:
        """Headlights and tail lights, far down the street."""
        for z, middle, light, size in ((44.0, -1.55, (26.0, 21.0, 14.0), 0.16), (31.0, 1.6, (9.0, 0.5, 0.25), 0.13)):
            t = (z - origin[2]) / way[2]
            x, y = origin[0] + way[0] * t - middle, origin[1] + way[1] * t
            body = ((x.abs() < 0.86) & (y > 0.22) & (y < 0.85)) | ((x.abs() < 0.70 - 0.25 * (y - 0.85)) & (y >= 0.85) & (y < 1.42))
            glass = (x.abs() < 0.60 - 0.25 * (y - 0.85)) & (y > 0.92) & (y < 1.32)
            hit.put(t, torch.where(glass[None], rgb(0.05, 0.055, 0.07), rgb(0.015, 0.014, 0.018) + rgb(0.02, 0.012, 0.006)), body)
            hit.put(t - 0.1, torch.tensor(light)[:, None].expand_as(hit.light), torch.hypot(x.abs() - 0.62, (y - 0.66) * 1.3) < size)

    def sky(self, way: Place) -> Tensor:
        up = way[1].clamp(min=0)
        sky = mix(rgb(0.24, 0.17, 0.20), rgb(0.055, 0.085, 0.21), smoothstep(0.0, 0.28, up)[None])
        sky = mix(sky, rgb(0.014, 0.026, 0.085), smoothstep(0.2, 0.75, up)[None])
        depth = 1 / (up + 0.15)
        cloud = smoothstep(-0.2, 1.6, tiled(self.soft, way[0] * depth * 0.16 + 0.4, depth * 0.16 + 0.1))
        return mix(sky, rgb(0.15, 0.115, 0.15), (cloud * smoothstep(0.03, 0.25, up) * 0.75)[None])

    def above(self, origin: Place, way: Place) -> Tensor:
        """Light along rays that don't meet the ground."""
        hit = _Hit(torch.full_like(way[0], _END), self.sky(way))
        way = way[0], way[1], torch.where(way[2].abs() < 1e-5, torch.full_like(way[2], 1e-5), way[2])
        for side in (-1, 1):
            t = (side * _HALF - origin[0]) / torch.where(way[0].abs() < 1e-6, torch.full_like(way[0], 1e-6), way[0])
            p = along(origin, way, t)
            rays = ((t > 0) & (t < _END) & (p[1] > 0) & (p[1] < 30)).nonzero()[:, 0]
            if len(rays):
                light, there = torch.zeros_like(hit.light), torch.zeros_like(t, dtype=torch.bool)
                light[:, rays], there[rays] = self._front(side, cut(p, rays))
                hit.put(t, light, there)
            edges, heights = self.edges[(side + 1) // 2], self.heights[(side + 1) // 2]
            for z, top in zip(edges[:-1].tolist(), heights.tolist()):
                if z > 1:
                    t = (z - origin[2]) / way[2]
                    p = along(origin, way, t)
                    end = (p[0] * side > _HALF) & (p[0] * side < _HALF + 9) & (p[1] < top)
                    hit.put(t, (rgb(0.05, 0.045, 0.06) * (1 + 0.15 * tiled(self.fine, p[0] * 0.2, p[1] * 0.2))[None]), end)
        self._far_end(hit, origin, way)
        for thing in (self._lanterns, self._bulbs, self._signs, self._cars, self._walker):
            thing(hit, origin, way)
        return self._haze(origin, way, hit.t, hit.light)

    def _far_end(self, hit: _Hit, origin: Place, way: Place) -> None:
        """Roofs and a church tower at the end of the street."""
        t = (88.0 - origin[2]) / way[2]
        x, y = origin[0] + way[0] * t, origin[1] + way[1] * t
        tower = ((x - 1.2).abs() < 2.6) & (y < 21) | ((x - 1.2).abs() < 2.6 * (1 - (y - 21) / 13)) & (y >= 21)
        clock = torch.hypot(x - 1.2, y - 17.5)
        roofs = y < 9 + 2.5 * hashed((x / 5).floor(), x * 0, 3) - (x / 5 - (x / 5).floor() - 0.5).abs() * 3
        light = torch.where((clock < 1.35)[None], rgb(2.2, 1.6, 0.8), rgb(0.045, 0.042, 0.06).expand_as(hit.light))
        window = ((x * 0.8) % 1 < 0.35) & ((y * 0.5) % 1 < 0.4) & (hashed((x * 0.8).floor(), (y * 0.5).floor(), 4) < 0.45) & (y < 9)
        hit.put(t, torch.where((window & ~tower)[None], rgb(1.5, 0.8, 0.3), light), tower | roofs)

    # the ground

    def _stones(self, p: Place) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Slopes of the paving along x and z, puddle depth, and darkness of the joints."""
        walk = p[0].abs() > _CURB
        sx, sz = p[0] * torch.where(walk, 1.3, 4.6), p[2] * torch.where(walk, 1.3, 3.4)
        row = sz.floor()
        u, v = (sx + 0.5 * (row % 2)) % 1 - 0.5, sz - row - 0.5
        fade = torch.exp(-p[2].clamp(min=0) * 0.035)
        joint = smoothstep(0.36, 0.5, torch.maximum(u.abs(), v.abs()))
        tilt_x = hashed((sx + 0.5 * (row % 2)).floor(), row, 31) - 0.5
        tilt_z = hashed((sx + 0.5 * (row % 2)).floor(), row, 32) - 0.5
        rough = tiled(self.fine, p[0] * 0.5, p[2] * 0.5), tiled(self.fine, p[0] * 0.5 + 0.37, p[2] * 0.5 + 0.11)
        wet = tiled(self.soft, p[0] * 0.055 + 0.1, p[2] * 0.035 + 0.35) + 0.35 * smoothstep(1.2, 3.2, p[0].abs()) * ~walk
        puddle = smoothstep(0.35, 0.75, wet) * ~walk
        size = (1 - 0.96 * puddle) * fade
        slope_x = (u.sign() * u.abs() ** 3 * 1.3 + tilt_x * 0.12 + rough[0] * 0.03) * size
        slope_z = (v.sign() * v.abs() ** 3 * 1.3 + tilt_z * 0.12 + rough[1] * 0.03) * size
        return slope_x, slope_z, puddle, joint * (1 - puddle) * fade

    def _ground(self, origin: Place, way: Place, t: Tensor) -> Tensor:
        p = along(origin, way, t)
        slope_x, slope_z, puddle, joint = self._stones(p)
        albedo = (0.055 + 0.012 * tiled(self.fine, p[0] * 0.3, p[2] * 0.3)).clamp(min=0.02) * (1 - 0.7 * joint)
        light = (
            rgb(1.0, 0.95, 0.9) * albedo[None] * (self._lamplight(p, (0.0, 1.0, 0.0)) * 0.8 + rgb(0.03, 0.04, 0.08) + self._from_shops(p))
        )
        mirror = torch.zeros_like(light)
        samples = ((-1.0, 0.35), (0.0, -0.2), (1.0, 0.15))
        for stretch, side in samples:
            # wet stones smear lights up and down far more than sideways
            rough = 0.035 * (1 - 0.9 * puddle)
            nx, nz = slope_x + side * rough * 0.35, slope_z + stretch * rough
            size = (1 + nx * nx + nz * nz).sqrt()
            n = -nx / size, 1 / size, -nz / size
            twice = 2 * (way[0] * n[0] + way[1] * n[1] + way[2] * n[2])
            back = way[0] - twice * n[0], (way[1] - twice * n[1]).abs().clamp(min=0.004), way[2] - twice * n[2]
            start = p[0], p[1] + 0.01, p[2]
            mirror = mirror + self.above(start, back).clamp(max=14) / len(samples)
        grazing = (1 + way[1].clamp(max=0)).clamp(0, 1)
        share = (0.05 + 0.95 * grazing**4) * (1 - 0.75 * joint) * (0.55 + 0.45 * puddle)
        light = light + mirror * share[None]
        curb = ((p[0].abs() - _CURB).abs() < 0.07)[None]
        light = torch.where(curb, light * 0.5 + self._lamplight(p, (0.0, 1.0, 0.0)) * 0.05, light)
        return self._haze(origin, way, t, light)

    def _from_shops(self, p: Place) -> Tensor:
        near = smoothstep(2.6, 0.3, _HALF - p[0].abs())
        return rgb(1.6, 0.85, 0.35) * (near * (0.6 + 0.4 * torch.sin(p[2] * 1.37)))[None]

    def seen(self, origin: Place, way: Place) -> Tensor:
        down = way[1] < -1e-3
        t = torch.where(down, origin[1] / -way[1].clamp(max=-1e-3), torch.full_like(way[1], _END))
        light = self.above(origin, way)
        ground = down & (t < _END)
        # objects in front of the ground, found again by distance
        wide = (origin[0] + way[0] * t).abs() < _HALF
        free = (ground & wide).nonzero()[:, 0]
        if len(free):
            stands = self._stands(cut(origin, free), cut(way, free), t[free])
            free = free[~stands]
            light[:, free] = self._ground(cut(origin, free), cut(way, free), t[free])
        return light

    def _stands(self, origin: Place, way: Place, t: Tensor) -> Tensor:
        """Whether a lantern, a car or the pedestrian hides the ground."""
        hit = _Hit(t.clone(), torch.zeros((3, len(t))))
        for thing in (self._lanterns, self._cars, self._walker):
            thing(hit, origin, way)
        return hit.t < t


def render(width: int, seed: int = 12) -> Image.Image:
    """The street, `width` pixels wide, 3:2."""
    street = Street(seed)
    camera = Camera((-0.35, 1.65, 0.0), (0.15, 2.35, 10.0), 0.62)
    light = photograph(camera, width, width * 2 // 3, street.seen, finer=0.12)
    return develop(light, seed, exposure=0.86, bloom=0.16, vignette=0.35, grain=0.009, saturation=1.1, contrast=1.08)
