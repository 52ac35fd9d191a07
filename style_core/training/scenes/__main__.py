"""Renders scenes into files."""

import argparse
import io
import time
from pathlib import Path

from PIL import Image

from style_core.errors import RequestError
from style_core.training.scenes import LONG_SIDE, SCENES

_LIMIT = 250_000


def save(image: Image.Image, path: Path, limit: int = _LIMIT) -> int:
    """Write a JPEG of the best quality up to 90 that stays below `limit` bytes; returns its size."""
    for quality in range(90, 30, -2):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
        if buffer.tell() <= limit:
            break
    path.write_bytes(buffer.getvalue())
    return buffer.tell()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m style_core.training.scenes", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which scenes; all of them if left out: {', '.join(SCENES)}")
    parser.add_argument("--out", type=Path, default=Path("studio/samples"), help="folder to write into")
    parser.add_argument("--size", type=int, default=LONG_SIDE, help="long side in pixels")
    given = parser.parse_args()
    for name in given.names:
        if name not in SCENES:
            raise RequestError(f"There is no scene named {name}. Choose from: {', '.join(SCENES)}.")
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.names or SCENES:
        start = time.perf_counter()
        size = save(SCENES[name](given.size), given.out / f"{name}.jpg")
        print(f"{name}: {size / 1000:.0f} kB in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
