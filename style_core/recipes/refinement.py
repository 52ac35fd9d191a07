"""A few steps of optimization on what the generator painted: Gatys, Ecker and Bethge (2016), from a good start.

The generator comes near a style in one pass. From there the gradient, in the features of `lite`, is worth much: in each of the first
steps of L-BFGS the style distance falls by about a tenth, at hardly more content distance (models/generator.md). Steps are made at half
the size first (Gatys et al. 2017, "Controlling Perceptual Factors"), where large strokes are within reach and a step costs a quarter.
"""

import collections.abc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.images import resize
from style_core.messages import Message
from style_core.networks.backbones import BACKBONES
from style_core.networks.cache import Cache, digest_of
from style_core.networks.extractor import FeatureExtractor
from style_core.networks.generator import FADE
from style_core.networks.guides import divided
from style_core.networks.moments import style_shares
from style_core.networks.style_picture import style_at_scale, true_share
from style_core.networks.vgg19 import STYLE_LAYERS
from style_core.optimization.descent import Descent, Diverged
from style_core.optimization.losses import ContentTarget, StyleTarget
from style_core.optimization.objective import Objective, Region
from style_core.optimization.tiled_objective import TiledObjective, measured_in_tiles
from style_core.progress import returned
from style_core.recipes.areas import Masks, leave_outside
from style_core.recipes.cost_model import network_cost
from style_core.recipes.loss_weights import for_network, loss_weights_of
from style_core.recipes.memory_plan import STYLE_TILE, Plan, budget, network_of, plan_for
from style_core.recipes.optimize_inputs import SHARPENED, SHARPENING, completed, regions_of
from style_core.recipes.optimize_options import OptimizeOptions
from style_core.recipes.run_history import Estimate
from style_core.weights.open import open_extractor
from style_core.weights.registry import registry

NETWORK = SHARPENED
# Beyond this, the steps would take minutes on a CPU, and nobody expects that of Stylize.
MOST_PIXELS = 2**22
# The strength, as in `optimize`, whose weights of content and style the loss has. Chosen on 12 pairs of training pictures, so that
# content stays about as close as the generator's, and style comes as close as that allows.
_STRENGTH = 0.215
# Of the style layers, relu1_1 to relu5_1: those in between gain the most in a few steps. Chosen likewise.
_LAYER_WEIGHTS = (0.4, 0.6, 1.5, 1.8, 0.7)
# By level, coarsest first: the size as a share of the picture's, and the steps as a multiple of those asked for. Chosen likewise, as
# the slope of `Descent` was.
_LEVELS = ((0.5, 2.1), (1.0, 1.0))
_SLOPE = 0.25
_SMALLEST = 64  # px, short side of a coarse level
_OPTIONS = OptimizeOptions(strength=_STRENGTH, extractor=NETWORK, style_layers=" ".join(map("{}:{}".format, STYLE_LAYERS, _LAYER_WEIGHTS)))
_WEIGHTS = for_network(loss_weights_of(_OPTIONS), NETWORK, _OPTIONS)
_NETWORK = network_of(BACKBONES[NETWORK].shape, _WEIGHTS)
_REMEMBERED_STYLES, _REMEMBERED_BYTES = 64, 2**26
_styles, _photos = Cache(_REMEMBERED_STYLES, 1), Cache(_REMEMBERED_BYTES, _REMEMBERED_BYTES)


@dataclass(frozen=True)
class Level:
    """A size at which a picture is refined.

    Attributes:
        share: of the picture's size, and of its strokes'.
        steps: of L-BFGS.
        plan: how; with the level's size.
    """

    share: float
    steps: int
    plan: Plan

    def of(self, picture: Tensor) -> Tensor:
        """A picture `[C, H, W]` at the level's size."""
        return resize(picture, (self.plan.height, self.plan.width))


def refinement_levels(size: tuple[int, int], steps: int, compute: Compute, styles: int = 1) -> list[Level] | str:
    """How a picture of `size` (height, width) in so many styles is refined, coarsest level first, or a note why it is not.

    Args:
        steps: at the full size; 0 is no level.
    """
    if not steps:
        return []
    if size[0] * size[1] > MOST_PIXELS:
        return Message(
            "Pictures beyond {megapixels} megapixels are not refined; Paint does that at any size.", megapixels=MOST_PIXELS // 2**20
        )
    network, free, levels = replace(_NETWORK, regions=styles), budget(compute), []
    try:
        for share, times in _LEVELS:
            height, width = (max(1, round(side * share)) for side in size)
            if share == 1 or min(height, width) >= _SMALLEST:
                levels.append(Level(share, round(steps * times), plan_for((height, width), network, compute, free=free)))
        return levels
    except RequestError:
        return "There is too little memory to refine the picture, so the network painted it alone."


