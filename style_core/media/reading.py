"""Reading picture files: bytes to pixels, upright and in sRGB, with limits checked from the header before decoding.

All decoder errors become one error with a message. Large pictures are decoded one at a time, at a reduced size if the format
allows it and strip by strip otherwise, and the memory is returned to the system.
"""

import io
import math
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError
from pillow_heif import register_heif_opener
from torch import Tensor

from style_core.devices import release_memory
from style_core.errors import RequestError
from style_core.media.decoding import decoded, is_see_through, orientation_of, upright
from style_core.memory import available_bytes
from style_core.messages import Message, joined

register_heif_opener()

MIN_SIDE = 16
LARGEST_SIDE = 12288  # px, of the largest picture that a recipe makes
READABLE = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "TIFF", "BMP", "MPO", "PSD")
_STARTS = {b"8BPS": "PSD", b"II*\0": "TIFF", b"MM\0*": "TIFF"}  # formats of which Pillow reads only some kinds, by their first bytes
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
_HEAVY_PIXELS = 16_000_000  # larger pictures are reduced while they are read, and memory is released afterwards
# Bytes per pixel while decoding: Pillow uses four for colors, and these libraries keep a copy.
_BYTES_A_PIXEL = {"WEBP": 9, "AVIF": 12, "HEIF": 12, "JPEG": 7, "MPO": 7}
_BYTES_A_RESULT = 28  # of the float32 image, its alpha and a copy
_SPARE = 0.8  # share of the free memory that one picture may use
_decoding = threading.RLock()


@dataclass(frozen=True)
class Limits:
    """The largest picture to read: bytes of its file, and pixels."""

    bytes: int
    pixels: int


UPLOADS = Limits(100 * 2**20, 100_000_000)  # from anybody
PRINTS = Limits(8 * LARGEST_SIDE**2 + 2**24, LARGEST_SIDE**2)  # from whoever owns the machine: whatever we write, with 16 bits and alpha


@dataclass
class Pixels:
    """A decoded picture: `image` `[3, H, W]` in sRGB, `alpha` `[1, H, W]` or None, float32 in `[0, 1]`, and a note."""

    image: Tensor
    alpha: Tensor | None = None
    note: str = ""


@dataclass
class Header:
    """An opened picture file, not decoded yet.

    Attributes:
        picture: Pillow's lazy picture.
        data: the whole file.
        name: the file's name, for messages.
        turned: its EXIF orientation, 1 to 8; 1 for a TIFF, which Pillow turns by itself.
        limits: those that it was opened with.
    """

    picture: Image.Image
    data: bytes = field(repr=False)
    name: str
    turned: int = 1
    limits: Limits = UPLOADS

    @property
    def size(self) -> tuple[int, int]:
        """Height and width as it will be read."""
        return self.picture.size if self.turned in (5, 6, 7, 8) else self.picture.size[::-1]

    @property
    def see_through(self) -> bool:
        """Whether it has an alpha channel, or a color that is transparent."""
        return is_see_through(self.picture)


def read_header(source: str | Path | bytes | IO[bytes], limits: Limits = UPLOADS) -> Header:
    """Open a picture and check its size.

    Args:
        limits: a larger picture is refused, before it is decoded.
    Raises:
        RequestError: when the file is missing, not a readable picture, too large or too small.
    """
    data, name = _bytes_of(source, limits)
    with _in_words(name, limits):
        picture = _opened(data, name)
        header = Header(picture, data, name, 1 if picture.format == "TIFF" else orientation_of(picture), limits)
    _check_size(picture.size, name, limits)
    return header


