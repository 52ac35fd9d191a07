"""Paintings of our own, each by another hand: strokes, glass, ink, stones, cut wood, cut paper, points.

python -m style_core.training.paintings --out studio/samples/styles [NAME ...]
"""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy
import torch
from PIL import Image, ImageDraw, ImageFilter

from style_core.errors import RequestError
from style_core.training.scenes.__main__ import save
from style_core.training.scenes.noise import cells, fractal, hashed, smoothstep, tiled

SIZE = 768
_LIMIT = 120_000


def _grid(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Places of the pixels, -1..1, x to the right and y down."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    return x, y


def _color(code: str) -> torch.Tensor:
    return torch.tensor([int(code[index : index + 2], 16) / 255 for index in (1, 3, 5)])[:, None, None]


def _palette(codes: list[str], share: torch.Tensor) -> torch.Tensor:
    """Colors along a list, blended: `[3, *share.shape]`."""
    table = torch.cat([_color(code)[:, :, 0] for code in codes], 1)
    at = share.clamp(0, 1) * (len(codes) - 1)
    low = at.floor().long().clamp(max=len(codes) - 2)
    return table[:, low] + (table[:, low + 1] - table[:, low]) * (at - low)


def _picked(codes: list[str], share: torch.Tensor) -> torch.Tensor:
    """Colors of a list, unblended."""
    table = torch.cat([_color(code)[:, :, 0] for code in codes], 1)
    return table[:, (share * len(codes)).long().clamp(0, len(codes) - 1)]


def _image(light: torch.Tensor) -> Image.Image:
    return Image.fromarray((light.clamp(0, 1) * 255 + 0.5).byte().permute(1, 2, 0).contiguous().numpy())


def _relief(height: torch.Tensor, depth: float) -> torch.Tensor:
    """Light from the upper left on a surface: 1 where it is flat."""
    down, right = torch.gradient(height)
    slope = (-right - down) * depth
    return 1 - slope / (1 + slope.abs())


def impasto(seed: int = 2) -> Image.Image:
    """Thick oil: sunlit swirls over a dark field, every bristle standing up in the light."""
    size = SIZE * 3 // 2
    random = numpy.random.default_rng(seed)
    x, y = _grid(size)
    bend = tiled(fractal(seed, (256, 256), 2.0), x * 0.30, y * 0.30).numpy()
    centers = ((-0.42, -0.42, 1.0), (0.50, -0.30, -0.8), (0.05, 0.62, 0.5))
    gx, gy = numpy.full((size, size), 0.9), 0.35 * bend
    glow = numpy.zeros((size, size))
    for cx, cy, spin in centers:
        dx, dy = x.numpy() - cx, y.numpy() - cy
        away = dx * dx + dy * dy
        pull = numpy.exp(-away / 0.13) * 13 * spin
        gx, gy = gx - dy * pull, gy + dx * pull
        glow = glow + numpy.exp(-away / 0.045) * abs(spin)
    angle = numpy.arctan2(gy, gx)
    tone = 0.30 + 0.16 * bend + 0.75 * glow - 0.12 * y.numpy()
    codes = ["#0b1b3f", "#12306e", "#1d53a5", "#2f86c9", "#7cc0d8", "#e8dfa8", "#f7c948", "#f59a23", "#fff3c4"]
    canvas, height = Image.new("RGB", (size, size), codes[1]), Image.new("L", (size, size), 60)
    draw, bump = ImageDraw.Draw(canvas), ImageDraw.Draw(height)
    for index in range(7200):
        share = index / 7200
        px, py = random.uniform(-0.06, 1.06, 2) * size
        long, wide = (64, 24) if share < 0.3 else (46, 14) if share < 0.75 else (30, 9)
        row, column = int(min(max(py, 0), size - 1)), int(min(max(px, 0), size - 1))
        value = tone[row, column] + random.normal(0, 0.055)
        base = _palette(codes, torch.tensor(value * 0.9)).numpy() * 255
        points = []
        for _ in range(9):
            points.append((px, py))
            row, column = int(min(max(py, 0), size - 1)), int(min(max(px, 0), size - 1))
            px, py = px + math.cos(angle[row, column]) * long / 8, py + math.sin(angle[row, column]) * long / 8
        way = angle[row, column]
        bristles = max(3, wide // 2)
        for bristle in range(bristles):
            off = (bristle / (bristles - 1) - 0.5) * wide
            edge = 1 - abs(2 * bristle / (bristles - 1) - 1) ** 2
            ox, oy = -math.sin(way) * off, math.cos(way) * off
            line = [(a + ox, b + oy) for a, b in points[: random.integers(6, 10)]]
            shade = base + random.normal(0, 9)
            draw.line(line, fill=tuple(int(min(max(part, 0), 255)) for part in shade), width=3, joint="curve")
            bump.line(line, fill=int(70 + 95 * edge * random.uniform(0.5, 1) + 60 * share), width=3)
    lift = torch.from_numpy(numpy.asarray(height.filter(ImageFilter.GaussianBlur(1.0)), numpy.float32)) / 255
    paint = torch.from_numpy(numpy.asarray(canvas.filter(ImageFilter.GaussianBlur(0.7)), numpy.float32)).permute(2, 0, 1) / 255
    light = _relief(lift, 9.0)
    shine = ((light - 1.28).clamp(min=0) * 0.5)[None]
    return _image(paint * (0.55 + 0.45 * light)[None] + shine).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def stained_glass(seed: int = 4) -> Image.Image:
    """A rose window: rings of petals in jewel colors, lead between them, the sun behind."""
    size = SIZE * 2
    x, y = _grid(size)
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
        glass = torch.where((ring == index)[None], _picked(codes, key), glass)
    streak = tiled(fractal(seed + 20, (512, 512), 1.1), x * 0.35 + key * 3.1, y * 0.16 + key * 7.7)
    bubble = smoothstep(2.0, 2.6, tiled(fractal(seed + 21, (512, 512), 0.5, low=40), x * 0.5, y * 0.5))
    sun = 0.72 + 0.75 * torch.exp(-((x + 0.25) ** 2 + (y + 0.3) ** 2) / 0.5)
    light = (
        glass.clamp(min=0.015) ** 1.15 * (sun * (1 + 0.16 * streak) * (0.86 + 0.14 * smoothstep(0.006, 0.05, lead)) + 0.2 * bubble)[None]
    )
    width = 0.0075
    came = smoothstep(width + 0.0022, width - 0.0012, lead)
    round_ = (1 - (lead / width).clamp(0, 1) ** 2).clamp(min=0).sqrt()
    metal = 0.045 + 0.07 * _relief(round_, 3.0) * (1 + 0.15 * streak) - 0.05
    halo = torch.nn.functional.avg_pool2d(light[None], 41, 1, 20, count_include_pad=False)[0]
    light = light * (1 - came)[None] + (metal.clamp(min=0.01)[None] + 0.05 * halo) * came[None]
    light = 0.86 * light + 0.16 * halo
    return _image(light.clamp(0, 1) ** 0.92).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def ink_wash(seed: int = 6) -> Image.Image:
    """Brush and ink on rice paper: mountains in mist, a pine-dark shore, bamboo, a red seal."""
    size = SIZE * 3 // 2
    x, y = _grid(size)
    soft, fine = fractal(seed, (512, 512), 1.9), fractal(seed + 1, (512, 512), 0.9)
    paper = 0.93 + 0.012 * tiled(fine, x * 0.9, y * 0.9) + 0.012 * tiled(soft, x * 0.3, y * 0.3)
    ink = torch.zeros_like(x)
    for index, (base, rise, dark) in enumerate(((-0.42, 0.42, 0.30), (-0.12, 0.36, 0.46), (0.20, 0.22, 0.72))):
        line = base - rise * (0.5 * tiled(soft, x[:1] * (0.13 + 0.05 * index) + 0.27 * index + 0.1, x[:1] * 0 + 0.31 * index))
        line = line - 0.018 * tiled(fine, x[:1] * 0.35 + index, x[:1] * 0 + 0.2)
        below = y - line
        edge = smoothstep(-0.003, 0.006 + 0.012 * (2 - index), below + 0.004 * tiled(fine, x * 1.2, y * 1.2))
        wash = torch.exp(-below.clamp(min=0) / (0.16 + 0.05 * index)) * (1 + 0.32 * tiled(soft, x * 0.7 + index, y * 0.25))
        rim = 0.35 * torch.exp(-below.clamp(min=0) / 0.012)
        cliff = smoothstep(0.5, 1.7, tiled(fine, x * 0.28 + below * 0.35, y * 0.06 + index)) * torch.exp(-below.clamp(min=0) / 0.22)
        ink = torch.maximum(ink * (1 - 0.85 * edge), edge * dark * (wash * 0.8 + rim + 0.45 * cliff).clamp(0, 1.35))
    picture = Image.fromarray((ink.clamp(0, 1) * 255).byte().numpy())
    _bamboo(picture, numpy.random.default_rng(seed))
    ink = torch.from_numpy(numpy.asarray(picture, numpy.float32)) / 255
    blot = torch.from_numpy(numpy.asarray(picture.filter(ImageFilter.GaussianBlur(5)), numpy.float32)) / 255
    grain = 1 + 0.16 * tiled(fine, x * 1.7, y * 1.7)
    ink = (0.88 * ink * grain + 0.14 * blot).clamp(0, 0.97)
    light = paper[None] * torch.tensor([1.0, 0.965, 0.89])[:, None, None]
    light = light * (1 - ink[None] * torch.tensor([0.94, 0.915, 0.87])[:, None, None])
    sun = smoothstep(0.125, 0.118, torch.hypot(x - 0.34, y + 0.62) + 0.003 * tiled(fine, x, y)) * (0.72 + 0.10 * tiled(soft, x, y))
    light = light * (1 - sun[None] * (1 - _color("#d1402b")))
    u, v = (x - 0.80) / 0.062, (y - 0.80) / 0.062
    cut = (
        ((u.abs() - 0.5).abs() < 0.13) & (v.abs() < 0.72) | (v.abs() < 0.12) & (u.abs() < 0.62) | ((v - 0.62).abs() < 0.1) & (u.abs() < 0.7)
    )
    seal = (torch.maximum(u.abs(), v.abs()) < 1) & ~cut & (tiled(fine, x * 2.2, y * 2.2) > -1.3)
    light = torch.where(seal[None], _color("#b3261e") * (0.9 + 0.06 * tiled(fine, x, y)), light)
    return _image(light).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def _bamboo(picture: Image.Image, random: numpy.random.Generator) -> None:
    """Stalks with joints, and leaves that are one press of the brush each."""
    size = picture.width
    draw = ImageDraw.Draw(picture)
    for start, lean, wide, dark in ((0.14, 0.05, 0.024, 150), (0.24, -0.02, 0.030, 235), (0.07, 0.08, 0.017, 105)):
        bottom = 1.02
        while bottom > -0.05:
            top = bottom - random.uniform(0.13, 0.17)
            (x0, x1) = (start + lean * (1 - bottom)) * size, (start + lean * (1 - top)) * size
            for bristle in range(14):
                off = (bristle / 13 - 0.5) * wide * size
                tone = int(dark * (0.62 + 0.38 * abs(bristle / 6.5 - 1) ** 1.5) * random.uniform(0.8, 1.05))
                draw.line([(x0 + off, bottom * size - 5), (x1 + off, top * size + 5)], fill=min(tone, 250), width=3)
            draw.line(
                [(x1 - wide * size * 0.62, top * size + 1), (x1 + wide * size * 0.62, top * size - 1)], fill=min(dark + 40, 250), width=4
            )
            for _ in range(random.integers(1, 5)):
                side = random.choice([-1, 1])
                _leaf(
                    draw, x1, top * size, side, size * random.uniform(0.08, 0.16), min(250, int(dark * random.uniform(0.8, 1.15))), random
                )
            bottom = top


def _leaf(draw: ImageDraw.ImageDraw, x: float, y: float, side: int, long: float, tone: int, random: numpy.random.Generator) -> None:
    angle = random.uniform(-0.35, 1.0)
    ahead = numpy.array([math.cos(angle) * side, math.sin(angle)])
    across = numpy.array([-ahead[1], ahead[0]])
    base = numpy.array([x, y]) + ahead * long * random.uniform(0.05, 0.6)
    share = numpy.linspace(0, 1, 16)
    wide = long * 0.085 * numpy.sin(math.pi * share**0.7) * (1 - 0.4 * share)
    spine = base + share[:, None] * ahead * long + (share**2)[:, None] * numpy.array([0, long * 0.18])
    outline = [*(spine + wide[:, None] * across), *(spine - wide[:, None] * across)[::-1]]
    draw.polygon([tuple(point) for point in outline], fill=tone)


def mosaic(seed: int = 3) -> Image.Image:
    """Small stones laid in rows about a sun, over waves, with mortar between."""
    size = SIZE * 2
    x, y = _grid(size)
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
    sky = _picked(["#0e3b5c", "#15577f", "#1f7a9c", "#2e9ca6", "#74bfae"], (1.05 - sky_ring * 0.62 + 0.4 * (key - 0.5)).clamp(0, 0.999))
    color = torch.where(beams[None], _picked(["#d4761f", "#e89a2c", "#f2bd4b", "#f6d988"], mood), sky)
    color = torch.where(
        disc[None], _picked(["#a31f1a", "#cf3a22", "#e25c26", "#f0b03a"], (sky_ring / 0.26 + 0.3 * (key - 0.5)).clamp(0, 0.999)), color
    )
    crest = (row % 6 == 0) & wet
    water = _picked(["#0b2545", "#13315c", "#1b4f72", "#28718f", "#3d9a9b"], mood)
    color = torch.where(wet[None], torch.where(crest[None], _picked(["#d9e4dd", "#f3efe0", "#b9d3cf"], key), water), color)
    gold = key > 0.965
    color = torch.where((gold & ~disc)[None], _color("#e0b04a"), color)
    facet = 1 + 0.16 * (hashed(column, row, seed + 6) - 0.5) + 0.10 * (u + v) * (jitter - 0.5) * 4
    light = _relief(smoothstep(0.0, 0.12, inside) * 0.9, 4.5)
    mortar = _color("#8d8371") * (0.62 + 0.06 * tiled(soft, x * 5, y * 5))[None]
    out = mortar * (1 - stone)[None] + color * (facet * (0.62 + 0.38 * light))[None] * stone[None]
    return _image(out + ((light - 1.3).clamp(min=0) * 0.35 * stone)[None]).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def woodcut(seed: int = 9) -> Image.Image:
    """Lines cut in wood, printed in black, blue and red: hills, a river, a sky of combed cloud."""
    size = SIZE * 2
    x, y = _grid(size)
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
    paper = _color("#f1e6cd") * (1 + 0.018 * tiled(fine, x * 1.3, y * 1.3))[None]
    shift = (6, 4)  # blocks never lie quite on each other

    def press(plate: torch.Tensor) -> torch.Tensor:
        return torch.roll(plate, shift, (0, 1))

    out = paper * (1 - (press(blue.clamp(0, 1)) * wood * 0.80)[None] * (1 - _color("#4f8fa8")))
    out = out * (1 - (press(disc * (edge > 0.0)) * wood * 0.94)[None] * (1 - _color("#d94f30")))
    ground = press(((tone > 0) & (blue == 0.25)).float())
    out = out * (1 - (ground * wood * 0.55)[None] * (1 - _color("#d9b36a")))
    out = out * (1 - (black * (1 - chip) * (0.94 * wood).clamp(max=1))[None] * (1 - _color("#1c1a1e")))
    border = smoothstep(0.955, 0.951, torch.maximum(x.abs(), y.abs()))
    return _image(paper * (1 - border)[None] + out * border[None]).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def paper_cut(seed: int = 13) -> Image.Image:
    """Painted paper cut with scissors: leaves, seaweed and birds on bright sheets, pinned with a little shadow."""
    size = SIZE * 3 // 2
    random = numpy.random.default_rng(seed)
    grain = fractal(seed, (512, 512), 0.9).numpy()
    brush = fractal(seed + 1, (512, 512), 1.7).numpy()
    tile = numpy.tile(grain, (size // 512 + 1, size // 512 + 1))[:size, :size]
    streak = numpy.asarray(Image.fromarray(brush).resize((size * 3, size // 2), Image.Resampling.BICUBIC))[:, :size]
    streak = numpy.asarray(Image.fromarray(streak).resize((size, size), Image.Resampling.BICUBIC))
    canvas = numpy.ones((size, size, 3), numpy.float32) * numpy.array([0.96, 0.94, 0.88], numpy.float32)

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
    """An outline of rounded lobes about a middle, longer to one side, as scissors cut seaweed."""
    angle = numpy.linspace(0, 2 * math.pi, 420, endpoint=False)
    wave = 0.5 + 0.5 * numpy.cos(angle * lobes + 0.5 * numpy.sin(angle + turn))
    sizes = random.uniform(0.72, 1.0, lobes)[(angle / (2 * math.pi) * lobes + 0.5).astype(int) % lobes]
    kernel = numpy.hanning(31) / numpy.hanning(31).sum()
    sizes = numpy.convolve(numpy.concatenate([sizes[-15:], sizes, sizes[:15]]), kernel, "valid")
    reach = radius * (0.24 + 0.74 * wave**0.62 * sizes) * (1 + 0.16 * numpy.cos(angle - turn))
    bent = angle + turn + 0.22 * (reach / radius) ** 2
    return [(center[0] + r * math.cos(a), center[1] + r * math.sin(a)) for r, a in zip(reach, bent)]


def points(seed: int = 17) -> Image.Image:
    """Points of unmixed color: an evening by the sea that comes together only from afar."""
    size = SIZE * 3 // 2
    random = numpy.random.default_rng(seed)
    x, y = _grid(size)
    soft = fractal(seed, (256, 256), 1.9)
    sun = torch.hypot(x - 0.25, (y + 0.12) * 1.05)
    sky = _palette(["#fff3b0", "#ffc857", "#ff8c61", "#d65db1", "#845ec2", "#3d5a98"], sun * 0.72 + 0.06 * tiled(soft, x * 0.3, y * 0.9))
    glitter = torch.exp(-(((x - 0.25 + 0.02 * torch.sin(y * 60)) / (0.05 + 0.34 * (y - 0.1).clamp(min=0))) ** 2)) * (
        0.45 + 0.55 * smoothstep(-0.5, 0.6, torch.sin(y * 46 + 3 * torch.sin(x * 7)))
    )
    deep = (y * 0.95 + 0.10 * tiled(soft, x * 0.25, y * 1.6) - 0.8 * glitter).clamp(0, 1)
    sea = _palette(["#ffd98e", "#e58fa0", "#6f7fc8", "#2f62a8", "#1d8f93", "#174a72"], deep)
    scene = torch.where((y > 0.10)[None], sea, sky)
    cape = (
        (y > 0.10 - 0.20 * smoothstep(-0.15, -0.85, x) - 0.03 * tiled(soft, x * 0.8, x * 0))
        & (y < 0.13 + 0.03 * torch.sin(x * 9))
        & (x < -0.1)
    )
    scene = torch.where(cape[None], _palette(["#3b3b7a", "#2f6f6a", "#8a5a9e"], 0.5 + 0.3 * tiled(soft, x, y)), scene)
    beach = y > 0.74 - 0.25 * (x + 0.1) ** 2 + 0.02 * torch.sin(x * 6)
    scene = torch.where(
        beach[None], _palette(["#f7d9a0", "#e8b877", "#c98bb0", "#9c7fc0"], (y - 0.6) * 1.5 + 0.2 * tiled(soft, x * 0.6, y * 0.6)), scene
    )
    target = scene.permute(1, 2, 0).numpy()
    canvas = Image.new("RGB", (size, size), "#e9dfc9")
    draw = ImageDraw.Draw(canvas)
    spot = 8.4
    for layer in range(3):
        step = spot * (1.0 if layer < 2 else 1.5)
        places = numpy.stack(numpy.meshgrid(numpy.arange(0, size, step), numpy.arange(0, size, step)), -1).reshape(-1, 2)
        places = places + random.uniform(-0.7, 0.7, places.shape) * step
        random.shuffle(places)
        for px, py in places:
            row, column = int(min(max(py, 0), size - 1)), int(min(max(px, 0), size - 1))
            color = target[row, column]
            mean = color.mean()
            chance = random.random()
            vivid = mean + (color - mean) * random.uniform(1.05, 1.5) + random.normal(0, 0.07, 3)
            if chance < 0.13:  # the complement, so that the color beside it glows
                vivid = mean + (mean - color) * 0.8 + 0.06
            elif chance < 0.24:
                vivid = vivid + 0.16
            r = spot * random.uniform(0.38, 0.62)
            tilt = random.uniform(0.8, 1.25)
            draw.ellipse(
                [px - r * tilt, py - r / tilt, px + r * tilt, py + r / tilt], fill=tuple(int(min(max(part, 0), 1) * 255) for part in vivid)
            )
    return canvas.filter(ImageFilter.GaussianBlur(0.5)).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


PAINTINGS: dict[str, Callable[[], Image.Image]] = {
    "impasto": impasto,
    "stained-glass": stained_glass,
    "ink-wash": ink_wash,
    "mosaic": mosaic,
    "woodcut": woodcut,
    "paper-cut": paper_cut,
    "points": points,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which paintings; all of them if left out: {', '.join(PAINTINGS)}")
    parser.add_argument("--out", type=Path, default=Path("studio/samples/styles"), help="folder to write into")
    given = parser.parse_args()
    for name in given.names:
        if name not in PAINTINGS:
            raise RequestError(f"There is no painting named {name}. Choose from: {', '.join(PAINTINGS)}.")
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.names or PAINTINGS:
        print(f"{name}: {save(PAINTINGS[name](), given.out / f'{name}.jpg', _LIMIT) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
