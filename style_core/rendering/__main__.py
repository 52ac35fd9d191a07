"""Render our own pictures into files: `python -m style_core.rendering scenes|paintings|samples [NAME ...]`."""

import argparse
import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from style_core.rendering.paintings import PAINTINGS
from style_core.rendering.samples import SAMPLES
from style_core.rendering.scenes import LONG_SIDE, SCENES


@dataclass(frozen=True)
class Pictures:
    """A set of pictures.

    Attributes:
        renderers: functions that render them, by name.
        out: their folder.
        limit: largest size of a file in bytes.
        size: long side in pixels, which the functions take; None for pictures of a fixed size.
    """

    renderers: Mapping[str, Callable[..., Image.Image]]
    out: Path
    limit: int
    size: int | None = None


SETS = {
    "scenes": Pictures(SCENES, Path("studio/samples"), 250_000, LONG_SIDE),
    "paintings": Pictures(PAINTINGS, Path("studio/samples/styles"), 120_000),
    "samples": Pictures(SAMPLES, Path("studio/samples"), 400_000),
}


def save(image: Image.Image, path: Path, limit: int) -> int:
    """Write a JPEG of the highest quality up to 90 that stays below `limit` bytes; returns its size."""
    for quality in range(90, 30, -2):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
        if buffer.tell() <= limit:
            break
    path.write_bytes(buffer.getvalue())
    return buffer.tell()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m style_core.rendering", description="Render our own pictures into files.")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="SET")
    for kind, pictures in SETS.items():
        one = kinds.add_parser(kind, help=f"{len(pictures.renderers)} pictures.")
        one.add_argument("names", nargs="*", metavar="NAME", help=f"Pictures to render (default: all): {', '.join(pictures.renderers)}.")
        one.add_argument("--out", type=Path, default=pictures.out, help="Folder to write into.")
        if pictures.size is not None:
            one.add_argument("--size", type=int, default=pictures.size, help="Long side in pixels.")
    given = parser.parse_args()
    pictures = SETS[given.kind]
    for name in given.names:
        if name not in pictures.renderers:
            parser.error(f"There is no picture named {name}. Choose from: {', '.join(pictures.renderers)}.")
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.names or pictures.renderers:
        render = pictures.renderers[name] if pictures.size is None else partial(pictures.renderers[name], given.size)
        start = time.perf_counter()
        written = save(render(), given.out / f"{name}.jpg", pictures.limit)
        print(f"{name}: {written / 1000:.0f} kB in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
