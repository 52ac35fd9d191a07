"""Maps from the Gram matrices of enlarged thumbnails to those of their paintings, in the features of `lite`.

    python -m style_core.training.gram_sharpening --out runs/sharpening/sharpening.safetensors

Paintings of the training split are shrunk to random sizes, by the filters that people's programs use, half of them stored as JPEG, and
enlarged again, as `stylize` does. Training `lite` further changes its features, so run it again afterwards.
"""

import argparse
import io
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from style_core.devices import Compute, prepare_cpu
from style_core.media.images import fit_short, from_pil, read_image, to_pil
from style_core.networks.moments import relative_distances
from style_core.networks.sharpening import TERMS, GramSharpening, mapped
from style_core.networks.style_picture import STYLE_SIDE
from style_core.networks.vgg19 import STYLE_LAYERS
from style_core.optimization.losses import StyleTarget
from style_core.progress import returned
from style_core.training.data import sharp_paintings
from style_core.weights.open import open_extractor
from style_core.weights.registry import registry

_SMALLEST, _LARGEST = 100, 480  # px, short sides of thumbnails
_LONGEST = 768  # px; longer paintings are cut
_FILTERS = (Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BOX)
_QUALITIES = (60, 95)
_BATCH, _RATE = 64, 3e-3


class Example(NamedTuple):
    """A thumbnail and its painting.

    Attributes:
        shown: the thumbnail's side over that of a painting.
        grams, wanted: the Gram matrices of both, `[C, C]` by layer.
    """

    shown: float
    grams: dict[str, Tensor]
    wanted: dict[str, Tensor]


def thumbnail(painting: Tensor, side: int, draw: random.Random) -> Tensor:
    """A painting `[3, h, w]` with a short side of `side` px, as one would find it."""
    image = to_pil(painting)
    factor = side / min(image.size)
    image = image.resize((max(1, round(image.width * factor)), max(1, round(image.height * factor))), draw.choice(_FILTERS))
    if draw.random() < 0.5:
        stored = io.BytesIO()
        image.save(stored, "JPEG", quality=draw.randint(*_QUALITIES))
        image = Image.open(stored)
    return from_pil(image)


def examples(paintings: Sequence[Path], each: int, seed: int) -> Iterator[list[Example]]:
    """For every painting, so many of its thumbnails."""
    draw = random.Random(seed)
    extractor, _ = returned(open_extractor("lite", STYLE_LAYERS, Compute.choose("cpu", "fp32")))

    def grams_of(image: Tensor) -> dict[str, Tensor]:
        return {layer: gram[0] for layer, gram in StyleTarget.of(extractor, image[None], STYLE_LAYERS).grams.items()}

    for path in paintings:
        painting = fit_short(read_image(path), STYLE_SIDE)[:, :_LONGEST, :_LONGEST]
        wanted = grams_of(painting)
        sides = [draw.randint(_SMALLEST, _LARGEST) for _ in range(each)]
        yield [Example(side / STYLE_SIDE, grams_of(fit_short(thumbnail(painting, side, draw), STYLE_SIDE)), wanted) for side in sides]


def fitted(shown: Tensor, grams: Tensor, wanted: Tensor, steps: int, seed: int) -> Tensor:
    """The maps `[TERMS, C, C]` of a layer that leave the smallest mean relative distance, by Adam.

    Args:
        shown: `[N]` in `(0, 1]`.
        grams, wanted: `[N, C, C]`, the thumbnails' and the paintings'.
    """
    draw = torch.Generator().manual_seed(seed)
    maps = torch.zeros(TERMS, *grams.shape[-2:], requires_grad=True)
    adam = torch.optim.Adam([maps], lr=_RATE)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        chosen = torch.randint(len(grams), (_BATCH,), generator=draw)
        adam.zero_grad()
        relative_distances(mapped(grams[chosen], maps, 1 - shown[chosen]), wanted[chosen]).mean().backward()
        adam.step()
        falling.step()
    return maps.detach()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="Folder with style/.")
    parser.add_argument("--paintings", type=int, default=500, help="Sharp training paintings to fit to, and a tenth as many to judge by.")
    parser.add_argument("--each", type=int, default=3, help="Thumbnails of each painting.")
    parser.add_argument("--steps", type=int, default=800, help="Of Adam, for each layer.")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    prepare_cpu()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    files = sharp_paintings(given.data, given.seed)
    began, apart = time.monotonic(), given.paintings // 10
    found = list(examples(files[: given.paintings + apart], given.each, given.seed))
    print(f"{len(found)} paintings measured in {time.monotonic() - began:.0f} s", flush=True)
    fitting, judging = ([one for several in part for one in several] for part in (found[:-apart], found[-apart:]))
    maps = {}
    print("layer | distance of thumbnails | sharpened")
    for layer in STYLE_LAYERS:
        (shown, grams, wanted), judged = (_columns(part, layer) for part in (fitting, judging))
        maps[layer] = fitted(shown, grams, wanted, given.steps, given.seed)
        made = mapped(judged[1], maps[layer], 1 - judged[0])
        before, after = relative_distances(judged[1], judged[2]), relative_distances(made, judged[2])
        print(f"{layer} | {before.mean():.4f} | {after.mean():.4f}", flush=True)
    print(f"done after {time.monotonic() - began:.0f} s")
    command = f"--paintings {given.paintings} --each {given.each} --steps {given.steps} --seed {given.seed}"
    facts = {"lite": registry()["lite"].sha256, "command": f"python -m style_core.training.gram_sharpening {command}"}
    save_file(GramSharpening(maps).tensors(), given.out, facts)


def _columns(part: Sequence[Example], layer: str) -> tuple[Tensor, Tensor, Tensor]:
    """What is shown `[N]`, the thumbnails' Gram matrices and the paintings' `[N, C, C]`."""
    grams, wanted = (torch.stack([each[layer] for each in both]) for both in zip(*((one.grams, one.wanted) for one in part)))
    return torch.tensor([one.shown for one in part]), grams, wanted


if __name__ == "__main__":
    main()
