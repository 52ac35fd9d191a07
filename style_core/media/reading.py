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
from functools import lru_cache
from pathlib import Path
from typing import IO

import av
import numpy
import torch
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin, UnidentifiedImageError
from pillow_heif import register_heif_opener
from torch import Tensor

from style_core.devices import release_memory
from style_core.errors import RequestError
from style_core.media.encoding import SRGB
from style_core.memory import available_bytes
from style_core.messages import Message, joined

register_heif_opener()

MIN_SIDE = 16
LARGEST_SIDE = 12288  # px, of the largest picture that a recipe makes
READABLE = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "TIFF", "BMP", "MPO", "PSD")
_SRGB_ERROR = 3  # of 255, by which sRGB profiles of different makers differ
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
_HEAVY_PIXELS = 16_000_000  # larger pictures are reduced while they are read, and memory is released afterwards
_STRIP_PIXELS = 2**21
# Bytes per pixel while decoding: Pillow uses four for colors, and these libraries keep a copy.
_BYTES_A_PIXEL = {"WEBP": 9, "AVIF": 12, "HEIF": 12, "JPEG": 7, "MPO": 7}
_BYTES_A_RESULT = 28  # of the float32 image, its alpha and a copy
_SPARE = 0.8  # share of the free memory that one picture may use
_GRAY = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
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
        return _see_through(self.picture)


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
        header = Header(picture, data, name, 1 if picture.format == "TIFF" else _orientation(picture), limits)
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
        notes = [_frames_note(picture, name)]
        try:
            deep = _sixteen_bit(header) if factor == 1 else None
            if deep is None:
                picture.load()
                image, profile_note = _in_strips(picture, factor, name)
                notes.append(profile_note)
            else:
                image = deep
        finally:
            picture.close()
    image = _upright(image, header.turned)
    if heavy:
        release_memory()
    alpha = image[3:].contiguous() if len(image) == 4 else None
    return Pixels(image[:3].contiguous(), alpha, joined(*notes))


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
    return Image.open(io.BytesIO(data), formats=kinds)


def _orientation(picture: Image.Image) -> int:
    try:
        turned = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # broken metadata doesn't make the picture unreadable
        return 1
    return turned if turned in range(1, 9) else 1


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


