"""Run: a training run that can be stopped and resumed, with a loss curve."""

import csv
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch


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
        parts: contents of a checkpoint, by name.
        checkpoint_every: minutes between checkpoints.
        log_every: steps between rows of the curve.
    """

    def __init__(
        self,
        folder: Path,
        minutes: float,
        parts: dict[str, Stateful],
        *,
        checkpoint_every: float = 3.0,
        log_every: int = 50,
    ):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.minutes = minutes
        self.parts = parts
        self.checkpoint_every = checkpoint_every
        self.log_every = log_every
        self.steps = 0
        self._spent = 0.0
        self._stopped = False
        self._sums: dict[str, float] = {}
        self._summed = 0
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
        if over and self._summed and not (self.folder / "curve.csv").exists():
            self._log_means()  # short runs get at least one row
        return not over

    def step_done(self, **figures: float) -> None:
        """Count a step; the curve gets the means of its figures over `log_every` steps."""
        self.steps += 1
        self._summed += 1
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        if self.steps % self.log_every == 0:
            self._log_means()

    def _log_means(self) -> None:
        self.log(**{name: total / self._summed for name, total in self._sums.items()})
        self._sums, self._summed = {}, 0

    def log(self, **figures: float) -> None:
        """Add a row to `curve.csv` and print it."""
        row = {"step": self.steps, "minutes": round(self.spent, 2), **{name: f"{value:.5g}" for name, value in figures.items()}}
        curve = self.folder / "curve.csv"
        fresh = not curve.exists()
        with curve.open("a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)

    def checkpoint(self) -> None:
        """Write all parts atomically: a kill leaves the last checkpoint intact."""
        state = {"steps": self.steps, "spent": self.spent, **{name: part.state_dict() for name, part in self.parts.items()}}
        partial = self.folder / "checkpoint.part"
        torch.save(state, partial)
        partial.replace(self.folder / "checkpoint.pt")
        self._saved = time.monotonic()

    def _resume(self) -> None:
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        self.steps, self._spent = state["steps"], state["spent"]
        for name, part in self.parts.items():
            part.load_state_dict(state[name])

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True


def cosine(progress: float, floor: float = 0.02) -> float:
    """A learning rate's factor: 1 at the start, `floor` at the end (Loshchilov and Hutter 2017)."""
    return floor + (1 - floor) * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * progress)).item())
