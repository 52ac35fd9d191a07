"""`stylize`: any style on any photo, in one pass of a pretrained generator, and a few steps of optimization from there.

A style is encoded once into a small code. Codes can be mixed, and strength interpolates from the photo's own code to theirs. A
photo is encoded once (`Generator.encode_content`); changing strength, weights or masks after that runs the decoder alone. Large
pictures are encoded and painted in tiles; see `networks/generator.py`. What the network painted is then refined; see `refinement.py`.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.color import keep_color, luminance_of, match_color, match_palette, painting_color_option, palette_of
from style_core.media.images import beyond, fit, size_to_fit
from style_core.messages import joined
from style_core.networks.generator import Generator, reduced
from style_core.networks.generator_net import CODE_SIZE
from style_core.networks.moments import relative_distance, style_shares
from style_core.options import Options, Range, option
from style_core.progress import Step, Steps
from style_core.recipes.areas import in_effect, recolored_where_painted
from style_core.recipes.cost_model import Cost, Situation, generator_cost
from style_core.recipes.memory_plan import budget, check_fits
from style_core.recipes.refinement import NETWORK, known_style, measured_style, refined, refinement_cost, why_not
from style_core.recipes.run_history import Estimate, Watch
from style_core.weights.open import open_generator
from style_core.weights.registry import registry

# Thresholds of a verdict, meant to catch results with more than 0.6 of the photo's style distance. How often they do:
# benchmarks/verdicts.md.
_ALMOST_THE_PHOTO = 0.72
_LOST_THE_PHOTO = 0.9
_CONTENT_LEVEL = "relu3_1"
_JUDGED_FROM = 0.5  # strength below which a result close to the photo is expected
VERDICTS = {
    "unchanged": "The result is still close to the photo. Try more strength or another brush size, or refine it with Paint.",
    "lost": "Little of the photo can be recognized. Try less strength or another brush size.",
}


@dataclass(frozen=True)
class StylizeOptions(Options):
    """Paint a photo in any style, at once, with a pretrained generator."""

    size: int = option(1024, "Long side of the result.", Range(64, 8192, 32, "px"))
    strength: float = option(1.0, "0 keeps the photo exactly, 1 applies the full style, more exaggerates it.", Range(0, 1.5, 0.01))
    color: str = painting_color_option()
    outside: float = option(0.0, "Strength outside the painted areas; 0 keeps the photo there.", Range(0, 1.5, 0.01))
    style_scale: float = option(1.0, "Size of the strokes: higher values use the style picture at a larger size.", Range(0.25, 4, 0.05))
    refine: int = option(
        8,
        "Steps of optimization after the network, which bring the picture closer to the style; 0 is faster. Clips do without.",
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
    grams: Sequence[Mapping[str, Tensor]] = (),
    compute: Compute | None = None,
    remember: bool = True,
) -> Steps:
    """Paint `content` in `styles`; the first Step with a picture is the network's, and the last one holds the result.

    Args:
        content: `[3, H, W]`; enlarged first if the result is larger.
        styles: `[3, h, w]` each, any sizes.
        style_weights: one for each style, then one for each code; None weighs them equally.
        masks: for each style and code the area it covers, `[1, H', W']` in `[0, 1]`, or None for the area outside all masks.
        codes: encoded styles, `[1, 265]` each, such as the gallery's.
        grams: for each code its style's Gram matrices, such as `gallery_grams`; without them, the picture is not refined.
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
    check_fits(size, lambda size: generator_cost(*size, compute).bytes, budget(compute))
    started = time.monotonic()
    yield Step(0, 1, note="Starting.")
    photo = fit(content, options.size, enlarge=True)
    as_it_is = unrefined(options, size, codes, grams, compute)
    note = joined(beyond(tuple(content.shape[-2:]), tuple(photo.shape[-2:])), unused, as_it_is)
    generator = open_generator(compute)
    made = weights_used(generator.sha256, refining=bool(options.refine) and not as_it_is)
    for done, total, result, judged in paint_photo(generator, photo, styles, options, style_weights, masks, codes, grams, remember):
        said = joined(VERDICTS.get(judged, ""), note)
        yield Step(done, total, image=result, seconds=time.monotonic() - started, weights=made, note=said)


