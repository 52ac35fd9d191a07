"""Small dreams of each layer, shipped with the weights, for choosing a layer by eye."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from style_core.weights.registry import MODELS

FOLDER = MODELS / "layers"


@dataclass(frozen=True)
class LayerPicture:
    """A dream from noise of one layer, or of one of its channels.

    Attributes:
        extractor: the network that it was made with.
        layer: such as `relu4_2`.
        channel: one channel of it; None for the whole layer.
    """

    extractor: str
    layer: str
    channel: int | None

    @property
    def term(self) -> str:
        """In the notation of `DreamOptions.layer`."""
        return self.layer if self.channel is None else f"{self.layer}[{self.channel}]"

    @property
    def path(self) -> Path:
        name = self.layer if self.channel is None else f"{self.layer}-{self.channel}"
        return FOLDER / f"{self.extractor}-{name}.jpg"


@lru_cache(maxsize=1)
def layer_pictures() -> tuple[LayerPicture, ...]:
    """All shipped layer pictures, shallow layers first, each whole layer before its channels."""
    found = []
    for path in FOLDER.glob("*.jpg"):
        extractor, layer, *channel = path.stem.split("-")
        found.append(LayerPicture(extractor, layer, int(channel[0]) if channel else None))
    return tuple(sorted(found, key=lambda picture: (picture.layer, -1 if picture.channel is None else picture.channel)))
