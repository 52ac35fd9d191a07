"""A mountain lake in evening sun: a height field rendered column by column, reflected in the water, behind haze."""

import math

import torch
from PIL import Image
from torch import Tensor

from style_core.rendering.scenes.darkroom import develop, shrink
from style_core.rendering.scenes.noise import Gradients, cells, fractal, hashed, in_chunks, mix, smoothstep, tiled
from style_core.rendering.scenes.shading import rgb

_EYE = 0.10  # height of the camera over the lake, in units of about 100 m
_WIDE = 0.56  # tangent of half the horizontal angle of view
_HORIZON = 0.60  # share of the picture's height above the horizon
_SUN = (-0.88, 0.34, -0.26)  # direction to the sun, which is low, to the left and behind
_SUNLIGHT = torch.tensor([5.4, 3.05, 1.35])
_SKYLIGHT = torch.tensor([0.42, 0.56, 0.95])
# peaks and hills: x, z, height, radius across, radius in depth
_PEAKS = (
    (7.5, 42, 15.5, 8.5, 9.0),
    (-6.5, 50, 11.5, 8.0, 9.0),
    (22, 52, 13.0, 9.0, 9.0),
    (-24, 56, 13.0, 10.0, 10.0),
    (-15.5, 30, 5.6, 7.0, 8.0),
    (19, 27, 4.6, 7.0, 6.5),
    (-6.0, 10.5, 1.9, 3.0, 3.6),
    (1.0, 31, 1.3, 8.0, 6.0),
)


class _Land:
    """Height of the ground over the lake, and of the trees on it."""

    def __init__(self, seed: int) -> None:
        self.rock, self.soft = Gradients(seed), Gradients(seed + 1)
        self.seed = seed

    def ground(self, x: Tensor, z: Tensor, octaves: int = 13) -> Tensor:
        bend = self.soft.value(x * 0.06 + 3.1, z * 0.06) * 4
        sway = self.soft.value(x * 0.06 + 40.7, z * 0.06 + 11) * 4
        mass = torch.zeros_like(x)
        for px, pz, peak, across, deep in _PEAKS:
            away = ((x + bend - px) / across) ** 2 + ((z + sway - pz) / deep) ** 2
            mass = mass + peak * torch.exp(-away.sqrt() * 1.25 - 0.3 * away)
        ridges = self.rock.eroded(x * 0.085 + 12.4, z * 0.085 + 4.2, octaves, wear=1.1)
        ridge = 1 - self.rock.value(x * 0.11 + 2 + bend * 0.1, z * 0.11 + 7).abs() * 2.6
        gully = torch.zeros_like(x)
        for octave, size in enumerate((0.34, 0.83, 1.9)[: max(1, octaves - 10)]):
            gully = gully + (0.5 - self.rock.value(x * size + bend + octave * 9.7, z * size * 0.8 + sway).abs() * 2.2) * 0.55**octave
        height = mass * (0.80 + 1.1 * ridges + 0.3 * ridge + 0.085 * gully * smoothstep(0.5, 3.0, mass))
        return height + self._shore(x, z) * 0.55

    def _shore(self, x: Tensor, z: Tensor) -> Tensor:
        """Below 0 in the lake, which is long and has bays."""
        wave = self.soft.fbm(x * 0.16 + 8.8, z * 0.16, 5) * 2.4
        lake = torch.sqrt(((x - 1.5) / 11.0) ** 2 + ((z - 9) / 12.5) ** 2)
        return (lake - 1) * 3.0 + wave * 0.35

    def trees(self, x: Tensor, z: Tensor, ground: Tensor, steep: Tensor) -> tuple[Tensor, Tensor]:
        """Height of the canopy over the ground and a random number per tree; 0 where there is no tree."""
        height, key = torch.zeros_like(x), torch.zeros_like(x)
        patches = self.soft.fbm(x * 0.35 + 50, z * 0.35 + 20, 4)
        line = 4.2 + 1.4 * patches
        wanted = smoothstep(0.03, 0.10, ground) * smoothstep(line, line - 1.6, ground) * smoothstep(1.35, 0.85, steep)
        wanted = wanted * smoothstep(-0.45, 0.1, patches + 0.25)
        for size, seed in ((0.115, 5), (0.075, 9)):
            near, _, tree = cells(x / size, z / size, self.seed + seed)
            stands = tree < wanted
            tall = (0.13 + 0.17 * hashed((tree * 99991).floor(), tree * 0, seed)) * (size / 0.115)
            cone = tall * (1 - near / 0.52)
            # branches: drooping rings
            ring = cone + 0.012 * torch.sin(near * 46 + tree * 40)
            better = stands & (cone > 0) & (ring > height)
            height, key = torch.where(better, ring, height), torch.where(better, tree.clamp(min=0.01) / wanted.clamp(min=0.01), key)
        return height, key


