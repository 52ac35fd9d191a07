"""The generator's corrections without training: of thumbnails' codes, and of codes by a first result.

    python -m style_core.training.sharpening models/generator.safetensors --out runs/generator/corrected.safetensors

An enlarged thumbnail lacks the finest strokes, and its code says so. Paintings of the training split are shrunk to random sizes and
enlarged again; ridge regressions lead from the resulting codes back to those of the paintings as they are. Further training of the
generator changes codes, so run it again afterwards.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from style_core.devices import Compute, prepare_cpu
from style_core.media.images import fit_short, from_pil, read_image, resize, size_to_fit_short, to_pil
from style_core.networks.generator import Generator
from style_core.networks.generator_net import CODE_SIZE, SHARPENING_TERMS
from style_core.networks.style_picture import STYLE_SIDE
from style_core.training.data import sharp_paintings

_SMALLEST, _LARGEST = 96, 480  # px, short sides of thumbnails
_OFTEN = (160, 300)  # px, the range that a third of them are in
_RIDGE = 10.0  # in units of the codes' mean square; chosen on 150 training paintings that the others were not fitted to


def thumbnails(generator: Generator, paintings: list[Path], seed: int) -> Iterator[tuple[Tensor, Tensor, float]]:
    """Codes `[CODE_SIZE]` of each painting's thumbnails and of itself, and the thumbnail's side over that of evaluation."""
    draw = random.Random(seed)

    def code_of(image: Tensor) -> Tensor:
        # As content, because style pictures are sharpened already.
        return generator.encode_content(fit_short(image, STYLE_SIDE), remember=False).code[0, :CODE_SIZE]

    for path in paintings:
        painting = read_image(path)
        wanted = code_of(painting)
        for side in (draw.randint(_SMALLEST, _LARGEST), draw.randint(_SMALLEST, _LARGEST), draw.randint(*_OFTEN)):
            thumbnail = from_pil(to_pil(resize(painting, size_to_fit_short(painting.shape[-2:], side))))
            yield code_of(thumbnail), wanted, side / STYLE_SIDE


def regressions(codes: Tensor, wanted: Tensor, shown: Tensor, ridge: float = _RIDGE) -> Tensor:
    """What `StyleNet.sharpened` adds, fitted by least squares: `[SHARPENING_TERMS, C, C + 1]`.

    Args:
        codes, wanted: `[N, C]`.
        shown: `[N]` in `(0, 1]`.
        ridge: penalty of the squared coefficients, in units of the codes' mean square.
    """
    codes, wanted, lacking = codes.double(), wanted.double(), (1 - shown.double())[:, None]
    known = torch.cat([codes, codes.new_ones(len(codes), 1)], 1)
    terms = torch.cat([lacking ** (power + 1) * known for power in range(SHARPENING_TERMS)], 1)
    penalty = ridge * codes.square().mean() * torch.eye(terms.shape[1], dtype=torch.double)
    found = torch.linalg.solve(terms.mT @ terms + penalty, terms.mT @ (wanted - codes))
    return found.unflatten(0, (SHARPENING_TERMS, -1)).mT.float()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generator", type=Path, help="The trained generator.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="Folder with style/.")
    parser.add_argument("--paintings", type=int, default=800, help="Sharp training paintings to fit to.")
    parser.add_argument("--feedback", type=float, default=0.6, help="How far codes are moved by what a first result misses, 0 to 1.")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    prepare_cpu()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    files = sharp_paintings(given.data, given.seed)
    generator = Generator.load(given.generator, Compute.choose("cpu", "fp32"))
    codes, wanted, shown = zip(*thumbnails(generator, files[: given.paintings], given.seed))
    fitted = regressions(torch.stack(codes), torch.stack(wanted), torch.tensor(shown))
    with safe_open(given.generator, "pt") as file:
        facts = file.metadata() or {}
    tensors = load_file(given.generator)
    tensors |= {"style.sharpening": fitted.half().contiguous(), "style.feedback": torch.tensor(given.feedback).half()}
    facts["corrections"] = (
        f"python -m style_core.training.sharpening --paintings {given.paintings} --seed {given.seed} --feedback {given.feedback:g}"
    )
    save_file(tensors, given.out, facts)


if __name__ == "__main__":
    main()
