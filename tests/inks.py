"""An ICC profile of a printer, made from three formulas: the tests have no profile of a real one."""

import struct
from functools import lru_cache

import torch
from torch import Tensor

_COARSE, _FINE = 9, 17  # points a side of the tables from and to inks
# Share of red, green and blue light that full cyan, magenta and yellow ink take away; black takes the same of each.
_TAKEN = torch.tensor([[0.95, 0.35, 0.15], [0.15, 0.90, 0.40], [0.05, 0.10, 0.90]])
_BLACK = 0.99
_TO_XYZ = torch.tensor([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])  # linear sRGB, D50
_D50 = (0.9642, 1.0, 0.8249)
_WHITE = torch.tensor(_D50)


def lab_of(inks: Tensor) -> Tensor:
    """CIELAB `[N, 3]` of printed inks `[N, 4]` in `[0, 1]`."""
    left = (1 - inks[:, :3, None] * _TAKEN).prod(1) * (1 - _BLACK * inks[:, 3:])
    ratio = left @ _TO_XYZ.T / _WHITE
    root = torch.where(ratio > 216 / 24389, ratio.clamp_min(1e-9) ** (1 / 3), (24389 / 27 * ratio + 16) / 116)
    x, y, z = root.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def ink_profile(paper: tuple[float, float, float] = _D50, name: str = "Three formulas") -> bytes:
    """The profile: a file's bytes.

    Args:
        paper: its color, XYZ under D50.
    """
    to_lab, from_lab = _tables()
    text = name.encode() + b"\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + b"\0" * 78,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": b"XYZ \0\0\0\0" + _fixed(paper),
        b"A2B0": _table(4, 3, _COARSE, to_lab),
        b"B2A0": _table(3, 4, _FINE, from_lab),
    }
    head, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        head += name + struct.pack(">II", start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    facts = b"\0" * 4 + struct.pack(">I", 0x02400000) + b"prtrCMYKLab " + struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    size = start + len(body)
    return (struct.pack(">I", size) + facts + _fixed(_D50)).ljust(128, b"\0") + head + body


@lru_cache
def _tables() -> tuple[Tensor, Tensor]:
    """The tables from inks to CIELAB, and back."""
    colored = _grid(3, 15)
    some = torch.cat([torch.cat([colored, torch.full_like(colored[:, :1], black)], 1) for black in (0, 0.3, 0.6, 0.8, 1)])
    wanted = _grid(3, _FINE) * torch.tensor([100.0, 255, 255]) - torch.tensor([0.0, 128, 128])
    from_lab = (some[torch.cdist(wanted, lab_of(some)).argmin(1)] * 255).round()
    return _bytes_of_lab(lab_of(_grid(4, _COARSE))), from_lab


def _grid(axes: int, points: int) -> Tensor:
    """All points of a grid in `[0, 1]`, the last axis fastest: `[points ** axes, axes]`."""
    return torch.cartesian_prod(*[torch.linspace(0, 1, points)] * axes)


def _bytes_of_lab(lab: Tensor) -> Tensor:
    return (lab * torch.tensor([2.55, 1, 1]) + torch.tensor([0.0, 128, 128])).round().clamp(0, 255)


def _table(inputs: int, outputs: int, points: int, values: Tensor) -> bytes:
    """A `lut8Type` with linear curves."""
    curve = bytes(range(256))
    unit = _fixed([float(row == column) for row in range(3) for column in range(3)])
    cells = bytes(values.flatten().to(torch.uint8).tolist())
    return b"mft1\0\0\0\0" + struct.pack(">BBBx", inputs, outputs, points) + unit + curve * inputs + cells + curve * outputs


def _fixed(values) -> bytes:
    """Numbers as `s15Fixed16Number`s."""
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)
