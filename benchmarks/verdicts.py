"""Whether Stylize warns of its bad results, and of no others: `python -m benchmarks.verdicts`.

Thirty photos by ten paintings of the validation split, all sharp. VGG-19, which the verdict doesn't use, says what is bad: a
result that keeps more than 0.6 of the untouched photo's style distance, or whose features at relu4_2 hardly correlate with the photo's.
The outcome is in verdicts.md beside this file.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.common import arguments, evaluation_network, paint_with, painted, print_table
from benchmarks.measures import UNCHANGED, PictureFeatures, content_correlation, style_distance
from style_core.devices import Compute
from style_core.media.images import fit_short, read_image
from style_core.recipes.stylize import StylizeOptions, verdict
from style_core.training.data import sharp, split
from style_core.weights.open import open_generator

LOST = 0.2  # correlation with the photo's content below which it is lost; unrelated photos have about 0


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--photos", type=int, default=30)
    parser.add_argument("--paintings", type=int, default=10)
    parser.add_argument("--size", type=int, default=384, help="px, short side.")
    parser.add_argument("--seed", type=int, default=7, help="Of the draw.")
    parser.add_argument("--refine", type=int, default=StylizeOptions().refine, help="Steps of optimization after the network.")
    given = parser.parse_args()
    paint_with(given.vgg19)
    photos, paintings = drawn(given.data, given.photos, given.paintings, given.seed)
    network = evaluation_network(given.vgg19)
    rows = list(evaluated(network, photos, paintings, given.size, given.refine))
    print_outcome(rows)


def drawn(data: Path, photos: int, paintings: int, seed: int) -> tuple[list[Path], list[Path]]:
    """Sharp photos and paintings of the validation split."""
    draw = random.Random(seed)
    return draw.sample(sharp(split(data / "content")[1]), photos), draw.sample(sharp(split(data / "style")[1]), paintings)


def evaluated(network, photos: Sequence[Path], paintings: Sequence[Path], size: int, refine: int) -> Iterator[tuple[str, float, float]]:
    """Of each pair: the verdict, the share of the photo's style distance that is left, and the content's correlation."""
    generator = open_generator(Compute.choose())
    styles = [fit_short(read_image(path), size) for path in paintings]
    codes = [generator.encode_style(style) for style in styles]
    seen_styles = [PictureFeatures(network, style) for style in styles]
    for path in photos:
        photo = fit_short(read_image(path), size)
        seen_photo = PictureFeatures(network, photo)
        for picture, code, style in zip(styles, codes, seen_styles):
            result = painted(generator, photo, picture, refine)
            seen = PictureFeatures(network, result)
            left = style_distance(seen, style) / style_distance(seen_photo, style)
            yield verdict(generator, photo, result, [code]), left, content_correlation(seen, seen_photo)


def print_outcome(rows: Sequence[tuple[str, float, float]]) -> None:
    """How many were bad, how many of them were told, and how many good ones were warned of."""

    def bad(left: float, content: float) -> str:
        return "unchanged" if left > UNCHANGED else "lost" if content < LOST else "good"

    table = []
    for truth in ("unchanged", "lost", "good"):
        told = [said or "nothing" for said, left, content in rows if bad(left, content) == truth]
        table.append([truth, len(told), *(told.count(said) for said in ("unchanged", "lost", "nothing"))])
    print_table(["VGG-19 says", "pairs", "told: unchanged", "told: lost", "told nothing"], table)
    good = [said for said, left, content in rows if bad(left, content) == "good"]
    missed = sum(not said for said, left, content in rows if bad(left, content) != "good")
    print(f"\nFalse warnings: {sum(map(bool, good))} of {len(good)} good results. Bad results without a word: {missed}.")
    near = sorted((left, said) for said, left, _ in rows)[-12:]
    print("Most left of the photo's style distance:", ", ".join(f"{left:.2f} {said or 'nothing'}" for left, said in near))
    far = sorted((content, said) for said, _, content in rows)[:12]
    print("Least correlations with the photo:", ", ".join(f"{content:.2f} {said or 'nothing'}" for content, said in far))


if __name__ == "__main__":
    main()
