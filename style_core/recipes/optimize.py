"""`optimize`: a picture optimized against the features of a photo and of paintings (Gatys, Ecker and Bethge 2016)."""

import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from style_core.devices import Compute, large_blocks_returned
from style_core.errors import RequestError
from style_core.media.color import PAINTING_COLORS, keep_color, luminance_of, match_color, match_palette, palette_of
from style_core.media.images import beyond, fit, fit_short, resize, size_to_fit
from style_core.messages import Message, joined
from style_core.networks.extractor import EXTRACTORS, POOLINGS, FeatureExtractor, layer_name
from style_core.networks.moments import style_shares
from style_core.networks.vgg19 import LITE_WIDTHS, STYLE_LAYERS
from style_core.optimization.descent import OPTIMIZERS, Descent, Diverged
from style_core.optimization.losses import StyleTarget
from style_core.optimization.objective import MOMENT_LOSSES, STYLE_LOSSES, STYLE_TARGETS, Balance, Objective, Region, content_target
from style_core.optimization.temporal import Held
from style_core.optimization.tiled import TiledObjective, measured_in_tiles
from style_core.options import Options, Range, option
from style_core.progress import Step, Steps
from style_core.recipes.estimate import estimate
from style_core.recipes.learned import Estimate, Watch
from style_core.recipes.plan import Network, Plan, budget, plan_for
from style_core.recipes.stylize import StylizeOptions, stylize
from style_core.weights.open import open_extractor

INITS = ("content", "style", "noise", "generator")


@dataclass(frozen=True)
class Preset:
    """A weighting of layers: content and style weights by layer, of which only the ratios count."""

    content: dict[str, float]
    style: dict[str, float]


def _preset(content: str, *style: float) -> Preset:
    return Preset({content: 1.0}, dict(zip(STYLE_LAYERS, style, strict=True)))


PRESETS = {
    "gatys-2016": _preset("relu4_2", 1, 1, 1, 1, 1),
    "coarse-to-fine": _preset("relu4_2", 1.0, 0.75, 0.2, 0.2, 0.2),
    "shallow-heavy": _preset("relu4_2", 256, 64, 16, 4, 1),  # as Crowson's style-transfer-pytorch
    "deep-content": _preset("relu5_2", 1, 1, 1, 1, 1),
}

# Style strength s weighs content by 1 - s and style by s times this. Measured by benchmarks/gatys.py: at the default
# strength both evaluated distances are where a painting is wanted.
STYLE_GAIN = 15.0
# What that times a style loss's own gain is: those other than Gram matrices keep as much of the photo at the same strength, as
# measured by benchmarks/losses.py.
LOSS_GAINS = {"gram": 1.0, "covariance": 1.0, "nearest": 0.4, "transport": 0.2, "sliced": 4.0}
# What a network that stands in for VGG-19 needs besides, as VGG-19 judges: the style's weights times the first, and the
# second more of total variation, since of fine grain it sees too little. Chosen as models/lite.md says.
_LITE_CORRECTION = {"lite": (1.6, 10.0)}
_SMALLEST_LEVEL = 96  # px, long side: below this no stroke is left to form
_SMALLEST_STARTED = 384  # likewise, of a run from a picture in which the large strokes stand already
_PYRAMID_FROM = 256  # px, long side: smaller pictures are painted at once
_COARSE_SHARE = 0.4  # of the iterations, for all levels but the last
_SLOPE = 0.5  # of moves over frequency at the first level; the later ones begin with its large shapes
_SHRINKING_FROM = 1024  # px, long side: beyond it the last level gets fewer iterations, since all but the finest grain is there
_MOST_WEIGHT = 1e9  # of a layer beside the others
_SHRINKING = 0.6  # the power of the size with which they get fewer: 30 of 200 at A1 and 300 dpi
_LARGEST_PREVIEW = 2**22  # pixels: what a screen can show, where the result is larger
_STYLE_TILE = 1024  # px: of style pictures that are larger than a result which is painted at once
_STALL_WINDOW = 40  # iterations
_STALL_GAIN = 0.002  # relative gain over the window under which nothing more is to be had


