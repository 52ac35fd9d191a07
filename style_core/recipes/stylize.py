"""`stylize`: any style on any photo, in one pass of a pretrained generator, and a few steps of optimization from there.

A style is encoded once into a small code. Codes can be mixed, and strength interpolates from the photo's own code to theirs. A
photo is encoded once (`Generator.encode_content`); changing strength, weights or masks after that runs the decoder alone. Large
pictures are encoded and painted in tiles; see `networks/generator.py`. What the network painted is then refined; see `refinement.py`.
"""

import collections.abc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.color import keep_color, luminance_of, match_color, painting_color_option
from style_core.media.images import beyond, fit, size_to_fit
from style_core.memory import OutOfMemory, memory_in_words
from style_core.messages import Message, joined
from style_core.networks.generator import Generator, reduced
from style_core.networks.generator_net import CODE_SIZE, STRIDE
from style_core.networks.moments import correlation, style_shares
from style_core.optimization.losses import StyleTarget
from style_core.options import Options, Range, option
from style_core.progress import Step, Steps
from style_core.recipes.areas import Masks, in_effect, in_palettes, recolored_where_painted
from style_core.recipes.cost_model import Cost, Situation, generator_cost
from style_core.recipes.memory_plan import budget, check_fits
from style_core.recipes.refinement import (
    Level,
    known_style,
    measured_style,
    refined,
    refinement_cost,
    refinement_levels,
    refining_weights,
)
from style_core.recipes.run_history import Estimate, Watch
from style_core.sizes import check_sides
from style_core.weights.gallery import CODE_SCALES
from style_core.weights.open import open_generator

# Thresholds of a verdict: a share of the code's distance, meant to catch results with more than 0.6 of the photo's style distance; and
# a correlation, between those of unrelated photos (about 0) and of results in which the photo is recognized. See benchmarks/verdicts.md.
_ALMOST_THE_PHOTO = 0.72
_LOST_THE_PHOTO = 0.25
_VERDICT_LEVEL = "relu3_1"
_JUDGED_FROM = 0.5  # strength below which a result close to the photo is expected
_WORTH_MORE = 2  # steps of refining, from which on they make up for more than what a first result shows
VERDICTS = {
    "unchanged": "The result is still close to the photo. Try more strength or another brush size, or refine it with Paint.",
    "lost": "Little of the photo can be recognized. Try less strength or another brush size.",
}


GramsAtScale = Callable[[float], Mapping[str, Tensor]]


@dataclass(frozen=True)
class StylizeOptions(Options):
    """Paint a photo in any style, at once, with a pretrained generator."""

    size: int = option(1024, "Long side of the result.", Range(64, 8192, 32, "px"))
    strength: float = option(1.0, "0 keeps the photo exactly, 1 applies the full style, more exaggerates it.", Range(0, 1.5, 0.01))
    color: str = painting_color_option()
    outside: float = option(0.0, "Strength outside the painted areas; 0 keeps the photo there.", Range(0, 1.5, 0.01))
    style_scale: float = option(
        1.0,
        "Size of the strokes: higher values use the style picture at a larger size. Their size in pixels is the same in larger results.",
        Range(0.25, 4, 0.05),
    )
    refine: int = option(
        12,
        "Steps of optimization after the network, which bring the picture closer to the style; 0 is faster. Videos do without them.",
        Range(0, 30, 1),
    )


