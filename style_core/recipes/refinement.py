"""A few steps of optimization on what the generator painted: Gatys, Ecker and Bethge (2016), from a good start.

The generator comes near a style in one pass. From there the gradient, in the features of `lite`, is worth much: in each of the first
steps of L-BFGS the style distance falls by a tenth, and the content distance falls with it (models/generator.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from style_core.devices import Compute, release_memory
from style_core.errors import RequestError
from style_core.media.images import fit_short
from style_core.messages import Message
from style_core.networks.backbones import BACKBONES
from style_core.networks.cache import Cache, digest_of
from style_core.networks.extractor import FeatureExtractor
from style_core.networks.generator import STYLE_SIDE
from style_core.networks.moments import style_shares
from style_core.networks.vgg19 import STYLE_LAYERS
from style_core.optimization.descent import Descent, Diverged
from style_core.optimization.losses import ContentTarget, StyleTarget
from style_core.optimization.objective import Objective, Region
from style_core.optimization.tiled_objective import TiledObjective, measured_in_tiles
from style_core.progress import returned
from style_core.recipes.areas import Masks, recolored_where_painted
from style_core.recipes.cost_model import network_cost
from style_core.recipes.loss_weights import for_network, loss_weights_of
from style_core.recipes.memory_plan import Plan, budget, network_of, plan_for
from style_core.recipes.optimize_inputs import regions_of
from style_core.recipes.optimize_options import OptimizeOptions
from style_core.recipes.run_history import Estimate
from style_core.weights.open import open_extractor

NETWORK = "lite"
# A step of a picture of this size takes seconds, and nobody expects Stylize to take minutes.
MOST_PIXELS = 2**22
# The strength of `optimize` whose loss is minimized: content stays as close as the generator's, and style comes closer.
# Chosen on 12 pairs of training pictures.
_STRENGTH = 0.2
_OPTIONS = OptimizeOptions(strength=_STRENGTH, extractor=NETWORK)
_WEIGHTS = for_network(loss_weights_of(_OPTIONS), NETWORK, _OPTIONS)
_NETWORK = network_of(BACKBONES[NETWORK].shape, _WEIGHTS)
_REMEMBERED = 64
_styles, _photos = Cache(_REMEMBERED, 1), Cache(2**26, 2**26)


def refinement_cost(size: tuple[int, int], steps: int, compute: Compute) -> Estimate:
    """Predicted time of refining a picture of `size` (height, width), and its memory if it isn't refined in tiles."""
    if not steps or size[0] * size[1] > MOST_PIXELS:
        return Estimate(0.0, 0.0)
    return network_cost([(*size, steps)], NETWORK, compute)


def why_not(size: tuple[int, int], compute: Compute) -> str:
    """A note why a picture of `size` (height, width) is not refined; empty if it is."""
    if size[0] * size[1] > MOST_PIXELS:
        return Message(
            "Pictures beyond {megapixels} megapixels are not refined; Paint does that at any size.", megapixels=MOST_PIXELS // 2**20
        )
    try:
        plan_for(size, _NETWORK, compute, free=budget(compute))
    except RequestError:
        return "There is too little memory to refine the picture, so the network painted it alone."
    return ""


def measured_style(style: Tensor, scale: float, compute: Compute) -> StyleTarget:
    """A style picture `[3, h, w]` as the generator encodes it at a brush size, in the features of `lite`; cached."""
    sized = fit_short(style, max(64, round(STYLE_SIDE * scale)))
    return _styles.get((digest_of(sized), compute), lambda: StyleTarget.of(_extractor(compute), _batch(sized, compute), STYLE_LAYERS))


def known_style(grams: Mapping[str, Tensor], compute: Compute) -> StyleTarget:
    """A style whose Gram matrices, `[1, C, C]` by layer in the features of `lite`, are known; see `weights.gallery.gallery_grams`."""
    on_device = {layer: gram.to(compute.device) for layer, gram in grams.items()}
    return StyleTarget(
        NETWORK, on_device, {layer: gram.new_zeros(gram.shape[:2]) for layer, gram in on_device.items()}, _extractor(compute).metrics
    )


def refined(
    painted: Tensor, photo: Tensor, styles: Sequence[StyleTarget], steps: int, compute: Compute, *,
    shares: Sequence[float] | None = None, masks: Masks = None, strength: float = 1.0, outside: float = 0.0, remember: bool = True,
) -> Iterator[Tensor | None]:  # fmt: skip
    """Refine what the generator painted; yields None after each step but the last, and then the result `[3, H, W]`.

    The loss is that of `optimize`. A strength that isn't 1 mixes the moments of the photo into the styles', as the generator mixes
    its code into theirs.

    Args:
        painted, photo: `[3, H, W]`, the same size, in `[0, 1]`.
        styles: what the picture was painted in.
        shares, masks, strength, outside: as in `Generator.paint`.
        remember: cache what was measured in the photo.
    """
    size = (photo.shape[-2], photo.shape[-1])
    regions = regions_of(
        styles, style_shares(shares, len(styles)), masks or [None] * len(styles), size, compute.device, (1.0, float(outside > 0))
    )
    strengths = [strength] * len(regions)
    if outside and regions and masks is not None and all(mask is not None for mask in masks):
        strengths[0] = outside  # the first region is what the masks leave
    plan = plan_for(size, replace(_NETWORK, regions=len(regions)), compute, free=budget(compute))
    batch = _batch(photo, compute)
    eased = [_eased(region, batch, share, plan, compute) for region, share in zip(regions, strengths)]
    descent = Descent(_batch(painted, compute), _objective(batch, eased, plan, compute, remember), plan.history)
    for step in range(steps):
        try:
            descent.step()
        except Diverged:
            break  # its best picture so far is the result
        if step < steps - 1:
            yield None
    result = descent.result()
    del descent
    if plan.side is not None:
        release_memory()
    yield recolored_where_painted(painted, result, masks, shares, outside)


def _extractor(compute: Compute) -> FeatureExtractor:
    extractor, _ = returned(open_extractor(NETWORK, _NETWORK.layers, compute))
    return extractor


def _batch(image: Tensor, compute: Compute) -> Tensor:
    return image[None].float().to(compute.device)


def _objective(photo: Tensor, regions: list[Region], plan: Plan, compute: Compute, remember: bool) -> Objective | TiledObjective:
    extractor = _extractor(compute)
    if plan.side is not None:
        return TiledObjective(extractor, photo, regions, _WEIGHTS, side=plan.side)

    def measured() -> ContentTarget:
        return ContentTarget.of(extractor, photo, _WEIGHTS.content)

    key = (digest_of(photo.cpu()), compute)
    content = _photos.get(key, measured, lambda target: sum(map(_bytes_of, target.features.values()))) if remember else measured()
    return Objective(extractor, content, regions, _WEIGHTS)


def _bytes_of(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _eased(region: Region, photo: Tensor, strength: float, plan: Plan, compute: Compute) -> Region:
    """A region whose style is mixed with the photo's own there, or moved beyond itself."""
    if strength == 1 or not isinstance(region.target, StyleTarget):
        return region
    extractor = _extractor(compute)
    if plan.side is None:
        own = StyleTarget.of(extractor, photo, STYLE_LAYERS, region.guide)
    else:
        own = measured_in_tiles(extractor, photo, STYLE_LAYERS, region.guide, side=plan.side)
    return replace(region, target=own.lerp(region.target, strength))
