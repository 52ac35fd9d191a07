"""Run: a training run that can be stopped and resumed, with a loss curve."""

import argparse
import csv
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch

from style_core.errors import RequestError

# Flags that may differ when a run is continued: they don't change what it is.
_FREE = {"out", "minutes", "data", "vgg19", "teacher", "lite", "encoder", "examine_every", "show_every"}


class Stateful(Protocol):
    """An object that a checkpoint can store: a module, an optimizer, a source of crops."""

    def state_dict(self) -> dict: ...

    def load_state_dict(self, state: dict) -> Any: ...


class Run:
    """Counts steps until the time is up, saves checkpoints and writes the loss curve.

        run = Run(folder, minutes=30, parts={"net": net, "optimizer": optimizer})
        while run.going():
            ...one training step, with run.progress for schedules...
            run.step_done(loss=float(loss))

    SIGTERM and Ctrl-C end it after the current step, with a checkpoint. When started again, it resumes there.

    Args:
        folder: folder of `checkpoint.pt` and `curve.csv`.
        minutes: total minutes of training, including earlier parts of the same run.
        parts: contents of a checkpoint, by name; torch's random numbers are always in it.
        flags: of the program, by which a run is recognized; None for a run that any program may continue.
        checkpoint_every: minutes between checkpoints.
        log_every: steps between rows of the curve.
    Raises:
        RequestError: if the folder holds a run with other flags.
    """

    def __init__(
        self,
        folder: Path,
        minutes: float,
        parts: dict[str, Stateful],
        flags: argparse.Namespace | None = None,
        *,
        checkpoint_every: float = 3.0,
        log_every: int = 50,
    ):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.minutes = minutes
        self.parts = parts
        self._flags = {name: str(value) for name, value in sorted(vars(flags or argparse.Namespace()).items()) if name not in _FREE}
        self.checkpoint_every = checkpoint_every
        self.log_every = log_every
        self.steps = 0
        self._spent = 0.0
        self._stopped = False
        self._sums: dict[str, tuple[float, int]] = {}
        self._resume()
        self._started = self._saved = time.monotonic()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    @property
    def spent(self) -> float:
        """Minutes of training so far, including earlier parts of the run."""
        return self._spent + (time.monotonic() - self._started) / 60

    @property
    def progress(self) -> float:
        """Share of the minutes used so far, in `[0, 1]`."""
        return min(1.0, self.spent / self.minutes)

    def going(self) -> bool:
        """Whether to do another step. Saves a checkpoint when one is due and at the end."""
        over = self._stopped or self.progress >= 1
        if over or time.monotonic() - self._saved > 60 * self.checkpoint_every:
            self.checkpoint()
        if over and self._sums and not (self.folder / "curve.csv").exists():
            self._log_means()  # short runs get at least one row
        return not over

    def step_done(self, **figures: float) -> None:
        """Count a step; the curve gets the means of its figures over `log_every` steps, of those that had them."""
        self.steps += 1
        for name, value in figures.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = total + value, count + 1
        if self.steps % self.log_every == 0:
            self._log_means()

    def _log_means(self) -> None:
        self.log(**{name: total / count for name, (total, count) in self._sums.items()})
        self._sums = {}

    def log(self, **figures: float) -> None:
        """Add a row to `curve.csv` and print it."""
        row = {"step": self.steps, "minutes": round(self.spent, 2), **{name: f"{value:.5g}" for name, value in figures.items()}}
        self._write_curve([*self._curve(), row])
        print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)

    def _curve(self) -> list[dict[str, Any]]:
        """The rows of `curve.csv` up to now; later ones are of steps that a kill has undone."""
        curve = self.folder / "curve.csv"
        if not curve.exists():
            return []
        with curve.open(newline="", encoding="utf-8") as file:
            return [row for row in csv.DictReader(file) if int(row["step"]) < self.steps]

    def _write_curve(self, rows: list[dict[str, Any]]) -> None:
        """Write them; a figure that comes later, such as a critic's, is empty in the rows before."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        partial = self.folder / "curve.part"
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, restval="")
            writer.writeheader()
            writer.writerows(rows)
        partial.replace(self.folder / "curve.csv")

    def checkpoint(self) -> None:
        """Write all parts atomically: a kill leaves the last checkpoint intact."""
        own = {"steps": self.steps, "spent": self.spent, "flags": self._flags, "random": torch.get_rng_state()}
        state = {**own, **{name: part.state_dict() for name, part in self.parts.items()}}
        partial = self.folder / "checkpoint.part"
        torch.save(state, partial)
        partial.replace(self.folder / "checkpoint.pt")
        self._saved = time.monotonic()

    def _resume(self) -> None:
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        if self._flags and state.get("flags", self._flags) != self._flags:
            raise RequestError("{folder} holds a training run with other flags; choose another folder with --out.", folder=str(self.folder))
        torch.set_rng_state(state.get("random", torch.get_rng_state()))
        self.steps, self._spent = state["steps"], state["spent"]
        for name, part in self.parts.items():
            part.load_state_dict(state[name])

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True


def cosine(progress: float, floor: float = 0.02) -> float:
    """A learning rate's factor: 1 at the start, `floor` at the end (Loshchilov and Hutter 2017)."""
    return floor + (1 - floor) * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * progress)).item())
