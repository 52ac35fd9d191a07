"""A command that renders our own pictures, by name, into files."""

import argparse
import io
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PIL import Image

from style_core.errors import RequestError


def save(image: Image.Image, path: Path, limit: int) -> int:
    """Write a JPEG of the highest quality up to 90 that stays below `limit` bytes; returns its size."""
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
        module: the module's name in `python -m MODULE`.
        pictures: rendering functions by name.
        out: default folder.
        limit: largest size of a file in bytes.
        size: default long side in pixels, for pictures with a variable size.
    Raises:
        RequestError: for an unknown name.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description="Render our own pictures into files.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"Pictures to render (default: all): {', '.join(pictures)}.")
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
