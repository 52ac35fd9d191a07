"""Results as files: written once, at full size, with their settings; old ones are swept away."""

import atexit
import shutil
import tempfile
import time
from pathlib import Path

from style_core import write_image

_KEEP_SECONDS = 2 * 3600
_folder: Path | None = None


def folder() -> Path:
    """This process's folder for results, removed when it ends."""
    global _folder
    if _folder is None:
        _folder = Path(tempfile.mkdtemp(prefix="pentimento-"))
        atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    return _folder


def save(image, recipe: str, settings: dict) -> str:
    """Write a result as PNG and return its path."""
    _sweep()
    place = Path(tempfile.mkdtemp(dir=folder()))
    path = place / f"pentimento-{recipe}-{time.strftime('%Y%m%d-%H%M%S')}.png"
    write_image(path, image, settings=settings)
    return str(path)


def _sweep() -> None:
    for place in folder().iterdir():
        if time.time() - place.stat().st_mtime > _KEEP_SECONDS:
            shutil.rmtree(place, ignore_errors=True)
