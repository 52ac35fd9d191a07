"""The app under load and under people who change their minds: `python -m benchmarks.reliability` (or `make soak`).

Load: clients that stylize without pause. Any error but "busy" is a failure. Then random actions (start, stop, reload,
close) on long runs, and a normal run. The process's memory, threads, open files and half-written files are told before and after.
"""

import argparse
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from gradio_client import Client, handle_file

from benchmarks.common import SAMPLES, print_table
from style_core.devices import cores
from style_core.weights.gallery import gallery
from tests.serving import app

_PHOTO = str(SAMPLES / "landscape.jpg")
_SIZE = 256  # px
_STYLES = 6  # of the gallery, which clients draw from
_LONG = {"content": handle_file(_PHOTO), "style": handle_file(_PHOTO), "size": 128, "iterations": 200, "extractor": "lite"}
_QUIET_SECONDS = 20  # of hardly any work, before the process is looked at
_QUIET_PERCENT = 30.0  # of one core; a run takes at least a whole one
_PATIENCE = 300.0  # seconds to wait for that


@dataclass
class Load:
    """What clients have met: seconds of each picture, refusals because of too many, other errors."""

    seconds: list[float] = field(default_factory=list)
    busy: int = 0
    errors: list[str] = field(default_factory=list)


def stylize(client: Client, style: str) -> None:
    """One picture, as a program asks for it."""
    client.predict(content=handle_file(_PHOTO), gallery_style=style, size=_SIZE, api_name="/stylize")


@contextmanager
def visitor(address: str) -> Iterator[Client]:
    """A client that leaves at the end, as a closed page does."""
    client = Client(address, verbose=False)
    try:
        yield client
    finally:
        client.close()


def under_load(address: str, clients: int, seconds: float) -> Load:
    """Let clients stylize without pause for so long, each at least once."""
    load, lock, until = Load(), threading.Lock(), time.monotonic() + seconds
    styles = list(gallery())[:_STYLES]

    def visit(number: int) -> None:
        draw, again = random.Random(number), True
        with visitor(address) as client:
            while again:
                started, problem = time.monotonic(), None
                try:
                    stylize(client, draw.choice(styles))
                except Exception as error:  # whatever a client meets is what is counted here
                    problem = f"{type(error).__name__}: {error}"
                with lock:
                    if problem is None:
                        load.seconds.append(time.monotonic() - started)
                    elif "full" in problem or "busy" in problem:
                        load.busy += 1
                    else:
                        load.errors.append(problem)
                again = time.monotonic() < until

    with ThreadPoolExecutor(clients) as visitors:
        list(visitors.map(visit, range(clients)))
    return load


def change_of_mind(address: str, actions: int, seed: int = 0) -> list[str]:
    """Start long runs, stop them, reload and close pages, at random; then a normal run. Returns errors."""
    draw, client, running, errors = random.Random(seed), Client(address, verbose=False), [], []

    def start() -> None:
        running.append(client.submit(**_LONG, api_name="/optimize"))

    def stop() -> None:
        if running:
            running.pop(draw.randrange(len(running))).cancel()

    def load_again() -> Client:
        client.close()
        return Client(address, verbose=False)

    for _ in range(actions):
        action = draw.choice(("start", "stop", "reload", "close"))
        try:
            if action == "start" and len(running) < 3:
                start()
            elif action in ("start", "stop"):
                stop()
            else:
                if action == "close":
                    for job in running:
                        job.cancel()
                    running.clear()
                client = load_again()
        except Exception as error:  # counted, as above
            errors.append(f"{action}: {type(error).__name__}: {error}")
        time.sleep(draw.uniform(0, 0.3))
    for job in running:
        job.cancel()
    client = load_again()
    stylize(client, next(iter(gallery())))
    client.close()
    return errors


def wait_until_quiet(process: psutil.Process) -> None:
    """Wait until all runs have ended. Gradio's client can't cancel a run in the moment before it has an id; those go on to their end.

    Raises:
        TimeoutError: if the process goes on working.
    """
    until, quiet = time.monotonic() + _PATIENCE, 0
    while quiet < _QUIET_SECONDS:
        quiet = quiet + 1 if process.cpu_percent(interval=1) < _QUIET_PERCENT else 0
        if time.monotonic() > until:
            raise TimeoutError(f"The app was still working {_PATIENCE:.0f} s after everybody had left.")


def state_of(process: psutil.Process, folder: Path) -> dict[str, float]:
    """What a process holds."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        "memory, MB": process.memory_info().rss / 1e6,
        "threads": process.num_threads(),
        "open files": process.num_fds(),
        "pictures kept": len(files),
        "half-written files": sum(".part" in path.name for path in files),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=180, help="Of load (default 180).")
    parser.add_argument("--actions", type=int, default=100, help="Random ones (default 100).")
    given = parser.parse_args()
    looks: list[tuple[str, dict[str, float]]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        app("--device", "cpu", TMPDIR=folder, GRADIO_TEMP_DIR=folder, HF_HUB_OFFLINE="1") as address,
    ):
        (process,) = psutil.Process().children()

        def look(when: str) -> None:
            wait_until_quiet(process)
            looks.append((when, state_of(process, Path(folder))))

        warm = under_load(address, given.clients, 1)
        with visitor(address) as client:
            client.predict(**_LONG | {"iterations": 10}, api_name="/optimize")
        look("at the start, warm")
        load = under_load(address, given.clients, given.seconds)
        look("after the load")
        errors = change_of_mind(address, given.actions)
        look("after the actions and a run")
    load.errors += warm.errors
    print(f"{cores()} cores, load of the machine {os.getloadavg()[0]:.1f} at the end\n")
    print(
        f"{given.clients} clients, {given.seconds:.0f} s, Stylize at {_SIZE} px: {len(load.seconds)} pictures, {load.busy} times busy, ",
        end="",
    )
    print(f"{len(load.errors)} errors. {given.actions} random actions: {len(errors)} errors.")
    if len(load.seconds) > 1:
        p95 = statistics.quantiles(load.seconds, n=20)[-1]
        print(f"{len(load.seconds) / given.seconds:.2f} a second, p50 {statistics.median(load.seconds):.1f} s, p95 {p95:.1f} s.\n")
    print_table(["", *looks[0][1]], [(when, *seen.values()) for when, seen in looks])
    for problem in [*load.errors, *errors][:20]:
        print(problem, file=sys.stderr)
    return 1 if load.errors or errors else 0


if __name__ == "__main__":
    sys.exit(main())