class _View:
    """The land sampled along every pixel column, with distances growing by a constant factor, which matches the picture's detail."""

    def __init__(self, land: _Land, width: int, depths: int) -> None:
        u = (torch.arange(width) + 0.5) / width * 2 - 1
        self.u = u * _WIDE
        self.z = 4.0 * (68 / 4.0) ** (torch.arange(depths) / (depths - 1))
        self.x = self.u[:, None] * self.z[None]
        depth = self.z[None].expand_as(self.x)
        self.ground = in_chunks(land.ground, self.x, depth)
        rise = torch.gradient(self.ground, dim=1)[0] / torch.gradient(self.z)[0]
        across = torch.gradient(self.ground, dim=0)[0] / (self.z * (self.u[1] - self.u[0]))
        self.steep = torch.hypot(rise, across)
        self.canopy, self.tree = in_chunks(land.trees, self.x, depth, self.ground, self.steep)
        self.height = self.ground + self.canopy
        # the slope along world x and z; x changes along a column too
        by_u = torch.gradient(self.height, dim=0)[0] / (self.u[1] - self.u[0])
        by_z = torch.gradient(self.height, dim=1)[0] / torch.gradient(self.z)[0]
        self.slope_x = by_u / self.z
        self.slope_z = by_z - self.slope_x * self.u[:, None]

    def first(self, eye: float, tangents: Tensor) -> tuple[Tensor, Tensor]:
        """Index of the first depth whose land reaches each tangent of elevation `[rows]`, and whether any does: `[W, rows]`."""
        above = torch.where(self.height > 0, self.height, torch.full_like(self.height, -9.0)) - eye
        horizon = torch.cummax(above / self.z, 1).values
        index = torch.searchsorted(horizon.contiguous(), tangents.expand(len(self.u), -1).contiguous())
        return index.clamp(max=len(self.z) - 1), index < len(self.z)


