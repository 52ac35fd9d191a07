"""Pictures of our own rendered into files, by name, from a shell."""

import argparse
import io
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PIL import Image

from style_core.errors import RequestError


def save(image: Image.Image, path: Path, limit: int) -> int:
    """Write a JPEG of the best quality up to 90 that stays below `limit` bytes; returns its size."""
    for quality in range(90, 30, -2):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
        if buffer.tell() <= limit:
            break
    path.write_bytes(buffer.getvalue())
    return buffer.tell()


def run(module: str, pictures: Mapping[str, Callable[..., Image.Image]], out: Path, limit: int, size: int | None = None) -> None:
    """The command of a package of pictures.

    Args:
        module: as it is called: `python -m MODULE`.
        pictures: by name, what renders one.
        out: default folder.
        limit: bytes of a file.
        size: default long side in pixels, for pictures that take one.
    Raises:
        RequestError: for a name that isn't there.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description="Renders pictures of our own into files.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"Which; all of them if left out: {', '.join(pictures)}.")
    parser.add_argument("--out", type=Path, default=out, help="Folder to write into.")
    if size is not None:
        parser.add_argument("--size", type=int, default=size, help="Long side in pixels.")
    given = parser.parse_args()
    for name in given.names:
        if name not in pictures:
            raise RequestError(f"There is no picture named {name}. Choose from: {', '.join(pictures)}.")
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.names or pictures:
        render = pictures[name] if size is None else partial(pictures[name], given.size)
        start = time.perf_counter()
        written = save(render(), given.out / f"{name}.jpg", limit)
        print(f"{name}: {written / 1000:.0f} kB in {time.perf_counter() - start:.0f} s")
