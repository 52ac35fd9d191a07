"""The style losses of `optimize` compared on the same pairs: `python -m benchmarks.losses`; results are in losses.md.

Six pairs of the validation split, half of them faces, painted with the recipe's defaults except for size and iterations. Times are
CPU time over all cores, which other programs hardly affect.
"""

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.common import arguments, paint_with, print_table, read_pair
from benchmarks.measures import PictureFeatures, measure
from style_core import OptimizeOptions, finish, optimize
from style_core.devices import Compute
from style_core.media.images import fit_short, resize, write_image
from style_core.networks.extractor import load_extractor
from style_core.optimization.objective import STYLE_LOSSES
from style_core.weights.registry import MODELS

# Sharp photos (faces first) and sharp paintings with strokes of all sizes, chosen by eye before painting.
PAIRS = (
    ("hc00430.jpg", "hs02438.jpg"),
    ("hc00178.jpg", "hs00288.jpg"),
    ("hc01185.jpg", "hs03087.jpg"),
    ("hc00026.jpg", "hs00143.jpg"),
    ("hc02654.jpg", "hs01886.jpg"),
    ("hc00134.jpg", "hs02809.jpg"),
)
FACES = 3
_NAMES = ("style", "content", "fidelity", "coverage", "sliced", "structure")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--extractor", choices=("vgg19", "lite"), default="lite", help="What paints.")
    parser.add_argument("--evaluator", choices=("vgg19", "lite"), default="vgg19", help="The network that evaluates.")
    parser.add_argument(
        "--pairs", type=int, nargs="+", default=list(range(len(PAIRS))), help="Indices of the pairs, from 0; faces come first."
    )
    parser.add_argument("--losses", nargs="+", choices=STYLE_LOSSES, default=list(STYLE_LOSSES))
    parser.add_argument("--strength", type=float, default=0.5)
    parser.add_argument("--sheet", type=Path, help="Write a picture to this file, a row for each pair. Not for publishing.")
    given = parser.parse_args()
    paint_with(given.vgg19)
    evaluator = load_extractor(
        given.evaluator, MODELS / "lite.safetensors" if given.evaluator == "lite" else given.vgg19, Compute.choose("cpu", "fp32")
    )
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in ("untouched photo", *given.losses)}
    rows = []
    for index in given.pairs:
        photo, painting = (given.data / kind / name for kind, name in zip(("content", "style"), PAIRS[index]))
        content, style = read_pair(photo, painting, given.size)
        seen = PictureFeatures(evaluator, content), PictureFeatures(evaluator, style)
        measured["untouched photo"].append({**measure(seen[0], *seen), "seconds": 0.0})
        row = [content, _beside(style, content)]
        for name in given.losses:
            result, seconds = painted(content, style, name, given)
            measured[name].append({**measure(PictureFeatures(evaluator, result), *seen), "seconds": seconds})
            row.append(result)
        rows.append(torch.cat([_framed(image, given.size) for image in row], 2))
        if given.sheet:
            write_image(given.sheet, torch.cat(rows, 1))
    names, faces = [*_NAMES, "seconds"], sum(index < FACES for index in given.pairs)
    for title, first in (("all pairs", len(given.pairs)), ("faces", faces)):
        if first:
            print_table([title, *names], [[name, *(_mean(figures[:first], key) for key in names)] for name, figures in measured.items()])


def painted(content: Tensor, style: Tensor, loss: str, given: argparse.Namespace) -> tuple[Tensor, float]:
    """The result and its CPU seconds."""
    options = OptimizeOptions(
        size=given.size, iterations=given.iterations, extractor=given.extractor, style_loss=loss, strength=given.strength
    )
    started = time.process_time()
    image = finish(optimize(content, [style], options, preview_every=1e9)).result
    return resize(image, tuple(content.shape[-2:])), time.process_time() - started


def _mean(figures: list[dict[str, float]], key: str) -> float:
    return sum(row[key] for row in figures) / len(figures)


def _beside(style: Tensor, content: Tensor) -> Tensor:
    """The painting scaled and center-cropped to the photo's size."""
    height, width = content.shape[-2:]
    scaled = fit_short(style, max(height, width))
    top, left = (scaled.shape[-2] - height) // 2, (scaled.shape[-1] - width) // 2
    return scaled[:, top : top + height, left : left + width]


def _framed(image: Tensor, side: int) -> Tensor:
    """On a white square."""
    square = torch.ones(3, side, side)
    square[:, : image.shape[1], : image.shape[2]] = image
    return square


if __name__ == "__main__":
    main()
