"""Looks of a dream: named sets of settings, each chosen by eye, with a picture of what it does."""

from dataclasses import dataclass

import gradio as gr

from studio import words
from studio.tiles import Tile, Tiles
from style_core.weights.layer_pictures import layer_pictures


@dataclass(frozen=True)
class Look:
    """A look.

    Attributes:
        name: of its title in `words`, as `LOOK_NAME`.
        layer: as `DreamOptions` has it; its tile is the picture of what that layer likes to see.
        octaves, iterations, strength, extractor: as `DreamOptions` has them.
    """

    name: str
    layer: str
    octaves: int = 4
    iterations: int = 15
    strength: float = 0.5
    # A channel's number means nothing to another network.
    extractor: str = "lite"


LOOKS = (
    Look("eyes", "relu4_2", extractor="auto"),
    Look("swirls", "relu3_3[67]"),
    Look("scales", "relu3_3[45]"),
    Look("fur", "relu4_2[3]"),
    Look("creatures", "relu4_4", extractor="auto"),
    Look("arches", "relu5_1[145]"),
    Look("rainbows", "relu4_4[130]"),
    Look("towers", "relu4_2[95]"),
)
_FIELDS = ("layer", "octaves", "iterations", "strength", "extractor")


def build(option_controls: dict[str, gr.components.Component]) -> Tiles:
    """Tiles of the looks; a click sets the options of one."""
    pictures = {picture.term: picture.path for picture in layer_pictures()}
    tiles = [Tile(look.name, pictures[look.layer], words.in_each_language(f"LOOK_{look.name.upper()}")) for look in LOOKS]
    wall = Tiles(tiles, name=words.in_each_language("LOOKS"), searched=False, elem_id="dream-looks", elem_classes="looks")
    by_name = {look.name: look for look in LOOKS}

    def choose(name: str) -> list:
        look = by_name.get(name)
        return [gr.skip() if look is None else getattr(look, field) for field in _FIELDS]

    wall.input(choose, wall, [option_controls[name] for name in _FIELDS], queue=False, show_progress="hidden", api_visibility="private")
    return wall