@dataclass(frozen=True)
class GatysOptions(Options):
    """Optimize a picture against VGG features (Gatys, Ecker, Bethge 2016)."""

    size: int = option(512, "Long side of the result.", Range(64, 12288, 32, "px"))
    iterations: int = option(200, "Optimizer steps; the picture can be stopped at any of them.", Range(1, 3000, 1))
    strength: float = option(0.5, "0 keeps the photo, 1 keeps only the style.", Range(0, 1, 0.01))
    color: str = option(
        "style",
        "Colors of the style, the photo's own, the style's matched to the photo's, or exactly the style's palette.",
        PAINTING_COLORS,
    )
    style_scale: float = option(1.0, "Size of the strokes: 1 shows the style picture as large as the result.", Range(0.25, 4, 0.05))
    extractor: str = option("auto", "Feature network: vgg19 is the reference, lite the compact one that ships.", EXTRACTORS)
    preset: str = option("gatys-2016", "Weights of the layers.", tuple(PRESETS), expert=True)
    optimizer: str = option("lbfgs", "L-BFGS needs fewer steps, Adam less memory.", OPTIMIZERS, expert=True)
    init: str = option("content", "Where the picture starts from.", INITS, expert=True)
    pyramid: bool = option(True, "Paint small first, then larger: big strokes form early and cheaply.", expert=True)
    seed: int = option(0, "Of the noise that the picture may start from.", Range(0, 2**31 - 1, 1), expert=True)
    style_loss: str = option(
        "gram",
        "How styles are compared: Gram matrices, mean and covariance (Wasserstein-2 between Gaussians), each place with its nearest "
        "one (NNST), relaxed optimal transport (STROTSS), or sliced optimal transport.",
        STYLE_LOSSES,
        expert=True,
    )
    pooling: str = option("max", "Pooling of VGG-19; lite averages in any case.", POOLINGS, expert=True)
    tv_weight: float = option(0.0, "Weight of total variation: higher is smoother.", Range(0, 100, 0.1), expert=True)
    averaging: float = option(0.0, "Decay of the average over the iterates; 0 takes the best one.", Range(0, 0.999, 0.001), expert=True)
    learning_rate: float = option(0.02, "Adam's step, in pixel values from 0 to 1.", Range(0.001, 0.5, 0.001), expert=True)
    content_layers: str = option("", "Layers and weights instead of the preset's, such as relu4_2 or relu3_2:0.3 relu4_2:1.", expert=True)
    style_layers: str = option("", "Layers and weights instead of the preset's, such as relu1_1:1 relu2_1:0.75.", expert=True)
    alpha: float = option(0.0, "Weight of the content term; with beta, instead of strength.", Range(0, 1e6, 0.1), expert=True)
    beta: float = option(0.0, "Weight of the style term; with alpha, instead of strength.", Range(0, 1e6, 0.1), expert=True)


def balance_of(options: GatysOptions) -> Balance:
    """The weights that options ask for.

    Raises:
        RequestError: for unknown layers or weights that are no numbers.
    """
    preset = PRESETS[options.preset]
    content = parse_layers(options.content_layers) if options.content_layers else preset.content
    style = parse_layers(options.style_layers) if options.style_layers else preset.style
    if options.alpha or options.beta:
        alpha, beta = options.alpha, options.beta
    else:
        alpha, beta = 1 - options.strength, STYLE_GAIN * LOSS_GAINS[options.style_loss] * options.strength
    return Balance(_scaled(content, alpha), _scaled(style, beta), options.tv_weight)


def _for_network(balance: Balance, name: str, options: GatysOptions) -> Balance:
    """A balance made for VGG-19, as the network `name` needs it; weights given as alpha and beta are left alone."""
    if name not in _LITE_CORRECTION or options.alpha or options.beta:
        return balance
    gain, smoothness = _LITE_CORRECTION[name]
    return replace(balance, style={layer: gain * weight for layer, weight in balance.style.items()}, tv=balance.tv + smoothness)


