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


def share(inputs: dict[str, gr.Image], kept: gr.BrowserState, chosen: gr.UploadButton, tiles: Iterable[Tiles]) -> None:
    """Make the photo of one tab the photo of all.

    Args:
        inputs: the tabs' inputs, by tab.
        kept: path of the photo, in the visitor's browser.
        chosen: the button of the page's head, on which what is dropped or pasted anywhere is put too.
        tiles: rows of photos to try.
    """
    everywhere = list(inputs.values())
    quiet = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

    def spread(path: str | None, known: str | None, tab: str) -> list:
        if path == known or _same(path, known):
            return [gr.skip()] * (1 + len(everywhere))
        return [path, *(gr.skip() if other == tab else path for other in inputs)]

    for tab, photo in inputs.items():
        photo.change(lambda path, known, tab=tab: spread(path, known, tab), [photo, kept], [kept, *everywhere], **quiet)
    chosen.upload(lambda path: [path] * len(everywhere), chosen, everywhere, **quiet)
    for wall in tiles:
        wall.input(lambda name: [_served(name)] * len(everywhere), wall, everywhere, **quiet)


def _same(one: str | None, other: str | None) -> bool:
    """Whether two paths are copies of one file, which Gradio makes where it keeps what it shows."""
    paths = [Path(path) for path in (one, other) if path is not None and Path(path).is_file()]
    return len(paths) == 2 and len({(path.name, path.stat().st_size) for path in paths}) == 1


def _served(name: str) -> str | dict:
    """An example as a file that pages may ask for; nothing changes where none is chosen."""
    path = examples().get(name)
    return gr.skip() if path is None else str(path)
