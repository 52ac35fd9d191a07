"""Pictures as people have them, read as they see them."""

import io
import json
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from random import Random

import numpy
import pytest
import torch
from networks import picture
from PIL import ExifTags, Image, ImageCms, ImageOps
from prints import huge_png

from style_core import RECIPES, RequestError, read_image, read_settings, write_image
from style_core.media import reading
from style_core.media.images import check_writable, fit, fit_short, load_picture, over, read_mask, resize, size_of
from style_core.media.reading import PRINTS, UPLOADS, Limits, read_header
from style_core.media.settings import settings_of

ROOT = Path(__file__).resolve().parents[1]


def bytes_of(image: Image.Image, kind: str, **how) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def plain(width: int = 40, height: int = 24, color=(255, 128, 0)) -> Image.Image:
    return Image.new("RGB", (width, height), color)


def test_a_photo_taken_sideways_is_read_upright():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    image = Image.new("RGB", (40, 24))
    image.paste((255, 255, 255), (0, 0, 40, 12))  # the camera's top, the viewer's right
    upright = read_image(bytes_of(image, "JPEG", exif=exif.tobytes(), quality=95))
    assert upright.shape == (3, 40, 24)
    assert upright[:, :, 18:].mean() > 0.95 and upright[:, :, :6].mean() < 0.05


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_each_format_is_read(kind):
    if kind == "AVIF" and not Image.registered_extensions().get(".avif"):
        pytest.skip("this Pillow was built without AVIF")
    image = read_image(bytes_of(plain(), kind))
    assert image.shape == (3, 24, 40) and image.dtype == torch.float32
    assert (image.mean((1, 2)) - torch.tensor([1.0, 0.5, 0.0])).abs().max() < 0.02


def test_cmyk_and_gray_become_rgb():
    assert (read_image(bytes_of(plain().convert("CMYK"), "JPEG", quality=95)).mean((1, 2)) - torch.tensor([1.0, 0.5, 0])).abs().max() < 0.03
    gray = read_image(bytes_of(plain(color=(90, 90, 90)).convert("L"), "JPEG"))
    assert gray.shape[0] == 3 and (gray - 90 / 255).abs().max() < 0.02


def test_sixteen_bits_keep_their_depth():
    ramp = numpy.linspace(0, 65535, 40 * 24).reshape(24, 40).astype(numpy.uint16)
    image = read_image(bytes_of(Image.fromarray(ramp), "PNG"))
    assert len(image[0].unique()) == 40 * 24
    assert (image[0] - torch.from_numpy(ramp / 65535.0)).abs().max() < 1e-4


def test_what_is_transparent_shows_the_background_and_alpha_is_kept_on_request(tmp_path):
    image = plain().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 20, 24))
    picture = load_picture(bytes_of(image, "PNG"), background="blue")
    assert torch.equal(picture.image[:, 0, 0], torch.tensor([0.0, 0.0, 1.0]))
    write_image(tmp_path / "kept.png", picture.image, alpha=picture.alpha)
    with Image.open(tmp_path / "kept.png") as kept:
        assert kept.mode == "RGBA" and kept.getpixel((5, 5))[3] == 0 and kept.getpixel((30, 5))[3] == 255
    palette = image.convert("P")
    assert read_image(bytes_of(palette, "PNG", transparency=palette.getpixel((0, 0))))[:, 0, 0].tolist() == [1, 1, 1]


def test_a_mask_is_white_where_the_style_goes():
    image = Image.new("L", (20, 20))
    image.paste(255, (0, 0, 10, 20))
    mask = read_mask(bytes_of(image, "PNG"))
    assert mask.shape == (1, 20, 20) and mask[0, 0, 0] == 1 and mask[0, 0, 19] == 0


