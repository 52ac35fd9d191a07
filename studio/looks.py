"""Looks of a dream: named sets of settings, each chosen by eye, with a picture of what it does."""

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from studio import words
from studio.tiles import Tile, Tiles

PICTURES = Path(__file__).parent / "samples" / "looks"


@dataclass(frozen=True)
class Look:
    """A look.

    Attributes:
        name: of its picture, and of its title in `words` as `LOOK_NAME`.
        layer, octaves, iterations, strength: as `DreamOptions` has them; chosen with the built-in network.
    """

    name: str
    layer: str
    octaves: int = 4
    iterations: int = 15
    strength: float = 0.5


LOOKS = (
    Look("swirls", "relu3_3"),
    Look("eyes", "relu4_2"),
)


def build(option_controls: dict[str, gr.components.Component]) -> Tiles:
    """Tiles of the looks; a click sets the options of one."""
    tiles = [Tile(look.name, PICTURES / f"{look.name}.jpg", words.in_each_language(f"LOOK_{look.name.upper()}")) for look in LOOKS]
    wall = Tiles(tiles, name=words.in_each_language("LOOKS"), searched=False, elem_id="dream-looks", elem_classes="looks")
    by_name = {look.name: look for look in LOOKS}

    def choose(name: str) -> list:
        look = by_name.get(name)
        return [gr.skip()] * 4 if look is None else [look.layer, look.octaves, look.iterations, look.strength]

    fields = [option_controls[name] for name in ("layer", "octaves", "iterations", "strength")]
    wall.input(choose, wall, fields, queue=False, show_progress="hidden", api_visibility="private")
    return wall
