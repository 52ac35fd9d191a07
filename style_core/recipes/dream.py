"""`dream`: amplify the patterns that a network finds in a photo (DeepDream, Mordvintsev, Olah and Tyka 2015)."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.images import beyond, fit, fit_short
from style_core.messages import Message, joined
from style_core.networks.backbones import BACKBONES, extractor_option
from style_core.networks.costs import Shape
from style_core.networks.extractor import FeatureExtractor, layer_name
from style_core.networks.vgg19 import LAYERS
from style_core.optimization.deepdream import LARGEST_TILE, Ascent, AscentConfig, DreamObjective, Term, tile_side
from style_core.options import SEED_COUNT, SEEDS, Options, Range, option
from style_core.progress import Step, Steps
from style_core.recipes.areas import in_effect
from style_core.recipes.cost_model import Cost, Situation, network_cost
from style_core.recipes.run_history import Watch
from style_core.weights.open import open_extractor

STARTS = ("photo", "noise")

_FULL_STEP = 0.04  # root mean square of a move at strength 1, in pixel values
_SMALLEST_SIDE = 48  # px, short side of the smallest octave; smaller ones are too small for a pattern
_SMALLEST_MAP = 4  # positions, short side of the deepest layer in the smallest octave
_GUIDE_SIDE = 256  # px, long side of the guide, so that features cover whole objects rather than texture
_GUIDE_SHORT = 64  # px, its short side at least
_NOISE = 0.08  # standard deviation of the noise that a dream can start from
_KINSHIP = 0.9  # typical correlation of color channels, used without a photo
_COLOR_FLOOR = 0.05  # share of uncorrelated color, so that dreams on gray photos have a little color
_MOST_WEIGHT = 1e9  # of a layer relative to the others
_ITEM = re.compile(r"(?P<layer>[^\s,:\[\]]+)(?:\[(?P<channels>[^\[\]]*)\])?(?::(?P<weight>[^\s,]*))?(?:[\s,]+|$)")


@dataclass(frozen=True)
class DreamOptions(Options):
    """Amplify the patterns that a network finds in a photo (DeepDream)."""

    size: int = option(768, "Long side of the result.", Range(64, 4096, 32, "px"))
    layer: str = option("relu4_2", "Layers to amplify, with weights and channels, such as relu3_3:0.5 relu4_2[12,40].")
    strength: float = option(0.15, "0 keeps the photo; higher values change it more in each step.", Range(0, 1, 0.01))
    octaves: int = option(4, "Number of sizes to dream at, from small to large: more give larger shapes.", Range(1, 8, 1))
    iterations: int = option(15, "Steps in each octave.", Range(1, 200, 1))
    outside: float = option(0.0, "Share of the dream outside the painted area; 0 keeps the photo there.", Range(0, 1, 0.01))
    start: str = option("photo", "Dream on the photo, or from noise.", STARTS)
    extractor: str = extractor_option()
    octave_scale: float = option(1.5, "How much larger each octave is than the one before.", Range(1.1, 2.5, 0.05), expert=True)
    smoothing: float = option(0.5, "0 changes mostly fine grain; 1 changes coarse shapes as much as grain.", Range(0, 1, 0.05), expert=True)
    decorrelate: bool = option(True, "Dream in the photo's own colors rather than rainbow colors.", expert=True)
    jitter: int = option(32, "Largest random shift, which hides the network's grid.", Range(0, 128, 1, "px"), expert=True)
    tv: float = option(0.0, "Weight of smoothness: higher leaves less grain.", Range(0, 10, 0.1), expert=True)
    seed: int = option(0, "Random seed of the shifts and the noise.", SEEDS, expert=True)


def parse_terms(text: str) -> tuple[Term, ...]:
    """`relu3_3:0.5 relu4_2[12,40]` -> terms; without a weight a term has 1, without channels it is the whole layer.

    Raises:
        RequestError: for an unknown layer, an invalid channel, a weight that isn't above 0 and at most 1e9, or no layer at all.
    """
    terms, rest = [], text.strip(" \t\n,")
    while rest:
        item = _ITEM.match(rest)
        if item is None:
            raise RequestError("{text} can't be read as a layer; write it like relu4_2 or relu4_2:0.5.", text=rest)
        terms.append(_term(**item.groupdict()))
        rest = rest[item.end() :]
    if not terms:
        raise RequestError("No layer is given; write it like relu4_2, or relu3_1:0.5 relu4_1.")
    return tuple(terms)


def _term(layer: str, channels: str | None, weight: str | None) -> Term:
    name = layer_name(layer)
    numbers = () if channels is None else tuple(part.strip() for part in channels.split(","))
    for number in numbers:
        if not number.isdecimal():
            raise RequestError(
                "The channel of {layer} is {channel}; it must be a whole number. Write it like {layer}[12,40].",
                channel=number or "missing",
                layer=name,
            )
    try:
        value = 1.0 if weight is None else float(weight)
    except ValueError:
        value = float("nan")
    if not 0 < value <= _MOST_WEIGHT:
        said = "The weight of {layer} is {weight}; it must be above 0 and at most {most:,.0f}."
        raise RequestError(said, layer=name, weight=(weight or "missing")[:60], most=_MOST_WEIGHT)
    return Term(name, value, tuple(int(number) for number in numbers))


def dream(
    image: Tensor | None,
    options: DreamOptions = DreamOptions(),
    *,
    guide: Tensor | None = None,
    mask: Tensor | None = None,
    continue_from: Tensor | None = None,
    done: int = 0,
    compute: Compute | None = None,
    extractor: FeatureExtractor | None = None,
    preview_every: float = 1.0,
) -> Steps:
    """Dream on `image`; yields Steps, the last of which holds the result.

    `Step.losses` holds the factor by which each term's response exceeds that of the original picture at the same size.

    Args:
        image: `[3, H, W]`; None dreams from noise, a square.
        guide: `[3, h, w]`, whose features the dream imitates.
        mask: `[1, h, w]` in `[0, 1]`, where to dream; elsewhere `options.outside` applies.
        continue_from: a dream `[3, h, w]` to continue, made from the same photo.
        done: its steps, which are skipped; of a dream that was finished none are, so that it goes as deep again.
        compute: where to run; None chooses.
        extractor: a loaded network, instead of the one that options name.
        preview_every: seconds between Steps with a picture.
    Raises:
        RequestError: for a request that can't be carried out.
    """
    terms = check_request(image, options, mask)
    options, unused = in_effect(options, None if mask is None else [mask])
    started, total = time.monotonic(), options.octaves * options.iterations
    yield Step(0, total, note="Starting.")
    if options.strength == 0 and image is not None:
        yield Step(total, total, image=fit(image, options.size, enlarge=True), note="Strength 0 keeps the photo as it is.")
        return
    note = ""
    if extractor is None:
        layers = [term.layer for term in terms]
        extractor, note = yield from open_extractor(options.extractor, layers, compute or Compute.choose())
    growth = Growth(_canvas(image, options), objective_of(extractor, terms, guide), options, mask, continue_from, done)
    larger = "" if image is None else beyond(tuple(image.shape[-2:]), tuple(growth.photo.shape[-2:]))
    yield from _grown(growth, started, joined(note, larger, growth.note, unused), preview_every)


def _grown(growth: "Growth", started: float, note: str, preview_every: float) -> Steps:
    """Grow a dream to its end, its cost measured.

    Args:
        started: when the run started, on the monotonic clock.
        note: of each Step.
    """
    extractor = growth.objective.extractor
    sizes = [(height, width, growth.options.iterations) for height, width in growth.sizes]
    deepest = max(growth.objective.layers, key=LAYERS.index)
    largest = _largest_tile(extractor.shape, deepest, extractor.compute)
    cost = network_cost(sizes, extractor.shape, extractor.compute, deepest, largest=largest)
    watch = Watch(f"dream {extractor.name}", extractor.compute, cost)

    def growing() -> Steps:
        shown, shown_at, began, before = 0, float("-inf"), time.monotonic(), growth.share
        for _ in growth:
            now, preview = time.monotonic(), None
            if growth.done != shown and now - shown_at >= preview_every:  # a step has a yield for each of its tiles
                preview, shown, shown_at = growth.image(), growth.done, now
            eta = (now - began) * (1 - growth.share) / (growth.share - before) if growth.share > before else None
            yield Step(growth.done, growth.total, growth.rises, preview, now - started, eta, note, extractor.weights)

    yield from watch.over(growing())
    watch.finish()
    seconds = time.monotonic() - started
    yield Step(growth.total, growth.total, growth.rises, growth.image(), seconds, 0.0, note, extractor.weights)


def check_request(image: Tensor | None, options: DreamOptions, mask: Tensor | None) -> tuple[Term, ...]:
    """Check a request; returns its terms.

    Raises:
        RequestError: if it can't be carried out.
    """
    if image is None and options.start == "photo":
        raise RequestError("There is no photo; give one, or set start to noise.")
    if mask is not None and image is None:
        raise RequestError("There is a mask but no photo to keep; give a photo, or leave out the mask.")
    if mask is not None and not mask.any():
        raise RequestError("The mask is all black, so nothing would change; paint where to dream.")
    return parse_terms(options.layer)


def objective_of(extractor: FeatureExtractor, terms: Sequence[Term], guide: Tensor | None) -> DreamObjective:
    """The dream's objective, with the guide, if there is one, resized for comparison."""
    if guide is not None:
        seen = fit(guide, _GUIDE_SIDE)
        if min(seen.shape[-2:]) < _GUIDE_SHORT:
            seen = fit_short(guide, _GUIDE_SHORT)
        guide = seen[None].to(extractor.compute.device)
    return DreamObjective(extractor, terms, guide)


