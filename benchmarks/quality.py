"""Quality of style transfer, including measures that training doesn't minimize: `python -m benchmarks.quality`.

Pairs come from the validation split, both pictures sharp, at a short side of 512. The table includes anchors: the unchanged photo,
the style itself, and `optimize` with `lite` and VGG-19 on the first pairs. Results are in quality.md.
"""

import random
import statistics
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from benchmarks.common import arguments, evaluation_network, paint_with, painted, print_table
from benchmarks.measures import UNCHANGED, PictureFeatures, Retrieval, measure
from studio.controls import STARTS
from style_core import OptimizeOptions, StylizeOptions, finish, optimize
from style_core.devices import Compute
from style_core.media.images import fit_short, read_image, resize, to_pil
from style_core.networks.generator import Generator
from style_core.training.data import sharp, split
from style_core.weights.registry import MODELS

SIDE = 512  # px, short side
_NAMES = ("style", "content", "fidelity", "coverage", "sliced", "structure")
_HIGHER_IS_BETTER = {"fidelity", "coverage", "structure"}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--optimize-pairs", type=int, default=4, help="Number of pairs also painted by `optimize` with lite.")
    parser.add_argument(
        "--vgg19-pairs", type=int, default=0, help="Number of pairs also painted by `optimize` with VGG-19, which takes minutes each."
    )
    parser.add_argument("--seed", type=int, default=1, help="Random seed of the pairs.")
    parser.add_argument("--weights", type=Path, nargs="+", default=[MODELS / "generator.safetensors"], help="Generators to measure.")
    parser.add_argument(
        "--refine",
        type=int,
        nargs="+",
        default=[StylizeOptions().refine, 0],
        help="Steps of optimization after the network; 0 is the network alone.",
    )
    parser.add_argument("--retrieval", action="store_true", help="Also train the small network that identifies the true painting.")
    parser.add_argument(
        "--sheet", type=Path, help="Write a picture to this file: photo, painting and results of 12 pairs. Not for publishing."
    )
    given = parser.parse_args()
    if len({path.stem for path in given.weights}) < len(given.weights):
        parser.error("two of the --weights have the same name; rename one, because the table's rows are named after them")
    paint_with(given.vgg19)
    torch.manual_seed(0)
    pairs = sharp_pairs(given.data, given.pairs, given.seed)
    methods = {
        f"{path.stem}, {steps} steps" if steps else f"{path.stem} alone": generator_method(path, steps)
        for path in given.weights
        for steps in given.refine
    }
    rows, results = run(evaluation_network(given.vgg19), pairs, methods, {"lite": given.optimize_pairs, "vgg19": given.vgg19_pairs})
    print_summary(rows)
    if given.retrieval:
        print_retrieval(given.data, pairs, results)
    if given.sheet:
        write_sheet(given.sheet, pairs[:12], results)


def sharp_pairs(data: Path, count: int, seed: int) -> list[tuple[Path, Path]]:
    """Random pairs of validation photos and paintings that are sharp."""
    draw = random.Random(seed)
    photos, paintings = (sharp(split(data / kind)[1]) for kind in ("content", "style"))
    return list(zip(draw.sample(photos, count), draw.sample(paintings, count)))


def generator_method(path: Path, steps: int):
    """A function `(content, style) -> result` that paints as `stylize` does, with this file's generator."""
    generator = Generator.load(path, Compute.choose())

    def paint(content: Tensor, style: Tensor) -> Tensor:
        return painted(generator, content, style, steps)

    return paint


def optimized(content: Tensor, style: Tensor, extractor: str) -> Tensor:
    """`optimize` with the app's number of iterations."""
    options = OptimizeOptions.make(size=max(content.shape[-2:]), extractor=extractor, **STARTS["optimize"])
    return resize(finish(optimize(content, [style], options)).result, tuple(content.shape[-2:]))


