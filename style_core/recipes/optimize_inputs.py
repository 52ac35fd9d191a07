"""The inputs of `optimize`: photo, styles and masks in the requested colors, measured again at each size."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from style_core.devices import Compute
from style_core.media.color import keep_color, luminance_of, match_color, palette_of
from style_core.media.images import as_image, fit, fit_short, resize, size_to_fit
from style_core.networks.costs import Shape
from style_core.networks.extractor import FeatureExtractor
from style_core.networks.guides import divided
from style_core.networks.moments import style_shares
from style_core.networks.style_picture import true_share
from style_core.optimization.dream_term import DreamTerm
from style_core.optimization.losses import StyleTarget
from style_core.optimization.objective import STYLE_TARGETS, LossWeights, Objective, Region, content_target
from style_core.optimization.temporal import TemporalTarget
from style_core.optimization.tiled_objective import TiledObjective
from style_core.optimization.tiled_styles import target_in_tiles
from style_core.recipes.areas import Masks, in_palettes
from style_core.recipes.loss_weights import area_shares
from style_core.recipes.memory_plan import Network, Plan, longest_ratio, network_of, plan_for, style_short, style_side
from style_core.recipes.optimize_options import OptimizeOptions
from style_core.weights.open import open_gram_sharpening
from style_core.weights.registry import registry

# The network whose Gram matrices can be completed, and the weights that do it.
SHARPENED, SHARPENING = "lite", "sharpening"


@dataclass(frozen=True)
class Planner:
    """What the plans for all sizes of a run have in common; arguments of `plan_for`."""

    network: Network
    compute: Compute
    optimizer: str
    memory: float | None
    tileable: bool

    @classmethod
    def of(
        cls, shape: Shape, weights: LossWeights, options: OptimizeOptions, compute: Compute, regions: int = 1, memory: float | None = None,
        styles: Sequence[tuple[int, int]] = ((1, 1),),
    ) -> "Planner":  # fmt: skip
        """For a network's shape, the weights in use, the number of regions with their own style, and the styles' heights and widths."""
        network = network_of(shape, weights, regions, options.loss)
        network = replace(network, styles=tuple(styles), style_scale=options.style_scale)
        return cls(network, compute, options.optimizer, memory, shape.local and not network.places)

    def plan(self, size: tuple[int, int]) -> Plan:
        """The plan for a picture of `size` (height, width) in the available memory.

        Raises:
            RequestError: when no plan fits.
        """
        return plan_for(size, self.network, self.compute, self.optimizer, self.memory, self.tileable)


class OptimizeInputs:
    """The inputs of a run in the requested colors, measured again at each size."""

    def __init__(
        self,
        content,
        styles,
        weights,
        masks,
        options: OptimizeOptions,
        extractor: FeatureExtractor,
        loss_weights: LossWeights,
        memory: float,
        held: TemporalTarget | None = None,
    ):
        self.options = options
        self.extractor = extractor
        self.loss_weights = loss_weights
        self.held = held if held is None else replace(held, picture=self._in_its_colors(held.picture))
        self.size = size_to_fit(tuple(content.shape[-2:]), options.size)
        self.photo = fit(content, options.size)  # enlarged only when used, so that no large copy is kept
        self.content, self.styles = _in_color(self.photo, styles, options.color)
        self.shares = style_shares(weights, len(styles))
        self.masks = list(masks) if masks is not None else [None] * len(styles)
        regions = region_count(self.masks, options)
        sizes = [(style.shape[-2], style.shape[-1]) for style in styles]
        self.planner = Planner.of(extractor.shape, loss_weights, options, extractor.compute, regions, memory, sizes)

    def objective(self, plan: Plan) -> Objective | TiledObjective:
        """The objective, with targets measured at a plan's size."""
        size, device = (plan.height, plan.width), self.extractor.compute.device
        regions: list[Region] = []
        if self.loss_weights.style:  # with alpha alone there is none
            targets = [self._measured(style, plan) for style in self.styles]
            regions = regions_of(targets, self.shares, self.masks, size, device, area_shares(self.options))
        photo = resize(self.content, size)[None].to(device)
        if plan.side is not None:
            return TiledObjective(self.extractor, photo, regions, self.loss_weights, self.options.loss, side=plan.side)
        content = content_target(self.options.loss).of(self.extractor, photo, self.loss_weights.content)
        dream = DreamTerm.of(self.extractor, photo, self.loss_weights.dream) if self.loss_weights.dream else None
        return Objective(self.extractor, content, regions, self.loss_weights, self.options.loss, dream)

    @property
    def weights(self) -> dict[str, str]:
        """The weights that the run uses: sha256 by name."""
        own = self.extractor.weights
        completed = any(self._share(style, self.size) < 1 for style in self.styles)
        return {**own, SHARPENING: registry()[SHARPENING].sha256} if completed else own

    def _share(self, style: Tensor, size: tuple[int, int]) -> float:
        """The share of a style picture's side at `size` (height, width) that it really has, if what it lacks can be completed; else 1."""
        if self.extractor.name != SHARPENED or self.options.loss != "gram" or not self.loss_weights.style:
            return 1.0
        return true_share(style, self.options.style_scale, min(size))

    def _measured(self, style: Tensor, plan: Plan):
        """A style at a plan's size; what is enlarged for this, or was before, almost as if it had been larger (`GramSharpening`)."""
        size = (plan.height, plan.width)
        return completed(self._measured_as_it_is(style, plan), self._share(style, size))

    def _measured_as_it_is(self, style: Tensor, plan: Plan):
        sized = sized_style(style, (plan.height, plan.width), self.options.style_scale)[None].to(self.extractor.compute.device)
        kind, weights = STYLE_TARGETS[self.options.loss], self.loss_weights.style
        side = style_side((sized.shape[-2], sized.shape[-1]), (plan.height, plan.width), plan.side, self.planner.network)
        if side is None:
            return kind.of(self.extractor, sized, weights)
        return target_in_tiles(kind, self.extractor, sized, weights, side=side)

    def start(self, height: int, width: int, init_image: Tensor | None) -> Tensor:
        """The start of the first level, `[1, 3, H, W]`."""
        if init_image is not None:
            picture = resize(self._in_its_colors(init_image), (height, width))
        elif self.options.init == "style":
            picture = resize(self.styles[self.shares.index(max(self.shares))], (height, width))
        elif self.options.init == "noise":
            # Drawn on the CPU, so that a seed gives the same noise on every device.
            noise = torch.randn(3, height, width, generator=torch.Generator().manual_seed(self.options.seed))
            mean = self.content.mean((1, 2), keepdim=True)
            picture = (mean + 0.15 * noise).clamp(0, 1)
        else:
            picture = resize(self._recolored(), (height, width))
        return picture[None].to(self.extractor.compute.device)

    def enlarged(self, image: Tensor, height: int, width: int, init_image: Tensor | None) -> Tensor:
        """The start of the next level, `[1, 3, H, W]`: a level's result, enlarged, plus fine detail.

        The detail is taken from the picture that the run started from, as in the octaves of a DeepDream. Noise and the style
        picture have no matching detail.
        """
        picture = resize(image, (height, width)).clone()
        if init_image is not None or self.options.init == "content":
            whole = resize(self._recolored() if init_image is None else self._in_its_colors(init_image), (height, width))
            small = resize(whole, tuple(image.shape[-2:]))
            picture.add_(whole).sub_(resize(small, (height, width)))
        return picture[None].to(self.extractor.compute.device)

    def _in_its_colors(self, picture: Tensor) -> Tensor:
        """A given picture, `[3, H, W]`, in the colors that the optimizer uses: a result that kept the photo's was painted in gray."""
        picture = as_image(picture)
        return luminance_of(picture).expand(3, -1, -1) if self.options.color == "keep" else picture

    def _recolored(self) -> Tensor:
        """The photo in the colors of the style with the largest weight, if the result will have its colors.

        Gradient descent shifts the colors of a whole picture slowly; this start saves steps for pale and dark styles.
        """
        if self.options.color not in ("style", "palette"):
            return self.content
        free = [share if mask is None else 0.0 for share, mask in zip(self.shares, self.masks)]
        picture = self.content
        if any(free):
            picture = match_color(picture, self.styles[free.index(max(free))])
        inside, outside = area_shares(self.options)
        if outside:
            picture = torch.lerp(picture, match_color(picture, palette_of(self.styles, self.shares)), outside)
        masked = [(style, mask, share) for style, mask, share in zip(self.styles, self.masks, self.shares) if mask is not None and share]
        sized = [resize(mask.to(self.content), tuple(self.content.shape[-2:])).clamp(0, 1) for _, mask, _ in masked]
        regions = divided(sized, [share for _, _, share in masked])
        picture = picture * (1 - sum(regions)) if regions else picture
        for (style, _, _), region in zip(masked, regions):
            picture += region * torch.lerp(self.content, match_color(self.content, style, region), inside)
        return picture

    def shown(self, image: Tensor, most: float = float("inf")) -> Tensor:
        """A painted image as shown to the user: in the requested colors, at the size of the result.

        Args:
            most: pixels; larger results are reduced to this.
        """
        factor = min(1.0, (most / (self.size[0] * self.size[1])) ** 0.5)
        size = self.size if factor == 1 else size_to_fit(self.size, int(max(self.size) * factor))
        image = resize(image, size)
        if self.options.color == "palette":
            return in_palettes(image, self.styles, self.shares, self.masks, self.options.outside)
        return keep_color(image, resize(self.photo, size)) if self.options.color == "keep" else image