def parse_layers(text: str) -> dict[str, float]:
    """`relu3_2:0.3 relu4_2` -> weights by layer; a layer without a weight has 1.

    Raises:
        RequestError: for an unknown layer, a weight that is no positive number, or no layer at all.
    """
    layers = {}
    for item in text.replace(",", " ").split():
        name, _, weight = item.partition(":")
        try:
            value = float(weight or 1)
        except ValueError:
            value = float("nan")
        if not 0 < value <= _MOST_WEIGHT:
            raise RequestError("The weight in {item} must be positive; write it like {layer}:0.5.", item=item[:60], layer=name[:60])
        layers[layer_name(name)] = value
    if not layers:
        raise RequestError("No layer is given; write them like relu3_1 relu4_1:0.5.")
    return layers


def _scaled(weights: dict[str, float], total: float) -> dict[str, float]:
    """Weights that sum to `total`; a layer that weighs nothing is left out, and not computed."""
    return {layer: total * weight / sum(weights.values()) for layer, weight in weights.items() if total}


def optimize(
    content: Tensor,
    styles: Sequence[Tensor],
    options: GatysOptions = GatysOptions(),
    *,
    style_weights: Sequence[float] | None = None,
    masks: Sequence[Tensor | None] | None = None,
    init_image: Tensor | None = None,
    compute: Compute | None = None,
    preview_every: float = 1.0,
    memory: float | None = None,
    held: Held | None = None,
) -> Steps:
    """Paint `content` in `styles` by optimizing the pixels; yields as it goes, the last Step holds the result.

    Pictures whose features don't fit into memory are painted in tiles, to the same result.

    Args:
        content: `[3, H, W]`; enlarged first where the result is to be larger.
        styles: one or more `[3, h, w]`, any sizes.
        style_weights: one for each style; None is equal.
        masks: for each style where it goes, `[1, H', W']` in `[0, 1]`, or None for everywhere that no mask claims.
        init_image: a picture to start from instead of `options.init`, resized to the result.
        compute: where to run; None chooses.
        preview_every: seconds between Steps that carry a picture; of a very large result it is a smaller one.
        memory: bytes that the run may take; None is what is free, less a tenth.
        held: another picture that this one is held to, such as the frame before in a film.
    Raises:
        RequestError: for a request that can't be carried out, before any heavy work, such as one that needs more memory than there
            is, with the size that would fit; `Diverged` (one of its kind) when
            the optimization fails twice, after a last Step with the last good picture.
    """
    _check_request(styles, style_weights, masks)
    balance = balance_of(options)
    started = time.monotonic()
    yield Step(0, options.iterations, note="Starting.")
    if options.strength == 0 and not (options.alpha or options.beta):
        photo = fit(content, options.size, enlarge=True)
        yield Step(options.iterations, options.iterations, image=photo, note="Strength 0 keeps the photo as it is.")
        return
    compute = compute or Compute.choose()
    memory = budget(compute) if memory is None else memory
    size = size_to_fit(tuple(content.shape[-2:]), options.size)
    # What is too much for the smallest network is refused before any other is fetched.
    tileable = options.style_loss in MOMENT_LOSSES
    plan_for(size, network_of(LITE_WIDTHS, balance, len(styles), not tileable), compute, options.optimizer, memory, tileable)
    layers = [*balance.content, *balance.style]
    extractor, note = yield from open_extractor(options.extractor, layers, compute, options.pooling)
    scene = _Scene(content, styles, style_weights, masks, options, extractor, _for_network(balance, extractor.name, options), memory)
    note = joined(note, beyond(tuple(content.shape[-2:]), size), scene.plan(*size).sentence())
    if options.init == "generator" and init_image is None:
        init_image = yield from _from_generator(content, styles, style_weights, masks, options, compute)
    scene.held = held
    with large_blocks_returned() if scene.plan(*size).side is not None else nullcontext():
        yield from _paint(scene, init_image, started, preview_every, note)


