"""Pictures to click on: tiles with categories, search, and favorites stored in the browser; and plain grids."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import processing_utils
from PIL import Image

from studio import i18n

_ASSETS = Path(__file__).parent / "assets"
_SCRIPT = (_ASSETS / "tiles.js").read_text(encoding="utf-8")
# Texts that the page's script shows in the visitor's language.
_TEXTS = ("TILES_SEARCH", "TILES_SURPRISE", "TILES_ALL", "TILES_FAVORITES", "TILES_KEEP", "TILES_NONE", "TILES_NO_FAVORITES")


@dataclass(frozen=True)
class Tile:
    """A picture to choose.

    Attributes:
        name: the value when it is chosen.
        picture: its file.
        title: its title, in English or by language.
        line: a second, smaller line; may be empty.
        category: its category; may be empty.
        note: shown with both when it is pointed at; may be empty.
    """

    name: str
    picture: Path
    title: str | dict[str, str]
    line: str | dict[str, str] = ""
    category: str | dict[str, str] = ""
    note: str | dict[str, str] = ""


class Tiles(gr.HTML):
    """A grid of tiles; its value is the chosen tile's name, or empty. `input` reports a visitor's choice."""

    is_template = True

    def __init__(
        self,
        tiles: list[Tile],
        *,
        name: str | dict[str, str],
        value: str = "",
        opens_at: str = "",
        searched: bool = True,
        deselects: bool = True,
        side: int = 0,
        **how,
    ):
        """Args:
        name: name of the grid, for screen readers.
        opens_at: the tile that is in sight before one is chosen.
        searched: whether to show search, favorites and categories.
        deselects: whether clicking the chosen tile again deselects it, or else chooses it again.
        side: px to which pictures are reduced; 0 serves the files unchanged.
        """
        super().__init__(
            value, html_template="<div class='tiles'></div>", js_on_load=_SCRIPT, apply_default_css=False,
            tiles=[], texts=i18n.in_all_languages(_TEXTS), name=name, opens_at=opens_at, searched=searched, deselects=deselects, **how,
        )  # fmt: skip
        self.props["tiles"] = [
            {
                "name": tile.name,
                "title": tile.title,
                "line": tile.line,
                "category": tile.category,
                "note": tile.note,
                "picture": self._served(tile.picture, side),
            }
            for tile in tiles
        ]

    def preprocess(self, payload: str | None) -> str:
        return payload if isinstance(payload, str) else ""

    def _served(self, path: Path, side: int) -> dict:
        """A reduced picture for the page, cached while the app runs."""
        # Outside the folder of uploads: what lies there already, Gradio would not copy.
        with tempfile.TemporaryDirectory() as folder:
            if side:
                small = Path(folder) / f"{path.stem}-{side}.jpg"
                with Image.open(path) as opened:
                    picture = opened.convert("RGB")
                    picture.thumbnail((2 * side, side))
                    picture.save(small, quality=85)
                path = small
            file = {"path": str(path), "meta": {"_type": "gradio.FileData"}}
            return processing_utils.move_files_to_cache(file, self, postprocess=True, keep_in_cache=True)


def picture_grid(elem_id: str, columns: int, pictures: list[tuple[str, str]] | None = None, **how: Any) -> gr.Gallery:
    """A grid of changing pictures, given as files and captions; `select` reports a click, which opens none of them large."""
    return gr.Gallery(
        pictures, columns=columns, object_fit="cover", allow_preview=False, interactive=False, buttons=[], elem_id=elem_id, **how
    )
