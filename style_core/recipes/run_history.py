"""How long runs on this machine took and how long was predicted: a small file in the cache folder that corrects estimates."""

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from style_core.devices import Compute, cores
from style_core.weights.registry import cache_folder

_KEPT = 9  # runs of a kind: the median of so few follows a change of the machine and ignores one odd run
_BUSY = 0.6  # of the cores' time; a run that got less shared the machine with something else, and tells nothing about it
_IDLE = 0.3  # of the cores that others use, at most, for a measurement
_SHORTEST = 0.2  # seconds that a run must have taken to tell anything
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Estimate:
    """What a run will take: `seconds`, and `bytes` of memory at its peak."""

    seconds: float
    bytes: float


class Watch:
    """A run under way, from now until `finish`.

    Args:
        kind: what runs alike: the recipe and its network.
        compute: where it runs.
        predicted: of it, by the model alone.
    """

    def __init__(self, kind: str, compute: Compute, predicted: Estimate):
        self._key = _key(kind, compute)
        self._shared = compute.device.type == "cpu"
        self._predicted = predicted
        self._counts_memory = self._shared and _forget_peak()
        self._started, self._worked = time.monotonic(), time.process_time()

    def finish(self) -> None:
        """Keep what it took, unless it had to share the machine."""
        seconds = time.monotonic() - self._started
        share = (time.process_time() - self._worked) / max(seconds, 1e-9) / cores()
        if seconds < _SHORTEST or (self._shared and share < _BUSY):
            return
        peak = _peak() if self._counts_memory else None
        _keep(self._key, [seconds / self._predicted.seconds, peak and peak / self._predicted.bytes])


def corrected(kind: str, compute: Compute, predicted: Estimate) -> Estimate:
    """What the model predicts, times the usual ratio of real to predicted on this machine."""
    runs = _read().get(_key(kind, compute), [])
    times, peaks = [run[0] for run in runs], [run[1] for run in runs if run[1]]
    return Estimate(
        predicted.seconds * (statistics.median(times) if times else 1.0), predicted.bytes * (statistics.median(peaks) if peaks else 1.0)
    )


def best_seen(kind: str, compute: Compute, measure: Callable[[], float]) -> float:
    """What the machine can do when nothing else wants it: the most that was ever measured, measured anew while it is idle."""
    key, runs = _key(kind, compute), _read()
    known = max((run[0] for run in runs.get(key, [])), default=0.0)
    if known and hasattr(os, "getloadavg") and os.getloadavg()[0] > _IDLE * cores():
        return known
    found = measure()
    if found > known:
        _keep(key, [found, None])
    return max(found, known)


def _key(kind: str, compute: Compute) -> str:
    return f"{kind}, {compute.describe()}"


def _file() -> Path:
    return cache_folder() / "runs.json"


def _read() -> dict[str, list]:
    try:
        found = json.loads(_file().read_text())
    except (OSError, ValueError):
        return {}  # there is none yet, or it is damaged, and is then written anew
    return found if isinstance(found, dict) else {}


def _keep(key: str, run: list) -> None:
    file = _file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{file}.lock", timeout=1):
            runs = _read()
            runs[key] = [*runs.get(key, []), run][-_KEPT:]
            partial = file.with_name(f".{file.name}.{os.getpid()}.part")
            partial.write_text(json.dumps(runs))
            partial.replace(file)
    except (OSError, TimeoutError):
        return  # without a cache the measurement is lost, never the run


def _forget_peak() -> bool:
    """Let Linux count this process's peak of memory from now on; whether it does."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def _peak() -> float | None:
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024.0 * int(line.split()[1])
    return None
