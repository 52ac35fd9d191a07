"""Fetch selected tensors of a safetensors file from the Hugging Face hub by range requests.

`huggingface_hub` provides the addresses, tokens, mirrors (`HF_ENDPOINT`), session and offline switch. Its own download is
not used: it fetches whole files, is slow to give up offline, can't be canceled between chunks and doesn't resume after a kill.
"""

import json
import re
import struct
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from huggingface_hub import constants, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from style_core.errors import RequestError
from style_core.messages import Message

DECIDE_SECONDS = 4.0  # until the hub's first answer, where there is another network to use instead
PATIENT_SECONDS = 30.0  # until then, where there is none
_STALL_SECONDS = 20.0  # without a byte, once it has answered
_WAIT_SECONDS = 0.1  # between looks whether it has
_MAX_HEADER = 2**24
_UNREACHED = "Hugging Face could not be reached."
_LATE = "Hugging Face could not be reached in time."
_BROKE_OFF = "The connection to the hub was lost; try again to resume the download."
_T = TypeVar("_T")


class HubError(RequestError):
    """A download failed; the message says why."""


@dataclass(frozen=True)
class Remote:
    """A file on the hub."""

    repo: str
    revision: str
    file: str

    @property
    def url(self) -> str:
        return hf_hub_url(self.repo, self.file, revision=self.revision)


@dataclass(frozen=True)
class TensorSpan:
    """Position of a tensor in its file: bytes `start` to `stop` (exclusive)."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True)
class Progress:
    """Bytes received so far of the total, with an optional note."""

    done: int
    total: int
    note: str = ""


def read_spans(remote: Remote, seconds: float) -> Generator[Progress, None, tuple[Remote, dict[str, TensorSpan]]]:
    """The spans of all tensors, from the file's header; and the file at the commit that `remote`'s revision points to.

    All later requests use that commit, so that a moving branch can't mix two versions of the file.

    Args:
        seconds: to wait for the hub's first answer.
    Returns:
        Both: `remote, spans = yield from read_spans(...)`. Meanwhile it yields empty progress every tenth of a second.
    Raises:
        HubError: when the hub doesn't answer in time, refuses, or the file isn't safetensors.
    """
    start, commit = yield from _in_time(lambda: _read_range(remote, 0, 8, seconds, _UNREACHED, _LATE), seconds, _LATE)
    if commit:
        remote = replace(remote, revision=commit)
    length = struct.unpack("<Q", start)[0]
    if length > _MAX_HEADER:
        raise HubError("{file} of {repo} is not a safetensors file.", file=remote.file, repo=remote.repo)
    text, _ = yield from _in_time(lambda: _read_range(remote, 8, 8 + length), _STALL_SECONDS, _BROKE_OFF)
    try:
        header = json.loads(text)
        return remote, {
            name: TensorSpan(entry["dtype"], tuple(entry["shape"]), *(8 + length + offset for offset in entry["data_offsets"]))
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HubError("{file} of {repo} is not a safetensors file.", file=remote.file, repo=remote.repo) from error


def fetch_spans(remote: Remote, spans: dict[str, TensorSpan], folder: Path) -> Generator[Progress, None, None]:
    """Download some tensors into `folder`, one file each, resuming an earlier attempt.

    Raises:
        HubError: when the hub stops answering or sends something else. What was received stays for the next attempt.
        OSError: when the disk is full or can't be written to.
    """
    total = sum(span.stop - span.start for span in spans.values())
    done, note = sum(_size(folder / name) for name in spans), ""
    yield Progress(done, total)
    for start, stop in _missing(spans, folder):
        with _opened(remote, start, stop) as response:
            whole = response.status_code == 200
            if whole:
                note = Message("{repo} is served without range requests, so the whole file is downloaded.", repo=remote.repo)
                for name in spans:
                    (folder / name).unlink(missing_ok=True)
                start, stop, done = 0, max(span.stop for span in spans.values()), 0
            expected = total if whole else done + stop - start
            for kept in _receive(response, start, stop, spans, folder):
                done += kept
                yield Progress(done, total, note)
        if done < expected:
            raise HubError("The connection to the hub was lost before the download was complete; try again." if whole else _BROKE_OFF)
        if whole:
            return


def _missing(spans: dict[str, TensorSpan], folder: Path) -> list[tuple[int, int]]:
    """Spans of the file that are still missing. Adjacent tensors are merged, since each span costs a request."""
    gaps: list[tuple[int, int]] = []
    # In file order, which differs from the order of the layers.
    for name, span in sorted(spans.items(), key=lambda item: item[1].start):
        start = span.start + _size(folder / name)
        if start >= span.stop:
            continue
        if gaps and gaps[-1][1] == start:
            start = gaps.pop()[0]
        gaps.append((start, span.stop))
    return gaps


def _receive(response: httpx2.Response, position: int, stop: int, spans: dict[str, TensorSpan], folder: Path) -> Iterator[int]:
    """Append received bytes to the files of their tensors, from `position` to `stop`. Yields how many were kept."""
    for chunk in _chunks(response):
        chunk, kept = chunk[: stop - position], 0
        for name, span in spans.items():
            first, last = max(span.start, position), min(span.stop, position + len(chunk))
            if first < last:
                with (folder / name).open("ab") as file:
                    kept += file.write(chunk[first - position : last - position])
        position += len(chunk)
        yield kept
        if position >= stop:
            return


def _read_range(remote: Remote, start: int, stop: int, *waiting: Any) -> tuple[bytes, str]:
    """A few bytes, and their commit, if the hub reports it; `waiting` as in `_opened`."""
    data = b""
    with _opened(remote, start, stop, *waiting) as response:
        commit = _commit_of(response)
        skip = start if response.status_code == 200 else 0
        for chunk in _chunks(response):
            data += chunk
            if len(data) >= skip + stop - start:
                break
    data = data[skip : skip + stop - start]
    if len(data) != stop - start:
        raise HubError(
            "{file} of {repo} is shorter than its header says; it is damaged on the hub or in transit.", file=remote.file, repo=remote.repo
        )
    return data, commit


def _commit_of(response: httpx2.Response) -> str:
    """The commit in the hub's answer or in the redirect to it; empty if a mirror reports none."""
    for answer in (*response.history, response):
        if re.fullmatch("[0-9a-f]{40}", commit := answer.headers.get("x-repo-commit", "")):
            return commit
    return ""