def stylize(
    content: Tensor,
    styles: Sequence[Tensor],
    options: StylizeOptions = StylizeOptions(),
    *,
    style_weights: Sequence[float] | None = None,
    masks: Sequence[Tensor | None] | None = None,
    codes: Sequence[Tensor] = (),
    grams: Sequence[GramsAtScale] = (),
    compute: Compute | None = None,
    remember: bool = True,
) -> Steps:
    """Paint `content` in `styles`; the first Step with a picture is the network's, and the last one holds the result.

    Args:
        content: `[3, H, W]`; enlarged first if the result is larger.
        styles: `[3, h, w]` each, any sizes.
        style_weights: one for each style, then one for each code; None weighs them equally.
        masks: for each style and code the area it covers, `[1, H', W']` in `[0, 1]`, or None for the area outside all masks. One of
            weight 0 covers nothing, and where masks overlap, the weights count.
        codes: encoded styles, `[1, 265]` each, such as the gallery's.
        grams: for each code a function from a brush size to its style's Gram matrices, such as `partial(gallery_grams, name)`; without
            them, the picture is not refined.
        compute: where to run; None chooses.
        remember: keep what was encoded in memory, so that the same photo is painted again in half the time.
    Raises:
        RequestError: for a request that can't be carried out, before any heavy work; if memory is short, it names a size that fits.
    """
    count = len(styles) + len(codes)
    if not count:
        raise RequestError("There is no style; give a style picture or choose one from the gallery.")
    shares = style_shares(style_weights, count)
    if masks is not None and len(masks) != count:
        raise RequestError("There are {masks} masks for {styles} styles; give one for each.", masks=len(masks), styles=count)
    check_color(options, from_codes=bool(codes))
    _, unused = in_effect(options, masks, shares)
    compute = compute or Compute.choose()
    size = size_to_fit(tuple(content.shape[-2:]), options.size)
    check_sides(size, (content.shape[-2], content.shape[-1]), STRIDE)
    check_fits(size, lambda size: generator_cost(*size, compute).bytes, budget(compute))
    started = time.monotonic()
    yield Step(0, 1, note="Starting.")
    photo = fit(content, options.size, enlarge=True)
    note = joined(beyond(tuple(content.shape[-2:]), tuple(photo.shape[-2:])), unused)
    for step in paint_photo(open_generator(compute), photo, styles, options, style_weights, masks, codes, grams, remember):
        said = joined(VERDICTS.get(step.verdict, ""), note, step.note)
        yield Step(step.iteration, step.total, image=step.image, seconds=time.monotonic() - started, weights=step.weights, note=said)


@dataclass(frozen=True)
class PaintedStep(Step):
    """A Step of `paint_photo`; the last one has a `verdict`, a key of `VERDICTS` or empty."""

    verdict: str = ""


def paint_photo(
    generator: Generator,
    photo: Tensor,
    styles: Sequence[Tensor],
    options: StylizeOptions,
    weights: Sequence[float] | None = None,
    masks: Sequence[Tensor | None] | None = None,
    codes: Sequence[Tensor] = (),
    grams: Sequence[GramsAtScale] = (),
    remember: bool = True,
) -> Iterator[PaintedStep]:
    """What `stylize` does with a photo `[3, H, W]` of the result's size.

    Args:
        styles, options, weights, masks, codes, grams, remember: as in `stylize`.
    Yields:
        A step for each tile, with a picture when the network is done, and for each step of refining; the last one has the result, and
        a note if it was not refined although options ask for it.
    Raises:
        RequestError: for colors that codes can't have.
    """
    check_color(options, from_codes=bool(codes))
    shares = style_shares(weights, len(styles) + len(codes))
    options, _ = in_effect(options, masks, shares)
    request = _Request(generator, photo, styles, options, shares, masks, codes, grams, remember)
    size, watch = (photo.shape[-2], photo.shape[-1]), None
    if request.is_painted and generator.cached(photo) is None:  # else it takes less time than an estimate should promise
        watch = Watch("stylize", generator.compute, _predicted(size, request.asked, generator.compute))
    for step in request.painted() if watch is None else watch.over(request.painted()):
        if watch is not None and step.iteration == step.total:
            watch.finish()
        yield step