def run(network, pairs, methods: dict, optimize_pairs: dict[str, int]) -> tuple[dict[str, list[dict]], dict[str, list[Tensor]]]:
    """Measures and results by method, pair by pair."""
    rows: dict[str, list[dict]] = {}
    results: dict[str, list[Tensor]] = {}
    for index, (photo, painting) in enumerate(pairs):
        content, style = (fit_short(read_image(path), SIDE) for path in (photo, painting))
        seen_photo, seen_style = PictureFeatures(network, content), PictureFeatures(network, style)
        made = {name: method(content, style) for name, method in methods.items()}
        made |= {f"optimize, {name}": optimized(content, style, name) for name, count in optimize_pairs.items() if index < count}
        for name, seen in {"untouched photo": seen_photo, "the style itself": seen_style}.items():
            rows.setdefault(name, []).append(measure_anchor(seen, seen_photo, seen_style))
        for name, result in made.items():
            rows.setdefault(name, []).append(measure(PictureFeatures(network, result), seen_photo, seen_style))
            results.setdefault(name, []).append(result)
    return rows, results


def measure_anchor(seen: PictureFeatures, photo: PictureFeatures, style: PictureFeatures) -> dict[str, float]:
    """As `measure`, without measures that compare positions if the picture's size differs from the photo's."""
    if seen is photo:
        return measure(photo, photo, style)
    return {**measure(style, style, style), "content": float("nan"), "structure": float("nan")}


def print_summary(rows: dict[str, list[dict]]) -> None:
    """Mean, median and worst tenth of each measure by method."""
    table = []
    for name, measured in rows.items():
        for kind in ("mean", "median", "worst tenth"):
            table.append([f"{name} ({len(measured)})", kind, *(summary([row[key] for row in measured], kind, key) for key in _NAMES)])
    print_table(["", "", *_NAMES], table)
    print()
    untouched = [row["style"] for row in rows["untouched photo"]]
    for name, measured in rows.items():
        if name not in ("untouched photo", "the style itself"):
            left = sum(row["style"] > UNCHANGED * before for row, before in zip(measured, untouched))
            print(f"{name}: {left} of {len(measured)} pairs stay above {UNCHANGED} of the untouched photo's style distance.")


def summary(values: list[float], kind: str, key: str) -> float:
    ordered = torch.tensor(sorted(values, reverse=key in _HIGHER_IS_BETTER))
    if kind == "mean":
        return float(ordered.mean())
    if kind == "median":
        return statistics.median(values)  # torch's is the lower of two middle values
    return float(ordered[-max(1, round(len(ordered) / 10)) :].mean())


def print_retrieval(data: Path, pairs, results: dict[str, list[Tensor]]) -> None:
    """How often the true painting is the most likely, and among the five most likely, of all sharp validation paintings."""
    paintings = sharp(split(data / "style")[1])
    retrieval = Retrieval(paintings, SIDE)
    photos = [fit_short(read_image(photo), SIDE) for photo, _ in pairs]
    table = []
    for name, pictures in {"untouched photo": photos, **results}.items():
        ranks = [retrieval.ranks(picture, painting.name) for picture, (_, painting) in zip(pictures, pairs)]
        table.append([name, sum(rank < 1 for rank in ranks) / len(ranks), sum(rank < 5 for rank in ranks) / len(ranks)])
    print()
    print_table([f"retrieval among {len(paintings)}", "top 1", "top 5"], table)


def write_sheet(path: Path, pairs, results: dict[str, list[Tensor]], side: int = 320) -> None:
    """Write photo, painting and every method's result, one row per pair."""
    rows = []
    for index, pair in enumerate(pairs):
        rows.append([*(read_image(file) for file in pair), *(pictures[index] for pictures in results.values() if index < len(pictures))])
    sheet = Image.new("RGB", (max(map(len, rows)) * side, len(rows) * side))
    for row, images in enumerate(rows):
        for column, image in enumerate(images):
            sheet.paste(to_pil(fit_short(image, side)).crop((0, 0, side, side)), (column * side, row * side))
    sheet.save(path, quality=90)


if __name__ == "__main__":
    main()
