"""Time and memory of prints: `python -m benchmarks.large`; results are in large.md.

Paints 3 and 12 megapixels and A1 at 300 dpi (70 megapixels) with `lite`, each in its own process, whose peak memory is measured. If a
whole run would take too long, `--last` runs a few iterations at the last size, and the whole time is extrapolated from their CPU
time, in proportion to the pixels of all sizes. On a busy machine this is less than the wall-clock time.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch.nn import functional

from benchmarks.common import SAMPLES, VGG19, own_process, paint_with, peak_memory, print_table
from style_core.devices import Compute, cores
from style_core.media.images import read_image
from style_core.recipes.optimize import optimize
from style_core.recipes.optimize_options import OptimizeOptions
from style_core.recipes.pyramid import levels_of

SIZES = {"3 megapixels": (1500, 2000), "12 megapixels": (3000, 4000), "A1, 300 dpi": (7016, 9933)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=list(SIZES))
    parser.add_argument("--extractor", default="lite", choices=("vgg19", "lite"))
    parser.add_argument("--vgg19", type=Path, default=VGG19)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--memory", type=float, default=0, help="GiB that a run may use; 0 means 90 %% of the free memory.")
    parser.add_argument("--last", type=int, default=0, metavar="N", help="Run N iterations at the last size only, and extrapolate.")
    parser.add_argument("--own", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.own:
        print(json.dumps(paint(given)))
        return
    print(f"{Compute.choose().describe()}, torch {torch.__version__}\n")
    rows = []
    for name in given.sizes:
        flags = [
            "--own", name, "--extractor", given.extractor, "--iterations", str(given.iterations), "--last", str(given.last),
            "--memory", str(given.memory), "--vgg19", str(given.vgg19),
        ]  # fmt: skip
        found = json.loads(own_process("benchmarks.large", *flags).splitlines()[-1])
        rows.append([name, found["seconds"], found["iteration"], found["work"], found["minutes"], found["gib"], found["how"]])
    print_table(
        [
            "",
            "seconds run",
            "s / iteration at the last size",
            "of all cores",
            f"minutes, {given.iterations} iterations",
            "GiB at most",
            "how",
        ],
        rows,
    )


def paint(given: argparse.Namespace) -> dict:
    """One run: its seconds, seconds per iteration at the last size, minutes of a whole run, and peak memory."""
    paint_with(given.vgg19)
    height, width = SIZES[given.own]
    photo = read_image(SAMPLES / "landscape.jpg")
    photo = functional.interpolate(photo[None], size=(768 * height // width, 768), mode="area")[0]  # cropped to the print's shape
    options = OptimizeOptions(size=max(height, width), iterations=given.last or given.iterations, extractor=given.extractor)
    whole = levels_of((height, width), OptimizeOptions(size=max(height, width), iterations=given.iterations))
    if given.last:
        options = OptimizeOptions(**{**options.as_dict(), "pyramid": False})
    memory = given.memory * 2**30 or None
    started, times, worked, how = time.monotonic(), [], [], ""
    for step in optimize(photo, [read_image(SAMPLES / "night-wind.jpg")], options, memory=memory, preview_every=60):
        if step.losses:
            times.append(time.monotonic())
            worked.append(time.process_time() / cores())
            how = step.note or how
    seconds = time.monotonic() - started
    counted = len(times) - 1 if given.last else min(whole[-1][2], len(times) - 1)  # the last Step has no iteration
    first, steps = -1 - counted, max(1, counted - 1)
    iteration, work = (times[-2] - times[first]) / steps, (worked[-2] - worked[first]) / steps
    pixels = sum(count * rows * columns for rows, columns, count in whole) / (height * width)
    minutes = (pixels * work if given.last else seconds) / 60
    return {
        "seconds": seconds,
        "iteration": iteration,
        "work": work,
        "minutes": minutes,
        "gib": peak_memory() / 2**30,
        "how": how.split(". ")[-1],
    }


if __name__ == "__main__":
    main()
