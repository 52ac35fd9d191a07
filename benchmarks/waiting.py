"""What threads that spin while they wait cost: one run and two at once, by how long they spin. `python -m benchmarks.waiting`.

Spinning threads answer sooner on an idle machine and take the cores from everybody else on a busy one.
"""

import argparse
import os
import subprocess
import sys
import time

import torch

from benchmarks.common import print_table
from style_core.devices import Compute, cores, prepare_cpu
from style_core.progress import finish
from style_core.recipes.optimize import optimize
from style_core.recipes.optimize_options import OptimizeOptions

_SET = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
# Environment of a run, by how its threads wait. It is read when torch is loaded; `style_core` has set that of the app.
_WAYS = {
    "spinning": {"OMP_WAIT_POLICY": "ACTIVE"},
    "sleeping": {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"},
    "spinning briefly, as the app does": {name: os.environ[name] for name in _SET if name in os.environ},
}


def seconds_of_a_run(size: int, iterations: int) -> float:
    """Of `optimize` with `lite` in this process, weights loaded before."""
    prepare_cpu()
    draw = torch.Generator().manual_seed(0)
    photo, style = torch.rand(3, size * 3 // 4, size, generator=draw), torch.rand(3, size, size, generator=draw)
    compute = Compute.choose("cpu")
    finish(optimize(photo, [style], OptimizeOptions(size=128, iterations=1, extractor="lite"), compute=compute))
    started = time.perf_counter()
    finish(optimize(photo, [style], OptimizeOptions(size=size, iterations=iterations, extractor="lite"), compute=compute))
    return time.perf_counter() - started


def together(count: int, way: str, flags: list[str]) -> float:
    """Seconds of the slowest of `count` processes that start at once."""
    command = [sys.executable, "-m", "benchmarks.waiting", "--one", *flags]
    environment = {name: value for name, value in os.environ.items() if name not in _SET} | _WAYS[way]
    runs = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return max(float(run.communicate()[0]) for run in runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=384, help="Long side in px.")
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=2, help="The ways take turns; the best counts.")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(seconds_of_a_run(given.size, given.iterations))
        return
    flags = [f"--size={given.size}", f"--iterations={given.iterations}"]
    best: dict[tuple[str, int], float] = {}
    for _ in range(given.repeats):
        for count in (1, 2):
            for way in _WAYS:
                seconds = together(count, way, flags)
                best[way, count] = min(seconds, best.get((way, count), seconds))
    print(f"{cores()} cores, load {os.getloadavg()[0]:.1f} at the end, {given.size} px, {given.iterations} iterations of lite\n")
    rows = [(way, best[way, 1], best[way, 2], best[way, 2] / best[way, 1]) for way in _WAYS]
    print_table(["threads that wait are", "one run, s", "two at once, s each", "ratio"], rows)


if __name__ == "__main__":
    main()
