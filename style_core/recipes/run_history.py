"""Predicted and actual costs of runs on this machine: a small file in the cache folder that corrects estimates."""

import json
import os
import statistics
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from style_core.devices import Compute, cores
from style_core.weights.registry import cache_folder

_KEPT = 9  # runs per kind: few enough to follow changes of the machine, and their median ignores outliers
_BUSY = 0.6  # least share of the cores' time; a run with less shared the machine and isn't recorded
_IDLE = 0.3  # largest share of the cores used by other processes during a measurement
_FASTER = 1.2  # ratio of a newly measured speed to the known one from which earlier runs no longer count
_SPEED = "a second"  # ends the kinds that are speeds
_SHORTEST = 0.2  # seconds; shorter runs are not recorded
_Step = TypeVar("_Step")
_Value = TypeVar("_Value")
BASE_BYTES = 0.45e9  # of a process with torch and a network loaded
_MOST_BESIDE = 0.25  # share of the predicted memory; a process that holds more besides when a run begins says nothing about the run
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Estimate:
    """Predicted `seconds` of a run, and `bytes` of peak memory."""

    seconds: float
    bytes: float


class Watch:
    """Measures a run from now until `finish`.

    Args:
        kind: as in `Cost`.
        compute: where it runs.
        predicted: the model's prediction.
    """

    def __init__(self, kind: str, compute: Compute, predicted: Estimate):
        self._key = _key(kind, compute)
        self._shared = compute.device.type == "cpu"
        self._predicted = predicted
        held = _status("VmRSS") or float("inf")
        self._counts_memory = self._shared and held - BASE_BYTES <= _MOST_BESIDE * predicted.bytes and _forget_peak()
        self._seconds = self._worked = 0.0
        self._running: tuple[float, float] | None = None
        self.resume()

    def pause(self) -> None:
        """Leave out what happens from now on, until `resume`."""
        if self._running is None:
            return
        seconds, worked = self._running
        self._seconds += time.monotonic() - seconds
        self._worked += time.process_time() - worked
        self._running = None

    def resume(self) -> None:
        """Go on measuring."""
        if self._running is None:
            self._running = time.monotonic(), time.process_time()

    def over(self, steps: Generator[_Step, None, _Value]) -> Generator[_Step, None, _Value]:
        """The same steps; what others compute between them is left out."""
        with closing(steps):
            while True:
                self.resume()
                try:
                    step = next(steps)
                except StopIteration as end:
                    return end.value
                finally:
                    self.pause()
                yield step
                del step  # and its picture, while the next one is made

    def finish(self) -> None:
        """Record the run's cost, unless it shared the machine."""
        self.pause()
        seconds = self._seconds
        share = self._worked / max(seconds, 1e-9) / cores()
        if seconds < _SHORTEST or (self._shared and share < _BUSY):
            return
        peak = _status("VmHWM") if self._counts_memory else None
        _keep(self._key, [seconds / self._predicted.seconds, peak and peak / self._predicted.bytes])


def corrected(kind: str, compute: Compute, predicted: Estimate) -> Estimate:
    """The model's prediction times the median ratio of actual to predicted cost on this machine."""
    runs = _read().get(_key(kind, compute), [])
    times, peaks = [run[0] for run in runs], [run[1] for run in runs if run[1]]
    return Estimate(
        predicted.seconds * (statistics.median(times) if times else 1.0), predicted.bytes * (statistics.median(peaks) if peaks else 1.0)
    )


def best_seen(kind: str, compute: Compute, measure: Callable[[], float]) -> float:
    """The machine's speed when idle: the largest value ever measured, measured again while the machine is idle."""
    key, runs = _key(kind, compute), _read()
    known = max((run[0] for run in runs.get(key, [])), default=0.0)
    if known and hasattr(os, "getloadavg") and os.getloadavg()[0] > _IDLE * cores():
        return known
    found = measure()
    if found > known:
        # Runs that were predicted from a much lower speed say nothing about predictions from now on.
        _keep(key, [found, None], without=_ending(compute) if found > _FASTER * known else "")
    return max(found, known)


def _key(kind: str, compute: Compute) -> str:
    return kind + _ending(compute)


def _ending(compute: Compute) -> str:
    return f", {compute.describe()}"


def _file() -> Path:
    return cache_folder() / "runs.json"


def _read() -> dict[str, list]:
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # missing or damaged; it will be written again
    return found if isinstance(found, dict) else {}


def _keep(key: str, run: list, without: str = "") -> None:
    """Keep a run, or a speed. If `without` is given, runs whose keys end so are removed; speeds stay."""
    file = _file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{file}.lock", timeout=1):
            runs = _read()
            if without:
                runs = {kind: kept for kind, kept in runs.items() if not kind.endswith(without) or kind.split(",")[0].endswith(_SPEED)}
            runs[key] = [*runs.get(key, []), run][-_KEPT:]
            partial = file.with_name(f".{file.name}.{os.getpid()}.part")
            partial.write_text(json.dumps(runs), encoding="utf-8")
            partial.replace(file)
    except (OSError, TimeoutError):
        return  # without a cache folder only the measurement is lost


def _forget_peak() -> bool:
    """Reset Linux's record of this process's peak memory; returns whether that worked."""
    try:
        _CLEAR.write_text("5", encoding="utf-8")
    except OSError:
        return False
    return True


def _status(name: str) -> float | None:
    """A number of this process's status on Linux, in bytes, such as VmRSS, what it holds, or VmHWM, the most that it has held."""
    try:
        lines = _STATUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((1024.0 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), None)