class _Request:
    """A photo to paint, and everything that it is painted with; arguments as in `paint_photo`."""

    def __init__(
        self, generator: Generator, photo: Tensor, styles: Sequence[Tensor], options: StylizeOptions, shares: list[float], masks: Masks,
        codes: Sequence[Tensor], grams: Sequence[GramsAtScale], remember: bool,
    ):  # fmt: skip
        self.generator, self.photo, self.options, self.shares, self.masks = generator, photo, options, shares, masks
        self.styles = list(styles)
        self.codes, self.grams, self.remember = codes, grams, remember
        # Nothing is painted at strength 0.
        self.is_painted = bool(options.strength or options.outside)
        levels = self._levels() if self.is_painted and options.refine else []
        self.unrefined, self.levels = (levels, []) if isinstance(levels, str) else ("", levels)  # why it is not refined, or how
        self.asked = options.refine if self.levels else 0
        self.steps = sum(level.steps for level in self.levels)

    def painted(self) -> collections.abc.Generator[PaintedStep, None, None]:
        """The Steps of painting."""
        generator, options, photo, remember = self.generator, self.options, self.photo, self.remember
        made = {"generator": generator.sha256}
        colored = [in_color(style, photo, options.color) for style in self.styles]
        codes = [*(generator.encode_style(style, options.style_scale) for style in colored), *self.codes]
        yield PaintedStep(0, 1 + self.steps, weights=made)
        encoded = generator.encode_content(photo, remember=remember)
        adjusting = self.is_painted and self.asked < _WORTH_MORE
        adjusted = generator.adjusted(photo, codes, remember=remember) if adjusting else codes
        tiles, network, note = 1, photo, ""
        for done, tiles, result in generator.paint(encoded, adjusted, self.shares, options.strength, self.masks, outside=options.outside):
            if result is None:
                yield PaintedStep(done, tiles + self.steps, weights=made)
            else:
                network = result
        total, best = tiles + self.steps, network
        if self.steps:
            yield PaintedStep(tiles, total, image=self._shown(network), weights=made)
            try:
                for done, picture in enumerate(self._refined(network, colored), tiles + 1):
                    if picture is None:
                        yield PaintedStep(done, total, weights=made)
                    else:
                        best, made = picture, made | refining_weights(colored, self._scales())
            except OutOfMemory as error:
                note = Message("The picture could not be refined: {reason}", reason=str(error))
        judged = ""
        if self.masks is None and is_judged(options):
            judged = verdict(generator, photo, best, codes, self.shares, remember=remember)
        note = note or self.unrefined
        yield PaintedStep(total, total, image=self._shown(best), weights=made, note=note, verdict=judged)

    def _levels(self) -> list[Level] | str:
        """How the picture is refined, or why not."""
        if len(self.grams) != len(self.codes):
            return "A style is given by its code alone, without Gram matrices, so the picture is not refined."
        regions = 1 if self.masks is None else len(self.shares) + 1
        size, options = (self.photo.shape[-2], self.photo.shape[-1]), self.options
        levels = refinement_levels(size, options.refine, self.generator.compute, regions)
        if isinstance(levels, str) or not self.codes:
            return levels
        # Gram matrices of smaller strokes don't ship, and larger ones would stay in the picture.
        return [level for level in levels if level.share == 1 or level.share * options.style_scale >= CODE_SCALES[0]]

    def _refined(self, network: Tensor, colored: Sequence[Tensor]) -> Iterator[Tensor | None]:
        """What `refined` yields."""
        options, compute, photo = self.options, self.generator.compute, self.photo
        if options.color == "keep":  # only the luminance will count
            network, photo = (luminance_of(picture).expand(3, -1, -1) for picture in (network, photo))
        with memory_in_words(max(photo.shape[-2:])):
            targets = [self._targets(scale, colored) for scale in self._scales()]
            yield from refined(
                network, photo, targets, self.levels, compute, shares=self.shares, masks=self.masks,
                strength=options.strength, outside=options.outside, remember=self.remember,
            )  # fmt: skip

    def _scales(self) -> list[float]:
        """The brush size of each level."""
        return [level.share * self.options.style_scale for level in self.levels]

    def _targets(self, scale: float, colored: Sequence[Tensor]) -> list[StyleTarget]:
        """The styles at a brush size."""
        compute = self.generator.compute
        return [measured_style(style, scale, compute) for style in colored] + [known_style(grams(scale), compute) for grams in self.grams]

    def _shown(self, picture: Tensor) -> Tensor:
        """A picture in the colors from options."""
        options = self.options
        if options.color == "palette" and self.is_painted:
            return in_palettes(picture, self.styles, self.shares, self.masks, options.outside)
        changed = recolored(picture, self.photo, options, from_codes=bool(self.codes))
        return recolored_where_painted(picture, changed, self.masks, self.shares, options.outside)