def refinement_cost(size: tuple[int, int], steps: int, compute: Compute) -> Estimate:
    """Predicted time and memory of refining a picture of `size` (height, width)."""
    levels = refinement_levels(size, steps, compute)
    if isinstance(levels, str) or not levels:
        return Estimate(0.0, 0.0)
    plans = [level.plan for level in levels]
    return network_cost([(level.plan.height, level.plan.width, level.steps) for level in levels], NETWORK, compute, plans=plans)


def measured_style(style: Tensor, scale: float, compute: Compute) -> StyleTarget:
    """A style picture `[3, h, w]` as the generator encodes it at a brush size, in the features of `lite`; cached.

    What is enlarged for this, or was before, is measured almost as if it had been larger (`GramSharpening`).
    """
    sized, shown = style_at_scale(style, scale), true_share(style, scale)

    def measure() -> StyleTarget:
        extractor, batch = _extractor(compute), _batch(sized, compute)
        if sized[0].numel() <= STYLE_TILE**2:
            target = StyleTarget.of(extractor, batch, STYLE_LAYERS)
        else:
            target = measured_in_tiles(extractor, batch, STYLE_LAYERS, side=STYLE_TILE)
        return completed(target, shown)

    return _styles.get((digest_of(sized), sized.shape, shown, compute), measure)


def refining_weights(styles: Sequence[Tensor], scales: Sequence[float]) -> dict[str, str]:
    """The weights that refining in these style pictures at these brush sizes uses: sha256 by name."""
    enlarged = any(true_share(style, scale) < 1 for style in styles for scale in scales)
    return {name: registry()[name].sha256 for name in (NETWORK, *([SHARPENING] if enlarged else []))}


def known_style(grams: Mapping[str, Tensor], compute: Compute) -> StyleTarget:
    """A style whose Gram matrices, `[1, C, C]` by layer in the features of `lite`, are known; see `weights.gallery.gallery_grams`."""
    known = {layer: gram.to(compute.device) for layer, gram in grams.items()}
    means = {layer: gram.new_zeros(gram.shape[:2]) for layer, gram in known.items()}  # which this loss doesn't use
    return StyleTarget(NETWORK, known, means, _extractor(compute).metrics)


def refined(
    painted: Tensor, photo: Tensor, styles: Sequence[Sequence[StyleTarget]], levels: Sequence[Level], compute: Compute, *,
    shares: Sequence[float] | None = None, masks: Masks = None, strength: float = 1.0, outside: float = 0.0, remember: bool = True,
) -> Iterator[Tensor | None]:  # fmt: skip
    """Refine what the generator painted; yields None after each step but the last, and then the result `[3, H, W]`.

    A strength that isn't 1 mixes the moments of the photo into the styles', as the generator mixes its code into theirs. If a
    descent diverges, its best picture counts. Faint strengths are blended with what the generator painted, as it does with the photo.

    Args:
        painted, photo: `[3, H, W]`, the same size, in `[0, 1]`.
        styles: by level, what the picture was painted in, with strokes of the level's size.
        levels: from `refinement_levels`; the last one has the picture's size.
        shares, masks, strength, outside: as in `Generator.paint`.
        remember: cache what was measured in the photo.
    """
    parts, generated = style_shares(shares, len(styles[0])), painted
    for level, targets in zip(levels, styles, strict=True):
        start, seen = level.of(painted), level.of(photo)
        areas = _areas(seen, targets, parts, masks, (strength, outside))
        if areas:
            result = yield from _descended(start, seen, areas, level, compute, remember)
            painted = _moved(painted, start, _blended(start, result, areas) if masks is not None else result)
        if level is not levels[-1]:
            yield None
    yield painted if masks is not None else torch.lerp(generated, painted, min(1.0, strength / FADE))


def _descended(
    start: Tensor, photo: Tensor, areas: "list[_Area]", level: Level, compute: Compute, remember: bool
) -> collections.abc.Generator[None, None, Tensor]:
    """Descend from `start` at a level; yields after each step but the last."""
    batch, plan = _batch(photo, compute), level.plan
    eased = [_eased(area, batch, plan, compute) for area in areas]
    regions = regions_of(eased, [area.share for area in areas], [area.mask for area in areas], tuple(batch.shape[-2:]), compute.device)
    descent = Descent(_batch(start, compute), _objective(batch, regions, plan, compute, remember), plan.history, slope=_SLOPE)
    best = last = float("inf")
    for step in range(level.steps):
        try:
            last = descent.step()["total"]
        except Diverged:
            break
        best = min(best, last)
        if step < level.steps - 1:
            yield None
    # The last move was not evaluated; it is trusted if the one before was good.
    return descent.image() if last <= best else descent.result()


