"""The photo of a visit: one for the whole studio, on whatever tab it was chosen."""

from collections.abc import Iterable
from pathlib import Path

import gradio as gr
from gradio import utils

from studio import files, i18n
from studio.tiles import Tile, Tiles

SAMPLES = Path(__file__).parent / "samples"
_MEDIA = Path(gr.__file__).parent / "media_assets" / "images"
# Ours, then those that come with Gradio's package: shown from there, never copied.
_OURS = ("mountain-lake", "still-life", "night-street", "bust", "landscape")
_GRADIOS = ("tower", "cheetah", "lion")
_PAINTINGS = ("night-wind", "ember-field")
_TILE = 72  # px, height of an example


def examples() -> dict[str, Path]:
    """Photos to try, by name, of those that are here; the first is what the studio opens with."""
    found = {name: SAMPLES / f"{name}.jpg" for name in _OURS} | {name: _MEDIA / f"{name}.jpg" for name in _GRADIOS}
    there = {name: path for name, path in found.items() if path.is_file()}
    if len(there) > len(_GRADIOS) + 1:
        there.pop("landscape", None)  # the plainest: only where there is no other of ours
    return there


def first_photo() -> str:
    """The photo that the studio opens with."""
    return str(next(iter(examples().values())))


def example_tiles(elem_id: str) -> Tiles:
    """A row of photos to try."""
    tiles = [Tile(name, path, i18n.in_each_language(f"EXAMPLE_{name.replace('-', '_').upper()}")) for name, path in examples().items()]
    return Tiles(tiles, name=i18n.in_each_language("EXAMPLES"), searched=False, side=_TILE, elem_id=elem_id, elem_classes="examples")


def paintings() -> dict[str, Path]:
    """Paintings of our own making to try, by name; the first is what Paint opens with."""
    found = [SAMPLES / f"{name}.jpg" for name in _PAINTINGS] + sorted((SAMPLES / "styles").glob("*.jpg"))
    return {path.stem: path for path in found if path.is_file()}


def first_painting() -> str:
    """The painting that Paint opens with."""
    return str(next(iter(paintings().values())))


def painting_of(name: str) -> str | dict:
    """The file of a painting to try; nothing changes where none is chosen."""
    path = paintings().get(name)
    return gr.skip() if path is None else str(path)


def painting_tiles(elem_id: str) -> Tiles:
    """A row of paintings to try."""
    tiles = [Tile(name, path, name.replace("-", " ").capitalize()) for name, path in paintings().items()]
    return Tiles(tiles, name=i18n.in_each_language("PAINTINGS"), searched=False, side=_TILE, elem_id=elem_id, elem_classes="examples")


def may_be_shown(path: object) -> bool:
    """Whether a path that comes back from a browser is a picture that was uploaded, made or shipped here, and is still there."""
    if not isinstance(path, str) or not Path(path).is_file():
        return False
    roots = (Path(utils.get_upload_folder()), files.folder(), SAMPLES)
    return any(Path(path).resolve().is_relative_to(root.resolve()) for root in roots) or path in map(str, examples().values())


def share(photo: gr.State, inputs: list[gr.Image], chosen: gr.UploadButton, tiles: Iterable[Tiles]) -> None:
    """Make the photo of one tab the photo of all.

    What is to happen with a new photo follows the state, not the inputs: an input in a hidden tab tells again and again that it
    changed. Whoever sets the state does so in a queued event, because Gradio tells of a state's change after no other.

    Args:
        photo: path of the photo.
        inputs: the tabs' inputs.
        chosen: the button of the page's head, on which what is dropped or pasted anywhere is put too.
        tiles: rows of photos to try.
    """
    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    everywhere = [photo, *inputs]
    for one in inputs:
        others = [photo, *(other for other in inputs if other is not one)]
        one.input(lambda path, count=len(others): [path] * count, one, others, **quiet)
    chosen.upload(lambda path: [path] * len(everywhere), chosen, everywhere, **quiet)
    for wall in tiles:
        wall.input(lambda name: [_served(name)] * len(everywhere), wall, everywhere, **quiet)


def _served(name: str) -> str | dict:
    """An example as a file that pages may ask for; nothing changes where none is chosen."""
    path = examples().get(name)
    return gr.skip() if path is None else str(path)