def test_of_an_animation_the_first_frame_is_used_and_it_is_said():
    frames = [plain(color=color) for color in ((255, 0, 0), (0, 255, 0))]
    picture = load_picture(bytes_of(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert "first frame" in picture.note
    assert picture.image[0].mean() > 0.9


def test_a_color_profile_is_converted_to_srgb():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = read_image(bytes_of(plain(), "PNG", icc_profile=profile))
    assert (image.mean((1, 2)) - torch.tensor([1.0, 128 / 255, 0.0])).abs().max() < 0.01
    broken = load_picture(bytes_of(plain(), "PNG", icc_profile=b"no profile at all" * 20))
    assert "color profile" in broken.note


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "The picture is empty; choose another picture."),
        (b"This is text.", "is not a readable picture; use JPEG, PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is an SVG drawing; export it as PNG first."),
        (huge_png(40_000), "The picture has more than 100 megapixels, the most that can be read. Save it smaller."),
        (bytes_of(plain(1, 1), "PNG"), "The picture is 1 x 1 px; it must be at least 16 px on each side."),
        (bytes_of(plain(300, 300), "JPEG", quality=95)[:700], "is damaged or cut off"),
    ],
)
def test_what_cannot_be_read_says_what_is_wrong(data, words):
    with pytest.raises(RequestError) as caught:
        read_image(data)
    assert words in str(caught.value)


def test_a_file_too_heavy_is_refused_unread(tmp_path):
    path = tmp_path / "heavy.png"
    with path.open("wb") as file:
        file.truncate(UPLOADS.bytes + 1)
    with pytest.raises(RequestError, match="heavy.png is 100 MB; pictures up to 100 MB"):
        read_image(path)
    with pytest.raises(RequestError, match="There is no file gone.png; check its name and folder."):
        read_image(tmp_path / "gone.png")


def test_limits_are_what_they_are_said_to_be(tmp_path):
    plain(100, 100).save(tmp_path / "a.png")
    size = (tmp_path / "a.png").stat().st_size
    assert read_image(tmp_path / "a.png", limits=Limits(size, 10_000)).shape == (3, 100, 100)
    for limits, words in ((Limits(size - 1, 10_000), "pictures up to 0 MB"), (Limits(size, 9_999), "pictures up to 0 megapixels")):
        for source in (tmp_path / "a.png", (tmp_path / "a.png").read_bytes()):
            with pytest.raises(RequestError, match=words):
                read_image(source, limits=limits)


def test_whatever_a_recipe_makes_can_be_read_again():
    largest = max(int(field.allowed.high) for recipe in RECIPES.values() for field in recipe.options.fields() if field.name == "size")
    assert read_header(huge_png(largest), PRINTS).size == (largest, largest)
    assert PRINTS.bytes > largest**2 * 4 * 2, "with 16 bits and alpha, of noise"
    with pytest.raises(RequestError, match="up to 100 megapixels"):
        read_header(huge_png(largest))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_settings_travel_inside_the_picture_and_nothing_else_does(tmp_path, suffix):
    settings = settings_of("optimize", {"size": 64, "seed": 7}, {"lite": "ab" * 32}, note="größer ünd 繁")
    path = tmp_path / f"out.{suffix}"
    write_image(path, picture(32, 48), settings=settings)
    assert read_settings(path) == settings
    assert settings["versions"].keys() == {"pentimento", "torch", "python"}
    with Image.open(path) as written:
        exif = written.getexif()
        assert not exif.get_ifd(ExifTags.IFD.GPSInfo) and ExifTags.Base.Make not in exif
    if suffix == "png":
        assert (read_image(path) - picture(32, 48)).abs().max() <= 0.5 / 255 + 1e-6


def test_a_picture_from_elsewhere_has_no_settings(tmp_path):
    plain().save(tmp_path / "other.png")
    with pytest.raises(RequestError, match="other.png contains no settings"):
        read_settings(tmp_path / "other.png")


def test_nothing_is_left_where_a_picture_cannot_be_written(tmp_path):
    with pytest.raises(RequestError, match=r"out.bmp does not end in a suffix that can be written; use .png, .jpg, .webp, .avif or .tif."):
        write_image(tmp_path / "out.bmp", picture(16, 16))
    with pytest.raises(RequestError, match="The folder for out.png does not exist"):
        write_image(tmp_path / "none" / "out.png", picture(16, 16))
    assert list(tmp_path.iterdir()) == []


def test_sizes_keep_the_shape():
    image = picture(30, 60)
    assert fit(image, 20).shape == (3, 10, 20)
    assert fit(image, 600).shape == (3, 30, 60)
    assert fit(image, 120, enlarge=True).shape == (3, 60, 120)
    assert fit_short(image, 15).shape == (3, 15, 30)
    flat = torch.full((3, 30, 60), 0.3)
    torch.testing.assert_close(resize(flat, (7, 11)), torch.full((3, 7, 11), 0.3))