def foretold(
    levels: Sequence[tuple[int, int, int]],
    widths: Sequence[int],
    balance: Balance,
    options: GatysOptions,
    compute: Compute,
    regions: int = 1,
    memory: float | None = None,
) -> Estimate:
    """What painting `levels` takes, by the model alone.

    Raises:
        RequestError: when no way of painting them fits into `memory`.
    """
    tileable = options.style_loss in MOMENT_LOSSES
    network = network_of(widths, balance, regions, not tileable)
    plans = [plan_for((height, width), network, compute, options.optimizer, memory, tileable) for height, width, _ in levels]
    return estimate(levels, widths, compute, network.deepest, plans)


def network_of(widths: Sequence[int], balance: Balance, regions: int = 1, places: bool = False) -> Network:
    """What of a network `widths` channels wide is at work for a balance; `places` where a loss compares them."""
    return Network(
        tuple(widths),
        tuple(layer for layer, weight in balance.style.items() if weight > 0),
        tuple(layer for layer, weight in balance.content.items() if weight > 0),
        regions,
        places,
    )


def _check_request(styles: Sequence[Tensor], weights: Sequence[float] | None, masks: Sequence[Tensor | None] | None) -> None:
    if not styles:
        raise RequestError("There is no style picture; give at least one.")
    style_shares(weights, len(styles))
    if masks is not None and len(masks) != len(styles):
        raise RequestError("There are {masks} masks for {styles} styles; give one for each.", masks=len(masks), styles=len(styles))
    for mask in masks or ():
        if mask is not None and not mask.any():
            raise RequestError("A mask is all black, so its style would not appear; paint where it should go.")


def _from_generator(content, styles, weights, masks, options: GatysOptions, compute: Compute) -> Generator[Step, None, Tensor]:
    """The generator's picture of the same request, to start from."""
    color = "style" if options.color == "palette" else options.color
    wanted = StylizeOptions(size=options.size, color=color, style_scale=options.style_scale)
    image = None
    for step in stylize(content, styles, wanted, style_weights=weights, masks=masks, compute=compute):
        image = step.image if step.image is not None else image
        yield Step(0, options.iterations, image=step.image, note="Starting from the generator's picture.")
    return image


