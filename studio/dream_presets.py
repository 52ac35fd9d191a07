"""Presets of Dream: named settings, chosen by eye, each with a picture."""

from dataclasses import dataclass

import gradio as gr

from studio import i18n
from studio.controls import Controls
from studio.events import IMMEDIATE, LAST
from studio.tiles import Tile, Tiles
from style_core.weights.layer_pictures import layer_pictures


@dataclass(frozen=True)
class Preset:
    """A preset.

    Attributes:
        name: its title is the text `PRESET_NAME`.
        layer: as in `DreamOptions`; its tile shows that layer's picture.
        octaves, iterations, strength, extractor: as in `DreamOptions`.
    """

    name: str
    layer: str
    octaves: int = 4
    iterations: int = 15
    strength: float = 0.15
    # Channel numbers are specific to a network.
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


def build(option_controls: Controls) -> Tiles:
    """Tiles of the presets; a click sets the options of one."""
    pictures = {picture.term: picture.path for picture in layer_pictures()}
    tiles = [Tile(preset.name, pictures[preset.layer], i18n.in_each_language(f"PRESET_{preset.name.upper()}")) for preset in PRESETS]
    name = i18n.in_each_language("PRESETS")
    wall = Tiles(tiles, name=name, searched=False, deselects=False, elem_id="dream-looks", elem_classes="looks")
    by_name = {preset.name: preset for preset in PRESETS}

    def choose(name: str) -> list:
        preset = by_name.get(name)
        return [gr.skip() if preset is None else getattr(preset, field) for field in _FIELDS]

    wall.input(choose, wall, [option_controls[name] for name in _FIELDS], **LAST, **IMMEDIATE)
    return wall