def _shadow_map(land: _Land, size: int) -> Tensor:
    """Visibility of the sun on a map of the whole land."""
    x, z = torch.meshgrid(torch.linspace(-40, 40, size), torch.linspace(0, 80, size), indexing="ij")
    ground = in_chunks(lambda a, b: land.ground(a, b, 8), x, z)
    lit = torch.ones_like(ground)
    level = math.hypot(_SUN[0], _SUN[2])
    for step in range(1, 90):
        reach = 0.12 * step * (1 + step / 30)
        dx, dz = _SUN[0] / level * reach, _SUN[2] / level * reach
        seen = _on_map(ground, x + dx, z + dz)
        clear = (ground + 0.15 + reach * _SUN[1] / level - seen) / (0.05 * reach + 0.1)
        lit = torch.minimum(lit, clear.clamp(0, 1))
    hollow = torch.nn.functional.avg_pool2d(ground[None], size // 24 | 1, 1, (size // 24 | 1) // 2, count_include_pad=False)[0] - ground
    return torch.stack([lit, torch.exp(-hollow.clamp(min=0) * 0.55)])


def _on_map(field: Tensor, x: Tensor, z: Tensor) -> Tensor:
    grid = torch.stack([z / 40 - 1, x / 40], -1)
    squeeze = field.ndim == 2
    read = torch.nn.functional.grid_sample(
        (field[None] if squeeze else field)[None], grid[None], align_corners=True, padding_mode="border"
    )[0]
    return read[0] if squeeze else read


class _Painter:
    """Colors of the land, the sky and the air in between."""

    def __init__(self, view: _View, land: _Land, seed: int, detail: int) -> None:
        self.view = view
        self.map = _shadow_map(land, detail)
        self.fine = fractal(seed + 2, (512, 512), 1.0)
        self.cloud = fractal(seed + 3, (1024, 1024), 1.55)
        self.mist = fractal(seed + 4, (512, 512), 1.6)

    def land(self, column: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Light `[3, n]` from points of the view, and their distances."""
        view = self.view
        flat = column * len(view.z) + index
        z = view.z[index]
        x, height, ground, tree, steep, canopy = (
            view.u[column] * z,
            *(f.reshape(-1)[flat] for f in (view.height, view.ground, view.tree, view.steep, view.canopy)),
        )
        normal = torch.stack([-view.slope_x.reshape(-1)[flat], torch.ones_like(x), -view.slope_z.reshape(-1)[flat]])
        normal = normal / normal.norm(dim=0)
        lit, open_ = _on_map(self.map, x[None], z[None])[:, 0]
        fine = tiled(self.fine, x * 0.31, z * 0.31) * 0.5 + tiled(self.fine, x * 2.3, z * 2.3 + height) * 0.5
        albedo = self._albedo(x, z, ground, tree, steep, fine)
        grown = tree > 0
        sun = torch.tensor(_SUN) / torch.tensor(_SUN).norm()
        facing = (normal * sun[:, None]).sum(0)
        facing = torch.where(grown, facing.clamp(min=0) * 0.75 + 0.12, facing.clamp(min=0))
        shade = torch.where(grown, (canopy / 0.2).clamp(0.12, 1), torch.ones_like(x))
        sky = (0.55 + 0.45 * normal[1]) * open_ * shade
        bounce = (0.5 - 0.5 * normal[1]).clamp(min=0) * 0.5 * open_ * shade
        light = _SUNLIGHT[:, None] * facing * lit * shade.sqrt() + _SKYLIGHT[:, None] * 0.62 * sky
        light = light + torch.tensor([0.5, 0.36, 0.25])[:, None] * bounce
        return self.air(albedo * light, x, z, height), z

    def _albedo(self, x, z, ground, tree, steep, fine) -> Tensor:
        strata = 0.5 + 0.5 * torch.sin(ground * 7 + x * 0.9 + fine * 1.6)
        rock = mix(rgb(0.12, 0.105, 0.10), rgb(0.27, 0.225, 0.19), (strata * 0.6 + 0.2 + 0.16 * fine).clamp(0, 1))
        grass = mix(rgb(0.085, 0.085, 0.028), rgb(0.20, 0.145, 0.045), (0.5 + 0.3 * fine).clamp(0, 1))
        meadow = smoothstep(1.0, 0.55, steep + 0.12 * fine) * smoothstep(5.6, 3.6, ground + 0.5 * fine)
        land = mix(rock, grass, meadow)
        land = mix(rgb(0.20, 0.185, 0.16) * (1 + 0.25 * fine), land, smoothstep(0.0, 0.035, ground - 0.004 * fine))
        level = 5.6 + 0.5 * fine
        snow = smoothstep(level - 1.0, level + 2.2, ground) * smoothstep(2.2, 1.2, steep + 0.22 * fine)
        land = mix(land, rgb(0.86, 0.88, 0.92), snow)
        larch = smoothstep(0.80, 0.88, (tree + 0.35 * torch.sin(x * 0.9 + 1) * torch.sin(z * 0.5)))
        needles = mix(rgb(0.022, 0.040, 0.018), rgb(0.045, 0.068, 0.022), (0.5 + 0.4 * fine).clamp(0, 1))
        gold = mix(rgb(0.26, 0.125, 0.018), rgb(0.36, 0.20, 0.03), (0.5 + 0.4 * fine).clamp(0, 1))
        return torch.where(tree > 0, mix(needles, gold, larch), land)

    def air(self, light: Tensor, x: Tensor, z: Tensor, height: Tensor) -> Tensor:
        """Haze: blue with distance, warm toward the sun, and a bank of mist over the far shore."""
        warm = smoothstep(0.5, -0.6, x / z)
        far = 1 - torch.exp(-(z - 6).clamp(min=0) * 0.0095 * torch.exp(-height.clamp(min=0) * 0.045))
        tint = mix(torch.tensor([0.36, 0.46, 0.72])[:, None], torch.tensor([0.98, 0.66, 0.46])[:, None], warm * 0.8)
        light = mix(light, tint, far)
        swirl = tiled(self.mist, x * 0.018, z * 0.03 + height * 0.12)
        bank = (
            torch.exp(-((height.clamp(min=0) - 0.25) / 0.55).clamp(min=0) * 1.3)
            * smoothstep(11, 26, z)
            * (0.42 + 0.28 * swirl).clamp(0, 0.85)
        )
        return mix(light, torch.tensor([0.95, 0.72, 0.62])[:, None] * 0.92, bank)

    def sky(self, u: Tensor, t: Tensor) -> Tensor:
        """Light `[3, n]` of the sky at tangents across and up."""
        up = t.clamp(min=0)
        warm = smoothstep(0.6, -0.7, u)
        low = mix(rgb(0.95, 0.72, 0.62), rgb(1.55, 0.98, 0.52), warm)
        sky = mix(low, rgb(0.40, 0.52, 0.82), smoothstep(0.0, 0.30, up))
        sky = mix(sky, rgb(0.13, 0.24, 0.52), smoothstep(0.15, 0.62, up))
        distance = 1 / (up + 0.10)
        cx, cz = u * distance * 0.11 + 0.2, distance * 0.20 + 0.63
        bend = tiled(self.mist, cx * 0.7, cz * 0.7) * 0.02
        density = tiled(self.cloud, cx + bend, cz * 1.6 - bend) + 0.16 * tiled(self.cloud, cx * 6.3, cz * 9)
        toward = tiled(self.cloud, cx + bend - 0.02, cz * 1.6 - bend - 0.022)
        cover = smoothstep(0.25, 1.55, density) * smoothstep(0.015, 0.12, up)
        bright = (0.55 - 0.45 * (toward - 0.4) + 0.35 * (density - toward)).clamp(0, 1)
        cloud = mix(rgb(0.36, 0.34, 0.46), mix(rgb(2.0, 1.1, 0.72), rgb(2.3, 1.5, 0.85), warm), bright)
        return mix(sky, cloud, cover * 0.92)


def _fill(painter: _Painter, columns: Tensor, rows_t: Tensor, eye: float) -> tuple[Tensor, Tensor, Tensor]:
    """Land and sky `[3, W, rows]` at tangents of elevation, from a camera height (below 0: the reflection in the lake)."""
    view = painter.view
    index, hit = view.first(eye, rows_t)
    light = torch.zeros((3, *index.shape))
    for start in range(0, len(columns), 64):
        part = slice(start, start + 64)
        u = view.u[part][:, None].expand_as(index[part])
        block = painter.sky(u.reshape(-1), rows_t.expand_as(index[part]).reshape(-1))
        seen = hit[part].reshape(-1)
        column = columns[part][:, None].expand_as(index[part]).reshape(-1)
        if seen.any():
            block[:, seen] = painter.land(column[seen], index[part].reshape(-1)[seen])[0]
        light[:, part] = block.reshape(3, *index[part].shape)
    return light, index, hit


def render(width: int, seed: int = 3) -> Image.Image:
    """The lake, `width` pixels wide, 3:2."""
    scale = 2 if width >= 256 else 1
    wide, high = width * scale, width * 2 // 3 * scale
    focal = wide / 2 / _WIDE
    land = _Land(seed)
    view = _View(land, wide, max(300, int(wide * 0.55)))
    painter = _Painter(view, land, seed, max(96, min(640, wide // 3)))
    columns = torch.arange(wide)
    above = int(high * _HORIZON)
    up = (above - torch.arange(high) - 0.5) / focal
    light, index, hit = _fill(painter, columns, up.flip(0), _EYE)
    light, index, hit = light.flip(2), index.flip(1), hit.flip(1)
    mirror, _, _ = _fill(painter, columns, (torch.arange(high - above + above // 2) + 0.5) / focal, -_EYE)
    water = _water(painter, mirror, up[above:], focal, seed)
    distance = _EYE / -up[above:]
    wet = ~hit[:, above:] | (view.z[index[:, above:]] > distance)
    light[:, :, above:] = torch.where(wet, water, light[:, :, above:])
    return develop(shrink(light.transpose(1, 2).contiguous(), scale), seed, exposure=0.68, bloom=0.08, saturation=1.12, contrast=1.06)


def _water(painter: _Painter, mirror: Tensor, up: Tensor, focal: float, seed: int) -> Tensor:
    """The lake's surface `[3, W, rows]`: the reflected land distorted by ripples, over dark green water."""
    view = painter.view
    ripple = fractal(seed + 9, (1024, 1024), 1.1, low=4)
    z = (_EYE / -up)[None].expand(len(view.u), -1)
    x = view.u[:, None] * z
    breeze = smoothstep(-0.2, 1.2, tiled(painter.mist, x * 0.05 + 0.3, z * 0.09))
    strength = (0.0025 + 0.011 * breeze) * smoothstep(40, 3, z)
    dy = (tiled(ripple, x * 0.35, z * 0.9) + 0.6 * tiled(ripple, x * 1.3 + 0.4, z * 3.1)) * strength
    dx = tiled(ripple, x * 0.5 + 0.7, z * 0.9 + 0.2) * strength * 0.35
    t = (-up)[None] + (dy - breeze * 0.006).abs() * 0.4 + dy
    grid = torch.stack([t * focal / mirror.shape[2] * 2 - 1, (view.u[:, None] + dx) / _WIDE], -1)
    seen = torch.nn.functional.grid_sample(mirror[None], grid[None], align_corners=False, padding_mode="reflection")[0]
    cosine = (-up / torch.sqrt(1 + up * up))[None] + dy * 0.5
    fresnel = (0.03 + 0.97 * (1 - cosine.clamp(0, 1)) ** 4.2)[None]
    deep = torch.tensor([0.012, 0.045, 0.055])[:, None, None]
    return seen * fresnel * 0.93 + deep * (1 - fresnel)
