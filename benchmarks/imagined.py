"""Imagined pictures as people get them, beside crops of paintings: `python -m benchmarks.imagined`; results are in imagined.md.

The crops are of paintings that training never used. "In their own style" is how pictures were finished before the style prior: painted
in the style of the decoded picture itself.
"""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from benchmarks.common import arguments, evaluation_network, painted, print_table
from benchmarks.latent import frechet, pooled
from style_core import ImagineOptions, finish, imagine
from style_core.devices import Compute, prepare_cpu
from style_core.media.images import resize, to_pil
from style_core.networks.latent_net import SIDE
from style_core.training.data import Crops, split
from style_core.training.latent import CROP_SCALE
from style_core.weights.open import open_generator

SIZE = 256  # px
_HUES = 12
_NAMED_HUES = {"red": [11, 0, 1], "yellow": [2], "blue": [7, 8, 9]}  # bins of the histogram
_SATURATED = 0.4  # least difference between a pixel's largest and smallest channel
_COLUMNS = 6  # of each half of the sheet


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--sheet", type=Path, help="Write a picture to this file: the same seeds in their own style, and in imagined ones.")
    given = parser.parse_args()
    prepare_cpu()
    network = evaluation_network(given.vgg19)
    held = split(given.data / "style")[1]
    real, other = (Crops(held, seed=seed).batch(given.samples, SIZE, CROP_SCALE) for seed in (7, 8))
    decoded, enlarged = (imagined(given.samples, size=size, finish="plain") for size in (SIDE, SIZE))
    generator = open_generator(Compute.choose())
    rows = {
        "other real crops": other,
        "decoded, enlarged": enlarged,
        "painted in their own style": torch.stack([painted(generator, photo, style, refine=0) for photo, style in zip(enlarged, decoded)]),
        "painted in imagined styles": imagined(given.samples, size=SIZE),
    }
    truth, hues = pooled(network, real), hue_shares(real)
    print_table(
        ["", "Fréchet distance, relu4_1 pooled", "hues apart", "saturated"],
        [
            [name, frechet(pooled(network, batch), truth), float((hue_shares(batch) - hues).abs().sum() / 2), saturated(batch)]
            for name, batch in rows.items()
        ],
    )
    print(f"\nThe crops themselves: saturated {saturated(real):.3f}.")
    print_hues({"real": real, **rows})
    if given.sheet:
        write_sheet(given.sheet, rows["painted in their own style"], rows["painted in imagined styles"])


def imagined(count: int, **options) -> Tensor:
    """The pictures of the first seeds, `[count, 3, size, size]`."""
    made = [finish(imagine(ImagineOptions(seed=seed, **options))).image for seed in range(count)]
    return torch.stack([image for image in made if image is not None])


def chroma(batch: Tensor) -> Tensor:
    """`[B, H, W]`: difference between a pixel's largest and smallest channel."""
    return batch.amax(1) - batch.amin(1)


def hue_shares(batch: Tensor) -> Tensor:
    """Histogram `[12]` of the hues of `[B, 3, H, W]`, weighted by chroma; it sums to 1. It begins with red; the fifth is green."""
    red, green, blue = batch.unbind(1)
    most, apart = batch.amax(1), chroma(batch).clamp_min(1e-6)
    sixths = torch.where(
        most == red, ((green - blue) / apart) % 6, torch.where(most == green, (blue - red) / apart + 2, (red - green) / apart + 4)
    )
    bins = (sixths * _HUES / 6).round().long() % _HUES
    shares = torch.bincount(bins.flatten(), chroma(batch).flatten().double(), _HUES)
    return shares / shares.sum()


def saturated(batch: Tensor) -> float:
    """Share of saturated pixels."""
    return float((chroma(batch) > _SATURATED).double().mean())


def print_hues(rows: dict[str, Tensor]) -> None:
    """Saturated red, yellow and blue pixels, in percent of all."""
    print()
    table = []
    for name, batch in rows.items():
        shares = 100 * saturated(batch) * hue_shares_of_saturated(batch)
        table.append([name, *(float(shares[bins].sum()) for bins in _NAMED_HUES.values())])
    print_table(["saturated pixels, %", *_NAMED_HUES], table)


def hue_shares_of_saturated(batch: Tensor) -> Tensor:
    """`hue_shares` of the saturated pixels alone."""
    kept = (chroma(batch) > _SATURATED)[:, None]
    return hue_shares(torch.where(kept, batch, batch.mean(1, keepdim=True)))


def write_sheet(path: Path, before: Tensor, now: Tensor) -> None:
    """The same seeds before (left) and now (right)."""
    side = SIZE // 2
    sheet = Image.new("RGB", (2 * _COLUMNS * side, _COLUMNS * side), "white")
    for half, batch in enumerate((before, now)):
        for index, picture in enumerate(batch[: _COLUMNS**2]):
            row, column = divmod(index, _COLUMNS)
            sheet.paste(to_pil(resize(picture, (side, side))), ((half * _COLUMNS + column) * side + 4 * half, row * side))
    sheet.save(path, quality=88)


if __name__ == "__main__":
    main()