def paint_photo(
    generator: Generator,
    photo: Tensor,
    styles: Sequence[Tensor],
    options: StylizeOptions,
    weights: Sequence[float] | None = None,
    masks: Sequence[Tensor | None] | None = None,
    codes: Sequence[Tensor] = (),
    grams: Sequence[Mapping[str, Tensor]] = (),
    remember: bool = True,
) -> Iterator[tuple[int, int, Tensor | None, str]]:
    """What `stylize` does with a photo `[3, H, W]` of the result's size.

    Args:
        styles, options, weights, masks, codes, grams, remember: as in `stylize`.
    Yields:
        Tiles and steps done, those in all, and a picture or None: what the network painted, if it will be refined, and at the end the
        result, with a key of `VERDICTS` or an empty string.
    Raises:
        RequestError: for colors that codes can't have.
    """
    check_color(options, from_codes=bool(codes))
    shares = style_shares(weights, len(styles) + len(codes))
    options, _ = in_effect(options, masks, shares)
    compute, size = generator.compute, (photo.shape[-2], photo.shape[-1])
    # Nothing is painted at strength 0.
    is_painted, encoded, watch = bool(options.strength or options.outside), generator.cached(photo), None
    steps = options.refine if is_painted and not unrefined(options, size, codes, grams, compute) else 0
    if is_painted and encoded is None:  # else it takes less time than an estimate should promise
        watch = Watch("stylize", compute, _predicted(size, steps, compute))
    colored = [in_color(style, photo, options.color) for style in styles]
    style_codes = [*(generator.encode_style(style, options.style_scale) for style in colored), *codes]
    yield 0, 1, None, ""
    if encoded is None:
        encoded = generator.encode_content(photo, remember=remember)
    # Refining makes up for more than what a first result shows.
    adjusted = generator.adjusted(photo, style_codes, remember=remember) if is_painted and not steps else style_codes
    painted, tiles = photo, 1
    for done, tiles, result in generator.paint(encoded, adjusted, weights, options.strength, masks, outside=options.outside):
        if result is None:
            yield done, tiles + steps, None, ""
        else:
            painted = result

    def shown(picture: Tensor) -> Tensor:
        changed = recolored(picture, photo, options, styles, weights, from_codes=bool(codes))
        return recolored_where_painted(picture, changed, masks, shares, options.outside)

    if steps:
        yield tiles, tiles + steps, shown(painted), ""
        targets = [
            *(measured_style(style, options.style_scale, compute) for style in colored),
            *(known_style(each, compute) for each in grams),
        ]
        refining = refined(
            painted, photo, targets, steps, compute, shares=shares, masks=masks, strength=options.strength, outside=options.outside,
            remember=remember,
        )  # fmt: skip
        for done, picture in enumerate(refining, tiles + 1):
            if picture is None:
                yield done, tiles + steps, None, ""
            else:
                painted = picture
    judged = ""
    if masks is None and is_judged(options):
        judged = verdict(generator, photo, painted, style_codes, weights, remember=remember)
    result = shown(painted)
    if watch is not None:
        watch.finish()
    yield tiles + steps, tiles + steps, result, judged


def weights_used(generator_sha256: str, *, refining: bool) -> dict[str, str]:
    """sha256 of the weight files that a picture is made with, by network."""
    return {"generator": generator_sha256} | ({NETWORK: registry()[NETWORK].sha256} if refining else {})


def unrefined(
    options: StylizeOptions, size: tuple[int, int], codes: Sequence[Tensor], grams: Sequence[Mapping[str, Tensor]], compute: Compute
) -> str:  # fmt: skip
    """A note why a picture of `size` (height, width) is not refined, although options ask for it; or an empty string."""
    if not options.refine or not (options.strength or options.outside):
        return ""
    if len(grams) != len(codes):
        return "A style is given by its code alone, without Gram matrices, so the picture is not refined."
    return why_not(size, compute)


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
    code, the result counts as unchanged. Its features at relu3_1 should be close to the photo's; otherwise the photo is lost.

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
    if relative_distance(after.features[_CONTENT_LEVEL], before.features[_CONTENT_LEVEL]) > _LOST_THE_PHOTO:
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


def recolored(
    result: Tensor,
    photo: Tensor,
    options: StylizeOptions,
    styles: Sequence[Tensor] = (),
    weights: Sequence[float] | None = None,
    *,
    from_codes: bool,
) -> Tensor:
    """A result in the colors from options; codes, unlike style pictures, can only be recolored afterwards."""
    painted = options.strength or options.outside
    if options.color == "palette" and painted:
        return match_palette(result, palette_of(styles, style_shares(weights, len(styles))))
    if options.color == "keep" and painted:
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
