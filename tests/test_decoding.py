"""Light and color of files with more than 8 bits, a profile of grays, or marks of HDR and wide gamut."""

import io
import struct
import zlib

import numpy
import pillow_heif
import pytest
import torch
from PIL import Image

from style_core import RequestError, read_image
from style_core.media.hdr import BT2020, HLG, LINEAR, P3, PQ, nits_of_hlg, pq_of_nits
from style_core.media.images import load_picture

SIZE = 24, 40
RAMP = numpy.linspace(0, 1, SIZE[0] * SIZE[1]).reshape(SIZE)


def bytes_of(image: Image.Image, kind: str, **how) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def coded(light):
    """Linear light as sRGB's code values."""
    return numpy.where(light <= 0.0031308, light * 12.92, 1.055 * numpy.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)


def gray_profile(gamma: float) -> bytes:
    """The ICC profile of grays whose light is their value to the power of `gamma`."""
    white = struct.pack(">3i", *(round(value * 65536) for value in (0.9642, 1, 0.8249)))
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"gray\0" + b"\0" * 78,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": b"XYZ \0\0\0\0" + white,
        b"kTRC": b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)),
    }
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s12x4s28x", start + len(body), b"test", 0x02100000, b"mntr", b"GRAY", b"XYZ ", b"acsp") + white
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def gray_tiff(data: bytes, bits: int, *, kind: int = 1, white_is_zero: bool = False) -> bytes:
    """A gray TIFF; `kind` is 1 for unsigned numbers, 2 for signed ones, 3 for floating point."""
    height, width = SIZE
    entries = {
        256: width, 257: height, 258: bits, 259: 1, 262: 0 if white_is_zero else 1, 273: 8, 277: 1, 278: height, 279: len(data), 339: kind,
    }  # fmt: skip
    table = b"".join(struct.pack("<HHII", number, 4 if number in (273, 279) else 3, 1, value) for number, value in entries.items())
    return struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + struct.pack("<H", len(entries)) + table + bytes(4)


def packed(values: numpy.ndarray) -> bytes:
    """Numbers of 12 bits, two in three bytes."""
    first, second = values.reshape(-1, 2).T.astype(numpy.uint32)
    both = first << 12 | second
    return numpy.stack([both >> 16, both >> 8 & 255, both & 255], -1).astype(numpy.uint8).tobytes()


