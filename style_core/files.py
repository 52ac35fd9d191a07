"""Files: digests, checks of targets, and atomic writing."""

import hashlib
import itertools
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from style_core.errors import RequestError

_numbers, _numbers_lock = itertools.count(), threading.Lock()


def sha256_of(path: Path) -> str:
    """The file's sha256 in hexadecimal; cached until the file changes."""
    status = path.stat()
    return _sha256(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1024)  # a visitor's pictures must not crowd out the weights
def _sha256(path: Path, mtime: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def forget_digests() -> None:
    """Forget all cached digests."""
    _sha256.cache_clear()


def check_target(path: str | Path) -> Path:
    """Check before any work that a file can be written to a path, by writing a temporary file next to it.

    Raises:
        RequestError: if the folder is missing or read-only, the name is too long, or the path is a folder.
    """
    path = Path(path)
    if not os.path.isdir(path.absolute().parent):
        raise RequestError("The folder for {file} does not exist; create it first or choose another.", file=path.name)
    if os.path.isdir(path):
        raise RequestError("{file} is a folder; give the name of a file.", file=path.name)
    try:
        with suppress(FileNotFoundError):
            os.lstat(path)  # fails for a name that is too long, unlike the temporary file
        with tempfile.TemporaryFile(dir=path.absolute().parent) as probe:
            probe.write(b"\0")
    except OSError as error:
        raise not_writable(path, error) from error
    return path


def not_writable(path: Path, error: OSError) -> RequestError:
    """What the system says about a path that can't be written to, as the error to raise."""
    reason = error.strerror or str(error)
    return RequestError("{file} can't be written ({reason}); choose another folder or name.", file=_short(path.name), reason=reason)


def _short(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:40]}…{name[-15:]}"


@contextmanager
def written_aside(path: str | Path) -> Iterator[Path]:
    """A temporary path next to `path`, which replaces it when the block ends and is removed on failure."""
    path = Path(path)
    with _numbers_lock:
        number = next(_numbers)
    aside = path.absolute().parent / f".pentimento-{os.getpid()}-{number}{path.suffix}.part"
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
