"""The gallery: named styles that ship as codes, so that one click styles without an upload."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

from style_core.errors import RequestError
from style_core.weights.registry import MODELS


@dataclass(frozen=True)
class GalleryStyle:
    """A style of the gallery.

    Attributes:
        name: as it is asked for, such as `red-fuji`.
        title, painter: of the painting.
        file: of the painting, in the data that the code was made from.
    """

    name: str
    title: str
    painter: str
    file: str

    @property
    def thumbnail(self) -> Path:
        """Our own sample picture painted in this style."""
        return MODELS / "gallery" / f"{self.name}.jpg"


@lru_cache(maxsize=1)
def gallery() -> dict[str, GalleryStyle]:
    """All styles of `models/gallery.toml`, by name."""
    with (MODELS / "gallery.toml").open("rb") as file:
        return {name: GalleryStyle(name, **facts) for name, facts in tomllib.load(file).items()}


def gallery_code(name: str, generator_sha256: str = "") -> Tensor:
    """A style's code, `[1, 256]`.

    Args:
        generator_sha256: of the generator that will use it; a code means nothing to another one.
    Raises:
        RequestError: for an unknown name, or codes made for another generator.
    """
    if name not in gallery():
        raise RequestError("There is no style {style} in the gallery; there are {known}.", style=name, known=", ".join(gallery()))
    with safe_open(MODELS / "gallery.safetensors", "pt") as codes:
        made_for = codes.metadata()["generator"]
        if generator_sha256 and made_for != generator_sha256:
            raise RequestError("The gallery's codes belong to another generator; make them again with style_core.training.gallery.")
        return codes.get_tensor(name).float()
