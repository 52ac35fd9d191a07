"""The gallery: named styles that ship as codes, so that no upload is needed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import log2
from pathlib import Path

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor

from style_core.errors import RequestError
from style_core.weights.registry import MODELS, WeightsError, read_table, registry

CODES = "gallery.safetensors"  # their file in `models/`
CODE_SCALES = (0.5, 1.0, 2.0)  # brush sizes of the shipped codes, each twice the one before


@dataclass(frozen=True)
class GalleryStyle:
    """A style of the gallery.

    Attributes:
        name: as requested, such as `red-fuji`.
        title, painter: of the painting.
        file: file of the painting in the data that the code was made from; empty for our own paintings.
        picture: file in `studio/samples/styles` for our own paintings; empty for others.
        year: such as `1889` or `about 1830`; empty if unknown.
        museum: empty if unknown.
        category: such as `Impressionist`; empty for none.
    """

    name: str
    title: str
    painter: str
    file: str = ""
    picture: str = ""
    year: str | int = ""
    museum: str = ""
    category: str = ""

    @property
    def thumbnail(self) -> Path:
        """Our own sample picture painted in this style."""
        return MODELS / "gallery" / f"{self.name}.jpg"


@lru_cache(maxsize=1)
def gallery() -> dict[str, GalleryStyle]:
    """All styles of `models/gallery.toml`, by name."""
    try:
        return {name: GalleryStyle(name, **facts) for name, facts in read_table("gallery.toml").items()}
    except TypeError as error:  # an entry without a title, or with an unknown key
        raise WeightsError("{file} in models/ is missing or damaged; get the project's files again.", file="gallery.toml") from error


def gallery_code(name: str, generator_sha256: str = "", scale: float = 1.0) -> Tensor:
    """A style's code, `[1, 265]` as `Generator.encode_style` makes it.

    Args:
        generator_sha256: of the generator that will use it; codes of one generator don't fit another.
        scale: brush size. Codes ship at `CODE_SCALES`; they are interpolated between these and clamped beyond them.
    Raises:
        RequestError: for an unknown name, or codes made for another generator.
    """
    if name not in gallery():
        raise RequestError("There is no style {style} in the gallery; there are {known}.", style=name, known=", ".join(gallery()))
    made_for, codes = _codes((MODELS / CODES).stat().st_mtime_ns if (MODELS / CODES).is_file() else 0)
    if generator_sha256 and made_for != generator_sha256:
        raise RequestError("The gallery's codes belong to another generator; make them again with style_core.training.gallery.")
    if name not in codes:
        raise WeightsError("{file} in models/ is missing or damaged; get the project's files again.", file=CODES)
    at_scales = codes[name]  # [len(CODE_SCALES), 265]
    place = log2(min(max(scale, CODE_SCALES[0]), CODE_SCALES[-1]) / CODE_SCALES[0])
    lower = min(int(place), len(CODE_SCALES) - 2)
    return torch.lerp(at_scales[lower], at_scales[lower + 1], place - lower)[None]


def verify_gallery() -> str:
    """Read every style's code and thumbnail again.

    Returns:
        A sentence: what was found.
    Raises:
        WeightsError: when something is missing, damaged, or belongs to another generator.
    """
    _codes.cache_clear()
    sha256 = registry()["generator"].sha256
    for style in gallery().values():
        gallery_code(style.name, sha256)
        try:
            with Image.open(style.thumbnail) as thumbnail:
                thumbnail.load()
        except (OSError, SyntaxError, ValueError) as error:
            raise WeightsError(
                "{file} in models/ is missing or damaged; get the project's files again.", file=style.thumbnail.name
            ) from error
    return f"good ({len(gallery())} styles)"


def digest_of(codes: Mapping[str, Tensor]) -> str:
    """The sha256 of all codes, stored in their file's metadata."""
    digest = hashlib.sha256()
    for name in sorted(codes):
        digest.update(name.encode() + codes[name].contiguous().numpy().tobytes())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _codes(changed: int) -> tuple[str, dict[str, Tensor]]:
    """The generator that the codes were made for, and all of them in float32; checked once, until the file changes."""
    try:
        with safe_open(MODELS / CODES, "pt") as file:
            facts = file.metadata() or {}
            codes = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise WeightsError("{file} in models/ is missing or damaged; get the project's files again.", file=CODES) from error
    if facts.get("sha256", "") not in ("", digest_of(codes)) or not all(torch.isfinite(code).all() for code in codes.values()):
        raise WeightsError("{file} in models/ is missing or damaged; get the project's files again.", file=CODES)
    return facts.get("generator", ""), {name: code.float() for name, code in codes.items()}
