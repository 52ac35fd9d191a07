"""Sizes as users write them, in pixels, a length on paper, or by name; and those that are too narrow."""

import math
import re
from dataclasses import dataclass, replace

from style_core.errors import RequestError

DPI = 300.0  # for prints at reading distance
DPI_RANGE = (36.0, 1200.0)
_MOST = 1e6  # of any unit
_CENTIMETERS = 2.54  # per inch
_UNITS = {
    "px": 0.0,
    "": 0.0,
    "mm": 0.1,
    "cm": 1.0,
    "m": 100.0,
    "in": _CENTIMETERS,
    "inch": _CENTIMETERS,
    "inches": _CENTIMETERS,
    '"': _CENTIMETERS,
}
_WORDS = re.compile(r"\s*(?P<number>\d+(?:[.,]\d+)?)\s*(?P<unit>[a-z\"]*)\s*")


@dataclass(frozen=True)
class SizePreset:
    """A named size.

    Attributes:
        name: as requested.
        pixels: long side in px; 0 for a print.
        centimeters: long side of a print; 0 for a screen.
        square: whether the photo is cropped to a square first.
    """

    name: str
    pixels: int = 0
    centimeters: float = 0.0
    square: bool = False

    def long_side(self, dpi: float = DPI) -> int:
        """In px; of a print, at `dpi` dots per inch."""
        return self.pixels or round(self.centimeters / _CENTIMETERS * dpi)


PRESETS = {
    preset.name: preset
    for preset in (
        SizePreset("screen", pixels=1920),
        SizePreset("square", pixels=2048, square=True),
        SizePreset("A4", centimeters=29.7),
        SizePreset("A3", centimeters=42.0),
        SizePreset("A2", centimeters=59.4),
        SizePreset("A1", centimeters=84.1),
    )
}


@dataclass(frozen=True)
class Size:
    """A requested size.

    Attributes:
        long_side: px.
        dpi: of a print; None for a screen.
        square: whether the photo is cropped to a square first.
    """

    long_side: int
    dpi: float | None = None
    square: bool = False


def check_dpi(dpi: float | None) -> None:
    """Check dots per inch; None is none.

    Raises:
        RequestError: if they are out of range.
    """
    if dpi is not None and not DPI_RANGE[0] <= dpi <= DPI_RANGE[1]:
        raise RequestError("dpi is {dpi:g}; it must be between {low:g} and {high:g}.", dpi=dpi, low=DPI_RANGE[0], high=DPI_RANGE[1])


def parse_size(text: str, dpi: float | None = None) -> Size:
    """`1024`, `1024px`, `42cm`, `16.5in`, `A3` or another of `PRESETS` -> a Size; `1024square` is a square of another size.

    Args:
        dpi: dots per inch; None means 300 for lengths, and no dpi for pixels.
    Raises:
        RequestError: for an invalid size, or dpi out of range.
    """
    check_dpi(dpi)
    length = str(text).strip().lower().removesuffix("square")
    if length and length != str(text).strip().lower():
        return replace(parse_size(length, dpi), square=True)
    by_name = {name.lower(): preset for name, preset in PRESETS.items()}
    if preset := by_name.get(str(text).strip().lower()):
        printed = dpi if preset.pixels else dpi or DPI
        return Size(preset.long_side(printed or DPI), printed, preset.square)
    found = _WORDS.fullmatch(str(text).lower())
    if found is None or found["unit"] not in _UNITS:
        raise RequestError("size is {size}; write it like 1024, 42cm or 16.5in, or as one of {known}.", size=text, known=", ".join(PRESETS))
    number, centimeters = float(found["number"].replace(",", ".")), _UNITS[found["unit"]]
    if number > _MOST:
        raise RequestError("size is {size}; it is too large. Write it like 1024, 42cm or 16.5in.", size=str(text)[:20])
    if not centimeters:
        if number != int(number):
            raise RequestError("size is {size}; pixels must be a whole number.", size=text)
        return Size(int(number), dpi)
    return Size(round(number * centimeters / _CENTIMETERS * (dpi or DPI)), dpi or DPI)


def check_sides(size: tuple[int, int], photo: tuple[int, int], least: int) -> None:
    """Refuse a result with a side below `least` px, naming a size that is enough.

    Args:
        size: height and width of the result.
        photo: those of the photo.
    Raises:
        RequestError: if the result is too narrow.
    """
    long, short = max(size), min(size)
    if short < least:
        raise RequestError(
            "At {long} px the picture is only {short} px on its short side, and {least} are needed; choose a size of at least {enough} px, "
            "or crop it.",
            long=long, short=short, least=least, enough=32 * math.ceil(least * max(photo) / min(photo) / 32),
        )  # fmt: skip