def _in_strips(picture: Image.Image, factor: int, name: str) -> tuple[Tensor, str]:
    """Channels `[3 or 4, H, W]` of a decoded picture, averaged over squares of `factor` x `factor` pixels."""
    width, height = picture.size
    rows = max(1, _STRIP_PIXELS // (width * factor)) * factor
    if picture.mode in _GRAY:
        gray = torch.from_numpy(_gray(picture))
        if picture.format == "TIFF" and picture.tag_v2.get(262) == 0 and picture.mode.startswith("I;16"):  # type: ignore[attr-defined]
            gray = 1 - gray  # white is 0, which Pillow heeds for 8 bits only
        return _averaged(gray[None], factor).expand(3, -1, -1), ""
    to_srgb, note = _profile(picture, name)
    see_through = _see_through(picture)
    image = torch.empty(4 if see_through else 3, -(-height // factor), -(-width // factor))
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(height, top + rows)))
        plain = _plain(strip, see_through, to_srgb)
        if factor > 1:
            plain = plain.reduce(factor)
        pixels = torch.from_numpy(numpy.array(plain)).permute(2, 0, 1)
        start = top // factor
        torch.div(pixels, 255, out=image[:, start : start + pixels.shape[1]])
    return image, note


def _see_through(picture: Image.Image) -> bool:
    return picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info


_OPAQUE = {"RGBA": "RGB", "LA": "L", "P": "RGB", "PA": "RGB"}  # modes to convert to before a profile's transform


def _plain(strip: Image.Image, see_through: bool, to_srgb: ImageCms.ImageCmsTransform | None) -> Image.Image:
    """A strip as RGB or RGBA in sRGB."""
    wanted = "RGBA" if see_through else "RGB"
    if to_srgb is None:
        return strip.convert(wanted)
    # A transparent color, or a palette with transparent ones, would be lost with the profile.
    alpha = strip.convert("RGBA").getchannel("A") if see_through else None
    opaque = strip.convert(_OPAQUE.get(strip.mode, strip.mode))
    converted = ImageCms.applyTransform(opaque, to_srgb) or opaque  # None only for in-place transforms
    if alpha is not None:
        converted.putalpha(alpha)
    return converted.convert(wanted)


def _profile(picture: Image.Image, name: str) -> tuple[ImageCms.ImageCmsTransform | None, str]:
    """The transform from its ICC profile to sRGB; None without a profile. CMYK then uses Pillow's own formula."""
    profile = picture.info.get("icc_profile")
    if not profile or profile == SRGB or picture.mode not in ("RGB", "CMYK", "L", *_OPAQUE):
        return None, ""
    mode = _OPAQUE.get(picture.mode, picture.mode)
    to_srgb = _transform(profile, mode)
    note = "" if to_srgb is not None else Message("The color profile of {file} is broken and was ignored.", file=name)
    return to_srgb, note


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform from a profile's colors to sRGB; None for a broken profile."""
    try:
        return ImageCms.buildTransform(ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def _gray(picture: Image.Image) -> numpy.ndarray:
    """One channel of more than 8 bits in `[0, 1]`; the white level is inferred from the range of its values."""
    gray = numpy.array(picture, dtype=numpy.float32)
    if picture.mode == "F":
        gray = numpy.nan_to_num(gray, nan=0.0, posinf=0.0, neginf=0.0)
        # Floating-point pictures don't record whether white is 1, 255 or 65535; values slightly above 1 are highlights.
        white = next((white for white, most in ((1.0, 2.0), (255.0, 510.0), (65535.0, 131070.0)) if gray.max() <= most), float(gray.max()))
    else:
        white = 65535.0 if gray.max() <= 65535 else 2.0**31 - 1
    return numpy.clip(gray / white, 0, 1)


def _averaged(image: Tensor, factor: int) -> Tensor:
    if factor == 1:
        return image
    return torch.nn.functional.avg_pool2d(image[None], factor, ceil_mode=True)[0]


def _sixteen_bit(header: Header) -> Tensor | None:
    """Channels of a color PNG or TIFF with 16 bits each, which Pillow would reduce to 8; None for any other picture.

    A picture with a profile other than sRGB is left to Pillow, because profiles are converted with 8 bits.
    """
    picture, data = header.picture, header.data
    if picture.format == "PNG":
        deep = data[24] == 16 and data[25] in (2, 6)
    else:
        # FFmpeg reads tiles as black and leaves colors multiplied by their alpha; Pillow does neither.
        deep = (
            isinstance(picture, TiffImagePlugin.TiffImageFile)
            and picture.tag_v2.get(258, (8,))[:1] == (16,)
            and picture.tag_v2.get(262) == 2
            and 322 not in picture.tag_v2
            and picture.tag_v2.get(338, (2,))[:1] != (1,)
        )
    if not deep or "transparency" in picture.info or not _is_srgb(picture.info.get("icc_profile")):
        return None
    turned, size = _orientation(picture), picture.size[::-1]  # of a TIFF, `size` is as it is shown
    see_through = picture.mode == "RGBA"
    try:
        with av.open(io.BytesIO(data), "r", format="png_pipe" if picture.format == "PNG" else "tiff_pipe") as container:
            frame = next(container.decode(video=0))
            pixels = frame.to_ndarray(format="rgba64le" if see_through else "rgb48le")
    except av.FFmpegError:
        return None  # such as a BigTIFF; of a damaged file, Pillow says so
    image = torch.empty(pixels.shape[2], *pixels.shape[:2])
    for channel, values in zip(image, numpy.moveaxis(pixels, -1, 0)):  # one by one: each float32 copy of a print takes gigabytes
        torch.div(torch.from_numpy(values.astype(numpy.float32)), 65535, out=channel)
    image = _upright(image, turned) if picture.format == "TIFF" else image
    return image.contiguous() if tuple(image.shape[-2:]) == size else None


@lru_cache(maxsize=16)
def _is_srgb(profile: bytes | None) -> bool:
    """Whether a profile leaves colors as they are; its name says little, because linear sRGB is called sRGB as well."""
    if not profile or profile == SRGB:
        return True
    levels = numpy.linspace(0, 255, 18, dtype=numpy.uint8)
    colors = Image.fromarray(numpy.stack(numpy.meshgrid(levels, levels, levels), -1).reshape(18, -1, 3))
    to_srgb = _transform(profile, "RGB")
    converted = None if to_srgb is None else ImageCms.applyTransform(colors, to_srgb)
    return converted is not None and int(numpy.abs(numpy.array(converted, numpy.int16) - numpy.array(colors)).max()) <= _SRGB_ERROR


# EXIF orientations as flips along height and width, followed by a transposition.
_TURNS = {2: ((2,), False), 3: ((1, 2), False), 4: ((1,), False), 5: ((), True), 6: ((1,), True), 7: ((1, 2), True), 8: ((2,), True)}


def _upright(image: Tensor, turned: int) -> Tensor:
    if turned not in _TURNS:
        return image
    axes, exchanged = _TURNS[turned]
    image = image.flip(axes) if axes else image
    return image.transpose(1, 2) if exchanged else image
