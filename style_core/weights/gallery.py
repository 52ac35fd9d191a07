"""The gallery: named styles that ship as codes and Gram matrices, so that no upload is needed."""

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
from style_core.matrices import eigh
from style_core.networks.vgg19 import STYLE_LAYERS
from style_core.weights.registry import MODELS, WeightsError, read_table, registry

FROM_GALLERY = "gallery:"  # before a style's name, where a painting's path may stand too
CODES, GRAMS = "gallery.safetensors", "gallery-grams.safetensors"  # their files in `models/`
CODE_SCALES = (0.5, 1.0, 2.0)  # brush sizes of the shipped codes, each twice the one before
GRAM_RANK = 16  # of the shipped Gram matrices, which few eigenvectors describe well


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
    _check_name(name)
    made_for, codes = _stored(CODES, _changed(CODES))
    if generator_sha256 and made_for != generator_sha256:
        raise RequestError("The gallery's codes belong to another generator; make them again with style_core.training.gallery.")
    return _at_scale(_entry(codes, name, CODES), scale)


def gallery_grams(name: str, scale: float = 1.0) -> dict[str, Tensor]:
    """A style's Gram matrices in the features of `lite`, `[1, C, C]` by layer, as `StyleTarget.grams` has them.

    Args:
        scale: as in `gallery_code`.
    Raises:
        RequestError: for an unknown name, or matrices made for another `lite`.
    """
    _check_name(name)
    made_for, factors = _stored(GRAMS, _changed(GRAMS))
    if made_for != registry()["lite"].sha256:
        raise RequestError("The gallery's Gram matrices belong to another lite; make them again with style_core.training.gallery.")
    found = {}
    for layer in STYLE_LAYERS:
        factor = _entry(factors, f"{name}.{layer}", GRAMS)  # [len(CODE_SCALES), C, GRAM_RANK]
        found[layer] = _at_scale(gram_from(factor), scale)
    return found


def gram_factor(gram: Tensor) -> Tensor:
    """The factor `[C, r]` of the best approximation `F F^T` of a Gram matrix `[C, C]`, with `r` at most `GRAM_RANK`."""
    values, vectors = eigh(gram.double())
    rank = min(GRAM_RANK, len(values))
    return (vectors[:, -rank:] * values[-rank:].clamp_min(0).sqrt()).float()


def gram_from(factor: Tensor) -> Tensor:
    """The Gram matrices `[..., C, C]` of factors `[..., C, r]`."""
    return factor @ factor.mT


def _check_name(name: str) -> None:
    if name not in gallery():
        raise RequestError("There is no style {style} in the gallery; there are {known}.", style=name, known=", ".join(gallery()))


def _entry(stored: Mapping[str, Tensor], key: str, file: str) -> Tensor:
    if key not in stored:
        raise WeightsError("{file} in models/ is missing or damaged; get the project's files again.", file=file)
    return stored[key]


def _at_scale(at_scales: Tensor, scale: float) -> Tensor:
    """Values stored at `CODE_SCALES`, interpolated, `[1, ...]`."""
    place = log2(min(max(scale, CODE_SCALES[0]), CODE_SCALES[-1]) / CODE_SCALES[0])
    lower = min(int(place), len(CODE_SCALES) - 2)
    return torch.lerp(at_scales[lower], at_scales[lower + 1], place - lower)[None]


def verify_gallery() -> str:
    """Read every style's code, Gram matrices and thumbnail again.

    Returns:
        A sentence: what was found.
    Raises:
        WeightsError: when something is missing, damaged, or belongs to another generator.
    """
    _stored.cache_clear()
    sha256 = registry()["generator"].sha256
    for style in gallery().values():
        gallery_code(style.name, sha256)
        gallery_grams(style.name)
        try:
            with Image.open(style.thumbnail) as thumbnail:
                thumbnail.load()
        except (OSError, SyntaxError, ValueError) as error:
            raise WeightsError(
                "{file} in models/ is missing or damaged; get the project's files again.", file=style.thumbnail.name
            ) from error
    return f"good ({len(gallery())} styles)"


def tensors_digest(values: Mapping[str, Tensor]) -> str:
    """The sha256 of all values, stored in their file's metadata."""
    digest = hashlib.sha256()
    for name in sorted(values):
        digest.update(name.encode() + values[name].contiguous().numpy().tobytes())
    return digest.hexdigest()


def _changed(file: str) -> int:
    path = MODELS / file
    return path.stat().st_mtime_ns if path.is_file() else 0


@lru_cache(maxsize=2)
def _stored(name: str, changed: int) -> tuple[str, dict[str, Tensor]]:
    """The network that a file's values were made for, and all of them in float32; checked once, until the file changes."""
    try:
        with safe_open(MODELS / name, "pt") as file:
            facts = file.metadata() or {}
            values = {key: file.get_tensor(key) for key in file.keys()}
    except (SafetensorError, OSError) as error:
        raise WeightsError("{file} in models/ is missing or damaged; get the project's files again.", file=name) from error
    if facts.get("sha256", "") not in ("", tensors_digest(values)) or not all(torch.isfinite(value).all() for value in values.values()):
        raise WeightsError("{file} in models/ is missing or damaged; get the project's files again.", file=name)
    return facts.get("generator", facts.get("lite", "")), {key: value.float() for key, value in values.items()}
