"""Pictures too large to make in a test: files that begin like them and then break off."""

import struct
import zlib
from pathlib import Path


def huge_png(side: int) -> bytes:
    """The beginning of a square PNG of `side` x `side` px."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def write_broken_print(path: Path) -> None:
    """A file of more than 100 MB, and a picture of more than 100 megapixels, of which only the first rows are there."""
    with path.open("wb") as file:
        file.write(huge_png(10_100))
        file.truncate(101 * 2**20)


# What such a picture is refused with where a print may be read: not for its size.
BROKEN_PRINT = r"is damaged or cut off|GB are free"
