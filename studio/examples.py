"""Example photos and paintings, shown as rows of tiles; the studio opens with the first of each."""

from pathlib import Path

import gradio as gr

from studio import files, i18n
from studio.events import IMMEDIATE
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


def photo_of(name: str) -> str | dict:
    """The file of an example photo; no change if none is chosen."""
    return _chosen(examples(), name)


def name_of(path: str | None) -> str:
    """The name of an example photo, or empty for another one."""
    return next((name for name, file in examples().items() if str(file) == path), "")


def example_tiles(elem_id: str) -> Tiles:
    """A row of example photos; the first one is chosen."""
    return _row(examples(), "EXAMPLE", "EXAMPLES", elem_id, value=name_of(first_photo()))


def paintings() -> dict[str, Path]:
    """Our own example paintings by name; Paint opens with the first."""
    found = [SAMPLES / f"{name}.jpg" for name in _PAINTINGS] + sorted((SAMPLES / "styles").glob("*.jpg"))
    return {path.stem: path for path in found if path.is_file()}


def first_painting() -> str:
    """The painting that Paint opens with."""
    return str(next(iter(paintings().values())))


def painting_of(name: str) -> str | dict:
    """The file of an example painting; no change if none is chosen."""
    return _chosen(paintings(), name)


def painting_tiles(elem_id: str) -> Tiles:
    """A row of example paintings; the first one is chosen."""
    return _row(paintings(), "PAINTING", "PAINTINGS", elem_id, value=next(iter(paintings())))


def mark_painting(style: gr.Image, tiles: Tiles) -> None:
    """Mark the example painting that an input shows, and none while it shows another picture."""

    def name_of_copy(path: str | None) -> str:
        return next((name for name, file in paintings().items() if files.looks_like_same_file(path, str(file))), "")

    style.change(name_of_copy, style, tiles, **IMMEDIATE)


def _chosen(there: dict[str, Path], name: str) -> str | dict:
    """The file of a name; no change if there is none."""
    return str(there[name]) if name in there else gr.skip()


def _row(there: dict[str, Path], kind: str, name: str, elem_id: str, value: str = "") -> Tiles:
    """A row of tiles; `kind` begins the keys of their titles, and `name` is the row's own key."""
    tiles = [Tile(one, path, i18n.in_each_language(f"{kind}_{one.replace('-', '_').upper()}")) for one, path in there.items()]
    return Tiles(
        tiles, name=i18n.in_each_language(name), value=value, searched=False, deselects=False, side=_TILE, elem_id=elem_id,
        elem_classes="examples",
    )  # fmt: skip
