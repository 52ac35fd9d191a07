"""Which files are found to have been enlarged: `python -m benchmarks.enlarged`, table as in models/sharpening.md.

The sharp pictures of the validation split, as they are and stored or reduced in other ways, and as thumbnails of themselves that were
enlarged again; half of the thumbnails were stored as JPEG, and most of the enlarged files, as on the web.
"""

import io
import random
from pathlib import Path

import torch
from PIL import Image

from benchmarks.common import arguments, print_table
from style_core.media.images import from_pil
from style_core.media.sharpness import true_side
from style_core.training.data import sharp, split

_BICUBIC, _LANCZOS, _BILINEAR = Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BILINEAR
# Thumbnail and file, px on the short side, and the filter that enlarges.
ENLARGED = (
    (224, 512, _BICUBIC), (224, 1024, _BICUBIC), (224, 1024, _LANCZOS), (150, 900, _BICUBIC), (300, 1024, _BICUBIC), (300, 512, _BICUBIC),
    (300, 512, _BILINEAR),
)  # fmt: skip
_THUMBNAILS_STORED, _FILES_STORED = 0.5, 0.6  # shares that are stored as JPEG
_QUALITIES = (60, 95)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seed", type=int, default=0, help="Random seed of what is stored as JPEG.")
    given = parser.parse_args()
    pictures = pictures_of(given.data)
    draw = random.Random(given.seed)
    files = {
        "as they are": lambda image: image,
        "JPEG 60": lambda image: stored(image, 60),
        "JPEG 30": lambda image: stored(image, 30),
        "reduced to 300 px": lambda image: scaled(image, 300, _LANCZOS),
        "reduced to 150 px": lambda image: scaled(image, 150, _LANCZOS),
    }
    rows = [[name, len(pictures), *found(pictures, file, 1.0)] for name, file in files.items()]
    for small, large, method in ENLARGED:
        shares = found(pictures, lambda image: enlarged(image, small, large, method, draw), small / large)
        rows.append([f"{small} px, enlarged to {large} px, {method.name.lower()}", len(pictures), *shares])
    heads = ["files", "pictures", "taken for enlarged", "found size / true size, median of these", "lowest tenth", "highest tenth"]
    print_table(heads, rows)


def pictures_of(data: Path) -> list[Image.Image]:
    """The sharp paintings and photos of the validation split."""
    paths = [path for kind in ("style", "content") for path in sharp(split(data / kind)[1])]
    return [Image.open(path).convert("RGB") for path in paths]


def found(pictures, file, true: float) -> list[object]:
    """The share of the pictures' files that count as enlarged, and of these the size found, relative to the true one."""
    images = [from_pil(file(picture)) for picture in pictures]
    shares = torch.tensor([true_side(image) / min(image.shape[-2:]) for image in images], dtype=torch.float64)
    relative = shares[shares < 1] / true
    levels = [float(relative.quantile(level)) for level in (0.5, 0.1, 0.9)] if len(relative) else ["", "", ""]
    return [f"{float((shares < 1).double().mean()):.0%}", *levels]


def enlarged(image: Image.Image, small: int, large: int, method: Image.Resampling, draw: random.Random) -> Image.Image:
    thumbnail = scaled(image, small, _LANCZOS)
    if draw.random() < _THUMBNAILS_STORED:
        thumbnail = stored(thumbnail, draw.randint(*_QUALITIES))
    file = scaled(thumbnail, large, method)
    return stored(file, draw.randint(*_QUALITIES)) if draw.random() < _FILES_STORED else file


def scaled(image: Image.Image, short_side: int, method: Image.Resampling) -> Image.Image:
    factor = short_side / min(image.size)
    return image.resize((round(image.width * factor), round(image.height * factor)), method)


def stored(image: Image.Image, quality: int) -> Image.Image:
    """As read from a JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


if __name__ == "__main__":
    main()
