"""Procedural noise: gradient noise with derivatives, tiling fractals, cells."""

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional

_LATTICE = 256
CHUNK = 1 << 16


def in_chunks(function, *inputs: Tensor, chunk: int = CHUNK):
    """`function` over flat inputs, in pieces small enough for the CPU's cache.

    `function` takes and returns one flat tensor or a tuple of them; the result has the shape of the inputs.
    """
    shape = inputs[0].shape
    pieces = [function(*piece) for piece in zip(*(x.reshape(-1).split(chunk) for x in inputs))]
    if isinstance(pieces[0], tuple):
        return tuple(torch.cat(part).reshape(shape) for part in zip(*pieces))
    return torch.cat(pieces).reshape(shape)


class Gradients:
    """Gradient noise on a lattice of `256 x 256` random directions that repeats (Perlin, 2002)."""

    def __init__(self, seed: int) -> None:
        angle = torch.rand(_LATTICE * _LATTICE, generator=torch.Generator().manual_seed(seed)) * (2 * math.pi)
        self._x, self._y = angle.cos(), angle.sin()

    def __call__(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Value in about `[-0.7, 0.7]` and its derivatives by x and y, at flat coordinates."""
        left, top = x.floor(), y.floor()
        u, v = x - left, y - top
        column, row = left.int(), top.int()
        east, south = (column + 1) & (_LATTICE - 1), ((row + 1) & (_LATTICE - 1)) * _LATTICE
        column, row = column & (_LATTICE - 1), (row & (_LATTICE - 1)) * _LATTICE
        corners = []
        for index, along, down in ((row + column, u, v), (row + east, u - 1, v), (south + column, u, v - 1), (south + east, u - 1, v - 1)):
            gx, gy = self._x[index], self._y[index]
            corners.append((gx * along + gy * down, gx, gy))
        fade_u, fade_v = u * u * u * (u * (u * 6 - 15) + 10), v * v * v * (v * (v * 6 - 15) + 10)
        slope_u, slope_v = 30 * (u * (u - 1)) ** 2, 30 * (v * (v - 1)) ** 2
        (a, ax, ay), (b, bx, by), (c, cx, cy), (d, dx, dy) = corners
        twist = a - b - c + d
        value = a + fade_u * (b - a) + fade_v * (c - a) + fade_u * fade_v * twist
        by_x = ax + fade_u * (bx - ax) + fade_v * (cx - ax) + fade_u * fade_v * (ax - bx - cx + dx) + slope_u * (b - a + fade_v * twist)
        by_y = ay + fade_u * (by - ay) + fade_v * (cy - ay) + fade_u * fade_v * (ay - by - cy + dy) + slope_v * (c - a + fade_u * twist)
        return value, by_x, by_y

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        """Only the value, in half the time."""
        left, top = x.floor(), y.floor()
        u, v = x - left, y - top
        column, row = left.int(), top.int()
        east, south = (column + 1) & (_LATTICE - 1), ((row + 1) & (_LATTICE - 1)) * _LATTICE
        column, row = column & (_LATTICE - 1), (row & (_LATTICE - 1)) * _LATTICE
        a, b, c, d = (
            self._x[index].mul_(along).addcmul_(self._y[index], down)
            for index, along, down in (
                (row + column, u, v),
                (row + east, u - 1, v),
                (south + column, u, v - 1),
                (south + east, u - 1, v - 1),
            )
        )
        fade_u, fade_v = u * u * u * (u * (u * 6 - 15) + 10), v * v * v * (v * (v * 6 - 15) + 10)
        return torch.lerp(torch.lerp(a, b, fade_u), torch.lerp(c, d, fade_u), fade_v)

    def fbm(self, x: Tensor, y: Tensor, octaves: int, gain: float = 0.5) -> Tensor:
        """Sum of octaves, each twice as fine as the last and rotated, in about `[-1, 1]`."""
        total, amplitude = torch.zeros_like(x), 1.0
        for _ in range(octaves):
            total = total + amplitude * self.value(x, y)
            x, y, amplitude = 1.6 * x + 1.2 * y + 17.3, 1.6 * y - 1.2 * x + 9.1, amplitude * gain
        return total

    def eroded(self, x: Tensor, y: Tensor, octaves: int, wear: float = 1.0, gain: float = 0.5) -> Tensor:
        """Octaves that fade where earlier ones are steep, which looks like erosion (Quilez, "Elevated", 2008)."""
        total, amplitude = torch.zeros_like(x), 1.0
        along, down = torch.zeros_like(x), torch.zeros_like(x)
        turn_x, turn_y = (1.0, 0.0), (0.0, 1.0)
        for _ in range(octaves):
            value, by_x, by_y = self(x, y)
            along = along + (by_x * turn_x[0] + by_y * turn_y[0]) * wear
            down = down + (by_x * turn_x[1] + by_y * turn_y[1]) * wear
            total = total + amplitude * value / (1 + along * along + down * down)
            x, y, amplitude = 1.6 * x + 1.2 * y + 5.7, 1.6 * y - 1.2 * x + 3.9, amplitude * gain
            turn_x, turn_y = (
                (0.8 * turn_x[0] + 0.6 * turn_y[0], 0.8 * turn_x[1] + 0.6 * turn_y[1]),
                (0.8 * turn_y[0] - 0.6 * turn_x[0], 0.8 * turn_y[1] - 0.6 * turn_x[1]),
            )
        return total


def fractal(seed: int, shape: tuple[int, ...], slope: float, low: float = 0.0) -> Tensor:
    """A Gaussian field that tiles, with amplitudes that fall as `frequency ** -slope`; mean 0, deviation 1.

    `low`: frequencies (in cycles a tile) below it are damped, so that no large shape repeats visibly.
    """
    white = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    frequency = torch.zeros(())
    for axis, size in enumerate(shape):
        along = torch.fft.fftfreq(size) * size
        frequency = frequency + along.reshape([-1 if index == axis else 1 for index in range(len(shape))]) ** 2
    frequency = frequency.sqrt()
    weight = frequency.clamp(min=1) ** -slope * (frequency > 0)
    if low:
        weight = weight * (1 - torch.exp(-((frequency / low) ** 2)))
    field = torch.fft.ifftn(torch.fft.fftn(white) * weight).real
    return (field - field.mean()) / field.std()


def tiled(tile: Tensor, *position: Tensor) -> Tensor:
    """A repeating tile, interpolated linearly at positions (in tiles; x, y[, z] index its last axes in reverse order)."""
    ends = functional.pad(tile[None, None], (0, 1) * tile.ndim, mode="circular")
    grid = torch.stack([2 * (along - along.floor()) - 1 for along in position], -1)
    shape = position[0].shape
    read = functional.grid_sample(ends, grid.reshape(1, *([1] * (tile.ndim - 1)), -1, tile.ndim), align_corners=True)
    return read.reshape(shape)


def hashed(column: Tensor, row: Tensor, seed: int) -> Tensor:
    """A number in `[0, 1)` for each pair of whole numbers, repeated every 256."""
    return _table(seed)[((row.long() & (_LATTICE - 1)) * _LATTICE) + (column.long() & (_LATTICE - 1))]


@functools.cache
def _table(seed: int) -> Tensor:
    return torch.rand(_LATTICE * _LATTICE, generator=torch.Generator().manual_seed(seed))


def cells(x: Tensor, y: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Distance to the nearest and to the second nearest jittered point, and a random number of the nearest (Worley, 1996)."""
    nearest, second, key = torch.full_like(x, 9.0), torch.full_like(x, 9.0), torch.zeros_like(x)
    column, row = x.floor(), y.floor()
    x, y, column, row = x - column, y - row, column.int(), row.int()
    tables = [_table(seed + offset) for offset in range(3)]
    for down in (-1, 0, 1):
        lines = ((row + down) & (_LATTICE - 1)) * _LATTICE
        for along in (-1, 0, 1):
            index = lines + ((column + along) & (_LATTICE - 1))
            distance = (tables[0][index] + along - x) ** 2 + (tables[1][index] + down - y) ** 2
            closer = distance < nearest
            second = torch.where(closer, nearest, torch.minimum(second, distance))
            key = torch.where(closer, tables[2][index], key)
            nearest = torch.where(closer, distance, nearest)
    return nearest.sqrt(), second.sqrt(), key


def smoothstep(low: Tensor | float, high: Tensor | float, x: Tensor) -> Tensor:
    """0 below `low`, 1 above `high`, smooth between; `low` may lie above `high`."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def mix(a, b, share: Tensor) -> Tensor:
    """`a` where the share is 0, `b` where it is 1."""
    return a + (b - a) * share