def test_an_unknown_background_color_is_refused():
    with pytest.raises(RequestError, match="background is blurple; it must be a color name or #rrggbb."):
        over(picture(16, 16), torch.ones(1, 16, 16), "blurple")


@pytest.mark.slow
def test_a_hundred_megapixels_are_read_small_within_a_gigabyte():
    # In a process of its own: the peak of a process is known only from its whole life.
    code = """
import io, resource, sys, zlib
from PIL import Image
from style_core.media.images import read_image
import struct

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

side = 10_000
deflate, rows = zlib.compressobj(1), []
for row in range(side):
    rows.append(deflate.compress(b"\\0" + bytes([row * 255 // side, 128, 0, 255]) * side))
png = b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0))
png += chunk(b"IDAT", b"".join(rows) + deflate.flush()) + chunk(b"IEND", b"")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
image = read_image(png, long_side=512)
used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
print(tuple(image.shape), f"{image[0, 0].mean():.2f} {image[0, -1].mean():.2f} {image[1].std():.4f}", used < 1000, used)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(3, 527, 527) 0.00 1.00 0.0000 True"), done.stdout


@pytest.mark.slow
def test_a_large_photo_is_decoded_smaller_and_looks_the_same():
    image = Image.effect_noise((5200, 3600), 40).resize((5200, 3600)).convert("RGB")
    data = bytes_of(image, "JPEG", quality=80)
    whole, reduced = read_image(data), read_image(data, long_side=600)
    assert whole.shape == (3, 3600, 5200) and reduced.shape[-1] >= 600 and reduced.numel() < whole.numel() / 20
    small = torch.nn.functional.interpolate(whole[None], reduced.shape[-2:], mode="area")[0]
    assert (small - reduced).abs().mean() < 0.02


def test_a_picture_that_does_not_fit_into_memory_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(reading, "available_bytes", lambda: 1e6)
    with pytest.raises(RequestError, match=r"The picture needs 0.0 GB of memory to be read, but only 0.0 GB are free; save it smaller."):
        read_image(bytes_of(plain(400, 400), "PNG"))


def test_pillow_s_own_guard_stays_on():
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(huge_png(40_000)))


def color_png(pixels: numpy.ndarray) -> bytes:
    """A 16-bit color PNG of `[H, W, 3 or 4]`."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_of_color_keep_their_depth(channels):
    ramp = numpy.linspace(0, 65535, 24 * 40 * channels).reshape(24, 40, channels).astype(numpy.uint16)
    read = load_picture(color_png(ramp), background="black")
    wanted = torch.from_numpy(ramp / 65535.0).float().permute(2, 0, 1)
    if channels == 4:
        torch.testing.assert_close(read.alpha, wanted[3:])
        wanted = wanted[:3] * wanted[3:]
    torch.testing.assert_close(read.image, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_a_floating_point_tiff_is_as_light_as_its_numbers_mean(white):
    ramp = numpy.linspace(0, white, 40 * 24, dtype=numpy.float32).reshape(24, 40)
    ramp[0, 0] = numpy.nan
    image = read_image(bytes_of(Image.fromarray(ramp), "TIFF"))
    assert torch.isfinite(image).all() and abs(float(image.mean()) - 0.5) < 0.01


def test_targa_and_photoshop_files_are_read(tmp_path):
    plain().save(tmp_path / "a.tga")
    assert (read_image(tmp_path / "a.tga").mean((1, 2)) - torch.tensor([1.0, 128 / 255, 0.0])).abs().max() < 0.01
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 24, 40, 8, 3) + struct.pack(">IIIH", 0, 0, 0, 0)
    flat = header + b"".join(bytes([value]) * (24 * 40) for value in (255, 128, 0))
    assert (read_image(flat).mean((1, 2)) - torch.tensor([1.0, 128 / 255, 0.0])).abs().max() < 0.01


