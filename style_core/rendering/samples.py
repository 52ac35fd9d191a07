"""The first sample pictures: a landscape and two abstract paintings, generated from noise and arithmetic."""

import numpy
from PIL import Image, ImageColor, ImageDraw, ImageFilter

_SIZE = (960, 640)


def fractal(height: int, width: int, octaves: int, random: numpy.random.Generator, persistence: float = 0.5) -> numpy.ndarray:
    """Value noise summed over octaves, `[height, width]` in about `[0, 1]`."""
    total, weight, amplitude = numpy.zeros((height, width)), 0.0, 1.0
    for octave in range(octaves):
        cells = 2 ** (octave + 2)
        grid = random.random((max(2, cells * height // width), cells)).astype(numpy.float32)
        layer = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        total, weight = total + amplitude * numpy.asarray(layer), weight + amplitude
        amplitude *= persistence
    return total / weight


def landscape(seed: int = 4) -> Image.Image:
    """Hills under an evening sky, reflected in a lake, with a house on the shore."""
    random = numpy.random.default_rng(seed)
    width, height = _SIZE[0] * 2, _SIZE[1] * 2
    horizon = int(height * 0.6)
    y, x = numpy.mgrid[0:horizon, 0:width]
    up = (1 - y / horizon)[..., None]
    sky = (1 - up) ** 1.5 * numpy.array([1.0, 0.72, 0.45]) + (1 - (1 - up) ** 1.5) * numpy.array([0.22, 0.4, 0.72])
    sun = numpy.exp(-(((x - width * 0.68) ** 2 + (y - horizon * 0.52) ** 2) / (2 * 60.0**2)))[..., None]
    glow = numpy.exp(-(((x - width * 0.68) ** 2 + (y - horizon * 0.52) ** 2) / (2 * 320.0**2)))[..., None]
    clouds = numpy.clip((fractal(horizon, width, 7, random, 0.55) - 0.5) * 4, 0, 1)[..., None]
    cloud_color = numpy.array([1.0, 0.86, 0.78]) * (0.75 + 0.25 * glow)
    scene = sky + 0.3 * glow * numpy.array([1, 0.7, 0.3]) + 0.8 * sun
    scene = scene * (1 - 0.75 * clouds) + cloud_color * 0.75 * clouds
    for index, (base, relief, near) in enumerate([(0.42, 0.3, 0.15), (0.62, 0.24, 0.4), (0.8, 0.2, 0.75)]):
        ridge = fractal(8, width, 6 + index, random)[4]
        line = horizon * (base - relief * (ridge - 0.5) * 2)
        grain = fractal(horizon, width, 8, random, 0.7)[..., None]
        color = near * numpy.array([0.16, 0.27, 0.13]) + (1 - near) * numpy.array([0.42, 0.46, 0.6])
        lit = 0.65 + 0.7 * grain + 0.35 * glow * (1 - near)
        mask = (y >= line)[..., None]
        scene = numpy.where(mask, color * lit, scene)
    picture = numpy.clip(scene, 0, 1)
    depth = height - horizon
    rows = (horizon - 1 - numpy.arange(depth) * 0.95).astype(int)
    water = picture[rows]
    ripple = ((fractal(depth, width, 8, random, 0.6) - 0.5) * 60 * (numpy.arange(depth)[:, None] / depth + 0.1)).astype(int)
    water = numpy.take_along_axis(water, (numpy.arange(width)[None] + ripple)[..., None].clip(0, width - 1), 1)
    water = water * 0.8 + numpy.array([0.03, 0.07, 0.12])
    whole = Image.fromarray((numpy.concatenate([picture, water]) * 255).astype(numpy.uint8))
    _draw_shore(whole, horizon, random)
    return whole.resize(_SIZE, Image.Resampling.LANCZOS)


def _draw_shore(whole: Image.Image, horizon: int, random: numpy.random.Generator) -> None:
    draw = ImageDraw.Draw(whole)
    draw.polygon([(0, horizon + 70), (0, horizon - 60), (520, horizon - 30), (780, horizon + 8), (420, horizon + 46)], fill=(58, 74, 36))
    left, floor = 210, horizon - 10
    draw.rectangle([left, floor - 120, left + 190, floor], fill=(222, 206, 178))
    draw.polygon([(left - 26, floor - 118), (left + 95, floor - 210), (left + 216, floor - 118)], fill=(150, 58, 40))
    draw.rectangle([left + 20, floor - 86, left + 62, floor - 44], fill=(255, 214, 120))
    draw.rectangle([left + 118, floor - 86, left + 160, floor - 44], fill=(70, 84, 104))
    draw.rectangle([left + 76, floor - 76, left + 110, floor], fill=(96, 54, 36))
    for trunk in (80, 150, 470, 560):
        foot = horizon - 36 + trunk // 24
        draw.rectangle([trunk - 8, foot - 150, trunk + 8, foot], fill=(60, 44, 34))
        for _ in range(260):
            angle, radius = random.uniform(0, 2 * numpy.pi), 85 * random.random() ** 0.5
            x, y = trunk + radius * numpy.cos(angle), foot - 200 + 1.25 * radius * numpy.sin(angle)
            shade = int(random.integers(-26, 34))
            draw.ellipse([x - 13, y - 10, x + 13, y + 10], fill=(52 + shade // 2, 96 + shade, 44 + shade // 3))


def strokes(palette: list[str], seed: int, turn: float, count: int = 9000) -> Image.Image:
    """Brushstrokes along a flow field, in a palette: large ones first, small ones on top."""
    random = numpy.random.default_rng(seed)
    width, height = 900, 900
    flow = fractal(height, width, 4, random) * turn * numpy.pi
    mood = fractal(height, width, 3, random)
    mood = (mood - mood.min()) / (mood.max() - mood.min())
    canvas = Image.new("RGB", (width, height), palette[0])
    draw = ImageDraw.Draw(canvas)
    for index in range(count):
        share = index / count
        x, y = random.uniform(0, width), random.uniform(0, height)
        place = mood[int(y), int(x)] * (len(palette) - 1) + random.normal(0, 0.6)
        plain = ImageColor.getrgb(palette[int(numpy.clip(round(place), 0, len(palette) - 1))])
        color = tuple(int(numpy.clip(channel + random.normal(0, 14), 0, 255)) for channel in plain)
        points = [(x, y)]
        for _ in range(int(34 * (1 - 0.7 * share))):
            angle = flow[int(numpy.clip(y, 0, height - 1)), int(numpy.clip(x, 0, width - 1))]
            x, y = x + 5 * numpy.cos(angle), y + 5 * numpy.sin(angle)
            points.append((x, y))
        thick = int(22 * (1 - share) ** 1.5 + 3)
        draw.line(points, fill=color, width=thick, joint="curve")
        edge = tuple(int(channel * 0.8) for channel in color)
        draw.line([(px + thick / 3, py + thick / 3) for px, py in points], fill=edge, width=max(1, thick // 6))
    return canvas.filter(ImageFilter.GaussianBlur(0.6))


SAMPLES = {
    "landscape": landscape,
    "night-wind": lambda: strokes(["#14213d", "#1d3f72", "#2f6690", "#81c3d7", "#f2e9c9", "#fcbf49", "#e9a03b"], 7, 4.0),
    "ember-field": lambda: strokes(["#3d0c11", "#7f1d1d", "#c8553d", "#f28f3b", "#ffd5a1", "#588b8b", "#1f3a3d"], 21, 7.0),
}
