"""From an opened picture file to channels: at their full depth, upright, and in sRGB by the file's profile or its color marks."""

import io
import struct
from functools import lru_cache

import av
import numpy
import torch
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin
from pillow_heif import open_heif
from torch import Tensor

from style_core.media.encoding import SRGB
from style_core.media.hdr import is_plain, to_srgb
from style_core.messages import Message

_SRGB_ERROR = 3  # of 255, by which sRGB profiles of different makers differ
_STRIP_PIXELS = 2**21
_GRAY = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # tags of a TIFF


def decoded(picture: Image.Image, data: bytes, factor: int, name: str) -> tuple[Tensor, str]:
    """Channels `[3 or 4, H, W]` in `[0, 1]`, in sRGB, not turned upright yet, and a note to the user or an empty string.

    Args:
        picture: not decoded yet; `data` is its whole file, `name` its name for messages.
        factor: the picture is averaged over squares of `factor` x `factor` pixels.
    """
    marks, note = _marks(picture, data), ""
    image = _sixteen_bit(picture, data) if factor == 1 else None
    if image is None:
        picture.load()
        image, note = _in_strips(picture, factor, name)
    return (image if is_plain(*marks) else _converted(image, *marks)), note


def _converted(image: Tensor, curve: int, primaries: int) -> Tensor:
    """Channels coded with a curve in primaries, as sRGB; strip by strip, because the conversion takes several copies."""
    image = image.contiguous()
    rows = max(1, _STRIP_PIXELS // image.shape[2])
    for top in range(0, image.shape[1], rows):
        image[:3, top : top + rows] = to_srgb(image[:3, top : top + rows], curve, primaries)
    return image


def _marks(picture: Image.Image, data: bytes) -> tuple[int, int]:
    """The curve and primaries, numbered as in `hdr`, that a PNG, HEIC or AVIF names instead of a profile; 0 if it names none.

    A PNG's profile gives way to its marks and is removed; that of the others is more exact than marks.
    """
    if picture.format == "PNG":
        marks = _chunk(data, b"cICP")[:2]
        if len(marks) < 2:
            return 0, 0
        picture.info.pop("icc_profile", None)
        return marks[1], marks[0]
    if picture.info.get("icc_profile"):
        return 0, 0
    if picture.format == "HEIF" and (nclx := picture.info.get("nclx_profile")):
        return nclx["transfer_characteristics"], nclx["color_primaries"]
    if picture.format == "AVIF" and 0 <= (place := data.find(b"colrnclx")) <= len(data) - 12:  # Pillow doesn't tell
        primaries, curve = struct.unpack_from(">HH", data, place + 8)
        return curve, primaries
    return 0, 0


def _chunk(png: bytes, kind: bytes) -> bytes:
    """What the first chunk of this kind before the pixels holds; empty if there is none."""
    start = 8
    while start + 8 <= len(png) and png[start + 4 : start + 8] != b"IDAT":
        (length,) = struct.unpack_from(">I", png, start)
        if png[start + 4 : start + 8] == kind:
            return png[start + 8 : start + 8 + length]
        start += 12 + length
    return b""


def _in_strips(picture: Image.Image, factor: int, name: str) -> tuple[Tensor, str]:
    """Channels `[3 or 4, H, W]` of a decoded picture, averaged over squares of `factor` x `factor` pixels."""
    width, height = picture.size
    rows = max(1, _STRIP_PIXELS // (width * factor)) * factor
    if picture.mode in _GRAY:
        gray, note = _gray(picture), ""
        if profile := picture.info.get("icc_profile"):
            note = _apply_curve(gray, profile, name)
        return _averaged(torch.from_numpy(gray)[None], factor).expand(3, -1, -1), note
    transform, note = _profile(picture, name)
    see_through = is_see_through(picture)
    image = torch.empty(4 if see_through else 3, -(-height // factor), -(-width // factor))
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(height, top + rows)))
        plain = _plain(strip, see_through, transform)
        if factor > 1:
            plain = plain.reduce(factor)
        pixels = torch.from_numpy(numpy.array(plain)).permute(2, 0, 1)
        start = top // factor
        torch.div(pixels, 255, out=image[:, start : start + pixels.shape[1]])
    return image, note


def is_see_through(picture: Image.Image) -> bool:
    """Whether a picture has an alpha channel, or a color that is transparent."""
    return picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info


_OPAQUE = {"RGBA": "RGB", "LA": "L", "P": "RGB", "PA": "RGB"}  # modes to convert to before a profile's transform


def _plain(strip: Image.Image, see_through: bool, transform: ImageCms.ImageCmsTransform | None) -> Image.Image:
    """A strip as RGB or RGBA in sRGB."""
    wanted = "RGBA" if see_through else "RGB"
    if transform is None:
        return strip.convert(wanted)
    # A transparent color, or a palette with transparent ones, would be lost with the profile.
    alpha = strip.convert("RGBA").getchannel("A") if see_through else None
    opaque = strip.convert(_OPAQUE.get(strip.mode, strip.mode))
    converted = ImageCms.applyTransform(opaque, transform) or opaque  # None only for in-place transforms
    if alpha is not None:
        converted.putalpha(alpha)
    return converted.convert(wanted)


def _profile(picture: Image.Image, name: str) -> tuple[ImageCms.ImageCmsTransform | None, str]:
    """The transform from its ICC profile to sRGB; None without a profile. CMYK then uses Pillow's own formula."""
    profile = picture.info.get("icc_profile")
    if not profile or profile == SRGB or picture.mode not in ("RGB", "CMYK", "L", *_OPAQUE):
        return None, ""
    mode = _OPAQUE.get(picture.mode, picture.mode)
    transform = _transform(profile, mode)
    return transform, "" if transform is not None else _broken_profile(name)


def _broken_profile(name: str) -> str:
    return Message("The color profile of {file} is broken and was ignored.", file=name)


def _transform(profile: bytes, mode: str, *, exact: bool = False) -> ImageCms.ImageCmsTransform | None:
    """The transform from a profile's colors to sRGB; None for a broken profile. An exact one is slow; others are coarse near black."""
    flags = ImageCms.Flags.NOOPTIMIZE if exact else ImageCms.Flags.NONE
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB", flags=flags)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def _gray(picture: Image.Image) -> numpy.ndarray:
    """One channel `[H, W]` of more than 8 bits in `[0, 1]`, float32, black at 0."""
    tags = picture.tag_v2 if isinstance(picture, TiffImagePlugin.TiffImageFile) else {}
    values = numpy.array(picture)
    if picture.mode == "F":
        gray = numpy.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        # Floating-point pictures don't record whether white is 1, 255 or 65535; values slightly above 1 are highlights.
        white = next((white for white, most in ((1.0, 2.0), (255.0, 510.0), (65535.0, 131070.0)) if gray.max() <= most), float(gray.max()))
    else:
        bits, signed = tags.get(_BITS, (16,))[0], tags.get(_SAMPLE_FORMAT, (1,))[0] == 2
        if bits == 32 and not signed:
            values = values.view(numpy.uint32)  # Pillow reads them as signed
        gray = values.astype(numpy.float32)
        # Numbers of 32 bits that need only 16 come from programs that have no smaller ones.
        white = 65535.0 if bits == 32 and gray.max() <= 65535 else 2.0 ** (bits - signed) - 1
    gray = numpy.clip(gray / white, 0, 1)
    return 1 - gray if tags.get(_PHOTOMETRIC) == 0 else gray  # white is 0, which Pillow heeds for 8 bits only


def _apply_curve(gray: numpy.ndarray, profile: bytes, name: str) -> str:
    """Convert `[H, W]` in `[0, 1]` from a gray profile to sRGB, in place; returns a note for a broken profile, else an empty string."""
    transform = _transform(profile, "I;16", exact=True)
    if transform is None:
        return _broken_profile(name)
    levels = Image.fromarray(numpy.arange(2**16, dtype=numpy.uint16).reshape(256, 256))
    coded = numpy.array(ImageCms.applyTransform(levels, transform))[..., 1].ravel().astype(numpy.float64)
    # The result has 8 bits, but where it steps from one level to the next, the curve is known to 16.
    steps = numpy.flatnonzero(numpy.diff(coded))
    known = numpy.concatenate([[0.0], steps + 0.5, [65535.0]]) / 65535
    shown = numpy.concatenate([coded[:1], (coded[steps] + coded[steps + 1]) / 2, coded[-1:]]) / 255
    for row in gray:
        row[:] = numpy.interp(row, known, shown)
    return ""


def _averaged(image: Tensor, factor: int) -> Tensor:
    if factor == 1:
        return image
    return torch.nn.functional.avg_pool2d(image[None], factor, ceil_mode=True)[0]


def _sixteen_bit(picture: Image.Image, data: bytes) -> Tensor | None:
    """Channels of a color PNG, TIFF or HEIC with more than 8 bits each, which Pillow would reduce to 8; None for any other picture.

    A picture with a profile other than sRGB is left to Pillow, because profiles are converted with 8 bits.
    """
    if picture.format == "HEIF":
        deep = picture.info.get("bit_depth", 8) > 8
    elif picture.format == "PNG":
        deep = data[24] == 16 and data[25] in (2, 6)
    else:
        # FFmpeg reads tiles as black and leaves colors multiplied by their alpha; Pillow does neither.
        deep = (
            isinstance(picture, TiffImagePlugin.TiffImageFile)
            and picture.tag_v2.get(_BITS, (8,))[:1] == (16,)
            and picture.tag_v2.get(_PHOTOMETRIC) == 2
            and 322 not in picture.tag_v2
            and picture.tag_v2.get(338, (2,))[:1] != (1,)
        )
    if not deep or "transparency" in picture.info or not _is_srgb(picture.info.get("icc_profile")):
        return None
    return _deep_heic(picture, data) if picture.format == "HEIF" else _by_ffmpeg(picture, data)


def _deep_heic(picture: Image.Image, data: bytes) -> Tensor | None:
    pictures = open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    chosen = pictures[pictures.primary_index]
    if chosen.mode not in ("RGB;16", "RGBA;16"):
        return None
    bits = picture.info["bit_depth"]
    return _scaled(numpy.asarray(chosen), (2**bits - 1) << (16 - bits))  # its bits are the upper ones of 16


def _by_ffmpeg(picture: Image.Image, data: bytes) -> Tensor | None:
    """The channels of a deep PNG or TIFF; None if FFmpeg can't read it."""
    turned, size = orientation_of(picture), picture.size[::-1]  # of a TIFF, `size` is as it is shown
    see_through = picture.mode == "RGBA"
    try:
        with av.open(io.BytesIO(data), "r", format="png_pipe" if picture.format == "PNG" else "tiff_pipe") as container:
            frame = next(container.decode(video=0))
            pixels = frame.to_ndarray(format="rgba64le" if see_through else "rgb48le")
    except av.FFmpegError:
        return None  # such as a BigTIFF; of a damaged file, Pillow says so
    image = _scaled(pixels, 65535)
    image = upright(image, turned) if picture.format == "TIFF" else image
    return image.contiguous() if tuple(image.shape[-2:]) == size else None


def _scaled(pixels: numpy.ndarray, white: int) -> Tensor:
    """`[H, W, C]` of integers up to `white` -> `[C, H, W]` in `[0, 1]`."""
    image = torch.empty(pixels.shape[2], *pixels.shape[:2])
    for channel, values in zip(image, numpy.moveaxis(pixels, -1, 0)):  # one by one: each float32 copy of a print takes gigabytes
        torch.div(torch.from_numpy(values.astype(numpy.float32)), white, out=channel)
    return image


@lru_cache(maxsize=16)
def _is_srgb(profile: bytes | None) -> bool:
    """Whether a profile leaves colors as they are; its name says little, because linear sRGB is called sRGB as well."""
    if not profile or profile == SRGB:
        return True
    levels = numpy.linspace(0, 255, 18, dtype=numpy.uint8)
    colors = Image.fromarray(numpy.stack(numpy.meshgrid(levels, levels, levels), -1).reshape(18, -1, 3))
    transform = _transform(profile, "RGB")
    converted = None if transform is None else ImageCms.applyTransform(colors, transform)
    return converted is not None and int(numpy.abs(numpy.array(converted, numpy.int16) - numpy.array(colors)).max()) <= _SRGB_ERROR


# EXIF orientations as flips along height and width, followed by a transposition.
_TURNS = {2: ((2,), False), 3: ((1, 2), False), 4: ((1,), False), 5: ((), True), 6: ((1,), True), 7: ((1, 2), True), 8: ((2,), True)}


def upright(image: Tensor, turned: int) -> Tensor:
    """`[C, H, W]` with this EXIF orientation, as it is to be seen."""
    if turned not in _TURNS:
        return image
    axes, exchanged = _TURNS[turned]
    image = image.flip(axes) if axes else image
    return image.transpose(1, 2) if exchanged else image


def orientation_of(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 if there is none."""
    try:
        turned = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # broken metadata doesn't make the picture unreadable
        return 1
    return turned if turned in range(1, 9) else 1