def deep_tiff(pixels: numpy.ndarray, turned: int = 1, *, tiled: bool = False, alpha: int = 0) -> bytes:
    """A TIFF of 16 bits a channel, which Pillow can't write.

    Args:
        pixels: `[H, W, C]`; 16 x 16 px if it is to be a single tile.
        alpha: 1 if colors are multiplied by it, 2 if not, 0 without any.
    """
    height, width, count = pixels.shape
    data, bits = pixels.astype("<u2").tobytes(), struct.pack(f"<{count}H", *[16] * count)
    where, size = 8 + len(bits), len(data)
    entries = {
        256: (4, 1, width), 257: (4, 1, height), 258: (3, count, 8), 259: (3, 1, 1), 262: (3, 1, 2), 274: (3, 1, turned), 277: (3, 1, count),
    }  # fmt: skip
    if tiled:
        entries |= {322: (3, 1, width), 323: (3, 1, height), 324: (4, 1, where), 325: (4, 1, size)}
    else:
        entries |= {273: (4, 1, where), 278: (4, 1, height), 279: (4, 1, size)}
    if alpha:
        entries[338] = (3, 1, alpha)
    table = b"".join(struct.pack("<HHII", number, *entry) for number, entry in sorted(entries.items()))
    return struct.pack("<2sHI", b"II", 42, where + size) + bits + data + struct.pack("<H", len(entries)) + table + bytes(4)


def of_one_color(*color: int) -> numpy.ndarray:
    return numpy.tile(numpy.array(color, numpy.uint16), (16, 16, 1))


@pytest.mark.parametrize("given", [{}, {"tiled": True}])
def test_tiles_of_sixteen_bits_are_read_like_strips(given):
    image = read_image(deep_tiff(of_one_color(65535, 32768, 0), **given))
    assert (image.mean((1, 2)) - torch.tensor([1.0, 0.5, 0.0])).abs().max() < 0.01


def test_colors_that_are_multiplied_by_their_alpha_are_divided_by_it():
    straight, multiplied = (
        load_picture(deep_tiff(of_one_color(*colors), alpha=kind))
        for colors, kind in (((60000, 30000, 0, 32768), 2), ((30000, 15000, 0, 32768), 1))
    )
    assert (straight.image - multiplied.image).abs().max() < 0.02 and abs(float(multiplied.alpha.mean()) - 0.5) < 0.01


def test_a_phone_s_heic_is_read(tmp_path):
    plain(64, 48).save(tmp_path / "a.heic", quality=95)
    image = read_image(tmp_path / "a.heic")
    assert image.shape == (3, 48, 64) and (image.mean((1, 2)) - torch.tensor([1.0, 0.5, 0.0])).abs().max() < 0.03


@pytest.mark.parametrize("turned", range(1, 9))
def test_every_orientation_is_read_as_pillow_shows_it(turned):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turned
    ramp = Image.fromarray(numpy.arange(24 * 40 * 3, dtype=numpy.uint16).astype(numpy.uint8).reshape(24, 40, 3))
    data = bytes_of(ramp, "PNG", exif=exif.tobytes())
    with Image.open(io.BytesIO(data)) as opened:
        wanted = numpy.array(ImageOps.exif_transpose(opened))
    assert torch.equal(read_image(data), torch.from_numpy(wanted).permute(2, 0, 1) / 255)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "avif", "tif"])
def test_every_format_is_written_in_srgb_with_dpi_settings_and_transparency(tmp_path, suffix):
    if suffix == "avif" and not Image.registered_extensions().get(".avif"):
        pytest.skip("this Pillow was built without AVIF")
    image, alpha, path = picture(40, 64), torch.ones(1, 40, 64), tmp_path / f"out.{suffix}"
    alpha[..., :32] = 0
    settings = settings_of("optimize", {"size": 64}, note="größer ünd 繁")
    write_image(path, image, settings=settings, alpha=alpha, dpi=300, quality=90)
    read = load_picture(path)
    assert read_settings(path) == settings and read.image.shape == image.shape
    assert (read.image[..., 34:] - image[..., 34:]).abs().mean() < 0.05
    assert (read.alpha is None) == (suffix == "jpg") and (read.alpha is None or (read.alpha - alpha).abs().mean() < 0.02)
    with Image.open(path) as written:
        resolution = written.info.get("dpi", (written.getexif().get(ExifTags.Base.XResolution),))[0]
        assert abs(float(resolution) - 300) < 0.1
        assert "srgb" in written.info or b"s\0R\0G\0B" in written.info["icc_profile"] or b"sRGB" in written.info["icc_profile"]
    before = path.read_bytes()
    write_image(path, image, settings=settings, alpha=alpha, dpi=300, quality=90)
    assert path.read_bytes() == before, "the same picture is the same file"


