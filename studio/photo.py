"""The visitor's photo, shared by all tabs."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeGuard

import gradio as gr
from gradio import utils

from studio import files, i18n
from studio.events import SILENT
from studio.tiles import Tile, Tiles

SAMPLES = Path(__file__).parent / "samples"
_MEDIA = Path(gr.__file__).parent / "media_assets" / "images"
# Our own, then those in Gradio's package, which are shown from there and never copied.
_OURS = ("mountain-lake", "still-life", "night-street", "bust", "landscape")
_GRADIOS = ("tower", "cheetah", "lion")
_PAINTINGS = ("night-wind", "ember-field")
_TILE = 72  # px, height of an example


def examples() -> dict[str, Path]:
    """Available example photos by name; the studio opens with the first."""
    found = {name: SAMPLES / f"{name}.jpg" for name in _OURS} | {name: _MEDIA / f"{name}.jpg" for name in _GRADIOS}
    there = {name: path for name, path in found.items() if path.is_file()}
    if len(there) > len(_GRADIOS) + 1:
        there.pop("landscape", None)  # the plainest one, used only if it is our only one
    return there


def first_photo() -> str:
    """The photo that the studio opens with."""
    return str(next(iter(examples().values())))


def example_tiles(elem_id: str) -> Tiles:
    """A row of example photos."""
    tiles = [Tile(name, path, i18n.in_each_language(f"EXAMPLE_{name.replace('-', '_').upper()}")) for name, path in examples().items()]
    return Tiles(tiles, name=i18n.in_each_language("EXAMPLES"), searched=False, side=_TILE, elem_id=elem_id, elem_classes="examples")


def paintings() -> dict[str, Path]:
    """Our own example paintings by name; Paint opens with the first."""
    found = [SAMPLES / f"{name}.jpg" for name in _PAINTINGS] + sorted((SAMPLES / "styles").glob("*.jpg"))
    return {path.stem: path for path in found if path.is_file()}


def first_painting() -> str:
    """The painting that Paint opens with."""
    return str(next(iter(paintings().values())))


def painting_of(name: str) -> str | dict:
    """The file of an example painting; no change if none is chosen."""
    path = paintings().get(name)
    return gr.skip() if path is None else str(path)


def painting_tiles(elem_id: str) -> Tiles:
    """A row of example paintings."""
    tiles = [Tile(name, path, name.replace("-", " ").capitalize()) for name, path in paintings().items()]
    return Tiles(tiles, name=i18n.in_each_language("PAINTINGS"), searched=False, side=_TILE, elem_id=elem_id, elem_classes="examples")


def may_be_shown(path: object) -> TypeGuard[str]:
    """Whether a path received from a browser is an existing picture that was uploaded, made or shipped here."""
    if not isinstance(path, str) or not Path(path).is_file():
        return False
    roots = (Path(utils.get_upload_folder()), files.folder(), SAMPLES)
    return any(Path(path).resolve().is_relative_to(root.resolve()) for root in roots) or path in map(str, examples().values())


def share(photo: gr.State, inputs: list[gr.Image], chosen: gr.UploadButton, tiles: Iterable[Tiles]) -> None:
    """Make the photo of one tab the photo of all.

    Reactions to a new photo follow the state, not the inputs, because inputs in hidden tabs report changes repeatedly. The state must
    be set in queued events, because Gradio reports a state's change only after those.

    Args:
        photo: path of the photo.
        inputs: the tabs' inputs.
        chosen: the upload button in the page's header, which also receives dropped and pasted pictures.
        tiles: rows of example photos.
    """
    everywhere = [photo, *inputs]
    for one in inputs:
        others = [photo, *(other for other in inputs if other is not one)]
        one.input(lambda path, count=len(others): [path] * count, one, others, **SILENT)
    chosen.upload(lambda path: [path] * len(everywhere), chosen, everywhere, **SILENT)
    for wall in tiles:
        wall.input(lambda name: [_served(name)] * len(everywhere), wall, everywhere, **SILENT)


def _served(name: str) -> str | dict:
    """An example as a file that the page may request; no change if none is chosen."""
    path = examples().get(name)
    return gr.skip() if path is None else str(path)
