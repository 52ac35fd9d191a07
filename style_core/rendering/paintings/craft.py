"""Techniques without a brush: leaded glass, mosaic, woodcut, paper cut."""

import math

import numpy
import torch
from PIL import Image, ImageDraw, ImageFilter

from style_core.rendering.paintings.easel import SIZE, as_picture, color_of, picked, places, relief
from style_core.rendering.scenes.noise import cells, fractal, hashed, smoothstep, tiled


def stained_glass(seed: int = 4) -> Image.Image:
    """A rose window: rings of petals in jewel colors, lead between them, the sun behind."""
    size = SIZE * 2
    x, y = places(size)
    y = y + 0.04
    radius, angle = torch.hypot(x, y), torch.atan2(y, x)
    lead = torch.full_like(x, 9.0)
    key, ring = torch.zeros_like(x), torch.zeros_like(x)
    rings = ((0.0, 0.16, 1), (0.16, 0.40, 8), (0.40, 0.62, 16), (0.62, 0.92, 16), (0.92, 1.6, 24))
    for index, (low, high, count) in enumerate(rings):
        turn = angle / math.tau * count + 0.5 * (index % 2)
        sector = turn.floor()
        u = turn - sector - 0.5
        middle = max((low + high) / 2, 0.05)
        arch = (high - low) * 0.30 * (2 * u.abs()) ** 2  # petals bow outwards
        here = (radius + arch * (index in (1, 3)) >= low) & (radius + arch * (index in (1, 3)) < high + (0.0 if index < 4 else 9))
        side = (0.5 - u.abs()) * math.tau / count * radius if count > 1 else torch.full_like(x, 9.0)
        border = torch.minimum((radius + arch * (index in (1, 3)) - low).abs(), (radius + arch * (index in (1, 3)) - high).abs())
        inner, second, piece = cells(x * (5.2 - index * 0.5) + sector % count * 17.7, y * (5.2 - index * 0.5) + index * 7.3, seed + index)
        crack = (second - inner) / (2 * (5.2 - index * 0.5))
        near = torch.minimum(torch.minimum(side, border), crack * 1.25 + 0.004)
        shade = 0.5 * hashed(sector % count % 4, torch.full_like(sector, index), seed + 9) + 0.5 * piece
        lead, key, ring = (torch.where(here, new, old) for new, old in ((near, lead), (shade, key), (torch.full_like(x, index), ring)))
        del middle
    sets = (
        ["#ffd23f", "#ff9f1c", "#fff1a8"],
        ["#c1121f", "#ef233c", "#ff6b35", "#9d0208"],
        ["#023e8a", "#0077b6", "#3a0ca3", "#48cae4"],
        ["#7b2cbf", "#c9184a", "#f9c74f", "#2d6a4f", "#b5179e"],
        ["#03256c", "#1b4965", "#2a9d8f", "#14532d", "#0b3c6f", "#5e60ce"],
    )
    glass = torch.zeros((3, size, size))
    for index, codes in enumerate(sets):
        glass = torch.where((ring == index)[None], picked(codes, key), glass)
    streak = tiled(fractal(seed + 20, (512, 512), 1.1), x * 0.35 + key * 3.1, y * 0.16 + key * 7.7)
    bubble = smoothstep(2.0, 2.6, tiled(fractal(seed + 21, (512, 512), 0.5, low=40), x * 0.5, y * 0.5))
    sun = 0.72 + 0.75 * torch.exp(-((x + 0.25) ** 2 + (y + 0.3) ** 2) / 0.5)
    light = (
        glass.clamp(min=0.015) ** 1.15 * (sun * (1 + 0.16 * streak) * (0.86 + 0.14 * smoothstep(0.006, 0.05, lead)) + 0.2 * bubble)[None]
    )
    width = 0.0075
    came = smoothstep(width + 0.0022, width - 0.0012, lead)
    round_ = (1 - (lead / width).clamp(0, 1) ** 2).clamp(min=0).sqrt()
    metal = 0.045 + 0.07 * relief(round_, 3.0) * (1 + 0.15 * streak) - 0.05
    halo = torch.nn.functional.avg_pool2d(light[None], 41, 1, 20, count_include_pad=False)[0]
    light = light * (1 - came)[None] + (metal.clamp(min=0.01)[None] + 0.05 * halo) * came[None]
    light = 0.86 * light + 0.16 * halo
    return as_picture(light.clamp(0, 1) ** 0.92).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def mosaic(seed: int = 3) -> Image.Image:
    """Small stones laid in rows around a sun, over waves, with mortar in between."""
    size = SIZE * 2
    x, y = places(size)
    soft = fractal(seed, (256, 256), 1.8)
    sky_ring, sky_turn = torch.hypot(x - 0.12, y + 0.22), torch.atan2(y + 0.22, x - 0.12)
    sea = y - 0.28 - 0.10 * torch.sin(x * 5.2 + 0.8) - 0.03 * torch.sin(x * 11 + 2)
    step = 0.040
    wet = sea > 0
    swell = sea + 0.055 * torch.sin(x * 7.5 + sea * 9) * smoothstep(0.0, 0.3, sea)
    row = torch.where(wet, (swell / step).floor(), (sky_ring / step).floor())
    across = torch.where(wet, x / (step * 1.25), sky_turn * ((sky_ring / step).floor() + 0.5).clamp(min=1) / 1.2)
    count = (math.tau * ((sky_ring / step).floor() + 0.5).clamp(min=0.5) / 1.2).round().clamp(min=3)
    across = torch.where(wet, across, (sky_turn / math.tau + 0.5) * count) + hashed(row, row * 0, seed) * wet
    column = across.floor()
    jitter = hashed(column, row + 300 * wet, seed + 1)
    u = (across - column - 0.5) * (1.02 + 0.10 * jitter)
    v = torch.where(wet, swell / step, sky_ring / step) - row - 0.5 + 0.06 * (jitter - 0.5) * u * 2
    v = v * (1.0 + 0.10 * hashed(column, row, seed + 4))
    inside = (0.44 - torch.maximum(u.abs(), v.abs())) + 0.03 * tiled(soft, x * 3, y * 3) * 0.3
    inside = torch.minimum(inside, torch.where(wet, swell, -sea) / step * 0.5 + 0.1)
    stone = smoothstep(0.0, 0.05, inside)
    ray = torch.sin(sky_turn * 16 + 0.35 * torch.sin(sky_ring * 16))
    disc = sky_ring < 5.5 * step
    beams = (ray > 0.25) & (sky_ring < 0.70) & ~disc
    key = hashed(column, row + 77 * wet, seed + 2)
    mood = (0.5 + 0.25 * tiled(soft, x * 0.4, y * 0.4) + 0.35 * (key - 0.5)).clamp(0, 0.999)
    sky = picked(["#0e3b5c", "#15577f", "#1f7a9c", "#2e9ca6", "#74bfae"], (1.05 - sky_ring * 0.62 + 0.4 * (key - 0.5)).clamp(0, 0.999))
    color = torch.where(beams[None], picked(["#d4761f", "#e89a2c", "#f2bd4b", "#f6d988"], mood), sky)
    color = torch.where(
        disc[None], picked(["#a31f1a", "#cf3a22", "#e25c26", "#f0b03a"], (sky_ring / 0.26 + 0.3 * (key - 0.5)).clamp(0, 0.999)), color
    )
    crest = (row % 6 == 0) & wet
    water = picked(["#0b2545", "#13315c", "#1b4f72", "#28718f", "#3d9a9b"], mood)
    color = torch.where(wet[None], torch.where(crest[None], picked(["#d9e4dd", "#f3efe0", "#b9d3cf"], key), water), color)
    gold = key > 0.965
    color = torch.where((gold & ~disc)[None], color_of("#e0b04a"), color)
    facet = 1 + 0.16 * (hashed(column, row, seed + 6) - 0.5) + 0.10 * (u + v) * (jitter - 0.5) * 4
    light = relief(smoothstep(0.0, 0.12, inside) * 0.9, 4.5)
    mortar = color_of("#8d8371") * (0.62 + 0.06 * tiled(soft, x * 5, y * 5))[None]
    out = mortar * (1 - stone)[None] + color * (facet * (0.62 + 0.38 * light))[None] * stone[None]
    return as_picture(out + ((light - 1.3).clamp(min=0) * 0.35 * stone)[None]).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def woodcut(seed: int = 9) -> Image.Image:
    """A woodcut in black, blue and red: hills, a river, a sky of combed clouds."""
    size = SIZE * 2
    x, y = places(size)
    soft, fine = fractal(seed, (256, 256), 2.0), fractal(seed + 1, (512, 512), 0.8)
    sun = torch.hypot(x + 0.30, y + 0.42)
    horizon = 0.02 + 0.03 * torch.sin(x * 2.3)
    tone = 0.34 + 0.42 * smoothstep(0.1, 1.1, sun) + 0.10 * tiled(soft, x * 0.28, y * 0.6)
    phase = (sun * 74 + 2.2 * tiled(soft, x * 0.22, y * 0.5)) * 1.15
    edge, open_sky = torch.full_like(x, 9.0), torch.ones_like(x)
    blue = smoothstep(0.25, 0.9, sun) * (y < horizon)
    for index, (base, rise, slant) in enumerate(((-0.10, 0.30, 0.9), (0.10, 0.24, -0.7), (0.36, 0.20, 1.3))):
        line = base - rise * (
            0.55 * tiled(soft, x[:1] * (0.16 + 0.03 * index) + 0.21 * index, x[:1] * 0 + 0.4 * index)
            + 0.35 * torch.cos(x[:1] * 2.2 + index * 2.4)
        )
        below = y - line
        here = below > 0
        open_sky = open_sky * ~here
        slope = torch.gradient(line[0])[0][None] * size / 2
        lit = (slope * 0.9).clamp(-1, 1)
        tone = torch.where(
            here,
            0.50 + 0.30 * lit + 0.45 * torch.exp(-below / 0.05) * (lit > 0) - 0.35 * smoothstep(0.05, 0.35, below) + 0.10 * index,
            tone,
        )
        combed = (
            y * (1.0 + 0.5 * slant) + x * slant * 0.9 + 0.30 * below * torch.sin(x * 3 + index) + 0.06 * tiled(soft, x * 0.5, y * 0.5) * 0.5
        ) * 92
        phase = torch.where(here, combed, phase)
        edge = torch.where(here, below, torch.minimum(edge, -below))
        blue = torch.where(here, torch.full_like(x, 0.25 + 0.2 * (index == 1)), blue)
    river = (x - 0.16 - 0.42 * (y - 0.5) * torch.sin(y * 5.5)).abs() - 0.05 - 0.36 * (y - 0.36).clamp(min=0)
    water = (river < 0) & (y > 0.34)
    tone = torch.where(water, 0.20 + 0.35 * smoothstep(-0.10, 0.0, river), tone)
    phase = torch.where(water, (y * 96 + 1.6 * torch.sin(x * 8 + y * 13)), phase)
    edge = torch.where(y > 0.34, torch.minimum(edge, river.abs()), edge)
    blue = torch.where(water, torch.full_like(x, 0.9), blue)
    wave = 0.5 + 0.5 * torch.cos(phase + 0.20 * tiled(soft, x * 1.6, y * 1.6))
    black = smoothstep(-0.07, 0.07, tone.clamp(0.02, 0.93) - wave + 0.03 * tiled(fine, x * 1.5, y * 1.5))
    black = torch.maximum(black, smoothstep(0.009, 0.006, edge))
    disc = smoothstep(0.262, 0.256, sun) * open_sky
    black = black * (1 - disc * (edge > 0.006))
    chip = smoothstep(2.1, 2.5, tiled(fine, x * 1.1 + 0.4, y * 0.5)) * 0.8
    wood = 0.93 + 0.05 * torch.sin(y * 70 + 5 * tiled(soft, x * 0.15, y * 0.6)) + 0.03 * tiled(fine, x * 0.3, y * 2.2)
    paper = color_of("#f1e6cd") * (1 + 0.018 * tiled(fine, x * 1.3, y * 1.3))[None]
    shift = (6, 4)  # blocks are never perfectly aligned

    def press(plate: torch.Tensor) -> torch.Tensor:
        return torch.roll(plate, shift, (0, 1))

    out = paper * (1 - (press(blue.clamp(0, 1)) * wood * 0.80)[None] * (1 - color_of("#4f8fa8")))
    out = out * (1 - (press(disc * (edge > 0.0)) * wood * 0.94)[None] * (1 - color_of("#d94f30")))
    ground = press(((tone > 0) & (blue == 0.25)).float())
    out = out * (1 - (ground * wood * 0.55)[None] * (1 - color_of("#d9b36a")))
    out = out * (1 - (black * (1 - chip) * (0.94 * wood).clamp(max=1))[None] * (1 - color_of("#1c1a1e")))
    border = smoothstep(0.955, 0.951, torch.maximum(x.abs(), y.abs()))
    return as_picture(paper * (1 - border)[None] + out * border[None]).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def paper_cut(seed: int = 13) -> Image.Image:
    """Painted paper cut with scissors: leaves, seaweed and birds on bright sheets, pinned with a little shadow."""
    size = SIZE * 3 // 2
    random = numpy.random.default_rng(seed)
    grain = fractal(seed, (512, 512), 0.9).numpy()
    brush = fractal(seed + 1, (512, 512), 1.7).numpy()
    tile = numpy.tile(grain, (size // 512 + 1, size // 512 + 1))[:size, :size]
    streak = numpy.asarray(Image.fromarray(brush).resize((size * 3, size // 2), Image.Resampling.BICUBIC))[:, :size]
    streak = numpy.asarray(Image.fromarray(streak).resize((size, size), Image.Resampling.BICUBIC))
    canvas: numpy.ndarray = numpy.ones((size, size, 3), numpy.float32) * numpy.array([0.96, 0.94, 0.88], numpy.float32)

    def lay(points: list[tuple[float, float]], code: str, lift: float = 5.0) -> None:
        """A sheet of painted paper with its shadow."""
        nonlocal canvas
        mask = Image.new("L", (size, size), 0)
        ImageDraw.Draw(mask).polygon(points, fill=255)
        solid = numpy.asarray(mask.filter(ImageFilter.GaussianBlur(0.8)), numpy.float32)[..., None] / 255
        shadow = numpy.asarray(mask.filter(ImageFilter.GaussianBlur(lift)), numpy.float32)[..., None] / 255
        shadow = numpy.roll(shadow, (int(lift), int(lift)), (0, 1))
        color = numpy.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)], numpy.float32)
        paint = color * (1 + 0.045 * streak + 0.018 * tile)[..., None].astype(numpy.float32)
        canvas = canvas * (1 - 0.30 * shadow * (1 - solid))
        canvas = canvas * (1 - solid) + paint * solid

    sheets = ["#1f4ea8", "#f2b41b", "#e4572e", "#17806d", "#f6efe0", "#d6336c", "#2b2d42", "#7cc6c3", "#f08a24"]
    order = [0, 1, 5, 7, 4, 2, 3, 8, 6]
    for index in range(9):
        column, row = index % 3, index // 3
        x0, y0 = column * size / 3, row * size / 3
        x1, y1 = x0 + size / 3, y0 + size / 3
        box = [
            (x + float(random.uniform(-10, 12)), y + float(random.uniform(-10, 12))) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
        ]
        lay(box, sheets[order[index]], 3)
    shapes = ["#f6efe0", "#2b2d42", "#f2b41b", "#e4572e", "#1f4ea8", "#f6efe0", "#f2b41b", "#17806d", "#7cc6c3"]
    for index in range(9):
        column, row = index % 3, index // 3
        center = ((column + 0.5 + random.uniform(-0.04, 0.04)) * size / 3, (row + 0.5 + random.uniform(-0.04, 0.04)) * size / 3)
        points = _frond(random, center, size / 3 * random.uniform(0.46, 0.52), int(random.integers(5, 10)), random.uniform(0, 6.3))
        lay(points, shapes[index])
    for _ in range(11):
        center = (random.uniform(0.05, 0.95) * size, random.uniform(0.05, 0.95) * size)
        lay(
            _frond(random, center, size * random.uniform(0.03, 0.065), int(random.integers(3, 6)), random.uniform(0, 6.3)),
            random.choice(sheets),
            4,
        )
    return Image.fromarray((canvas.clip(0, 1) * 255 + 0.5).astype(numpy.uint8)).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def _frond(
    random: numpy.random.Generator, center: tuple[float, float], radius: float, lobes: int, turn: float
) -> list[tuple[float, float]]:
    """An outline of rounded lobes around a center, longer on one side, like seaweed cut with scissors."""
    angle = numpy.linspace(0, 2 * math.pi, 420, endpoint=False)
    wave = 0.5 + 0.5 * numpy.cos(angle * lobes + 0.5 * numpy.sin(angle + turn))
    sizes = random.uniform(0.72, 1.0, lobes)[(angle / (2 * math.pi) * lobes + 0.5).astype(int) % lobes]
    kernel = numpy.hanning(31) / numpy.hanning(31).sum()
    sizes = numpy.convolve(numpy.concatenate([sizes[-15:], sizes, sizes[:15]]), kernel, "valid")
    reach = radius * (0.24 + 0.74 * wave**0.62 * sizes) * (1 + 0.16 * numpy.cos(angle - turn))
    bent = angle + turn + 0.22 * (reach / radius) ** 2
    return [(center[0] + r * math.cos(a), center[1] + r * math.sin(a)) for r, a in zip(reach, bent)]