class _Scene:
    """What is to be painted: the pictures in their colors, measured again at each size."""

    def __init__(
        self, content, styles, weights, masks, options: GatysOptions, extractor: FeatureExtractor, balance: Balance, memory: float
    ):
        self.options = options
        self.extractor = extractor
        self.balance = balance
        self.memory = memory
        self.held: Held | None = None
        self.size = size_to_fit(tuple(content.shape[-2:]), options.size)
        self.photo = fit(content, options.size)  # enlarged where it is looked at, so that no large copy is kept
        self.content, self.styles = _in_color(self.photo, styles, options.color)
        self.shares = style_shares(weights, len(styles))
        self.masks = list(masks) if masks is not None else [None] * len(styles)

    @property
    def regions(self) -> int:
        """How many parts of the picture may have a style of their own."""
        return len(self.styles) if any(mask is not None for mask in self.masks) else 1

    def plan(self, height: int, width: int) -> Plan:
        """How a size is painted in the memory there is."""
        tileable = self.options.style_loss in MOMENT_LOSSES
        network = network_of(self.extractor.widths, self.balance, self.regions, not tileable)
        return plan_for((height, width), network, self.extractor.compute, self.options.optimizer, self.memory, tileable)

    def objective(self, plan: Plan) -> Objective | TiledObjective:
        """Targets measured at a size."""
        size, device = (plan.height, plan.width), self.extractor.compute.device
        targets = [self._measured(style, plan) for style in self.styles]
        regions = _regions(targets, self.shares, self.masks, size, device)
        photo = resize(self.content, size)[None].to(device)
        if plan.side is not None:
            return TiledObjective(self.extractor, photo, regions, self.balance, self.options.style_loss, side=plan.side)
        content = content_target(self.options.style_loss).of(self.extractor, photo, self.balance.content)
        return Objective(self.extractor, content, regions, self.balance, self.options.style_loss)

    def _measured(self, style: Tensor, plan: Plan):
        sized = sized_style(style, (plan.height, plan.width), self.options.style_scale)[None].to(self.extractor.compute.device)
        kind = STYLE_TARGETS[self.options.style_loss]
        if kind is not StyleTarget:
            return kind.of(self.extractor, sized, self.balance.style)
        if plan.side is None and sized[0, 0].numel() <= max(2 * plan.height * plan.width, _STYLE_TILE**2):
            return StyleTarget.of(self.extractor, sized, self.balance.style)
        return measured_in_tiles(self.extractor, sized, self.balance.style, side=min(plan.side or _STYLE_TILE, _STYLE_TILE))

    def start(self, height: int, width: int, init_image: Tensor | None) -> Tensor:
        """`[1, 3, H, W]`, where the first level starts."""
        if init_image is not None:
            picture = resize(init_image, (height, width))
        elif self.options.init == "style":
            picture = resize(self.styles[0], (height, width))
        elif self.options.init == "noise":
            # Drawn on the CPU, so that a seed means the same picture on every device.
            noise = torch.randn(3, height, width, generator=torch.Generator().manual_seed(self.options.seed))
            mean = self.content.mean((1, 2), keepdim=True)
            picture = (mean + 0.15 * noise).clamp(0, 1)
        else:
            picture = resize(self._recolored(), (height, width))
        return picture[None].to(self.extractor.compute.device)

    def enlarged(self, image: Tensor, height: int, width: int, init_image: Tensor | None) -> Tensor:
        """`[1, 3, H, W]`: a level's result as the next one starts from it, with the detail that a small picture can't hold.

        The detail is that of the first level's start, as octaves of a DeepDream get the photo's. Noise and the style
        picture, which is of something else, have none to give.
        """
        picture = resize(image, (height, width)).clone()
        if init_image is not None or self.options.init == "content":
            whole = resize(self._recolored() if init_image is None else init_image, (height, width))
            small = resize(whole, tuple(image.shape[-2:]))
            picture.add_(whole).sub_(resize(small, (height, width)))
        return picture[None].to(self.extractor.compute.device)

    def _recolored(self) -> Tensor:
        """The photo in the colors of the weightiest style, where the picture is to have those.

        Shifting the colors of all pixels at once is what gradients do worst: from here pale and dark styles are reached
        in fewer steps.
        """
        if self.options.color not in ("style", "palette"):
            return self.content
        free = [share if mask is None else 0.0 for share, mask in zip(self.shares, self.masks)]
        picture = self.content
        if any(free):
            picture = match_color(picture, self.styles[free.index(max(free))])
        for style, mask in zip(self.styles, self.masks):
            if mask is not None:
                region = resize(mask.to(self.content), tuple(self.content.shape[-2:])).clamp(0, 1)
                picture = torch.lerp(picture, match_color(self.content, style, region), region)
        return picture

    def shown(self, image: Tensor, most: float = float("inf")) -> Tensor:
        """A painted image as the person sees it, in the colors asked for: whatever the level, at the size of the result.

        Args:
            most: pixels; a larger result is shown at a size that has no more.
        """
        factor = min(1.0, (most / (self.size[0] * self.size[1])) ** 0.5)
        size = self.size if factor == 1 else size_to_fit(self.size, int(max(self.size) * factor))
        image = resize(image, size)
        if self.options.color == "palette":
            return match_palette(image, palette_of(self.styles, self.shares))
        return keep_color(image, resize(self.photo, size)) if self.options.color == "keep" else image


