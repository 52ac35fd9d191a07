"""What batches have made in a folder and from what, so that they can be continued and replace only what is theirs."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from style_core.errors import RequestError
from style_core.files import check_target, not_writable, sha256_of
from style_core.media.settings import settings_in

SHEET = "sheet.jpg"
_DONE = ".done.json"  # in the results' folder
_NAMED = 3  # files that a message names


class _Made(NamedTuple):
    """A result: a digest of what it was made from, and one of its file.

    The first is empty while it is being made. The second is empty then, too, and if an earlier version of this project noted it.
    """

    fingerprint: str = ""
    sha256: str = ""


class BatchRecord:
    """What batches have made in a folder and from what: a file in it, written by one process at a time."""

    def __init__(self, folder: Path):
        self._folder, self._known = folder, _read(folder)
        self._at_work: dict[str, tuple[str, _Made | None]] = {}  # by name: the fingerprint, and what was known before

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            RequestError: when it can't be made or written to.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise not_writable(self._folder, error) from error
        check_target(self._folder / _DONE)

    def has(self, path: Path, fingerprint: str) -> bool:
        """Whether a picture is there, made from the same files with the same options, and written alike."""
        return os.path.exists(path) and self._known.get(path.name, _Made()).fingerprint == fingerprint

    def check(self, paths: Sequence[Path]) -> None:
        """Check that files may be replaced: only those that a batch made and nobody has changed since.

        Raises:
            RequestError: naming the others.
        """
        there = [path for path in paths if os.path.lexists(path)]  # Path raises for a name that is too long
        if others := [path for path in there if path.name not in self._known]:
            raise RequestError(
                "A batch doesn't replace files that no batch made: {files}. Move them away, or choose another folder for the results.",
                files=_names(others),
            )
        if changed := [path for path in there if not _unchanged(path, self._known[path.name])]:
            raise RequestError(
                "A batch doesn't replace results that were changed since: {files}. Move them away, or choose another folder.",
                files=_names(changed),
            )

    def begin(self, fingerprints: Mapping[Path, str]) -> None:
        """Pictures are about to be made: what their files then hold is known as results, even if the process is killed.

        Raises:
            RequestError: as `check`, or when this can't be noted.
        """
        self.check(list(fingerprints))
        for path, fingerprint in fingerprints.items():
            self._at_work[path.name] = fingerprint, self._known.get(path.name)
            self._known[path.name] = _Made()
        self._write()

    def note(self, path: Path) -> None:
        """A picture at work has been made.

        Raises:
            RequestError: when this can't be noted.
        """
        try:
            self._known[path.name] = _Made(self._at_work[path.name][0], sha256_of(path))
        except OSError as error:
            raise not_writable(path, error) from error
        del self._at_work[path.name]
        self._write()

    def drop(self, path: Path) -> None:
        """A picture at work could not be made."""
        _, before = self._at_work.pop(path.name)
        if not os.path.exists(path):
            del self._known[path.name]
        elif before is not None and _unchanged(path, before):
            self._known[path.name] = before
        with suppress(RequestError):  # why the picture could not be made is more important
            self._write()

    @contextmanager
    def making(self, path: Path, fingerprint: str) -> Iterator[None]:
        """Begin a picture, and note at the end of the block that it has been made.

        Raises:
            RequestError: as `begin`.
        """
        self.begin({path: fingerprint})
        try:
            yield
        except BaseException:
            self.drop(path)
            raise
        self.note(path)

    def results(self) -> set[Path]:
        """All that is known, as resolved paths."""
        paths = {self._folder / name: made for name, made in self._known.items()}
        return {path.resolve() for path, made in paths.items() if made.fingerprint or settings_in(path)}

    def _write(self) -> None:
        partial = self._folder / f"{_DONE}.{os.getpid()}.part"
        try:
            partial.write_text(json.dumps(self._known, indent=0), encoding="utf-8")
            partial.replace(self._folder / _DONE)
        except OSError as error:
            raise not_writable(self._folder / _DONE, error) from error


def results_in(folder: Path) -> set[Path]:
    """What earlier batches have made in a folder, contact sheets included, as resolved paths."""
    return BatchRecord(folder).results()


def _read(folder: Path) -> dict[str, _Made]:
    try:
        found = json.loads((folder / _DONE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # missing or incomplete: nothing is known
    return {name: _made(fact) for name, fact in found.items()} if isinstance(found, dict) else {}


def _made(fact: Any) -> _Made:
    """A fact of the file; earlier versions wrote only the fingerprint."""
    return _Made(*map(str, fact[:2])) if isinstance(fact, list) else _Made(str(fact))


def _unchanged(path: Path, made: _Made) -> bool:
    """Whether a file is as it was written. Without a digest, a picture counts so if it has its settings, which editors remove."""
    if not made.sha256:
        return path.name == SHEET or settings_in(path) is not None
    try:
        return sha256_of(path) == made.sha256
    except OSError:  # such as a file that nobody may read: nothing that a batch wrote
        return False


def _names(paths: Sequence[Path]) -> str:
    return ", ".join([path.name for path in paths[:_NAMED]] + ["…"] * (len(paths) > _NAMED))