def _canvas(image: Tensor | None, options: DreamOptions) -> Tensor:
    if image is None:
        return torch.full((3, options.size, options.size), 0.5)
    return fit(image, options.size, enlarge=True)


class Growth:
    """A dream growing over octaves, smallest first; iterate to grow it, and read `image` at any time.

    Each octave starts from the original picture at its own size plus the enlarged changes of the octaves before, so that
    resizing loses no detail of the photo.

    Args:
        photo: `[3, H, W]`, as large as the result.
        objective: what to maximize.
        options: settings.
        mask: `[1, h, w]`, where to dream; None dreams everywhere.
        continue_from, done: a dream and its steps, as in `dream`.

    Attributes:
        done, total: iterations.
        share: share of the work done, in `[0, 1]`.
        rises: by term, the factor by which its response exceeds that of the original picture at the same size.
        note: a note to the user about the octaves, or empty.
    """

    def __init__(
        self, photo: Tensor, objective: DreamObjective, options: DreamOptions, mask: Tensor | None = None,
        continue_from: Tensor | None = None, done: int = 0,
    ):  # fmt: skip
        self.objective = objective
        self.options = options
        device = objective.extractor.compute.device
        self.photo = photo[None].to(device)
        self.mask = None if mask is None else _sized(mask[None].to(device), photo.shape[-2:]).clamp(0, 1)
        self.sizes = octave_sizes(photo.shape[-2:], options, objective.layers)
        self.note = ""
        if len(self.sizes) < options.octaves:
            self.note = Message(
                "Used {octaves} of {wanted} octaves; the picture is too small for more.", octaves=len(self.sizes), wanted=options.octaves
            )
        self.total = len(self.sizes) * options.iterations
        self.done = done if continue_from is not None and done < self.total else 0
        self._work = sum(height * width for height, width in self.sizes) * options.iterations
        self.share = sum(height * width * self._skipped(index) for index, (height, width) in enumerate(self.sizes)) / self._work
        self.rises: dict[str, float] = {}
        self._generator = torch.Generator().manual_seed(options.seed)
        self._noise_seed = int(torch.randint(SEED_COUNT, (), generator=self._generator))
        self._added: Tensor | None = None
        self._finer: Tensor | None = None  # of a finished dream that goes on, what the octave at work is too small for
        self._goes_deeper = continue_from is not None and not self.done
        if continue_from is not None:
            self._added = _sized(continue_from[None].to(device), photo.shape[-2:]) - self._base(photo.shape[-2:])

    def _skipped(self, octave: int) -> int:
        """Steps of an octave that were done before."""
        return min(self.options.iterations, max(0, self.done - octave * self.options.iterations))

    def __iter__(self) -> Iterator[None]:
        config = self._config()
        left = [self.options.iterations - self._skipped(octave) for octave in range(len(self.sizes))]
        for (height, width), count in zip(self.sizes, left):
            if not count:
                continue
            base = self._base((height, width))
            if self._goes_deeper:
                whole = self._changes()
                assert whole is not None
                self._added = _sized(whole, (height, width))
                self._finer = whole - _sized(self._added, whole.shape[-2:])
            picture = base if self._added is None else (base + _sized(self._added, (height, width))).clamp(0, 1)
            mask = None if self.mask is None else _sized(self.mask, (height, width)).clamp(0, 1)
            plain = yield from Ascent(base, self.objective, config, self._generator, mask).measure()
            ascent = Ascent(picture.clone(), self.objective, config, self._generator, mask)
            for _ in range(count):
                answers = yield from ascent.step()
                self.done += 1
                self.share += height * width / self._work
                self._added = ascent.picture - base
                self._note_rise(answers, plain)
                yield
            answers = yield from ascent.measure()
            self._note_rise(answers, plain)

    def image(self) -> Tensor:
        """The dream so far, `[3, H, W]` in `[0, 1]`, on the CPU, at the size of the result."""
        size = self.photo.shape[-2:]
        image = self._base(size)
        if (changes := self._changes()) is not None:
            image = (image + changes).clamp(0, 1)
        if self.mask is not None and not self.options.outside:
            image = self.photo.lerp(image, self.mask)
        return image[0].float().cpu().clone()

    def _changes(self) -> Tensor | None:
        """What the dream has added so far, `[1, 3, H, W]` at the size of the result."""
        if self._added is None:
            return None
        changes = _sized(self._added, self.photo.shape[-2:])
        return changes if self._finer is None else changes + self._finer

    def _base(self, size: Sequence[int]) -> Tensor:
        """The original picture `[1, 3, h, w]` at a size: the photo, or the photo with noise in the dream's area."""
        photo = _sized(self.photo, size).clamp(0, 1)
        if self.options.start == "photo":
            return photo
        noise = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(self._noise_seed)).to(photo)
        noise = (photo.mean((2, 3), keepdim=True) + _NOISE * noise).clamp(0, 1)
        if self.mask is None:
            return noise
        mask = _sized(self.mask, size).clamp(0, 1)
        return photo.lerp(noise, mask.lerp(torch.ones_like(mask), self.options.outside))

    def _config(self) -> AscentConfig:
        options = self.options
        return AscentConfig(
            step=_FULL_STEP * options.strength,
            jitter=options.jitter,
            smoothing=options.smoothing,
            tv=options.tv,
            colors=color_kinship(self.photo) if options.decorrelate else None,
            wrap=options.start == "noise" and self.mask is None,
            outside=options.outside,
        )

    def _note_rise(self, answers: Tensor, plain: Tensor) -> None:
        verb = self.objective.verb
        ratios = (answers / plain.clamp_min(1e-12)).tolist()
        self.rises = {f"{verb} {term.name}": ratio for term, ratio in zip(self.objective.terms, ratios)}