def read_pixels(header: Header, long_side: int | None = None) -> Pixels:
    """Decode a picture.

    Args:
        long_side: a sufficient size in px: a picture of many megapixels may be reduced, but not below this.
    Raises:
        RequestError: when it is damaged, or needs more memory than is free.
    """
    picture, name = header.picture, header.name
    heavy = math.prod(picture.size) > _HEAVY_PIXELS
    with _decoding, _in_words(name, header.limits):
        if heavy and long_side and picture.format in ("JPEG", "MPO"):
            picture.draft(None, _at_least(picture.size, long_side))
        factor = max(1, max(picture.size) // long_side) if heavy and long_side else 1
        _check_memory(picture, factor, name)
        frames_note = _frames_note(picture, name)
        try:
            image, color_note = decoded(picture, header.data, factor, name)
        finally:
            picture.close()
    image = upright(image, header.turned)
    if heavy:
        release_memory()
    alpha = image[3:].contiguous() if len(image) == 4 else None
    return Pixels(image[:3].contiguous(), alpha, joined(frames_note, color_note))


@contextmanager
def _in_words(name: str, limits: Limits) -> Iterator[None]:
    """Turn any error of a decoder into a RequestError: for malformed files they raise nearly every type of exception."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own limits replace Pillow's warning
            yield
    except RequestError:
        raise
    except Image.DecompressionBombError as error:
        raise RequestError(
            "{file} has more than {most} megapixels, the most that can be read. Save it smaller.", file=name, most=limits.pixels // 10**6
        ) from error
    except MemoryError as error:
        raise RequestError("There is not enough memory to read {file}; save it smaller.", file=name) from error
    except UnidentifiedImageError as error:
        raise RequestError(
            "{file} is not a readable picture; use JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF, BMP, TGA or PSD.", file=name
        ) from error
    except Exception as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise RequestError("{file} is damaged or cut off ({reason}); export or download it again.", file=name, reason=reason) from error


def _bytes_of(source: str | Path | bytes | IO[bytes], limits: Limits) -> tuple[bytes, str]:
    if isinstance(source, (bytes, bytearray)):
        data, name = bytes(source), "The picture"
    elif hasattr(source, "read"):
        data, name = source.read(limits.bytes + 1), "The picture"
    else:
        data, name = _bytes_of_file(Path(source), limits)
    if len(data) > limits.bytes:
        raise RequestError(_too_heavy(name, len(data), limits))
    if not data:
        raise RequestError("{file} is empty; choose another picture.", file=name)
    return data, name


def _bytes_of_file(path: Path, limits: Limits) -> tuple[bytes, str]:
    name = path.name
    if os.path.isdir(path):
        raise RequestError("{file} is a folder; give one picture.", file=name)
    if not os.path.isfile(path):  # Path raises for a name that is too long or a folder without access
        raise RequestError("There is no file {file}; check its name and folder.", file=name)
    try:
        size = path.stat().st_size
        if size > limits.bytes:
            raise RequestError(_too_heavy(name, size, limits))
        _check_free(size, name)
        return path.read_bytes(), name
    except OSError as error:
        raise RequestError("{file} can't be opened ({reason}).", file=name, reason=error.strerror or str(error)) from error


def _too_heavy(name: str, size: int, limits: Limits) -> str:
    return Message(
        "{file} is {size:.0f} MB; pictures up to {most} MB can be read. Save it smaller.",
        file=name,
        size=size / 2**20,
        most=limits.bytes // 2**20,
    )


def _opened(data: bytes, name: str) -> Image.Image:
    head = data[:512].lstrip().lower()
    if head.startswith(b"<svg") or (head.startswith(b"<?xml") and b"<svg" in head):
        raise RequestError("{file} is an SVG drawing; export it as PNG first.", file=name)
    Image.init()  # registers all of Pillow's readers; AVIF depends on the build
    # TGA has no signature at its start, so any bytes can look like one.
    targa = name.lower().endswith(".tga") or data[-18:-2] == b"TRUEVISION-XFILE"
    kinds = [kind for kind in (*READABLE, *(["TGA"] if targa else [])) if kind in Image.OPEN]
    try:
        return Image.open(io.BytesIO(data), formats=kinds)
    except UnidentifiedImageError as error:
        kind = next((kind for start, kind in _STARTS.items() if data.startswith(start)), "")
        if not kind:
            raise
        raise RequestError(
            "{file} is a {kind} that can't be read; save it with 8 bits per channel, or as PNG.", file=name, kind=kind
        ) from error


def _check_size(size: tuple[int, int], name: str, limits: Limits) -> None:
    width, height = size
    if width * height > limits.pixels:
        raise RequestError(
            "{file} is {width} x {height} px; pictures up to {most} megapixels can be read. Save it smaller.",
            file=name,
            width=width,
            height=height,
            most=limits.pixels // 10**6,
        )
    if min(size) < MIN_SIDE:
        raise RequestError(
            "{file} is {width} x {height} px; it must be at least {least} px on each side.",
            file=name,
            width=width,
            height=height,
            least=MIN_SIDE,
        )


def _check_memory(picture: Image.Image, factor: int, name: str) -> None:
    pixels = math.prod(picture.size)
    _check_free(pixels * _BYTES_A_PIXEL.get(picture.format or "", 5) + pixels / factor**2 * _BYTES_A_RESULT, name)


def _check_free(needed: float, name: str) -> None:
    """Check that so many bytes can be allocated for a picture."""
    free = available_bytes()
    if free is not None and needed > _SPARE * free:
        raise RequestError(
            "{file} needs {needed:.1f} GB of memory to be read, but only {free:.1f} GB are free; save it smaller.",
            file=name,
            needed=needed / 1e9,
            free=free / 1e9,
        )


def _at_least(size: tuple[int, int], long_side: int) -> tuple[int, int]:
    factor = long_side / max(size)
    return math.ceil(size[0] * factor), math.ceil(size[1] * factor)


def _frames_note(picture: Image.Image, name: str) -> str:
    if not getattr(picture, "is_animated", False):  # unlike `n_frames`, it doesn't read the other pages of a TIFF
        return ""
    if picture.format in _ANIMATED:
        return Message("{file} is animated; its first frame is used.", file=name)
    return Message("{file} has several pages; its first page is used.", file=name) if picture.format == "TIFF" else ""
