"""Pictures named on the command line."""

import argparse
import sys
from pathlib import Path

from torch import Tensor

from style_core.cli.masks import framed
from style_core.media.images import load_picture
from style_core.media.reading import PRINTS


def read_given(path: str | Path, given: argparse.Namespace | None = None) -> Tensor:
    """Read a picture and print the note about it. Keeps the photo's alpha with `--keep-alpha`."""
    picture = load_picture(path, background=getattr(given, "background", "white"), limits=PRINTS)
    if picture.note:
        print(picture.note, file=sys.stderr)
    if given is not None and getattr(given, "keep_alpha", False):
        given.transparency = None if picture.alpha is None else framed(picture.alpha, given)
    return picture.image if given is None else framed(picture.image, given)