class _opened:
    """A streamed GET of bytes `start` to `stop` that raises HubError.

    Args:
        seconds: to wait for any part of the answer.
        lost, late: messages for a connection that is lost or silent; by default for a hub that has answered before.
    """

    def __init__(
        self, remote: Remote, start: int, stop: int, seconds: float = _STALL_SECONDS, lost: str = _BROKE_OFF, late: str = _BROKE_OFF
    ):
        if constants.HF_HUB_OFFLINE:
            raise HubError("Access to the hub is turned off by HF_HUB_OFFLINE.")
        part = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        self._stream = _in_words(
            lambda: get_session().stream("GET", remote.url, headers={**build_hf_headers(), **part}, timeout=seconds, follow_redirects=True)
        )
        self._start, self._lost, self._late = start, lost, late

    def __enter__(self) -> httpx2.Response:
        response = _in_words(self._stream.__enter__, self._lost, self._late)
        try:
            if response.status_code >= 400:
                _in_words(response.read, self._lost, self._late)
                _in_words(lambda: hf_raise_for_status(response))
            if response.status_code == 206 and not response.headers.get("content-range", "").startswith(f"bytes {self._start}-"):
                raise HubError("The hub sent a different part of the file than requested; try again later.")
            if response.status_code not in (200, 206):
                raise HubError("The hub answered with status {status}; try again later.", status=response.status_code)
        except BaseException:
            self._stream.__exit__(None, None, None)
            raise
        return response

    def __exit__(self, *details: Any) -> None:
        self._stream.__exit__(*details)


def _chunks(response: httpx2.Response) -> Iterator[bytes]:
    chunks = response.iter_bytes()  # without a chunk size: a fixed size would lose the last, incomplete chunk when the connection breaks
    while True:
        chunk = _in_words(lambda: next(chunks, None))
        if chunk is None:
            return
        yield chunk


def _in_time(work: Callable[[], _T], seconds: float, late: str) -> Generator[Progress, None, _T]:
    """Run network work in a thread and abandon it after `seconds`: a silent resolver can block for 20 s."""
    outcome: Future[_T] = Future()

    def attempt() -> None:
        try:
            outcome.set_result(work())
        except Exception as error:  # passed on to the waiting thread
            outcome.set_exception(error)

    threading.Thread(target=attempt, name="asking the hub", daemon=True).start()
    deadline = time.monotonic() + seconds
    while not outcome.done():
        if time.monotonic() > deadline:
            raise HubError(late)
        yield Progress(0, 0)
        wait([outcome], _WAIT_SECONDS)
    return outcome.result()


def _in_words(work: Callable[[], _T], lost: str = _BROKE_OFF, late: str = _BROKE_OFF) -> _T:
    """Run network work. All errors of the client become a HubError; `lost` and `late` as in `_opened`."""
    try:
        return work()
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        raise HubError(_STATUS.get(status, Message("The hub answered with status {status}; try again later.", status=status))) from error
    except OfflineModeIsEnabled as error:
        raise HubError("Access to the hub is turned off by HF_HUB_OFFLINE.") from error
    except httpx2.TimeoutException as error:
        raise HubError(late) from error
    except (httpx2.HTTPError, ConnectionError) as error:
        raise HubError(lost) from error
    except (httpx2.InvalidURL, ImportError, ValueError, OSError) as error:  # the client reads these settings when it is first used
        raise HubError(
            "The connection to the hub can't be set up ({reason}); check the proxy, the token and the certificates.", reason=str(error)
        ) from error


_STATUS = {
    401: "The hub requires a valid token for this file; set HF_TOKEN or log in.",
    403: "This account has no access to the file on the hub.",
    404: "The hub has no such file at this revision.",
    429: "The hub received too many requests from this address; try again later.",
}


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