def is_judged(options: StylizeOptions) -> bool:
    """Whether to warn about a result that is almost the photo or has lost it, given what was requested."""
    return options.color == "style" and options.strength >= _JUDGED_FROM


@torch.no_grad()
def verdict(
    generator: Generator, photo: Tensor, result: Tensor, codes: Sequence[Tensor], weights: Sequence[float] | None = None, *,
    remember: bool = True,
) -> str:  # fmt: skip
    """Detect a failed result with the generator's own encoder, on the reduced picture, as one sees it from a distance.

    The result's code should be close to the style's. If it is still beyond `_ALMOST_THE_PHOTO` of the distance to the photo's
    code, the result counts as unchanged. Its features at relu3_1 should lie where the photo's do; otherwise the photo is lost.

    Args:
        photo, result: `[3, H, W]`, the same size.
        codes, weights: those that it was painted with.
        remember: cache the photo's encoding, because sliders move.
    Returns:
        `unchanged`, `lost`, or an empty string.
    """
    style = torch.stack([share * code for share, code in zip(style_shares(weights, len(codes)), codes)]).sum(0)
    before, after = generator.encode_content(reduced(photo), remember=remember), generator.encode_content(reduced(result), remember=False)
    left = _apart(after.code, style) / _apart(before.code, style).clamp_min(1e-6)
    if left > _ALMOST_THE_PHOTO:
        return "unchanged"
    if correlation(after.features[_VERDICT_LEVEL], before.features[_VERDICT_LEVEL]) < _LOST_THE_PHOTO:
        return "lost"
    return ""


def _apart(one: Tensor, two: Tensor) -> Tensor:
    """The distance of two codes, in what the network sees."""
    return (one - two)[:, :CODE_SIZE].norm()


def encoded_styles(generator: Generator, styles: Sequence[Tensor], photo: Tensor, options: StylizeOptions) -> list[Tensor]:
    """Codes of style pictures, in the colors and at the stroke size from options."""
    return [generator.encode_style(in_color(style, photo, options.color), options.style_scale) for style in styles]


def check_color(options: StylizeOptions, *, from_codes: bool) -> None:
    """Refuse the palette color mode for gallery codes, which don't include their painting's palette.

    Raises:
        RequestError: if it was requested.
    """
    if options.color == "palette" and from_codes:
        raise RequestError("Gallery styles don't include the painting's palette; give the painting itself, or choose other colors.")


def recolored(result: Tensor, photo: Tensor, options: StylizeOptions, *, from_codes: bool) -> Tensor:
    """A result in the photo's colors if options ask for them; codes, unlike style pictures, can only be recolored afterwards."""
    if options.color == "keep" and (options.strength or options.outside):
        return keep_color(result, photo)
    if options.color == "match" and from_codes:
        return match_color(result, photo)
    return result


def in_color(style: Tensor, photo: Tensor, color: str) -> Tensor:
    """A style picture as the generator encodes it: unchanged, or recolored to the photo's colors or luminance."""
    if color == "match":
        return match_color(style, photo)
    if color == "keep":
        gray = luminance_of(photo).expand(3, -1, -1)
        return match_color(luminance_of(style).expand(3, -1, -1), gray)
    return style


def stylize_cost(options: StylizeOptions, given: Situation) -> Cost:
    """Predicted cost of stylizing a photo."""
    size = given.size(options.size)
    return Cost("stylize", _predicted(size, options.refine, given.compute), size)


def _predicted(size: tuple[int, int], steps: int, compute: Compute) -> Estimate:
    painting, refining = generator_cost(*size, compute), refinement_cost(size, steps, compute)
    return Estimate(painting.seconds + refining.seconds, max(painting.bytes, refining.bytes))
