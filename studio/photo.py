"""The visitor's photo, shared by all tabs."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeGuard

import gradio as gr
from gradio import utils

from studio import files
from studio.events import LAST, SILENT
from studio.examples import SAMPLES, examples, photo_of
from studio.tiles import Tiles


def may_be_shown(path: object) -> TypeGuard[str]:
    """Whether a path received from a browser is an existing picture that was uploaded, made or shipped here."""
    if not isinstance(path, str) or not os.path.isfile(path):
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
        one.input(lambda path, count=len(others): [path] * count, one, others, **LAST, **SILENT)
    chosen.upload(lambda path: [path] * len(everywhere), chosen, everywhere, **LAST, **SILENT)
    for wall in tiles:
        wall.input(lambda name: [photo_of(name)] * len(everywhere), wall, everywhere, **LAST, **SILENT)
