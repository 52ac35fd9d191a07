"""The objective of `optimize` at one size: a weighted sum of content, styles by region, smoothness and a dream."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from style_core.networks.extractor import FeatureExtractor
from style_core.optimization.deepdream import Term
from style_core.optimization.dream_term import DreamTerm, term_layers
from style_core.optimization.losses import ContentTarget, StyleTarget, out_of_gamut, total_variation
from style_core.optimization.nearest import NearestTarget
from style_core.optimization.sliced import SlicedTarget
from style_core.optimization.transport import SelfSimilarityTarget, TransportTarget

# Strong enough that the final clamp to [0, 1] changes nothing that can be seen.
GAMUT_WEIGHT = 10.0
# Style losses that are functions of moments, that is, of sums over positions, which can be added up over tiles (tiled_objective.py).
MOMENT_LOSSES = ("gram", "covariance")
# How each style loss measures a style picture. The others compare positions with each other and need the whole picture.
STYLE_TARGETS: dict[str, type[StyleTarget] | type[NearestTarget] | type[SlicedTarget]] = {
    "gram": StyleTarget,
    "covariance": StyleTarget,
    "nearest": NearestTarget,
    "transport": TransportTarget,
    "sliced": SlicedTarget,
}
STYLE_LOSSES = tuple(STYLE_TARGETS)
# The content target of style losses that don't use `ContentTarget`.
_CONTENT_TARGETS = {"transport": SelfSimilarityTarget}


def content_target(style_loss: str) -> type[ContentTarget] | type[SelfSimilarityTarget]:
    """The content target that goes with a style loss."""
    return _CONTENT_TARGETS.get(style_loss, ContentTarget)


@dataclass(frozen=True)
class Region:
    """A style and the region of the picture that it covers.

    Attributes:
        target: the style, measured for its loss.
        share: its part of the style term: as much as its area, if all areas have the same strength.
        guide: `[1, 1, H, W]` in `[0, 1]`; None is everywhere.
    """

    target: StyleTarget | NearestTarget | SlicedTarget
    share: float
    guide: Tensor | None = None

    def distances(self, features: dict[str, Tensor], style_loss: str) -> dict[str, Tensor]:
        """Relative style distance of the region by layer."""
        if isinstance(self.target, StyleTarget):
            return self.target.distances(features, style_loss, self.guide)
        return self.target.distances(features, self.guide)


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms: `content` and `style` by layer (summing to the term's weight), `tv` and `dream`."""

    content: dict[str, float]
    style: dict[str, float]
    tv: float = 0.0
    dream: tuple[Term, ...] = ()


class Objective:
    """A callable: picture `[1, 3, H, W]` -> (loss to minimize, its relative parts by name)."""

    def __init__(
        self,
        extractor: FeatureExtractor,
        content: ContentTarget | SelfSimilarityTarget,
        regions: Sequence[Region],
        loss_weights: LossWeights,
        style_loss: str = "gram",
        dream: DreamTerm | None = None,
    ):
        self.extractor = extractor
        self.content = content
        self.regions = regions
        self.loss_weights = loss_weights
        self.style_loss = style_loss
        self.dream = dream
        self._layers = {layer for layer, weight in (*loss_weights.content.items(), *loss_weights.style.items()) if weight > 0}
        self._layers |= set(term_layers(loss_weights.dream))

    def __call__(self, picture: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        plain = self.extractor.unsmoothed(picture, self._layers, measured=False)
        features = self.extractor.smoothed(plain)
        loss = GAMUT_WEIGHT * out_of_gamut(picture)
        parts: dict[str, Tensor] = {}
        for layer, distance in self.content.distances(features).items():
            loss = loss + self.loss_weights.content[layer] * distance
            parts[f"content {layer}"] = distance.detach()
        for region in self.regions:
            for layer, distance in region.distances(features, self.style_loss).items():
                loss = loss + self.loss_weights.style[layer] * region.share * distance
                name = f"style {layer}"
                parts[name] = parts.get(name, 0) + region.share * distance.detach()
        if self.dream is not None:
            distance, found = self.dream.distance(self.dream.sums(plain))
            loss, parts = loss + distance, parts | found
        if self.loss_weights.tv:
            variation = total_variation(picture)
            loss = loss + self.loss_weights.tv * variation
            parts["total variation"] = variation.detach()
        return loss, parts
