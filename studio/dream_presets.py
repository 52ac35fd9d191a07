"""Presets of a dream: named settings, each chosen by eye, with a picture of what it does."""

from dataclasses import dataclass

import gradio as gr

from studio import i18n
from studio.tiles import Tile, Tiles
from style_core.weights.layer_pictures import layer_pictures


@dataclass(frozen=True)
class Preset:
    """A preset.

    Attributes:
        name: of its title in `words`, as `PRESET_NAME`.
        layer: as `DreamOptions` has it; its tile is the picture of what that layer likes to see.
        octaves, iterations, strength, extractor: as `DreamOptions` has them.
    """

    name: str
    layer: str
    octaves: int = 4
    iterations: int = 15
    strength: float = 0.15
    # A channel's number means nothing to another network.
    extractor: str = "lite"


PRESETS = (
    Preset("eyes", "relu4_2", extractor="auto"),
    Preset("swirls", "relu3_3[67]"),
    Preset("scales", "relu3_3[45]", strength=0.1),
    Preset("fur", "relu4_2[3]", strength=0.45),
    Preset("creatures", "relu4_4", extractor="auto"),
    Preset("arches", "relu5_1[145]", strength=0.2),
    Preset("rainbows", "relu4_4[130]"),
    Preset("towers", "relu4_2[95]", strength=0.08),
)
_FIELDS = ("layer", "octaves", "iterations", "strength", "extractor")


def build(option_controls: dict[str, gr.components.Component]) -> Tiles:
    """Tiles of the presets; a click sets the options of one."""
    pictures = {picture.term: picture.path for picture in layer_pictures()}
    tiles = [Tile(preset.name, pictures[preset.layer], i18n.in_each_language(f"PRESET_{preset.name.upper()}")) for preset in PRESETS]
    wall = Tiles(tiles, name=i18n.in_each_language("PRESETS"), searched=False, elem_id="dream-looks", elem_classes="looks")
    by_name = {preset.name: preset for preset in PRESETS}

    def choose(name: str) -> list:
        preset = by_name.get(name)
        return [gr.skip() if preset is None else getattr(preset, field) for field in _FIELDS]

    wall.input(choose, wall, [option_controls[name] for name in _FIELDS], queue=False, show_progress="hidden", api_visibility="private")
    return wall