@pytest.mark.parametrize(("suffix", "depth"), [("png", 16), ("tif", 16)])
@pytest.mark.parametrize("see_through", [False, True])
def test_sixteen_bits_are_written_and_read_again(tmp_path, suffix, depth, see_through):
    image = torch.linspace(0.2, 0.21, 3 * 700 * 2000).view(3, 700, 2000)  # more rows than a strip has
    alpha = torch.linspace(0, 1, 700 * 2000).view(1, 700, 2000) if see_through else None
    write_image(tmp_path / f"a.{suffix}", image, alpha=alpha, depth=depth)
    read = reading.read_pixels(reading.read_header(tmp_path / f"a.{suffix}"))
    torch.testing.assert_close(read.image, image, atol=1 / 65535, rtol=0)
    if see_through:
        torch.testing.assert_close(read.alpha, alpha, atol=1 / 65535, rtol=0)


def test_a_target_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    with pytest.raises(RequestError, match=r"can't be written \(File name too long\)"):
        check_writable(tmp_path / ("a" * 254 + ".png"))
    with pytest.raises(RequestError, match="folder.png is a folder; give the name of a file."):
        (tmp_path / "folder.png").mkdir()
        check_writable(tmp_path / "folder.png")
    write_image(tmp_path / ("a" * 251 + ".png"), picture(16, 16))
    with pytest.raises(RequestError, match="WEBP allows only 16383; use .png or .tif."):
        write_image(tmp_path / "long.webp", torch.zeros(3, 16, 16400))
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".png", ".png"], "nothing is left over"


def mutations(count: int):
    """Files of many formats with bytes changed, cut out, doubled, or cut off."""
    random = Random(0)
    image = Image.effect_noise((48, 32), 60).convert("RGB")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    whole = [
        bytes_of(image, "JPEG", exif=exif.tobytes(), icc_profile=profile), bytes_of(image, "PNG", icc_profile=profile),
        bytes_of(image.convert("P"), "PNG", transparency=3), bytes_of(image, "WEBP", exif=exif.tobytes()), bytes_of(image, "BMP"),
        bytes_of(image.convert("P"), "GIF", save_all=True, append_images=[image.convert("P")]), bytes_of(image, "TIFF", compression="tiff_lzw"),
        bytes_of(Image.fromarray(numpy.random.default_rng(0).random((32, 48), numpy.float32)), "TIFF"), bytes_of(image, "JPEG", progressive=True),
        bytes_of(image.convert("CMYK"), "JPEG"), bytes_of(image, "TGA"), color_png(numpy.full((32, 48, 3), 999, numpy.uint16)),
        b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 24, 40, 8, 3) + struct.pack(">IIIH", 0, 0, 0, 0) + bytes(3 * 24 * 40),
    ]  # fmt: skip
    if Image.registered_extensions().get(".avif"):
        whole.append(bytes_of(image, "AVIF"))
    for _ in range(count):
        data = bytearray(random.choice(whole))
        for _ in range(random.choice((1, 1, 3, 20))):
            # Headers are where it hurts.
            place = random.randrange(min(len(data), random.choice((40, 400, len(data)))))
            kind = random.randrange(4)
            if kind == 0:
                data[place] = random.choice((0, 1, 127, 128, 255, random.randrange(256)))
            elif kind == 1:
                del data[place : place + random.randrange(1, 12)]
            elif kind == 2:
                data[place:place] = data[place : place + random.randrange(1, 12)]
            else:
                data[place : place + 4] = struct.pack(random.choice("<>") + "I", random.choice((0, 1, 2**31 - 1, 2**32 - 1)))
            if len(data) < 4:
                break
        yield bytes(data if random.random() < 0.9 else data[: random.randrange(1, len(data) + 1)])


@pytest.mark.slow
def test_whatever_a_file_holds_it_is_read_or_refused_in_one_sentence(tmp_path):
    refused = 0
    for number, data in enumerate(mutations(2000)):
        try:
            read = load_picture(data)
            assert torch.isfinite(read.image).all() and 0 <= float(read.image.min()) and float(read.image.max()) <= 1
        except RequestError as error:
            refused += 1
            assert str(error).endswith(".") and len(str(error)) < 300
        if number % 4 == 0:
            (tmp_path / "a.png").write_bytes(data)
            for ask in (size_of, read_settings):
                with suppress(RequestError):
                    ask(tmp_path / "a.png")
    assert refused > 300


