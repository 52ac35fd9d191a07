"""Measures of style transfer that training doesn't minimize, besides the two distances that it does.

All use the features of VGG-19 in float32, except `Retrieval`, which trains its own small network.
"""

import random
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from style_core.media.images import fit_short, read_image
from style_core.networks.extractor import FeatureExtractor
from style_core.networks.moments import correlation, relative_distance
from style_core.networks.vgg19 import CONTENT_LAYER, STYLE_LAYERS
from style_core.optimization.losses import StyleTarget

MATCH_LAYERS = ("relu3_1", "relu4_1")
SLICED_LAYERS = ("relu2_1", "relu3_1")
STRUCTURE_LAYER = "relu4_1"
_LAYERS = sorted({*STYLE_LAYERS, CONTENT_LAYER})
UNCHANGED = 0.6  # share of the untouched photo's style distance; a result that keeps more is almost the photo
_POSITIONS = 2048  # sampled from a feature map
_DIRECTIONS = 128  # of the projections


class PictureFeatures:
    """A picture `[3, H, W]` and its VGG-19 features, cached for several comparisons."""

    def __init__(self, network: FeatureExtractor, image: Tensor):
        with torch.no_grad():
            self.features = network.extract(image[None], _LAYERS)
        self.style = StyleTarget.from_features(network.name, {layer: self.features[layer] for layer in STYLE_LAYERS})

    def sample(self, layer: str) -> Tensor:
        """`[P, C]`: features at random positions with a fixed seed."""
        flat = self.features[layer][0].flatten(1).mT
        order = torch.randperm(len(flat), generator=torch.Generator().manual_seed(0))
        return flat[order[:_POSITIONS]]


def style_distance(result: PictureFeatures, style: PictureFeatures) -> float:
    """Mean over the style layers of the distance that training minimizes; 0 is equal."""
    distances = style.style.distances(result.features)
    return float(sum(distances.values())) / len(distances)


def content_distance(result: PictureFeatures, photo: PictureFeatures) -> float:
    """Distance at the content layer relative to the photo's features; 0 is equal."""
    return float(relative_distance(result.features[CONTENT_LAYER], photo.features[CONTENT_LAYER]))


def content_correlation(result: PictureFeatures, photo: PictureFeatures) -> float:
    """Correlation of the content layer's features with the photo's, in `[-1, 1]`; unrelated photos have about 0."""
    return float(correlation(result.features[CONTENT_LAYER], photo.features[CONTENT_LAYER]))


@torch.no_grad()
def measure(result: PictureFeatures, photo: PictureFeatures, style: PictureFeatures) -> dict[str, float]:
    """All measures of one result, by name.

    Returns:
        `style` and `content`, the distances of the cards (0 is equal); `coverage` and `fidelity` in `[-1, 1]` (1 is equal);
        `sliced`, sliced Wasserstein distance (0 is equal); `structure`, correlation of self-similarities (1 is the photo's).
    """
    matched = [matches(result.sample(layer), style.sample(layer)) for layer in MATCH_LAYERS]
    sliced = [sliced_wasserstein(result.sample(layer), style.sample(layer)) for layer in SLICED_LAYERS]
    return {
        "style": style_distance(result, style),
        "content": content_distance(result, photo),
        "fidelity": sum(pair[0] for pair in matched) / len(matched),
        "coverage": sum(pair[1] for pair in matched) / len(matched),
        "sliced": sum(sliced) / len(sliced),
        "structure": structure(result.sample(STRUCTURE_LAYER), photo.sample(STRUCTURE_LAYER)),
    }


def matches(result: Tensor, style: Tensor) -> tuple[float, float]:
    """Mean cosine of nearest neighbors between features `[P, C]` and `[Q, C]`, centered by the style's mean.

    Returns:
        *fidelity*, from result to style: whether everything painted occurs in the style; and *coverage*, from style to result:
        whether everything in the style was used. One patch copied everywhere has high fidelity and low coverage.
    """
    mean = style.mean(0)
    one, two = (functional.normalize(features - mean, dim=1) for features in (result, style))
    cosines = one @ two.mT
    return float(cosines.amax(1).mean()), float(cosines.amax(0).mean())


def sliced_wasserstein(result: Tensor, style: Tensor) -> float:
    """Sliced 1-Wasserstein distance of features `[P, C]` and `[Q, C]` over the style's mean deviation (Rabin et al. 2011)."""
    directions = torch.randn(style.shape[1], _DIRECTIONS, generator=torch.Generator().manual_seed(0))
    directions = directions / directions.norm(dim=0)
    levels = torch.linspace(0, 1, 256)
    one, two = (torch.quantile(features @ directions, levels, dim=0) for features in (result, style))
    deviation = (style @ directions).std(0).mean().clamp_min(1e-9)
    return float((one - two).abs().mean() / deviation)


def structure(result: Tensor, photo: Tensor) -> float:
    """Correlation of the cosine self-similarities of features `[P, C]` at the same positions (as STROTSS, Kolkin et al. 2019)."""
    similar = []
    for features in (result, photo):
        centered = functional.normalize(features - features.mean(0), dim=1)
        similar.append((centered @ centered.mT).flatten())
    return float(torch.corrcoef(torch.stack(similar))[0, 1])


class Retrieval:
    """Identifies the painting that a result was painted after, with a small classifier trained on crops of the paintings.

    Args:
        paintings: the candidates.
        side: short side of the paintings, px.
        steps: training steps.
    """

    def __init__(self, paintings: Sequence[Path], side: int = 512, steps: int = 500, seed: int = 0):
        self.names = [path.name for path in paintings]
        self._pictures = [fit_short(read_image(path), side) for path in paintings]
        self._random = random.Random(seed)
        torch.manual_seed(seed)
        self._net = _Classifier(len(paintings))
        self._train(steps)

    def ranks(self, result: Tensor, name: str, crops: int = 24) -> int:
        """Rank of the true painting, `name`, over random crops of `result`; 0 means it is the most likely."""
        with torch.no_grad():
            scores = self._net(self._crops([result] * crops)).log_softmax(1).mean(0)
        return int((scores > scores[self.names.index(name)]).sum())

    def _train(self, steps: int) -> None:
        optimizer = torch.optim.AdamW(self._net.parameters(), lr=2e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
        for _ in range(steps):
            chosen = [self._random.randrange(len(self.names)) for _ in range(64)]
            loss = functional.cross_entropy(self._net(self._crops([self._pictures[index] for index in chosen])), torch.tensor(chosen))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        self._net.eval()

    def _crops(self, images: Sequence[Tensor], side: int = 96) -> Tensor:
        crops = []
        for image in images:
            top, left = (self._random.randint(0, length - side) for length in image.shape[-2:])
            crop = image[:, top : top + side, left : left + side]
            crops.append(crop.flip(-1) if self._random.random() < 0.5 else crop)
        return torch.stack(crops)


class _Classifier(nn.Sequential):
    """Crops `[B, 3, h, w]` to scores `[B, classes]`: five convolutions and global pooling."""

    def __init__(self, classes: int, width: int = 32):
        layers: list[nn.Module] = []
        inputs = 3
        for index in range(4):
            outputs = width * 2 ** min(index, 2)
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
            inputs = outputs
        layers += [nn.Conv2d(inputs, 256, 3, padding=1), nn.BatchNorm2d(256), nn.ReLU()]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(256, classes))
