"""Training pictures: the split into training and validation, and random crops."""

import hashlib
import random
from collections.abc import Iterable
from pathlib import Path

import numpy
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from style_core.errors import RequestError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
SHARP_SIDE = 400  # px; pictures with a shorter short side count as thumbnails and are not enlarged


def split(folder: Path) -> tuple[list[Path], list[Path]]:
    """Training and validation pictures of a folder, sorted: one in ten is held out, by the hash of its name.

    Raises:
        RequestError: when the folder contains no pictures.
    """
    files = sorted(path for path in Path(folder).glob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise RequestError("There are no pictures in {folder}; it should hold .jpg, .png or .webp files.", folder=Path(folder).name)
    held_out = [path for path in files if is_held_out(path.name)]
    return [path for path in files if not is_held_out(path.name)], held_out


def is_held_out(name: str) -> bool:
    """Whether a picture is for validation. This depends only on its name, so all runs agree."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % 10 == 0


def short_side(path: Path) -> int:
    """Pixels of a picture file's shorter side."""
    with Image.open(path) as picture:
        return min(picture.size)


def sharp(paths: Iterable[Path]) -> list[Path]:
    """Those of the pictures whose short side is at least `SHARP_SIDE`."""
    return [path for path in paths if short_side(path) >= SHARP_SIDE]


def sharp_paintings(data: Path, seed: int) -> list[Path]:
    """The sharp paintings of the training split in a random order; `data` is the folder with `style/`."""
    files = sharp(split(data / "style")[0])
    random.Random(seed).shuffle(files)
    return files


class Crops:
    """Random crops of pictures, which are kept decoded in memory (about a third of a megabyte each).

    Args:
        files: pictures to crop.
        seed: of the random pictures, positions and mirroring.
    """

    def __init__(self, files: Iterable[Path], seed: int = 0):
        self._pictures = [_decode(path) for path in files]
        self._random = random.Random(seed)

    def __len__(self) -> int:
        return len(self._pictures)

    def batch(self, count: int, size: int, scale: tuple[float, float] = (1.0, 2.0)) -> Tensor:
        """`[count, 3, size, size]` in `[0, 1]`: squares of `size` times a random scale, resized to `size`.

        Args:
            scale: lowest and highest; squares are limited to the picture's short side.
        """
        return torch.stack([self.one(self._random.randrange(len(self)), size, scale) for _ in range(count)])

    def one(self, index: int, size: int, scale: tuple[float, float] = (1.0, 2.0)) -> Tensor:
        """A random crop `[3, size, size]` of one picture."""
        pixels = self._pictures[index]
        height, width = pixels.shape[:2]
        side = min(round(size * self._random.uniform(*scale)), height, width)
        top, left = self._random.randint(0, height - side), self._random.randint(0, width - side)
        crop = torch.from_numpy(pixels[top : top + side, left : left + side].copy()).permute(2, 0, 1).float() / 255
        if self._random.random() < 0.5:
            crop = crop.flip(-1)
        if side != size:
            resized = functional.interpolate(crop[None], (size, size), mode="bilinear", antialias=True, align_corners=False)
            crop = resized[0].clamp(0, 1)
        return crop.contiguous()

    def state_dict(self) -> dict:
        return {"random": self._random.getstate()}

    def load_state_dict(self, state: dict) -> None:
        version, internal, gauss = state["random"]
        self._random.setstate((version, tuple(internal), gauss))


def _decode(path: Path) -> numpy.ndarray:
    with Image.open(path) as picture:
        return numpy.asarray(picture.convert("RGB"))