def marked_png(pixels: numpy.ndarray, primaries: int, curve: int, **how) -> bytes:
    """A PNG with 8 or 16 bits of `[H, W, 3]` that names its colors in a cICP chunk."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    if pixels.dtype == numpy.uint8:
        plain = bytes_of(Image.fromarray(pixels), "PNG", **how)
    else:
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
        header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, 2, 0, 0, 0)
        plain = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return plain[:33] + chunk(b"cICP", bytes([primaries, curve, 0, 1])) + plain[33:]


def marked_heic(pixels: numpy.ndarray, primaries: int, curve: int) -> bytes:
    height, width, _ = pixels.shape
    made = pillow_heif.from_bytes("RGB;16" if pixels.dtype == numpy.uint16 else "RGB", (width, height), pixels.tobytes())
    buffer = io.BytesIO()
    made.save(
        buffer, quality=100, chroma=444, color_primaries=primaries, transfer_characteristics=curve, matrix_coefficients=1, full_range_flag=1
    )
    return buffer.getvalue()


def of_one_color(*color: float, bits: int = 16) -> numpy.ndarray:
    values = numpy.array([round(value * (2**bits - 1)) for value in color])
    return numpy.tile(values.astype(numpy.uint16 if bits == 16 else numpy.uint8), (24, 40, 1))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
def test_a_profile_of_grays_counts_at_any_depth(kind, gamma):
    deep = Image.fromarray((RAMP * 65535).round().astype(numpy.uint16))
    read = load_picture(bytes_of(deep, kind, icc_profile=gray_profile(gamma)))
    assert read.note == "" and torch.equal(read.image[0], read.image[2])
    shown, wanted = read.image[0].numpy(), coded(RAMP ** (round(gamma * 256) / 256))
    assert numpy.abs(shown - wanted).max() < 0.001
    assert (numpy.diff(shown.ravel()) >= 0).all() and len(numpy.unique(shown)) > 900, "the depth is kept"
    plain = read_image(bytes_of(Image.fromarray((RAMP * 255).round().astype(numpy.uint8)), kind, icc_profile=gray_profile(gamma)))
    assert numpy.abs(plain[0].numpy() - shown).mean() < 0.005, "8 bits are as light"


def test_a_broken_profile_of_grays_is_said():
    deep = Image.fromarray((RAMP * 65535).astype(numpy.uint16))
    read = load_picture(bytes_of(deep, "PNG", icc_profile=b"no profile at all" * 20))
    assert "The color profile of The picture is broken" in read.note and abs(float(read.image.mean()) - 0.5) < 0.001


@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize(
    ("kind", "bits", "white", "written"),
    [
        (1, 16, 2**16 - 1, "<u2"),
        (1, 32, 2**32 - 1, "<u4"),
        (1, 32, 2**16 - 1, "<u4"),
        (2, 32, 2**31 - 1, "<i4"),
        (2, 16, 2**15 - 1, "<i2"),
        (3, 32, 1, "<f4"),
        (1, 12, 2**12 - 1, "packed"),
    ],
)
def test_gray_tiffs_of_any_numbers_are_as_light_as_they_say(kind, bits, white, written, white_is_zero):
    values = (1 - RAMP if white_is_zero else RAMP) * white
    whole = values if kind == 3 else values.round().astype(numpy.int64)
    data = gray_tiff(
        packed(whole) if written == "packed" else whole.astype(written).tobytes(), bits, kind=kind, white_is_zero=white_is_zero
    )
    if white_is_zero and (bits == 12 or kind == 2 or (kind, bits) == (1, 32)):  # which Pillow can't open
        with pytest.raises(RequestError, match="is a TIFF that can't be read; save it with 8 bits per channel, or as PNG."):
            read_image(data)
        return
    assert numpy.abs(read_image(data)[1].numpy() - RAMP).max() < 1 / 2000


def test_deep_files_of_kinds_that_cannot_be_read_are_told_what_would_be_right():
    photoshop = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 24, 40, 16, 3) + bytes(14 + 24 * 40 * 6)
    both = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", 9) + b"".join(
        struct.pack("<HHII", number, 3, count, value)
        for number, count, value in (
            (256, 1, 16), (257, 1, 16), (258, 2, 16 << 16 | 16), (259, 1, 1), (262, 1, 1), (273, 1, 200), (277, 1, 2), (279, 1, 1024), (338, 1, 2),
        )
    ) + bytes(2000)  # fmt: skip
    for data, kind in ((photoshop, "PSD"), (both, "TIFF")):
        with pytest.raises(RequestError, match=f"The picture is a {kind} that can't be read; save it with 8 bits per channel, or as PNG."):
            read_image(data)


@pytest.mark.parametrize("make", [marked_png, marked_heic])
def test_hdr_pictures_become_srgb(make):
    code = float(pq_of_nits(torch.tensor(40.0)))
    shown = read_image(make(of_one_color(code, code, code), BT2020, PQ))
    # Below the knee light stays as it is: 40 of SDR white's 203 cd/m^2.
    assert abs(float(shown.mean()) - float(coded(40 / 203))) < 0.01
    near = read_image(make(of_one_color(*[code + 0.002] * 3), BT2020, PQ)).mean() - shown.mean()
    assert 0.002 < float(near) < 0.02, "steps finer than 8 bits are kept"
    level = float(nits_of_hlg(torch.full((3, 1, 1), 0.5)).mean()) / 203
    assert abs(float(read_image(make(of_one_color(0.5, 0.5, 0.5), BT2020, HLG)).mean()) - float(coded(level))) < 0.03


@pytest.mark.parametrize(("make", "bits"), [(marked_png, 8), (marked_png, 16), (marked_heic, 8), (marked_heic, 16)])
def test_wide_gamuts_and_linear_light_become_srgb(make, bits):
    inside = read_image(make(of_one_color(0.9, 0.4, 0.3, bits=bits), P3, 13)).mean((1, 2))
    # From the chromaticities of both gamuts.
    assert (inside - torch.tensor([0.9707, 0.3580, 0.2589])).abs().max() < 0.012
    assert float(read_image(make(of_one_color(0.214, 0.214, 0.214, bits=bits), 1, LINEAR)).mean()) == pytest.approx(0.5, abs=0.01)
    plain = read_image(make(of_one_color(0.9, 0.4, 0.3, bits=bits), 1, 13)).mean((1, 2))
    assert (plain - torch.tensor([0.9, 0.4, 0.3])).abs().max() < 0.012


def test_marks_of_a_png_replace_its_profile_and_leave_alpha_alone():
    clear = numpy.dstack([of_one_color(0.9, 0.4, 0.3, bits=8), numpy.full((24, 40), 77, numpy.uint8)])
    read = load_picture(marked_png(clear, P3, 13, icc_profile=gray_profile(1.0)), background="black")
    assert read.note == "" and (read.alpha * 255).round().unique().tolist() == [77]
    assert abs(float(read.image[0].mean()) - 0.9707 * 77 / 255) < 0.01


def test_an_avif_s_marks_are_found():
    if not Image.registered_extensions().get(".avif"):
        pytest.skip("this Pillow was built without AVIF")
    data = bytearray(bytes_of(Image.fromarray(of_one_color(0.9, 0.4, 0.3, bits=8)), "AVIF", quality=95))
    place = data.index(b"colrnclx") + 8
    data[place : place + 2] = struct.pack(">H", P3)
    assert (read_image(bytes(data)).mean((1, 2)) - torch.tensor([0.9707, 0.3580, 0.2589])).abs().max() < 0.012
