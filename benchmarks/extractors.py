"""VGG-19 and `lite` side by side: `python -m benchmarks.extractors`, table as in extractors.md beside this file.

Both paint pairs of the validation split at 384 px; VGG-19 in float32 evaluates. `--sheet docs/lite.jpg` paints our own
samples instead, a row for each style, `lite` on the left and VGG-19 on the right.
"""

import argparse
import statistics
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from benchmarks.common import (
    SAMPLES,
    arguments,
    best_of,
    evaluation_network,
    own_process,
    paint_with,
    peak_memory,
    print_table,
    read_pair,
    validation_pairs,
)
from benchmarks.optimize import iteration
from style_core.devices import Compute
from style_core.media.images import fit, read_image, to_pil
from style_core.networks.extractor import FeatureExtractor, load_extractor
from style_core.optimization.losses import evaluate
from style_core.progress import finish
from style_core.recipes.optimize import optimize
from style_core.recipes.optimize_options import OptimizeOptions
from style_core.weights.registry import MODELS

STYLES = ("night-wind.jpg", "ember-field.jpg")
TIMED = (512, 512)  # px
PRODUCT = 2048  # rows and columns of the matrices
REPEATS = 7


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="Random seed of the pairs.")
    parser.add_argument("--extractors", nargs="+", choices=("vgg19", "lite"), default=("vgg19", "lite"))
    parser.add_argument("--speed-only", action="store_true", help="Measure only the speed.")
    parser.add_argument("--sheet", type=Path, help="Write this picture instead of the table.")
    parser.add_argument("--memory-of", choices=("vgg19", "lite"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    paint_with(given.vgg19)
    files = {"vgg19": given.vgg19, "lite": MODELS / "lite.safetensors"}
    if given.memory_of:
        iteration(load_extractor(given.memory_of, files[given.memory_of], Compute.choose()), *TIMED)()
        print(peak_memory())
        return
    if given.sheet:
        write_sheet(given)
        return
    pairs = [] if given.speed_only else [read_pair(*pair, given.size) for pair in validation_pairs(given.data, given.pairs, given.seed)]
    evaluator = evaluation_network(given.vgg19)
    rows = []
    for name in given.extractors:
        speeds: list[float] = []
        for precision in ("auto", "fp32"):
            extractor = load_extractor(name, files[name], Compute.choose("auto", precision))
            speeds += speed(extractor)
        evaluated = [evaluate(evaluator, _painted(*pair, name, given), *pair) for pair in pairs]
        means = [sum(row[key] for row in evaluated) / len(evaluated) for key in ("style", "content")] if evaluated else ["", ""]
        rows.append([name, *speeds, _memory(name, given) / 2**20, *means])
    print(f"{Compute.choose().describe()}; {len(pairs)} pairs at {given.size} px, {given.iterations} iterations\n")
    share = "of a plain product's rate"
    print_table(["extractor", "s / iteration at 512 px", share, "in float32", share, "peak MB", "style", "content"], rows)


def speed(extractor: FeatureExtractor) -> tuple[float, float]:
    """Seconds of an iteration, and its operations per second relative to those in a product of two large matrices, the most that can
    be expected. Both are measured in turn, because a machine's speed changes from minute to minute.
    """
    compute, iterate = extractor.compute, iteration(extractor, *TIMED)
    one, other = (torch.randn(PRODUCT, PRODUCT).to(compute.device, compute.dtype) for _ in range(2))
    # Forward, and back to the picture, which takes as many operations; those of the losses aren't counted.
    work, product = 2 * extractor.shape.flops(*TIMED), 2 * PRODUCT**3
    measured = [(best_of(1, iterate), best_of(3, lambda: one @ other)) for _ in range(REPEATS)]
    shares = [work / seconds / (product / multiplied) for seconds, multiplied in measured]
    return min(seconds for seconds, _ in measured), statistics.median(shares)


def write_sheet(given: argparse.Namespace) -> None:
    """Write the sample landscape in the sample styles, painted with `lite` and VGG-19."""
    content = fit(read_image(SAMPLES / "landscape.jpg"), given.size)
    height, width = content.shape[-2:]
    sheet = Image.new("RGB", (2 * width, len(STYLES) * height))
    for row, style in enumerate(STYLES):
        for column, name in enumerate(("lite", "vgg19")):
            sheet.paste(to_pil(_painted(content, read_image(SAMPLES / style), name, given)), (column * width, row * height))
    sheet.save(given.sheet, quality=88)


def _painted(content: Tensor, style: Tensor, name: str, given: argparse.Namespace) -> Tensor:
    options = replace(OptimizeOptions(), size=given.size, iterations=given.iterations, extractor=name)
    return finish(optimize(content, [style], options, preview_every=1e9)).result


def _memory(name: str, given: argparse.Namespace) -> float:
    """Peak memory in bytes of a separate process that makes one iteration at 512 px."""
    return float(own_process("benchmarks.extractors", "--memory-of", name, "--vgg19", str(given.vgg19)))


if __name__ == "__main__":
    main()
