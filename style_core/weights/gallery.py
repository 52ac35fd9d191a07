"""The gallery: named styles that ship as codes, so that no upload is needed."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from math import log2
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from style_core.errors import RequestError
from style_core.weights.registry import MODELS

CODE_SCALES = (0.5, 1.0, 2.0)  # brush sizes at which codes ship, each twice the one before


@dataclass(frozen=True)
class GalleryStyle:
    """A style of the gallery.

    Attributes:
        name: as requested, such as `red-fuji`.
        title, painter: of the painting.
        file: of the painting, in the data that the code was made from.
        year: when it was painted, such as `1889` or `about 1830`; empty where it isn't told.
        museum: where it hangs; empty where it isn't told.
        category: what it is found under, such as `Impressionist`; empty for none.
    """

    name: str
    title: str
    painter: str
    file: str
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
    with (MODELS / "gallery.toml").open("rb") as file:
        return {name: GalleryStyle(name, **facts) for name, facts in tomllib.load(file).items()}


def gallery_code(name: str, generator_sha256: str = "", scale: float = 1.0) -> Tensor:
    """A style's code, `[1, 256]`.

    Args:
        generator_sha256: of the generator that will use it; codes of one generator don't fit another.
        scale: brush size. Codes ship at `CODE_SCALES`; between them they are interpolated, beyond them the nearest is taken.
    Raises:
        RequestError: for an unknown name, or codes made for another generator.
    """
    if name not in gallery():
        raise RequestError("There is no style {style} in the gallery; there are {known}.", style=name, known=", ".join(gallery()))
    with safe_open(MODELS / "gallery.safetensors", "pt") as codes:
        made_for = codes.metadata()["generator"]
        if generator_sha256 and made_for != generator_sha256:
            raise RequestError("The gallery's codes belong to another generator; make them again with style_core.training.gallery.")
        at_scales = codes.get_tensor(name).float()  # [len(CODE_SCALES), 256]
    place = log2(min(max(scale, CODE_SCALES[0]), CODE_SCALES[-1]) / CODE_SCALES[0])
    lower = min(int(place), len(CODE_SCALES) - 2)
    return torch.lerp(at_scales[lower], at_scales[lower + 1], place - lower)[None]
