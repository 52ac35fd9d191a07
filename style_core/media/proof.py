"""Prints in ink: how a picture would look printed with an ICC profile, and the picture in that profile's inks.

The conversions are littlecms', through Pillow, in 8 bits; strip by strip, so that they need no more memory than their result.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image, ImageCms
from torch import Tensor

from style_core.errors import RequestError
from style_core.files import check_target
from style_core.media.images import fit, row_strips, to_pil, writing
from style_core.media.settings import embed

_MOST_MB = 16  # of a profile
_LONGEST = 80  # characters of a profile's name
_INKS = "CMYK"
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION  # as picture editors do it
_VISIBLE = 5.0  # difference in CIELAB (CIE76) that counts; two to three is the least that most people see
_COMPARED_SIDE = 1024  # px, of the copy in which differences are counted


@dataclass(frozen=True)
class InkProfile:
    """The profile of a printer, an ink and a paper.

    Attributes:
        name: its own description, else the file's name; printable, at most 80 characters.
        data: the whole file, which goes into separated pictures.
    """

    name: str
    data: bytes

    def opened(self) -> ImageCms.ImageCmsProfile:
        return ImageCms.ImageCmsProfile(io.BytesIO(self.data))


@dataclass(frozen=True)
class Proof:
    """A soft proof.

    Attributes:
        image: `[3, H, W]` in sRGB: how the print looks.
        changed: share of the picture, in `[0, 1]`, whose color visibly changes in print, whatever the paper's color.
    """

    image: Tensor
    changed: float


def read_profile(path: str | Path) -> InkProfile:
    """Read a CMYK profile of a printer.

    Raises:
        RequestError: when the file is missing, no ICC profile, too large, or one of another kind.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MOST_MB * 2**20:
            raise RequestError("{file} is too large for a color profile; it may have at most {most} MB.", file=path.name, most=_MOST_MB)
        data = path.read_bytes()
    except OSError as error:
        raise RequestError("{file} can't be opened ({reason}).", file=path.name, reason=error.strerror or str(error)) from error
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(data)).profile
        kind, described = opened.xcolor_space.strip(), opened.profile_description or ""
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError) as error:
        raise RequestError("{file} is not a color profile; choose the .icc or .icm file of your printer.", file=path.name) from error
    if kind != _INKS:
        raise RequestError("{file} is a profile for {kind}; a print needs one for CMYK, from your printer.", file=path.name, kind=kind)
    name = " ".join("".join(letter if letter.isprintable() else " " for letter in described).split())
    return InkProfile(name[:_LONGEST] or path.stem[:_LONGEST], data)


def proof(image: Tensor, profile: InkProfile, *, paper: bool = False) -> Proof:
    """How an image `[3, H, W]` would look printed, relative colorimetric with black point compensation.

    Args:
        paper: also show the paper's own color; otherwise paper is shown white, as eyes take it for white.
    """
    printed = torch.empty_like(image, memory_format=torch.contiguous_format)
    plain = _printed(profile, paper=False)
    shown = _printed(profile, paper=True) if paper else plain
    for rows in row_strips(image):
        pixels = torch.from_numpy(numpy.array(_applied(to_pil(image[:, rows]), shown))).permute(2, 0, 1)
        torch.div(pixels, 255, out=printed[:, rows])
    return Proof(printed, _changed(to_pil(fit(image, _COMPARED_SIDE)), plain))


def write_separation(
    path: str | Path, image: Tensor, profile: InkProfile, *, dpi: float | None = None, settings: dict | None = None
) -> None:
    """Write an image `[3, H, W]` in a profile's inks: a CMYK TIFF that holds the profile, as print shops take it.

    Args:
        dpi: dots per inch; None stores none.
        settings: how the picture was made.
    Raises:
        RequestError: for a path that doesn't end in .tif or can't be written to.
    """
    path = Path(path)
    check_separation(path)
    with _in_words():
        transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), profile.opened(), "RGB", _INKS, _INTENT, _FLAGS)
    separated = Image.new(_INKS, (image.shape[-1], image.shape[-2]))
    for rows in row_strips(image):
        separated.paste(_applied(to_pil(image[:, rows]), transform), (0, rows.start))
    more: dict[str, Any] = {"dpi": (dpi, dpi)} if dpi else {}
    with writing(path) as aside:
        separated.save(aside, "TIFF", compression="tiff_lzw", icc_profile=profile.data, **embed(settings, "TIFF"), **more)


def check_separation(path: str | Path) -> None:
    """Check before any work that a separated picture can be written to a path.

    Raises:
        RequestError: as `write_separation`.
    """
    if Path(path).suffix.lower() not in (".tif", ".tiff"):
        raise RequestError("{file} does not end in .tif; a CMYK picture is saved as TIFF.", file=Path(path).name)
    check_target(path)


def _printed(profile: InkProfile, *, paper: bool) -> ImageCms.ImageCmsTransform:
    """From sRGB into inks and back to what the print looks like."""
    screen = ImageCms.createProfile("sRGB")
    shown = ImageCms.Intent.ABSOLUTE_COLORIMETRIC if paper else _INTENT
    flags = ImageCms.Flags.SOFTPROOFING | _FLAGS
    with _in_words():
        return ImageCms.buildProofTransform(screen, screen, profile.opened(), "RGB", "RGB", _INTENT, shown, flags)


@contextmanager
def _in_words() -> Iterator[None]:
    """Turn what littlecms says about a profile into a sentence."""
    try:
        yield
    except ImageCms.PyCMSError as error:
        raise RequestError("The color profile can't be used for printing ({reason}); choose another.", reason=str(error)) from error


def _applied(picture: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    converted = ImageCms.applyTransform(picture, transform)
    assert converted is not None  # None only for in-place transforms
    return converted


def _changed(picture: Image.Image, printed: ImageCms.ImageCmsTransform) -> float:
    """The share of pixels, in `[0, 1]`, that a print shows in a visibly different color."""
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    before, after = (_lab(_applied(each, to_lab)) for each in (picture, _applied(picture, printed)))
    return float(((before - after).norm(dim=-1) > _VISIBLE).float().mean())


def _lab(picture: Image.Image) -> Tensor:
    """A LAB picture of Pillow's as `[H, W, 3]`: L in `[0, 100]`, a and b in `[-128, 127]`."""
    pixels = torch.from_numpy(numpy.array(picture)).float()
    signed = torch.where(pixels > 127, pixels - 256, pixels)
    return torch.stack([pixels[..., 0] * (100 / 255), signed[..., 1], signed[..., 2]], -1)