def completed(target: StyleTarget, share: float) -> StyleTarget:
    """A style in the features of `SHARPENED`, of which the picture really has this share of its side, almost as of a whole one."""
    return target if share == 1 else replace(target, grams=open_gram_sharpening().sharpened(target.grams, share))


def _in_color(photo: Tensor, styles: Sequence[Tensor], color: str) -> tuple[Tensor, list[Tensor]]:
    """Photo and styles in the colors that the optimizer uses (Gatys et al. 2017, section 5)."""
    if color in ("style", "palette"):
        return photo, list(styles)
    if color == "match":
        return photo, [match_color(style, photo) for style in styles]
    # Luminance only: both in gray, the style's matched to the photo's.
    gray = luminance_of(photo).expand(3, -1, -1)
    return gray, [match_color(luminance_of(style).expand(3, -1, -1), gray) for style in styles]


def region_count(masks: Masks, options: OptimizeOptions) -> int:
    """Number of regions with their own style, as memory depends on it."""
    covered = sum(mask is not None for mask in masks or ())
    return covered + bool(options.outside or covered < len(masks or ())) if covered else 1


def regions_of(targets, shares, masks, size, device, strengths: tuple[float, float] = (1.0, 0.0)) -> list[Region]:
    """A region for each masked style; the other styles, mixed, get the area outside all masks, or all of them at another strength.

    Each weighs as much as its area, so that a strength means the same in an area of any size. Styles without a share cover nothing, and
    where masks overlap, their styles share the area.

    Args:
        strengths: how much of the style's weight counts inside the painted areas, and outside if no style covers it.
    """
    free = [index for index, mask in enumerate(masks) if mask is None and shares[index]]
    masked = [index for index, mask in enumerate(masks) if mask is not None and shares[index]]
    if not masked:
        return [Region(_mixed(targets, shares, free), 1.0)]
    sized = [functional.interpolate(masks[index][None].float(), size=size, mode="area").clamp(0, 1).to(device) for index in masked]
    inside, outside = (1.0, 1.0) if free else strengths
    guides = divided(sized, [shares[index] for index in masked])
    regions = [(targets[index], inside, guide) for index, guide in zip(masked, guides)]
    if outside:
        rest = (1 - torch.stack(sized).sum(0)).clamp(0, 1)
        regions = [(_mixed(targets, shares, free or list(range(len(targets)))), outside, rest), *regions]
    weighed = [(target, weight * float(guide.mean()), guide) for target, weight, guide in regions]
    return [Region(target, share, guide) for target, share, guide in weighed if share]


def _mixed(targets, shares, chosen: Sequence[int]):
    """The chosen styles as one. One alone is copied, because it may be a region's already, and some remember that region's neighbors."""
    if len(chosen) == 1:
        return copy.copy(targets[chosen[0]])
    return type(targets[0]).mix([targets[index] for index in chosen], [shares[index] for index in chosen])


def sized_style(style: Tensor, size: tuple[int, int], scale: float) -> Tensor:
    """A style picture resized for a result of `size` (height, width): at `scale` 1 their short sides are equal.

    Of a very long one, the middle is used; see `longest_ratio`.
    """
    most = math.ceil(min(style.shape[-2:]) * longest_ratio(size, scale))
    for dim in (-2, -1):
        if style.shape[dim] > most:
            style = style.narrow(dim, (style.shape[dim] - most) // 2, most)
    return fit_short(style, style_short(size, scale))