def _in_color(photo: Tensor, styles: Sequence[Tensor], color: str) -> tuple[Tensor, list[Tensor]]:
    """Photo and styles as the optimizer should see them (Gatys et al. 2017, section 5)."""
    if color in ("style", "palette"):
        return photo, list(styles)
    if color == "match":
        return photo, [match_color(style, photo) for style in styles]
    # Luminance only: both in gray, the style's matched to the photo's.
    gray = luminance_of(photo).expand(3, -1, -1)
    return gray, [match_color(luminance_of(style).expand(3, -1, -1), gray) for style in styles]


def _regions(targets, shares, masks, size, device) -> list[Region]:
    """Masked styles get their regions; the rest, mixed, get what no mask claims."""
    free = [index for index, mask in enumerate(masks) if mask is None]
    guides = {
        index: functional.interpolate(mask[None].float(), size=size, mode="area").clamp(0, 1).to(device)
        for index, mask in enumerate(masks)
        if mask is not None
    }
    regions = []
    if free:
        mixed = type(targets[0]).mix([targets[i] for i in free], [shares[i] for i in free]) if len(free) > 1 else targets[free[0]]
        if not guides:
            return [Region(mixed, 1.0)]
        rest = (1 - sum(guides.values())).clamp(0, 1)
        if rest.any():
            regions.append((mixed, rest))
    regions += [(targets[index], guide) for index, guide in guides.items()]
    areas = [float(guide.mean()) for _, guide in regions]
    return [Region(target, area / sum(areas), guide) for (target, guide), area in zip(regions, areas)]


def sized_style(style: Tensor, size: tuple[int, int], scale: float) -> Tensor:
    """A style picture as it is looked at for a result of `size` (height, width): at `scale` 1 their short sides are equal."""
    return fit_short(style, max(16, round(min(size) * scale)))


def levels_of(size: tuple[int, int], options: GatysOptions, started: bool = False) -> list[tuple[int, int, int]]:
    """Height, width and iterations of each size at which a picture of `size` (height, width) is painted, smallest first.

    Args:
        started: whether there is a picture to start from.
    """
    height, width = size
    factors = [1.0]
    smallest = _SMALLEST_STARTED if started or options.init == "generator" else _SMALLEST_LEVEL
    if options.pyramid and max(size) >= _PYRAMID_FROM:
        while max(size) * factors[-1] / 2 >= smallest:
            factors.append(factors[-1] / 2)
    counts = split_iterations(options.iterations, len(factors), max(size))
    return [
        (max(1, round(height * factor)), max(1, round(width * factor)), count) for factor, count in zip(reversed(factors), counts) if count
    ]