def dream_cost(options: DreamOptions, given: Situation) -> Cost:
    """Predicted cost of a dream."""
    size = given.size(options.size)
    deepest = max((term.layer for term in parse_terms(options.layer)), key=LAYERS.index)
    octaves = [(height, width, options.iterations) for height, width in octave_sizes(size, options, [deepest])]
    largest = _largest_tile(BACKBONES[given.network].shape, deepest, given.compute)
    return Cost(f"dream {given.network}", network_cost(octaves, given.network, given.compute, deepest, largest=largest), size)


def _largest_tile(shape: Shape, deepest: str, compute: Compute) -> int:
    return round(LARGEST_TILE * tile_side(shape, [deepest], compute))


def octave_sizes(size: Sequence[int], options: DreamOptions, layers: Sequence[str]) -> list[tuple[int, int]]:
    """Height and width of each octave, smallest first; octaves too small for the deepest layer are left out."""
    stride = 2 ** (int(max(layers).removeprefix("relu")[0]) - 1)
    smallest = max(_SMALLEST_SIDE, _SMALLEST_MAP * stride)
    sizes = [(size[0], size[1])]
    for octave in range(1, options.octaves):
        height, width = (round(side / options.octave_scale**octave) for side in size)
        if min(height, width) < smallest:
            break
        sizes.append((height, width))
    return sizes[::-1]


