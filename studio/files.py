"""Results as files: written once, at full size, with their settings and intermediate frames; old ones are removed."""

import atexit
import hashlib
import os
import shutil
import socket
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

from gradio import Blocks
from gradio.utils import get_upload_folder

from style_core import read_image, write_image
from style_core.media.images import ImageTensor, fit, resize
from style_core.media.proof import proof, read_profile, write_separation
from style_core.media.reading import PRINTS
from style_core.media.settings import settings_in
from style_core.media.video import FrameWriter
from style_core.memory import memory_in_words
from style_core.sizes import DPI

KINDS = ("png", "jpg", "webp")
_PREFIX = "pentimento-results-"
MOST_UPLOADS = 4 * 2**30  # bytes of all uploads and shown results
_UPLOADS_KEPT = 3 * 3600  # seconds, as long as the page keeps them
_LEFT_SECONDS = 48 * 3600  # after which results are removed whose process can't be asked for
_KEEP_SECONDS, _KEEP_AT_LEAST = 2 * 3600, 600  # results are kept for this long, and when space is short
_MOST_BYTES = 8 * 2**30  # of all results together
_SWEEP_SECONDS = 60
_sweeping, _swept = threading.Lock(), float("-inf")
_FRAME_SIDE = 1024  # px, of intermediate frames
_MOST_FRAMES = 96  # above this, every other frame is dropped
_FILM_FPS = 12
_PROOF_SIDE = 2048  # px, of a proof; the file in inks has the full size
_WINDOWS = os.name == "nt"
_BEFORE, _SHOWN = "before.png", "shown.jpg"
permanent: set[str] = set()  # static files of the page, which adds them when it is built
_folder: Path | None = None
_shared: Path | None = None


def share_within(place: str | Path) -> None:
    """Keep results in `place`, before there are any, because other machines write them there."""
    global _shared
    _shared = Path(place).absolute()


def folder() -> Path:
    """This process's folder for results, removed when it ends."""
    global _folder
    if _folder is None:
        _folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-{_machine()}-", dir=_shared))
        atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    _folder.mkdir(parents=True, exist_ok=True)  # whoever cleans up temporary files may have removed it
    return _folder


def _machine() -> str:
    """A short name of this machine, without a dash."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def sweep_at_start(uploads: str | Path) -> None:
    """Remove leftovers of killed processes: their results, and old or excess uploads."""
    for left in Path(_shared or tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        owner, machine, *_ = left.name.removeprefix(_PREFIX).split("-")
        if left == _folder or not owner.isdecimal():
            continue
        # In a container, the previous process may have had the same id. What another machine's processes do can't be seen here, and
        # Windows has no harmless signal to ask with.
        if (_shared is None or machine == _machine()) and not _WINDOWS:
            ended = int(owner) == os.getpid() or not _runs(int(owner))
        else:
            ended = time.time() - _touched(left) > _LEFT_SECONDS
        if ended:
            shutil.rmtree(left, ignore_errors=True)
    sweep_uploads(uploads, set())


def static_files_of(page: Blocks) -> set[str]:
    """Paths of a page's static files, which are public and stay."""
    return {path for block in page.blocks.values() for path in getattr(block, "keep_in_cache", set())}


def sweep_uploads(uploads: str | Path, kept: set[str], coming: float = 0) -> None:
    """Make room in the upload folder: remove old files, and then the oldest ones until `coming` bytes fit.

    Args:
        kept: paths to keep, whatever their age.
        coming: bytes of the expected upload.
    """
    found = []
    for folder, folders, names in os.walk(uploads):  # not `rglob`, which fails when another request removes a folder
        folders[:] = [name for name in folders if not name.startswith(_PREFIX)]  # results have their own limits
        for path in (Path(folder) / name for name in names):
            with suppress(OSError):  # another request may have removed it
                status = path.lstat()
                if str(path) not in kept:
                    found.append((status.st_ctime, status.st_size, path))
    total = sum(size for _, size, _ in found) + coming
    for made, size, path in sorted(found):
        if time.time() - made < _UPLOADS_KEPT and total <= MOST_UPLOADS:
            break
        with suppress(OSError):
            path.unlink()
            path.parent.rmdir()  # fails if the folder isn't empty
        total -= size


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to another user
        return True
    return True


def new_folder() -> Path:
    """A new folder for one result and its frames."""
    _sweep()
    return Path(tempfile.mkdtemp(dir=folder()))


def save(image: ImageTensor, recipe: str, settings: dict, where: Path | None = None) -> str:
    """Write a result as PNG and return its path."""
    path = (where or new_folder()) / f"pentimento-{recipe}-{time.strftime('%Y%m%d-%H%M%S')}.png"
    if path.exists():
        path = path.with_stem(f"{path.stem}-{time.monotonic_ns() % 100_000}")
    write_image(path, image, settings=settings)
    return str(path)


def converted(path: str, kind: str) -> str:
    """A result converted, with its settings, to another file type in `KINDS`."""
    source = Path(path)
    target = source.with_suffix(f".{kind}")
    if not target.exists():
        write_image(target, read_image(source, limits=PRINTS), settings=settings_in(source))
    return str(target)