def split_iterations(total: int, levels: int, side: int = 0) -> list[int]:
    """Iterations for each level, smallest picture first; the last level always gets some.

    Args:
        side: of the last level, px, long side.
    """
    if levels == 1:
        return [total]
    last = (1 - _COARSE_SHARE) * min(1.0, (_SHRINKING_FROM / max(side, 1)) ** _SHRINKING)
    coarse = total - max(1, round(total * last))
    each = [coarse // (levels - 1)] * (levels - 1)
    return [*each, total - sum(each)]


def _paint(scene: _Scene, init_image: Tensor | None, started: float, preview_every: float, note: str) -> Steps:
    levels = levels_of(scene.size, scene.options, started=init_image is not None)
    painting = _Painting(scene, _Pace(levels, started), preview_every, note)
    extractor = scene.extractor
    watch = Watch(
        f"optimize {extractor.name}", extractor.compute,
        foretold(levels, extractor.widths, scene.balance, scene.options, extractor.compute, scene.regions, scene.memory),
    )  # fmt: skip
    image = init_image
    for index, (height, width, count) in enumerate(levels):
        if index:
            picture = scene.enlarged(image, height, width, init_image)
        else:
            picture = scene.start(height, width, init_image)
        image = yield from painting.level(picture, count, first=index == 0, last=index == len(levels) - 1)
        del picture
    image = scene.shown(image)
    if painting.finished:
        watch.finish()
    yield painting.moment(image=image, eta=0.0)


class _Painting:
    """A run: its Steps, level by level."""

    def __init__(self, scene: _Scene, pace: "_Pace", preview_every: float, note: str):
        self._scene = scene
        self._pace = pace
        self._preview_every = preview_every
        self._note = note
        self._done, self._shown_at, self._losses = 0, time.monotonic(), {}

    @property
    def finished(self) -> bool:
        """Whether all iterations were made that were planned."""
        return self._done == self._scene.options.iterations

    def moment(self, image: Tensor | None = None, eta: float | None = None, note: str | None = None) -> Step:
        note = self._note if note is None else note
        total, weights = self._scene.options.iterations, self._scene.extractor.weights
        return Step(self._done, total, self._losses, image, self._pace.elapsed(), eta, note, weights)

    def level(self, picture: Tensor, count: int, *, first: bool, last: bool) -> Generator[Step, None, Tensor]:
        """Optimize `picture` `[1, 3, H, W]` for `count` iterations; the result as `[3, H, W]`."""
        scene, (height, width) = self._scene, picture.shape[-2:]
        plan = scene.plan(height, width)
        objective, slope = scene.objective(plan), _SLOPE if first else 0.0
        if scene.held is not None:
            objective = scene.held.beside(objective)
        descent = Descent(picture, objective, plan.past, scene.options.learning_rate, scene.options.averaging, slope)
        del picture
        recent: deque[float] = deque(maxlen=_STALL_WINDOW)
        yield self.moment(eta=self._pace.left())
        for iteration in range(1, count + 1):
            yield from self._step(descent, height * width)
            if _stalled(recent, self._losses["total"]):
                if last:
                    self._note = Message(
                        "Stopped after {done} of {total} iterations; the picture no longer changed.",
                        done=self._done,
                        total=scene.options.iterations,
                    )
                self._pace.skip(height * width * (count - iteration))
                break
        return descent.result()

    def _step(self, descent: Descent, pixels: int) -> Steps:
        restarted = descent.restarted
        try:
            self._losses = descent.step()
        except Diverged as failure:
            yield self.moment(image=self._scene.shown(failure.image), note=str(failure))
            raise
        self._done += 1
        self._pace.tick(pixels)
        if descent.restarted and not restarted:
            self._note = "The optimizer diverged and was restarted once from the best picture so far."
        preview = None
        if time.monotonic() - self._shown_at >= self._preview_every:
            preview, self._shown_at = self._scene.shown(descent.image(), _LARGEST_PREVIEW), time.monotonic()
        yield self.moment(preview, self._pace.left())


def _stalled(recent: deque[float], loss: float) -> bool:
    """Whether the best loss of a full window gained almost nothing on the one before it."""
    recent.append(loss)
    if len(recent) < _STALL_WINDOW:
        return False
    half = _STALL_WINDOW // 2
    older, newer = min(list(recent)[:half]), min(list(recent)[half:])
    return newer >= older * (1 - _STALL_GAIN)


class _Pace:
    """Time left, from the time that a pixel has taken and the pixels still to be painted."""

    def __init__(self, levels: Sequence[tuple[int, int, int]], started: float):
        self._started = started
        self._work = sum(height * width * count for height, width, count in levels)
        self._done = 0
        self._painting_since: float | None = None

    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def tick(self, pixels: int) -> None:
        if self._painting_since is None:
            # The first iteration also pays for warming up, so the clock starts behind it.
            self._painting_since, self._work = time.monotonic(), self._work - pixels
            return
        self._done += pixels

    def skip(self, pixels: int) -> None:
        """Strike off work that a level which ended early leaves undone."""
        self._work -= pixels

    def left(self) -> float | None:
        if not self._done or self._painting_since is None:
            return None
        rate = (time.monotonic() - self._painting_since) / self._done
        return max(0.0, rate * (self._work - self._done))