def color_kinship(photo: Tensor) -> Tensor:
    """The square root of the covariance of a photo's colors `[3, 3]`, scaled to keep the size of a move.

    Ascent in decorrelated colors moves along the photo's own palette. Raw ascent treats each channel separately, which gives
    rainbow colors (Olah et al., "Feature Visualization", 2017, use ImageNet's covariance instead). For a photo of one color, the
    typical correlation of pictures is used.

    Args:
        photo: `[1, 3, H, W]`.
    """
    colors = photo[0].flatten(1).float()  # [3, H W]
    covariance = torch.cov(colors)
    if covariance.trace() < 1e-6:
        covariance = torch.full((3, 3), _KINSHIP).fill_diagonal_(1.0).to(photo.device)
    covariance = covariance * 3 / covariance.trace()
    covariance = torch.lerp(covariance, torch.eye(3, device=photo.device), _COLOR_FLOOR)
    values, vectors = torch.linalg.eigh(covariance.cpu())  # MPS has no eigh
    return (vectors @ values.clamp_min(0).sqrt().diag() @ vectors.T).to(photo.device)


def _sized(batch: Tensor, size: Sequence[int]) -> Tensor:
    """Resize: bicubic, antialiased, not clamped, because a dream's changes have signs."""
    if tuple(batch.shape[-2:]) == tuple(size):
        return batch
    return functional.interpolate(batch, tuple(size), mode="bicubic", antialias=True, align_corners=False)
