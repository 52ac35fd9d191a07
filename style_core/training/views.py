"""Views of paintings for training: random crops at many scales, sharp or degraded like pictures from the web."""

import io
import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageFilter
from torch import Tensor

from style_core.networks.extractor import FeatureExtractor
from style_core.networks.generator_net import STRIDE, GeneratorNet
from style_core.networks.moments import Moments, gram_matrix
from style_core.networks.vgg19 import STYLE_LAYERS
from style_core.training.data import SHARP_SIDE

_CROPS = (192, 416)  # px, range of the sides of measured squares
_SPOILT = 0.4  # share of views whose input is degraded but whose target is clean
_CHANGED = 0.12  # share of views that are sharpened, grayed or noisy in both input and target


@dataclass(frozen=True)
class MeasuredStyle:
    """A view of a painting: the generator's input, and the target of its result.

    Attributes:
        moments: of the encoder's features of the input view.
        targets: float16 Gram matrices `[1, C, C]` over their norms, of the clean view, by evaluating network and layer.
        norms: of those matrices.
    """

    moments: Moments
    targets: dict[str, dict[str, Tensor]]
    norms: dict[str, dict[str, float]]

    def target(self, network: str, layer: str) -> Tensor:
        return self.targets[network][layer].float() * self.norms[network][layer]


class PaintingViews:
    """A pool of measured views; each step measures a new one, which replaces the oldest.

    Args:
        files: paintings.
        net: the generator whose encoder is used.
        evaluating: networks whose Gram matrices are targets, by name.
        seed: of the random views.
        pool: number of views kept.
    """

    def __init__(self, files: Sequence[Path], net: GeneratorNet, evaluating: Mapping[str, FeatureExtractor], seed: int, pool: int = 240):
        self.files, self.net, self.evaluating = list(files), net, evaluating
        self._random = random.Random(seed)
        self._pool: deque[MeasuredStyle] = deque(maxlen=pool)

    def step(self, least: int = 16) -> None:
        """Measure a new view; at the start, fill the pool up to `least`."""
        self._pool.append(self.measure(*self.view()))
        while len(self._pool) < least:
            self._pool.append(self.measure(*self.view()))

    def state_dict(self) -> dict:
        return {"random": self._random.getstate()}

    def load_state_dict(self, state: dict) -> None:
        version, internal, gauss = state["random"]
        self._random.setstate((version, tuple(internal), gauss))

    def draw(self) -> MeasuredStyle:
        return self._random.choice(self._pool)

    def view(self) -> tuple[Tensor, Tensor]:
        """A view as input and as target, `[1, 3, h, w]` each."""
        with Image.open(self._random.choice(self.files)) as picture:
            image = picture.convert("RGB")
        image = image.resize(self._scaled(image.size), Image.Resampling.LANCZOS)
        side = min(self._random.randint(*_CROPS), *image.size)
        side -= side % STRIDE
        left, top = (self._random.randint(0, length - side) for length in image.size)
        clean = image.crop((left, top, left + side, top + side))
        if self._random.random() < 0.5:
            clean = clean.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self._random.random() < _CHANGED:
            clean = self._changed(clean)
        seen = self._spoilt(clean) if self._random.random() < _SPOILT else clean
        return _batch(seen), _batch(clean)

    def _scaled(self, size: tuple[int, int]) -> tuple[int, int]:
        short = min(size)
        if self._random.random() < 0.4:
            scale = 1.0
        elif short >= SHARP_SIDE:
            scale = self._random.uniform(0.45, 1.1)
        else:
            scale = self._random.uniform(0.85, 1.25)
        return max(_CROPS[0], round(size[0] * scale)), max(_CROPS[0], round(size[1] * scale))

    def _changed(self, image: Image.Image) -> Image.Image:
        kind = self._random.randrange(3)
        if kind == 0:
            return image.filter(ImageFilter.UnsharpMask(self._random.uniform(0.6, 2), self._random.randint(60, 180), 0))
        if kind == 1:
            return image.convert("L").convert("RGB")
        noise = torch.randn(*image.size[::-1], 3) * self._random.uniform(3, 14)
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(*image.size[::-1], 3)
        return Image.fromarray((pixels + noise).clamp(0, 255).byte().numpy())

    def _spoilt(self, image: Image.Image) -> Image.Image:
        """Degrade a view like thumbnails, strong JPEGs, screenshots and scans with borders; the target stays clean."""
        kind = self._random.randrange(4)
        if kind == 0:
            width, height = image.size
            share = self._random.uniform(0.35, 0.8)
            small = image.resize((round(width * share), round(height * share)), Image.Resampling.LANCZOS)
            return small.resize((width, height), Image.Resampling.BICUBIC)
        if kind == 1:
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=self._random.randint(25, 85))
            with Image.open(buffer) as read:
                return read.convert("RGB")
        if kind == 2:
            return image.filter(ImageFilter.GaussianBlur(self._random.uniform(0.4, 1.6)))
        level = self._random.choice((0, 255, 255, 240, 200))
        framed = Image.new("RGB", image.size, (level, level, level))
        margin = round(image.width * self._random.uniform(0.02, 0.08))
        framed.paste(image.resize((image.width - 2 * margin, image.height - 2 * margin), Image.Resampling.LANCZOS), (margin, margin))
        return framed

    @torch.no_grad()
    def measure(self, seen: Tensor, clean: Tensor) -> MeasuredStyle:
        moments = Moments.of(self.net.encode(seen))
        targets, norms = {}, {}
        for name, extractor in self.evaluating.items():
            grams = {layer: gram_matrix(f) for layer, f in extractor.extract(clean, STYLE_LAYERS).items()}
            norms[name] = {layer: float(gram.norm()) for layer, gram in grams.items()}
            targets[name] = {layer: (gram / norms[name][layer]).half() for layer, gram in grams.items()}
        return MeasuredStyle(moments, targets, norms)


def _batch(image: Image.Image) -> Tensor:
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(image.height, image.width, 3)
    return (pixels.float() / 255).permute(2, 0, 1)[None].contiguous()
