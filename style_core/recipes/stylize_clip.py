"""Clips painted frame by frame, with statistics averaged over time and paint carried along, to prevent flicker."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.video import Clip, check_video_path
from style_core.networks.generator import EncodedPhoto
from style_core.networks.generator import Generator as PaintingNet
from style_core.networks.generator_net import LEVELS
from style_core.networks.moments import Moments, style_shares
from style_core.options import Options, Range, option
from style_core.progress import Step, Steps
from style_core.recipes.film import announcement, film_request, painted_film
from style_core.recipes.steady_paint import SteadyPaint
from style_core.recipes.stylize import StylizeOptions, encoded_styles, recolored
from style_core.weights.open import open_generator

_MEMORY = 0.9  # weight of earlier statistics in the running average
_CUT = 0.35  # relative change of the statistics that indicates a new scene


@dataclass(frozen=True)
class FilmOptions(Options):
    """Consistency of a film's frames."""

    steadiness: float = option(
        1.0, "How much of the last frame's paint moves along with the picture; 0 paints each frame independently.", Range(0, 1, 0.05)
    )


def stylize_clip(
    source: str | Path, out: str | Path, styles: Sequence[Tensor], options: StylizeOptions = StylizeOptions(),
    film: FilmOptions = FilmOptions(), *, style_weights: Sequence[float] | None = None, codes: Sequence[Tensor] = (),
    compute: Compute | None = None, preview_every: float = 1.0, begun: str | Path | None = None,
) -> Steps:  # fmt: skip
    """Paint a clip into the film `out`, with its sound and timing; yields a Step for each frame.

    If stopped early, the film so far is kept; see `painted_film`.

    Args:
        begun: a stopped film of the same request to continue, which may be `out` itself.
    Raises:
        RequestError: for a clip that can't be read, an `out` that can't be written, or a request without a style.
    """
    check_video_path(out, source)
    clip = Clip.open(source)
    if not styles and not codes:
        raise RequestError("There is no style; give a style picture or choose one from the gallery.")
    shares = style_shares(style_weights, len(styles) + len(codes))
    yield announcement(clip, options.size)
    generator = open_generator(compute or Compute.choose())
    asked = options.as_dict() | film.as_dict() | {"shares": shares}
    painter = FramePainter(generator, styles, codes, shares, options, film.steadiness)
    request = film_request("stylize", clip, [*styles, *codes], asked, painter.weights)
    yield from painted_film(clip, out, painter, request, options.size, begun=begun, preview_every=preview_every)


class FramePainter:
    """Paints frames in order, each consistent with those before it.

    Statistics are averaged over time, so that the style doesn't change from frame to frame, and paint moves along with the
    picture (as in Ruder et al. 2016, but blended instead of optimized). Both start anew at a cut. If options ask for the photo's
    colors, style pictures are recolored by the first frame.

    Args:
        steadiness: in `[0, 1]`, how much paint is carried along.
    """

    def __init__(
        self, generator: PaintingNet, styles: Sequence[Tensor], codes: Sequence[Tensor], shares: Sequence[float], options: StylizeOptions,
        steadiness: float = 0.0,
    ):  # fmt: skip
        if options.color == "palette":
            raise RequestError("Palettes matched frame by frame would flicker; for a film choose the colors style, keep or match.")
        self.weights = {"generator": generator.sha256}
        self._generator, self._styles, self._shares, self._options = generator, styles, shares, options
        self._given = list(codes)
        self._codes: list[Tensor] = []
        self._memory: Moments | None = None
        self._tones: Tensor | None = None  # of what the network painted, likewise
        self._paint = SteadyPaint(steadiness)  # before recoloring

    def paint(self, photo: Tensor) -> Tensor:
        """The next frame `[3, H, W]`, painted."""
        motion = self._paint.motion_to(photo)
        if motion is not None and motion.cut:
            self._memory = None
        encoded = self.observe(photo)
        self._codes = self._codes or [*encoded_styles(self._generator, self._styles, photo, self._options), *self._given]
        *_, (_, _, fresh) = self._generator.paint(encoded, self._codes, self._shares, self._options.strength, carry=self._carry)
        assert fresh is not None  # the last one is the result
        painted = self._paint.onto(photo, fresh, motion)
        # Colors matched frame by frame would flicker, so codes keep their own.
        return recolored(painted, photo, self._options, from_codes=False)

    def _carry(self, tones: Tensor) -> Tensor:
        self._tones = tones if self._tones is None else torch.lerp(tones, self._tones, _MEMORY)
        return self._tones

    def paint_next(self, photo: Tensor) -> Generator[Step, None, Tensor]:
        """`paint` as `Painter` requires it, without Steps in between."""
        yield from ()
        return self.paint(photo)

    def observe(self, photo: Tensor) -> EncodedPhoto:
        """Encode a frame and update the statistics, without painting it."""
        encoded = self._generator.encode_content(photo, remember=False)
        self._memory = carried(self._memory, encoded.moments)
        if self._memory is encoded.moments:  # a new scene
            self._tones = None
        return replace(encoded, moments=self._memory, code=self._generator.code_of(self._memory, encoded.tones))

    def resume_from(self, photo: Tensor, painted: Tensor) -> None:
        """Continue a film after its last frame, `painted`, which may lack an odd row and column."""
        self._paint.start(photo, painted)


def carried(memory: Moments | None, new: Moments) -> Moments:
    """The running average of the statistics, or the new ones alone after a cut."""
    if memory is None or _change(memory, new) > _CUT:
        return new
    return new.lerp(memory, _MEMORY)


def _change(one: Moments, two: Moments) -> float:
    level = LEVELS[2]
    return float((one.grams[level] - two.grams[level]).norm() / one.grams[level].norm().clamp_min(1e-9))
