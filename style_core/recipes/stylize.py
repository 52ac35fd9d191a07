"""`stylize`: any style on any photo, in one pass of a pretrained generator.

A style is encoded once into a small code; codes mix, and a strength walks from the photo's own code to theirs. A photo
is looked at once (`Generator.encode_content`); whatever moves after that, strength or weights or masks, runs the decoder alone.
Pictures beyond a size are looked at and painted in tiles whose statistics are the whole picture's, as in URST (Chen et
al. 2022), but measured in full and not on a thumbnail, so that tiles are exactly the untiled picture's.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.color import PAINTING_COLORS, keep_color, luminance_of, match_color, match_palette, palette_of
from style_core.media.images import beyond, fit
from style_core.networks.generator import Generator
from style_core.networks.moments import relative_distance, style_shares
from style_core.options import Options, Range, option
from style_core.progress import Step, Steps
from style_core.recipes.cost_model import Cost, Situation, generator_cost
from style_core.recipes.run_history import Watch
from style_core.weights.open import open_generator

# A verdict's thresholds, chosen on 78 pairs so that every result that keeps more than 0.6 of the photo's style distance is told.
_ALMOST_THE_PHOTO = 0.745
_LOST_THE_PHOTO = 0.6
_CONTENT_LEVEL = "relu4_1"
_MIDDLE_SIDE = 320  # px
_TOLD_FROM = 0.5  # strength: below it, a result close to the photo is what was asked for
VERDICTS = {
    "unchanged": "The result is still close to the photo. Try more strength or another brush size, or refine it with Paint.",
    "lost": "Little of the photo can be recognized. Try less strength or another brush size.",
}


@dataclass(frozen=True)
class StylizeOptions(Options):
    """Paint a photo in any style, at once, with a pretrained generator."""

    size: int = option(1024, "Long side of the result.", Range(64, 8192, 32, "px"))
    strength: float = option(1.0, "0 keeps the photo exactly, 1 takes the style in full, more exaggerates it.", Range(0, 1.5, 0.01))
    color: str = option(
        "style",
        "Colors of the style, the photo's own, the style's matched to the photo's, or exactly the style picture's palette.",
        PAINTING_COLORS,
    )
    style_scale: float = option(1.0, "Size of the strokes: larger looks at the painting from nearer.", Range(0.25, 4, 0.05))


def stylize(
    content: Tensor,
    styles: Sequence[Tensor],
    options: StylizeOptions = StylizeOptions(),
    *,
    style_weights: Sequence[float] | None = None,
    masks: Sequence[Tensor | None] | None = None,
    codes: Sequence[Tensor] = (),
    compute: Compute | None = None,
) -> Steps:
    """Paint `content` in `styles` in one pass; the last Step holds the result.

    Args:
        content: `[3, H, W]`; enlarged first where the result is to be larger.
        styles: `[3, h, w]` each, any sizes.
        style_weights: one for each style, then one for each code; None is equal.
        masks: for each style and code where it goes, `[1, H', W']` in `[0, 1]`, or None for everywhere that no mask claims.
        codes: styles encoded before, `[1, 256]` each, such as the gallery's.
        compute: where to run; None chooses.
    Raises:
        RequestError: for a request that can't be carried out, before any heavy work.
    """
    count = len(styles) + len(codes)
    if not count:
        raise RequestError("There is no style; give a style picture or choose one from the gallery.")
    style_shares(style_weights, count)
    if masks is not None and len(masks) != count:
        raise RequestError("There are {masks} masks for {styles} styles; give one for each.", masks=len(masks), styles=count)
    check_color(options, from_codes=bool(codes))
    started = time.monotonic()
    yield Step(0, 1, note="Starting.")
    photo = fit(content, options.size, enlarge=True)
    note = beyond(tuple(content.shape[-2:]), tuple(photo.shape[-2:]))
    generator = open_generator(compute or Compute.choose())
    made = {"generator": generator.sha256}
    style_codes = [*encoded_styles(generator, styles, photo, options), *codes]
    yield Step(0, 1, seconds=time.monotonic() - started, note=note, weights=made)
    watch = Watch("stylize", generator.compute, generator_cost(photo.shape[-2], photo.shape[-1], generator.compute))
    encoded = generator.encode_content(photo)
    for done, total, result in generator.paint(encoded, style_codes, style_weights, options.strength, masks):
        if result is not None:
            if masks is None and is_told(options):
                note = VERDICTS.get(verdict(generator, photo, result, style_codes, style_weights), note)
            result = recolored(result, photo, options, styles, style_weights, from_codes=bool(codes))
        if done == total:
            watch.finish()
        yield Step(done, total, image=result, seconds=time.monotonic() - started, weights=made, note=note)


def is_told(options: StylizeOptions) -> bool:
    """Whether a result that is almost the photo, or has lost it, was not asked for."""
    return options.color == "style" and options.strength >= _TOLD_FROM


@torch.no_grad()
def verdict(generator: Generator, photo: Tensor, result: Tensor, codes: Sequence[Tensor], weights: Sequence[float] | None = None) -> str:
    """Whether a result went wrong, told by the generator's own encoder from the middle of the picture.

    Its code should have come from the photo's to the style's: where it stands beyond `_ALMOST_THE_PHOTO` of the way back, VGG-19
    sees more than 0.6 of the photo's style distance left. Its features at relu4_1 should still be the photo's.

    Args:
        photo, result: `[3, H, W]`, the same size.
        codes, weights: as they were painted with.
    Returns:
        `unchanged`, `lost`, or nothing.
    """
    style = sum(share * code for share, code in zip(style_shares(weights, len(codes)), codes))
    # The photo's is the same at every move of a slider.
    before, after = generator.encode_content(_middle(photo)), generator.encode_content(_middle(result), remember=False)
    left = (after.code - style).norm() / (before.code - style).norm().clamp_min(1e-6)
    if left > _ALMOST_THE_PHOTO:
        return "unchanged"
    if relative_distance(after.features[_CONTENT_LEVEL], before.features[_CONTENT_LEVEL]) > _LOST_THE_PHOTO:
        return "lost"
    return ""


def _middle(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    top, left = max(0, height - _MIDDLE_SIDE) // 2, max(0, width - _MIDDLE_SIDE) // 2
    return image[:, top : top + _MIDDLE_SIDE, left : left + _MIDDLE_SIDE]


def encoded_styles(generator: Generator, styles: Sequence[Tensor], photo: Tensor, options: StylizeOptions) -> list[Tensor]:
    """Codes of style pictures, in the colors and at the stroke size that options ask for."""
    return [generator.encode_style(in_color(style, photo, options.color), options.style_scale) for style in styles]


def check_color(options: StylizeOptions, *, from_codes: bool) -> None:
    """Refuse a palette that nobody has: a code of the gallery doesn't hold its painting's.

    Raises:
        RequestError: saying so.
    """
    if options.color == "palette" and from_codes:
        raise RequestError(
            "The gallery holds no palette of its paintings; give the painting as a picture, or choose the colors style, keep or match."
        )


def recolored(
    result: Tensor,
    photo: Tensor,
    options: StylizeOptions,
    styles: Sequence[Tensor] = (),
    weights: Sequence[float] | None = None,
    *,
    from_codes: bool,
) -> Tensor:
    """A result in the colors that options ask for; codes, unlike style pictures, could not be recolored before."""
    if options.color == "palette" and options.strength:
        return match_palette(result, palette_of(styles, style_shares(weights, len(styles))))
    if options.color == "keep" and options.strength:
        return keep_color(result, photo)
    if options.color == "match" and from_codes:
        return match_color(result, photo)
    return result


def in_color(style: Tensor, photo: Tensor, color: str) -> Tensor:
    """A style picture as the generator should see it: as it is, or recolored to the photo's colors or its luminance."""
    if color == "match":
        return match_color(style, photo)
    if color == "keep":
        gray = luminance_of(photo).expand(3, -1, -1)
        return match_color(luminance_of(style).expand(3, -1, -1), gray)
    return style


def stylize_cost(options: StylizeOptions, given: Situation) -> Cost:
    """What stylizing a photo takes, by the model alone."""
    size = given.size(options.size)
    return Cost("stylize", generator_cost(*size, given.compute), size)