def proofed(path: str, profile: str, *, paper: bool) -> tuple[str, str, float]:
    """A result as it looks printed, at the page's size: its path, the profile's name, and the share of the picture that changes.

    Raises:
        RequestError: for a file that is no profile of a printer.
    """
    inks, image = read_profile(profile), read_image(path, long_side=_PROOF_SIDE, limits=PRINTS)
    made = proof(fit(image, _PROOF_SIDE), inks, paper=paper)
    target = new_folder() / f"{Path(path).stem}-proof.png"
    write_image(target, made.image)
    return str(target), inks.name, made.changed


def separated(path: str, profile: str) -> str:
    """A result in a profile's inks, at full size: the path of a CMYK TIFF.

    Raises:
        RequestError: for a file that is no profile of a printer.
    """
    inks, image = read_profile(profile), read_image(path, limits=PRINTS)
    target = new_folder() / f"{Path(path).stem}-cmyk.tif"
    with memory_in_words(max(image.shape[-2:])):
        write_separation(target, image, inks, dpi=DPI, settings=settings_in(path))
    return str(target)


def is_result(path: object) -> TypeGuard[str]:
    """Whether a path received from a browser is an existing result of this process."""
    return isinstance(path, str) and os.path.isfile(path) and Path(path).resolve().is_relative_to(folder().resolve())


def looks_like_same_file(one: str | None, other: str | None) -> bool:
    """Whether two paths seem to be copies of one file, by name and size; Gradio copies files that it shows."""
    paths = [Path(path) for path in (one, other) if path is not None and Path(path).is_file()]
    return len(paths) == 2 and len({(path.name, path.stat().st_size) for path in paths}) == 1


@dataclass
class Trail:
    """A picture's formation: its photo and previews, in the result's folder."""

    where: Path = field(default_factory=new_folder)
    _kept: list[Path] = field(default_factory=list)
    _every: int = 1
    _seen: int = 0

    def add(self, image: ImageTensor) -> None:
        """Keep a preview `[3, H, W]`; previews are thinned out evenly if there are many."""
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

    def begin(self, photo: ImageTensor) -> str:
        """Keep the photo `[3, H, W]` that the picture started from; returns its path."""
        write_image(self.where / _BEFORE, photo)
        return str(self.where / _BEFORE)

    def show(self, image: ImageTensor) -> str:
        """Write a small copy of the result for the page; returns its path."""
        write_image(self.where / _SHOWN, image, quality=90)
        return str(self.where / _SHOWN)


def has_before(path: str) -> bool:
    """Whether a result started from a photo."""
    return Path(path).with_name(_BEFORE).exists()


def before_of(path: str) -> ImageTensor | None:
    """The photo `[3, H, W]` that a result started from, at the result's size, or None."""
    return read_image(Path(path).with_name(_BEFORE), limits=PRINTS) if has_before(path) else None


def frames_of(path: str) -> list[Path]:
    """The kept frames of a result, oldest first, without the result itself."""
    return sorted(Path(path).parent.glob("frame-*.jpg"))


def film_of(path: str, suffix: str) -> str:
    """A film of how a result formed, which ends with the result for a second."""
    result = read_image(path, limits=PRINTS)
    out = Path(path).with_name(f"{Path(path).stem}-film{suffix}")
    size = tuple(result.shape[-2:])
    if suffix == ".gif" or max(size) > _FRAME_SIDE:
        size = tuple(fit(result, 512 if suffix == ".gif" else _FRAME_SIDE).shape[-2:])
    with FrameWriter(out, _FILM_FPS) as writer:
        for frame in [*map(read_image, frames_of(path)), *[result] * _FILM_FPS]:
            writer.add(resize(frame, size))
    return str(out)


def in_use(path: str | Path) -> None:
    """Keep a result's folder from being swept for another while, such as that of a film which takes hours."""
    with suppress(OSError):
        os.utime(Path(path).parent)


def _sweep() -> None:
    """Remove folders of results that are old, and the oldest ones beyond what all may take together; at most once a minute."""
    global _swept
    if time.monotonic() - _swept < _SWEEP_SECONDS or not _sweeping.acquire(blocking=False):
        return  # else every move of a slider would look at every file
    try:
        _swept = time.monotonic()
        aged = sorted(((_touched(old), old) for old in folder().iterdir()), reverse=True)
        taken = 0
        for touched, old in aged:
            age = time.time() - touched
            taken += sum(_size_of(path) for path in old.rglob("*"))
            if age > _KEEP_SECONDS or taken > _MOST_BYTES and age > _KEEP_AT_LEAST:
                shutil.rmtree(old, ignore_errors=True)
        if permanent:  # in the app; what is shown is copied beside the uploads
            sweep_uploads(get_upload_folder(), permanent)
    finally:
        _sweeping.release()


def _touched(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return time.time()  # it is going, or comes just now


def _size_of(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
