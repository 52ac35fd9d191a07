"""Quality and speed of `optimize`: `python -m benchmarks.optimize`; results are in optimize.md.

Evaluated by VGG-19 in float32 on pairs of the validation split, at 384 px, default strength, 150 iterations.
"""

import argparse
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn import functional

from benchmarks.common import arguments, best_of, evaluation_network, paint_with, print_table, read_pair, validation_pairs
from style_core.devices import Compute
from style_core.networks.backbones import BACKBONES
from style_core.networks.extractor import load_extractor
from style_core.networks.vgg19 import STYLE_LAYERS
from style_core.optimization.descent import Descent
from style_core.optimization.losses import ContentTarget, StyleTarget, evaluate
from style_core.optimization.objective import Objective, Region
from style_core.recipes.loss_weights import loss_weights_of
from style_core.recipes.optimize import optimize
from style_core.recipes.optimize_options import OptimizeOptions
from style_core.recipes.pyramid import split_iterations

REACHED = 0.05


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--iterations", type=int, default=150)
    parser.add_argument("--extractor", choices=("vgg19", "lite"), default="vgg19", help="What paints.")
    parser.add_argument("--init", choices=("content", "noise"), default="content", help="What the painting starts from.")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto", help="Precision of the painting.")
    parser.add_argument("--pyramid-only", action="store_true", help="Skip painting at a single size.")
    parser.add_argument("--quality-only", action="store_true", help="Skip the speed of an iteration.")
    given = parser.parse_args()
    paint_with(given.vgg19)
    print(f"{Compute.choose().describe()}, torch {torch.__version__}\n")
    if not given.quality_only:
        speed(given.vgg19)
    quality(given)


def quality(given: argparse.Namespace) -> None:
    """Distances in VGG-19, and the time until the style distance at full size falls below `REACHED`, with and without a pyramid.

    A run that never reaches it counts with its full time.
    """
    base = OptimizeOptions(size=given.size, iterations=given.iterations, extractor=given.extractor, init=given.init)
    variants = {"pyramid (default)": base, "one size": replace(base, pyramid=False)}
    evaluator = evaluation_network(given.vgg19)
    pairs = [read_pair(*pair, given.size) for pair in validation_pairs(given.data, given.pairs)]
    rows = []
    if given.pyramid_only:
        del variants["one size"]
    for name, options in variants.items():
        figures = [
            _paint_and_evaluate(content, style, options, evaluator, Compute.choose("auto", given.precision)) for content, style in pairs
        ]
        rows.append([name, *(sum(column) / len(figures) for column in zip(*figures))])
        rows[-1][-1] = f"{sum(row[-1] for row in figures):.0f} of {len(figures)}"
    print_table(["", "style", "content", "seconds", f"seconds to style {REACHED}", "pairs that reach it"], rows)


def _paint_and_evaluate(content, style, options, evaluator, compute) -> tuple[float, float, float, float, bool]:
    reached = None
    # Distances at smaller sizes refer to smaller targets, so only those of the last size count.
    coarse = options.iterations - split_iterations(options.iterations, 2)[-1] if options.pyramid else 0
    with closing(optimize(content, [style], options, compute=compute, preview_every=1e9)) as steps:
        for step in steps:
            if reached is None and step.losses and step.iteration > coarse:
                distance = sum(step.losses[f"style {layer}"] for layer in STYLE_LAYERS) / len(STYLE_LAYERS)
                reached = step.seconds if distance < REACHED else None
    evaluated = evaluate(evaluator, step.result, content, style)
    return evaluated["style"], evaluated["content"], step.seconds, reached or step.seconds, reached is not None


def speed(vgg19: Path) -> None:
    """Seconds per iteration of VGG-19 up to relu5_1, forward and backward, and the share of the speed of matrix products."""
    rows = []
    for precision in ("fp32", "bf16"):
        compute = Compute.choose("cpu", precision)
        peak = matmul_peak(compute.dtype)
        extractor = load_extractor("vgg19", vgg19, compute)
        for height, width in ((256, 256), (288, 384), (384, 512)):
            seconds = best_of(5, iteration(extractor, height, width))
            flops = 2 * BACKBONES["vgg19"].shape.flops(height, width, "relu5_1")  # forward, and backward to the picture
            rows.append([precision, f"{width} x {height}", seconds, flops / seconds / 1e9, peak / 1e9, flops / seconds / peak])
    print_table(["precision", "picture", "s / iteration", "GFLOP/s", "matmul peak GFLOP/s", "share"], rows)
    print()


def iteration(extractor, height: int, width: int):
    # Soft patches and noise, because two noise pictures have nearly the same style.
    coarse, style = (torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)) for size in ((16, 16), (height, width)))
    photo = functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
    loss_weights = loss_weights_of(OptimizeOptions())
    content = ContentTarget.of(extractor, photo, loss_weights.content)
    region = Region(StyleTarget.of(extractor, style, loss_weights.style), 1.0)
    return Descent(photo, Objective(extractor, content, [region], loss_weights)).step


def matmul_peak(dtype: torch.dtype, side: int = 2048) -> float:
    """FLOP/s of the fastest of several square matrix products."""
    a, b = (torch.rand(side, side).to(dtype) for _ in range(2))
    return 2 * side**3 / best_of(8, lambda: a @ b)


if __name__ == "__main__":
    main()
