"""The same painting as different files: `python -m benchmarks.inputs`.

Each sharp painting of the validation split is given to the generator at several sizes and as JPEG, and as a thumbnail that was enlarged
again, as websites do. Results are compared with the painting as it is, so that equal figures mean that the file didn't matter. Results are
in inputs.md.
"""

import statistics
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.common import arguments, evaluation_network, painted, print_table
from benchmarks.measures import PictureFeatures, style_distance
from benchmarks.quality import sharp_pairs
from style_core.devices import Compute, prepare_cpu
from style_core.media.images import fit_short, read_image, resize, size_to_fit_short, write_image
from style_core.networks.generator import Generator
from style_core.weights.registry import MODELS

SIDE = 512  # px, short side of photos, and of paintings as they are compared
SHORT_SIDES = (224, 512, 1024, 2048)  # px, of the given files
JPEG_QUALITY = 60
THUMBNAIL, ENLARGED, ENLARGED_QUALITY = 224, (512, 1024), 85  # px, px, and of JPEG
_ALLOWED = 1.15  # largest over smallest distance of one painting's files


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1, help="Random seed of the pairs.")
    given = parser.parse_args()
    prepare_cpu()
    network = evaluation_network(given.vgg19)
    generator = Generator.load(MODELS / "generator.safetensors", Compute.choose())
    rows: list[dict[str, float]] = []
    for photo, painting in sharp_pairs(given.data, given.pairs, given.seed):
        content, style = (fit_short(read_image(path), SIDE) for path in (photo, painting))
        seen = PictureFeatures(network, style)
        rows.append(
            {
                name: style_distance(PictureFeatures(network, painted(generator, content, file)), seen)
                for name, file in files_of(read_image(painting)).items()
            }
        )
    print_summary(rows)


def files_of(painting: Tensor) -> dict[str, Tensor]:
    """A painting `[3, H, W]`, written and read again as each of the files, by their names."""
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for side in SHORT_SIDES:
            write_image(Path(folder) / "painting.png", _scaled(painting, side))
            files[f"PNG, {side} px"] = read_image(Path(folder) / "painting.png")
        write_image(Path(folder) / "painting.jpg", _scaled(painting, SIDE), quality=JPEG_QUALITY)
        files[f"JPEG {JPEG_QUALITY}, {SIDE} px"] = read_image(Path(folder) / "painting.jpg")
        for side in ENLARGED:
            write_image(Path(folder) / "enlarged.jpg", _scaled(_scaled(painting, THUMBNAIL), side), quality=ENLARGED_QUALITY)
            files[_enlarged_name(side)] = read_image(Path(folder) / "enlarged.jpg")
    return files


def _enlarged_name(side: int) -> str:
    return f"JPEG {ENLARGED_QUALITY}, {side} px, enlarged from {THUMBNAIL}"


def _scaled(painting: Tensor, side: int) -> Tensor:
    """Scaled bicubically, not by the filter with which the app reduces style pictures."""
    return resize(painting, size_to_fit_short(painting.shape[-2:], side))


def print_summary(rows: list[dict[str, float]]) -> None:
    """Mean and median style distance of each file, and how far those of one painting are apart."""
    found = {name: torch.tensor([row[name] for row in rows]) for name in rows[0]}
    print_table(
        ["file", "style, mean", "style, median"], [[name, float(at.mean()), statistics.median(at.tolist())] for name, at in found.items()]
    )
    own = [name for name in found if name not in map(_enlarged_name, ENLARGED)]
    spread = torch.tensor([max(row[name] for name in own) / min(row[name] for name in own) for row in rows])
    within = int((spread <= _ALLOWED).sum())
    median, most = statistics.median(spread.tolist()), float(spread.max())
    print("\nLargest over smallest of one painting, but for enlarged thumbnails:", end=" ")
    print(f"median {median:.2f}, most {most:.2f}; {within} of {len(rows)} are within {_ALLOWED}.")


if __name__ == "__main__":
    main()
