"""Results as files: written once, at full size, with their settings and how they came about; old ones are swept away."""

import atexit
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from style_core import RequestError, read_image, read_settings, write_image
from style_core.media.images import fit, resize
from style_core.media.video import FrameWriter

KINDS = ("png", "jpg", "webp")
_PREFIX = "pentimento-results-"
MOST_UPLOADS = 4 * 2**30  # bytes of all uploads and of what was shown of results, together
_UPLOADS_KEPT = 3 * 3600  # seconds, as the page keeps them itself
_KEEP_SECONDS = 2 * 3600
_FRAME_SIDE = 1024  # px: what is kept of how a picture formed
_MOST_FRAMES = 96  # beyond them every other one is let go
_FILM_FPS = 12
_BEFORE, _SHOWN = "before.png", "shown.jpg"
_folder: Path | None = None


def folder() -> Path:
    """This process's folder for results, removed when it ends."""
    global _folder
    if _folder is None:
        _folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    return _folder


def sweep_at_start(uploads: str | Path) -> None:
    """Remove what processes that were killed left behind: their results, and uploads that are old or too many."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        owner = left.name.removeprefix(_PREFIX).split("-")[0]
        # In a container the process before had the same number.
        if left != _folder and owner.isdecimal() and (int(owner) == os.getpid() or not _runs(int(owner))):
            shutil.rmtree(left, ignore_errors=True)
    sweep_uploads(uploads, set())


def sweep_uploads(uploads: str | Path, kept: set[str], coming: int = 0) -> None:
    """Make room in the upload folder: what is old goes, and of the rest the oldest, until all fits with what is `coming`.

    Args:
        kept: paths that stay, whatever their age.
        coming: bytes of the upload for which there is to be room.
    """
    found = []
    for path in Path(uploads).rglob("*"):
        with suppress(OSError):  # another request may have removed it just now
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode) and str(path) not in kept:
                found.append((status.st_ctime, status.st_size, path))
    total = sum(size for _, size, _ in found) + coming
    for made, size, path in sorted(found):
        if time.time() - made < _UPLOADS_KEPT and total <= MOST_UPLOADS:
            break
        with suppress(OSError):
            path.unlink()
            path.parent.rmdir()  # fails, and stays, where something else lies in it
        total -= size


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it runs as somebody else
        return True
    return True


def place() -> Path:
    """A new folder for one result and what belongs to it."""
    _sweep()
    return Path(tempfile.mkdtemp(dir=folder()))


def save(image, recipe: str, settings: dict, where: Path | None = None) -> str:
    """Write a result as PNG and return its path."""
    path = (where or place()) / f"pentimento-{recipe}-{time.strftime('%Y%m%d-%H%M%S')}.png"
    if path.exists():
        path = path.with_stem(f"{path.stem}-{time.monotonic_ns() % 100_000}")
    write_image(path, image, settings=settings)
    return str(path)


def converted(path: str, kind: str) -> str:
    """The same result, with its settings, as another kind of file: one of `KINDS`."""
    source = Path(path)
    target = source.with_suffix(f".{kind}")
    if not target.exists():
        try:
            settings = read_settings(source)
        except RequestError:
            settings = None  # a picture that was handed in carries none
        write_image(target, read_image(source), settings=settings)
    return str(target)


def is_ours(path: object) -> bool:
    """Whether a path that comes back from a browser is a result of this process that still exists."""
    return isinstance(path, str) and Path(path).is_file() and Path(path).resolve().is_relative_to(folder().resolve())


def same_picture(one: str | None, other: str | None) -> bool:
    """Whether two paths are copies of one file, which Gradio makes where it keeps what it shows."""
    paths = [Path(path) for path in (one, other) if path is not None and Path(path).is_file()]
    return len(paths) == 2 and len({(path.name, path.stat().st_size) for path in paths}) == 1


@dataclass
class Trail:
    """How a picture came about: the photo it began with and the previews that were shown, in a result's own folder."""

    where: Path = field(default_factory=place)
    _kept: list[Path] = field(default_factory=list)
    _every: int = 1
    _seen: int = 0

    def add(self, image) -> None:
        """Keep a preview `[3, H, W]`, thinned out evenly once there are many."""
        self._seen += 1
        if self._seen % self._every:
            return
        path = self.where / f"frame-{self._seen:05}.jpg"
        write_image(path, fit(image, _FRAME_SIDE), quality=90)
        self._kept.append(path)
        if len(self._kept) > _MOST_FRAMES:
            for dropped in self._kept[::2]:
                dropped.unlink()
            self._kept, self._every = self._kept[1::2], 2 * self._every

    def begin(self, photo) -> str:
        """Keep the photo `[3, H, W]` that the picture began with; its path."""
        write_image(self.where / _BEFORE, photo)
        return str(self.where / _BEFORE)

    def show(self, image) -> str:
        """A small picture of the result for the page; its path."""
        write_image(self.where / _SHOWN, image, quality=90)
        return str(self.where / _SHOWN)


def before_of(path: str):
    """The photo `[3, H, W]` that a result began with, at the result's size; None where there was none."""
    kept = Path(path).with_name(_BEFORE)
    return read_image(kept) if kept.exists() else None


def way_to(path: str) -> list[Path]:
    """The kept frames on the way to a result, oldest first, without the result itself."""
    return sorted(Path(path).parent.glob("frame-*.jpg"))


def film_of(path: str, suffix: str) -> str:
    """How a result formed, as a film; the result is held for a second."""
    result = read_image(path)
    out = Path(path).with_name(f"{Path(path).stem}-film{suffix}")
    size = tuple(result.shape[-2:])
    if suffix == ".gif" or max(size) > _FRAME_SIDE:
        size = tuple(fit(result, 512 if suffix == ".gif" else _FRAME_SIDE).shape[-2:])
    with FrameWriter(out, _FILM_FPS) as writer:
        for frame in [*map(read_image, way_to(path)), *[result] * _FILM_FPS]:
            writer.add(resize(frame, size))
    return str(out)


def _sweep() -> None:
    for old in folder().iterdir():
        if time.time() - old.stat().st_mtime > _KEEP_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
