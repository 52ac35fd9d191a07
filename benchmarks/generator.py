"""Quality and speed of `stylize`: `python -m benchmarks.generator`; results are in generator.md.

Evaluated by VGG-19 in float32 on pairs of the validation split, which training never used, at a short side of 512.
"""

import argparse
import itertools
import time
from pathlib import Path

import psutil
import torch

from benchmarks.common import (
    arguments,
    best_of,
    evaluation_network,
    own_process,
    painted,
    peak_memory,
    print_table,
    read_pair,
    validation_pairs,
)
from style_core.devices import Compute, prepare_cpu
from style_core.networks.generator import Generator
from style_core.optimization.losses import evaluate
from style_core.weights.registry import MODELS

SIDE = 512  # px, short side of the pairs
TIMED = ((512, 683), (256, 256))  # px, height and width


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--weights", type=Path, default=MODELS / "generator.safetensors")
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1, help="Random seed of the pairs.")
    parser.add_argument("--large", type=int, default=4096, help="Side in pixels of the square picture painted in tiles.")
    parser.add_argument("--only-large", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    prepare_cpu()
    compute = Compute.choose()
    generator = Generator.load(given.weights, compute)
    if given.only_large:
        large(generator, given.large)
        return
    print(f"{compute.describe()}, torch {torch.__version__}\n")
    quality(generator, given)
    speed(generator)
    print()
    print(own_process("benchmarks.generator", "--weights", str(given.weights), "--large", str(given.large), "--only-large"), end="")


def quality(generator: Generator, given: argparse.Namespace) -> None:
    """Mean evaluated distances over the pairs, compared with those of the unchanged photos."""
    evaluator = evaluation_network(given.vgg19)
    results, alone, untouched = [], [], []
    for pair in validation_pairs(given.data, given.pairs, given.seed):
        content, style = read_pair(*pair, SIDE, short=True)
        results.append(evaluate(evaluator, painted(generator, content, style), content, style))
        alone.append(evaluate(evaluator, painted(generator, content, style, refine=0), content, style))
        untouched.append(evaluate(evaluator, content, content, style))
    names = list(results[0])
    rows = [
        [label, *(sum(row[name] for row in rows) / len(rows) for name in names)]
        for label, rows in (("refined", results), ("the network alone", alone), ("untouched", untouched))
    ]
    print_table(["", *names], rows)
    print()


def speed(generator: Generator) -> None:
    """Seconds at the sizes of a photo and of a film's frame."""
    rows, fresh = [], itertools.count()
    for height, width in TIMED:
        photo = torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))
        code = generator.encode_style(photo)
        encoded = generator.encode_content(photo)
        looking = best_of(5, lambda: generator.encode_content(photo, remember=False))
        # Never the same code, because adjustments are cached.
        adjusting = best_of(5, lambda: generator.adjusted(photo, [code + 1e-6 * next(fresh)], remember=False))
        painting = best_of(5, lambda: list(generator.paint(encoded, [code])))
        rows.append([f"{width} x {height}", looking, adjusting, painting, looking + adjusting + painting])
    print_table(["picture", "s to encode", "s to adjust the code", "s to paint", "s in all"], rows)


def large(generator: Generator, side: int) -> None:
    """Seconds for a picture painted in tiles, and the memory beyond that of the idle process."""
    coarse = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    photo = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=False).clamp(0, 1)[0]
    code = generator.encode_style(photo[:, :256, :256])
    rest, started = psutil.Process().memory_info().rss, time.perf_counter()
    list(generator.paint(generator.encode_content(photo), [code]))
    seconds = time.perf_counter() - started
    print_table(["picture", "s in all", "GiB beyond idle"], [[f"{side} x {side}", seconds, (peak_memory() - rest) / 2**30]])


if __name__ == "__main__":
    main()