def test_only_the_first_page_of_a_tiff_is_looked_at():
    data = bytes_of(plain(), "TIFF", save_all=True, append_images=[plain()])
    read = load_picture(data)
    assert read.note == "The picture has several pages; its first page is used."
    assert load_picture(bytes_of(plain(), "TIFF")).note == ""
    entry = data.rindex(struct.pack("<HHI", 258, 3, 3))  # the second page's bits per channel become a kind that can't be read
    at = struct.unpack("<I", data[entry + 8 : entry + 12])[0]
    strange = load_picture(data[:at] + struct.pack("<3H", 5, 6, 7) + data[at + 6 :])
    assert strange.note == read.note and torch.equal(strange.image, read.image)


def huge_png(side: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of side x side pixels without its pixels."""
    header = (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0))
    parts = [header, *chunks, (b"IDAT", b"not pixels")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def test_settings_are_found_without_decoding_the_picture(tmp_path):
    path = tmp_path / "print.png"
    stored = settings_of("optimize", {"size": 12288})
    path.write_bytes(huge_png(12288, (b"iTXt", b"pentimento\0\0\0\0\0" + json.dumps(stored).encode())))
    assert read_settings(path) == stored
    path.write_bytes(huge_png(12288))
    with pytest.raises(RequestError, match="print.png contains no settings"):
        read_settings(path)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "text"])
def test_files_that_hold_no_settings_are_not_opened_for_them(tmp_path, kind):
    path = tmp_path / "other.png"
    path.write_bytes(b"a letter" if kind == "text" else bytes_of(plain(), kind))
    with pytest.raises(RequestError, match="other.png contains no settings"):
        read_settings(path)


def linear_profile() -> bytes:
    """The profile of linear light with the primaries of sRGB, whose name it bears, too."""
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    at = plain.index(b"para", 200)  # the curve, of type 3, becomes one of type 0: a power, here 1
    return plain[: at + 8] + bytes(4) + (1 << 16).to_bytes(4, "big") + plain[at + 16 :]


@pytest.mark.parametrize("turned", range(2, 9))
@pytest.mark.parametrize("bits", [8, 16])
def test_a_tiff_is_turned_once(turned, bits):
    ramp = numpy.arange(24 * 40 * 3, dtype=numpy.uint16).reshape(24, 40, 3)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turned
    upright = Image.fromarray(ramp.astype(numpy.uint8))
    wanted = ImageOps.exif_transpose(Image.open(io.BytesIO(bytes_of(upright, "PNG", exif=exif.tobytes()))))
    if bits == 8:
        data = bytes_of(upright, "TIFF", tiffinfo={ExifTags.Base.Orientation: turned})
    else:
        data = deep_tiff((ramp % 256).astype(numpy.uint16) * 257, turned)
    assert torch.equal(read_image(data), torch.from_numpy(numpy.array(wanted)).permute(2, 0, 1) / 255)
    assert size_of(io.BytesIO(data)) == wanted.size[::-1]


@pytest.mark.parametrize("kind", ["8 bits", "16 bits", "palette"])
def test_linear_light_is_read_as_light_whatever_the_profiles_name(kind):
    if kind == "16 bits":
        plain = color_png(numpy.full((16, 16, 3), 0.214 * 65535, numpy.uint16))
        profile = zlib.compress(linear_profile())
        chunk = b"iCCP" + b"sRGB linear\0\0" + profile
        data = plain[:33] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + plain[33:]
    else:
        image = Image.new("RGB", (16, 16), (55, 55, 55))
        image = image.quantize(4) if kind == "palette" else image
        data = bytes_of(image, "PNG", icc_profile=linear_profile())
    assert float(read_image(data).mean()) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("profile", [b"", linear_profile()], ids=["plain", "profile"])
def test_a_transparent_color_stays_transparent(profile):
    image = Image.new("RGB", (16, 16), (10, 200, 30))
    image.paste((200, 10, 30), (0, 0, 8, 16))
    picture = load_picture(bytes_of(image, "PNG", transparency=(10, 200, 30), **({"icc_profile": profile} if profile else {})))
    assert picture.alpha is not None and float(picture.alpha.mean()) == 0.5


def test_a_gray_tiff_in_which_white_is_0_is_no_negative():
    gray = Image.fromarray(numpy.tile(numpy.arange(0, 65536, 2048, dtype=numpy.uint16), (16, 1)))
    data = bytes_of(gray, "TIFF", tiffinfo={262: 0})
    read = read_image(data)
    assert float(read[..., 0].mean()) > 0.9 and float(read[..., -1].mean()) < 0.1