def _moved(picture: Tensor, start: Tensor, result: Tensor) -> Tensor:
    """A picture `[3, H, W]` changed as its smaller copy `start` was, to become `result`."""
    if start.shape == picture.shape:
        return result
    # Not by `resize`, which would clamp what became darker.
    change = functional.interpolate((result - start)[None], tuple(picture.shape[-2:]), mode="bicubic", align_corners=False)
    return (picture + change[0]).clamp(0, 1)


@dataclass(frozen=True)
class _Area:
    """A style, and where and how strongly it is painted; the mask `[1, H, W]` is None for the whole picture.

    `share` is the style's in a mixture. Masks don't overlap, so one with a mask has it for itself.
    """

    style: StyleTarget
    share: float
    mask: Tensor | None
    strength: float


def _areas(
    photo: Tensor, styles: Sequence[StyleTarget], shares: Sequence[float], masks: Masks, strengths: tuple[float, float]
) -> list[_Area]:
    """The areas of a picture; styles without a share cover nothing. What masks leave to no style is an area of all styles mixed."""
    strength, outside = strengths
    used = [index for index, share in enumerate(shares) if share]
    if masks is None:
        return [_Area(styles[index], shares[index], None, strength) for index in used]
    masked = [index for index in used if masks[index] is not None]
    sized = [_sized(masks[index], photo) for index in masked]
    rest = (1 - sum(sized, torch.zeros(1, *photo.shape[-2:]))).clamp(0, 1)
    parts = divided(sized, [shares[index] for index in masked])
    areas = [_Area(styles[index], 1.0, part, strength) for index, part in zip(masked, parts)]
    beside = [index for index in used if masks[index] is None]
    if leave_outside(masks, shares):
        beside, strength = used, outside
    if beside and strength and rest.any():
        mixed = StyleTarget.mix([styles[index] for index in beside], [shares[index] for index in beside])
        areas.append(_Area(mixed, 1.0, rest, strength))
    return [area for area in areas if area.strength]


def _sized(mask: Tensor | None, photo: Tensor) -> Tensor:
    assert mask is not None
    return resize(mask.float(), (photo.shape[-2], photo.shape[-1])).clamp(0, 1)


def _eased(area: _Area, photo: Tensor, plan: Plan, compute: Compute) -> StyleTarget:
    """An area's style mixed with the photo's own there, or moved beyond itself."""
    if area.strength == 1:
        return area.style
    return _moments(photo, area.mask, plan, compute).lerp(area.style, area.strength)


def _moments(batch: Tensor, mask: Tensor | None, plan: Plan, compute: Compute) -> StyleTarget:
    """The style of a picture `[1, 3, H, W]` itself, of its area in a mask `[1, H, W]` or of all of it."""
    guide = None if mask is None else mask[None].to(compute.device)
    if plan.side is None:
        return StyleTarget.of(_extractor(compute), batch, STYLE_LAYERS, guide)
    return measured_in_tiles(_extractor(compute), batch, STYLE_LAYERS, guide, side=plan.side)


def _blended(painted: Tensor, result: Tensor, areas: Sequence[_Area]) -> Tensor:
    """The result where styles are painted, and what was there before elsewhere."""
    covers = [area.mask * min(1.0, area.strength) for area in areas if area.mask is not None]
    return torch.lerp(painted, result, torch.stack(covers).sum(0).clamp_max(1)) if covers else painted


def _extractor(compute: Compute) -> FeatureExtractor:
    extractor, _ = returned(open_extractor(NETWORK, _NETWORK.layers, compute))
    return extractor


def _batch(image: Tensor, compute: Compute) -> Tensor:
    return image[None].float().to(compute.device)


def _objective(photo: Tensor, regions: list[Region], plan: Plan, compute: Compute, remember: bool) -> Objective | TiledObjective:
    extractor = _extractor(compute)
    if plan.side is not None:
        return TiledObjective(extractor, photo, regions, _WEIGHTS, side=plan.side)

    def measure() -> ContentTarget:
        return ContentTarget.of(extractor, photo, _WEIGHTS.content)

    if not remember:
        return Objective(extractor, measure(), regions, _WEIGHTS)
    key = (digest_of(photo.cpu()), photo.shape, compute)
    return Objective(extractor, _photos.get(key, measure, _bytes_of), regions, _WEIGHTS)


def _bytes_of(target: ContentTarget) -> int:
    return sum(feature.numel() * feature.element_size() for feature in target.features.values())
