"""Brush techniques: thick oil, ink on rice paper, points of color."""

import math

import numpy
import torch
from PIL import Image, ImageDraw, ImageFilter

from style_core.rendering.paintings.easel import SIZE, as_picture, blended, color_of, places, relief
from style_core.rendering.scenes.noise import fractal, smoothstep, tiled


def impasto(seed: int = 2) -> Image.Image:
    """Thick oil: sunlit swirls over a dark field, with raised bristle marks."""
    size = SIZE * 3 // 2
    random = numpy.random.default_rng(seed)
    x, y = places(size)
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
        base = blended(codes, torch.tensor(value * 0.9)).numpy() * 255
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
    light = relief(lift, 9.0)
    shine = ((light - 1.28).clamp(min=0) * 0.5)[None]
    return as_picture(paint * (0.55 + 0.45 * light)[None] + shine).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def ink_wash(seed: int = 6) -> Image.Image:
    """Brush and ink on rice paper: mountains in mist, a pine-dark shore, bamboo, a red seal."""
    size = SIZE * 3 // 2
    x, y = places(size)
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
    light = light * (1 - sun[None] * (1 - color_of("#d1402b")))
    u, v = (x - 0.80) / 0.062, (y - 0.80) / 0.062
    cut = (
        ((u.abs() - 0.5).abs() < 0.13) & (v.abs() < 0.72) | (v.abs() < 0.12) & (u.abs() < 0.62) | ((v - 0.62).abs() < 0.1) & (u.abs() < 0.7)
    )
    seal = (torch.maximum(u.abs(), v.abs()) < 1) & ~cut & (tiled(fine, x * 2.2, y * 2.2) > -1.3)
    light = torch.where(seal[None], color_of("#b3261e") * (0.9 + 0.06 * tiled(fine, x, y)), light)
    return as_picture(light).resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def _bamboo(picture: Image.Image, random: numpy.random.Generator) -> None:
    """Jointed stalks, and leaves of a single brush press each."""
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


def points(seed: int = 17) -> Image.Image:
    """Points of unmixed color: an evening by the sea that forms when seen from a distance."""
    size = SIZE * 3 // 2
    random = numpy.random.default_rng(seed)
    x, y = places(size)
    soft = fractal(seed, (256, 256), 1.9)
    sun = torch.hypot(x - 0.25, (y + 0.12) * 1.05)
    sky = blended(["#fff3b0", "#ffc857", "#ff8c61", "#d65db1", "#845ec2", "#3d5a98"], sun * 0.72 + 0.06 * tiled(soft, x * 0.3, y * 0.9))
    glitter = torch.exp(-(((x - 0.25 + 0.02 * torch.sin(y * 60)) / (0.05 + 0.34 * (y - 0.1).clamp(min=0))) ** 2)) * (
        0.45 + 0.55 * smoothstep(-0.5, 0.6, torch.sin(y * 46 + 3 * torch.sin(x * 7)))
    )
    deep = (y * 0.95 + 0.10 * tiled(soft, x * 0.25, y * 1.6) - 0.8 * glitter).clamp(0, 1)
    sea = blended(["#ffd98e", "#e58fa0", "#6f7fc8", "#2f62a8", "#1d8f93", "#174a72"], deep)
    scene = torch.where((y > 0.10)[None], sea, sky)
    cape = (
        (y > 0.10 - 0.20 * smoothstep(-0.15, -0.85, x) - 0.03 * tiled(soft, x * 0.8, x * 0))
        & (y < 0.13 + 0.03 * torch.sin(x * 9))
        & (x < -0.1)
    )
    scene = torch.where(cape[None], blended(["#3b3b7a", "#2f6f6a", "#8a5a9e"], 0.5 + 0.3 * tiled(soft, x, y)), scene)
    beach = y > 0.74 - 0.25 * (x + 0.1) ** 2 + 0.02 * torch.sin(x * 6)
    scene = torch.where(
        beach[None], blended(["#f7d9a0", "#e8b877", "#c98bb0", "#9c7fc0"], (y - 0.6) * 1.5 + 0.2 * tiled(soft, x * 0.6, y * 0.6)), scene
    )
    target = scene.permute(1, 2, 0).numpy()
    canvas = Image.new("RGB", (size, size), "#e9dfc9")
    draw = ImageDraw.Draw(canvas)
    spot = 8.4
    for layer in range(3):
        step = spot * (1.0 if layer < 2 else 1.5)
        spots = numpy.stack(numpy.meshgrid(numpy.arange(0, size, step), numpy.arange(0, size, step)), -1).reshape(-1, 2)
        spots = spots + random.uniform(-0.7, 0.7, spots.shape) * step
        random.shuffle(spots)
        for px, py in spots:
            row, column = int(min(max(py, 0), size - 1)), int(min(max(px, 0), size - 1))
            color = target[row, column]
            mean = color.mean()
            chance = random.random()
            vivid = mean + (color - mean) * random.uniform(1.05, 1.5) + random.normal(0, 0.07, 3)
            if chance < 0.13:  # the complement, which makes the color next to it glow
                vivid = mean + (mean - color) * 0.8 + 0.06
            elif chance < 0.24:
                vivid = vivid + 0.16
            r = spot * random.uniform(0.38, 0.62)
            tilt = random.uniform(0.8, 1.25)
            draw.ellipse(
                [px - r * tilt, py - r / tilt, px + r * tilt, py + r / tilt], fill=tuple(int(min(max(part, 0), 1) * 255) for part in vivid)
            )
    return canvas.filter(ImageFilter.GaussianBlur(0.5)).resize((SIZE, SIZE), Image.Resampling.LANCZOS)
