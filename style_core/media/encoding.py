"""Writing picture files: PNG, JPEG, WebP, AVIF and TIFF, tagged as sRGB, with 8 or 16 bits.

Pillow writes 8 bits per channel; PNG and TIFF with 16 are assembled here, strip by strip, because a second copy of a print may
not fit into memory. Files of the same picture are identical to the last byte.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from style_core.media.settings import KEY, described, embed

# The suffix chooses the format.
WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".avif": "AVIF", ".tif": "TIFF", ".tiff": "TIFF"}
DEPTHS = {"PNG": (8, 16), "TIFF": (16,)}  # bits per channel of formats that allow more than 8
TRANSPARENT = ("PNG", "WEBP", "AVIF", "TIFF")
MOST_SIDE = {"WEBP": 16383, "JPEG": 65500, "AVIF": 65535}  # px, as the formats allow
_STRIP_PIXELS = 2**20


def _profile() -> bytes:
    """The sRGB profile, without its creation date."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:84] + bytes(16) + profile[100:]


SRGB = _profile()


def save(picture: Image.Image, path: Path, kind: str, quality: int, dpi: float | None, settings: dict | None) -> None:
    """Write an 8-bit picture.

    Args:
        quality: of JPEG, WebP and AVIF, 1 to 100.
        dpi: dots per inch, for printing.
    """
    more: dict[str, Any] = embed(settings, kind)
    if kind == "PNG":
        chunks = more.setdefault("pnginfo", PngImagePlugin.PngInfo())
        chunks.add(b"sRGB", b"\0")
    else:
        more["icc_profile"] = SRGB
    if kind in ("WEBP", "AVIF") and dpi:
        more["exif"] = _with_resolution(more.get("exif", b""), dpi)
    elif dpi:
        more["dpi"] = (dpi, dpi)
    # Chroma at full resolution: painted edges are color edges.
    encoding: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": quality, "subsampling": 0},
        "WEBP": {"quality": quality, "method": 4},
        "AVIF": {"quality": quality, "subsampling": "4:4:4"},
    }
    more |= encoding.get(kind, {})
    picture.save(path, kind, **more)


def save_deep(pixels: numpy.ndarray, path: Path, kind: str, dpi: float | None, settings: dict | None) -> None:
    """Write a 16-bit picture `[H, W, 3 or 4]`, uint16, as PNG or TIFF."""
    with path.open("wb") as file:
        (_write_png if kind == "PNG" else _write_tiff)(file, pixels, dpi, settings)


def _with_resolution(exif: bytes, dpi: float) -> bytes:
    tags = Image.Exif()
    tags.load(exif)
    tags[ExifTags.Base.XResolution] = tags[ExifTags.Base.YResolution] = dpi
    tags[ExifTags.Base.ResolutionUnit] = 2  # inches
    return tags.tobytes()


def _write_png(file: IO[bytes], pixels: numpy.ndarray, dpi: float | None, settings: dict | None) -> None:
    height, width, channels = pixels.shape

    def chunk(kind: bytes, data: bytes) -> None:
        file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))

    file.write(b"\x89PNG\r\n\x1a\n")
    chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0))
    chunk(b"sRGB", b"\0")
    if dpi:
        dots = round(dpi / 0.0254)  # per meter
        chunk(b"pHYs", struct.pack(">IIB", dots, dots, 1))
    if settings:
        chunk(b"iTXt", KEY.encode() + b"\0\0\0\0\0" + json.dumps(settings, ensure_ascii=False, sort_keys=True).encode())
    deflate = zlib.compressobj(6)
    above = numpy.zeros((1, width * channels * 2), numpy.uint8)
    for strip in _strips(pixels):
        rows = strip.astype(">u2").reshape(len(strip), -1).view(numpy.uint8)
        # Filter 2, the difference from the row above, compresses far better than the raw values.
        filtered = numpy.full((len(rows), rows.shape[1] + 1), 2, numpy.uint8)
        filtered[:, 1:] = rows - numpy.concatenate([above, rows[:-1]])
        above = rows[-1:]
        if data := deflate.compress(filtered.tobytes()):
            chunk(b"IDAT", data)
    chunk(b"IDAT", deflate.flush())
    chunk(b"IEND", b"")


def _write_tiff(file: IO[bytes], pixels: numpy.ndarray, dpi: float | None, settings: dict | None) -> None:
    height, width, channels = pixels.shape
    file.write(b"II*\0\0\0\0\0")  # the offset of the directory is filled in at the end
    offsets, counts, rows = [], [], 0
    for strip in _strips(pixels):
        data = zlib.compress(strip.astype("<u2").tobytes(), 6)
        offsets.append(file.tell())
        counts.append(file.write(data))
        rows = max(rows, len(strip))
    short, long, ratio, ascii_text, other = 3, 4, 5, 2, 7
    dots = struct.pack("<II", round((dpi or 72) * 1000), 1000)
    fields = [
        (256, long, 1, struct.pack("<I", width)),
        (257, long, 1, struct.pack("<I", height)),
        (258, short, channels, struct.pack(f"<{channels}H", *[16] * channels)),
        (259, short, 1, struct.pack("<H", 8)),  # deflate
        (262, short, 1, struct.pack("<H", 2)),  # RGB
        (273, long, len(offsets), struct.pack(f"<{len(offsets)}I", *offsets)),
        (277, short, 1, struct.pack("<H", channels)),
        (278, long, 1, struct.pack("<I", rows)),
        (279, long, len(counts), struct.pack(f"<{len(counts)}I", *counts)),
        (282, ratio, 1, dots),
        (283, ratio, 1, dots),
        (296, short, 1, struct.pack("<H", 2)),  # inches
        (34675, other, len(SRGB), SRGB),
    ]
    if channels == 4:
        fields.append((338, short, 1, struct.pack("<H", 2)))  # the fourth channel is unassociated alpha
    if settings:
        text = described(settings).encode() + b"\0"
        fields.append((270, ascii_text, len(text), text))
    entries = b""
    for tag, kind, count, value in sorted(fields):
        if len(value) > 4:
            file.write(b"\0" * (file.tell() % 2))
            value, place = struct.pack("<I", file.tell()), value
            file.write(place)
        entries += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    file.write(b"\0" * (file.tell() % 2))
    start = file.tell()
    file.write(struct.pack("<H", len(fields)) + entries + b"\0" * 4)
    file.seek(4)
    file.write(struct.pack("<I", start))


def _strips(pixels: numpy.ndarray) -> Iterator[numpy.ndarray]:
    rows = max(1, _STRIP_PIXELS // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        yield pixels[top : top + rows]
