"""Clips painted frame by frame, with statistics averaged over time and paint carried along, to prevent flicker."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.clip import Clip
from style_core.media.color import color_map, color_moments, mapped
from style_core.media.motion import Motion, motion_between, padded_to
from style_core.media.tones import tones_of
from style_core.media.video import check_video_path
from style_core.networks.generator import EncodedPhoto
from style_core.networks.generator import Generator as PaintingNet
from style_core.networks.generator_net import LEVELS, STRIDE
from style_core.networks.moments import Moments, style_shares
from style_core.progress import Step, Steps, returned
from style_core.recipes.cost_model import Cost, film_cost
from style_core.recipes.film import announcement, earlier_film, film_request, painted_film
from style_core.recipes.key_frames import FilmOptions, KeyFramePainter
from style_core.recipes.run_history import Watch
from style_core.recipes.steady_paint import SteadyPaint
from style_core.recipes.stylize import StylizeOptions, encoded_styles, recolored
from style_core.sizes import check_sides
from style_core.weights.open import open_generator

_MEMORY = 0.9  # weight of earlier statistics in the running average
_CUT = 0.35  # relative change of the statistics that indicates a new scene
_MOST_GUESSED = 0.25  # share of the picture that motion needn't explain between a camera's key frames; the rest is guessed
_ADJUSTED_FOR = 40  # frames of a camera for which codes stay as they are, whatever it shows


def stylize_clip(
    source: str | Path, out: str | Path, styles: Sequence[Tensor], options: StylizeOptions = StylizeOptions(),
    film: FilmOptions = FilmOptions(), *, style_weights: Sequence[float] | None = None, codes: Sequence[Tensor] = (),
    compute: Compute | None = None, preview_every: float = 1.0, continue_from: str | Path | None = None,
) -> Steps:  # fmt: skip
    """Paint a clip into the film `out`, with its sound and timing; yields a Step for each frame.

    If stopped early, the film so far is kept; see `painted_film`.

    Args:
        continue_from: a stopped film of the same request to continue, which may be `out` itself.
    Raises:
        RequestError: for a clip that can't be read, an `out` that can't be written, or a request without a style.
    """
    check_video_path(out, source)
    clip = Clip.open(source)
    if not styles and not codes:
        raise RequestError("There is no style; give a style picture or choose one from the gallery.")
    shares = style_shares(style_weights, len(styles) + len(codes))
    if min(clip.size()) >= STRIDE:  # a smaller one isn't enlarged, so no size would do
        check_sides(clip.size(options.size), clip.size(), STRIDE)
    yield announcement(clip, options.size)
    generator = open_generator(compute or Compute.choose())
    asked = options.as_dict() | film.as_dict() | {"shares": shares}
    painter = FramePainter(generator, styles, codes, shares, options, film)
    request = film_request("stylize", clip, [*styles, *codes], asked, painter.weights)
    cost = stylized_film_cost(clip, options.size, film, generator.compute)
    watch = Watch(cost.kind, generator.compute, cost.estimate)
    continued = earlier_film(continue_from, request) is not None
    steps = painted_film(clip, out, painter, request, options.size, continue_from=continue_from, preview_every=preview_every)
    yield from watch.over(steps)
    if not continued:
        watch.finish()


def stylized_film_cost(clip: Clip, long_side: int, film: FilmOptions, compute: Compute) -> Cost:
    """Predicted cost of a film."""
    height, width = clip.size(long_side)
    return Cost("film", film_cost(height, width, compute, clip.frames, film.painted_every, film.steadiness > 0), (height, width))


class FramePainter(KeyFramePainter):
    """Paints key frames by the generator.

    Statistics are averaged over time, so that the style doesn't change from frame to frame; they start anew at a cut. If options ask
    for the photo's colors, style pictures are recolored by the first frame of each scene.
    """

    def __init__(
        self, generator: PaintingNet, styles: Sequence[Tensor], codes: Sequence[Tensor], shares: Sequence[float], options: StylizeOptions,
        film: FilmOptions = FilmOptions(),
    ):  # fmt: skip
        if options.color == "palette":
            raise RequestError("Palettes matched frame by frame would flicker; for a film choose the colors style, keep or match.")
        super().__init__(film, SteadyPaint(film.steadiness))
        self.weights = {"generator": generator.sha256}
        self._generator, self._styles, self._shares, self._options = generator, styles, shares, options
        self._given = list(codes)
        self._scene: Tensor | None = None  # the first photo of the scene
        self._adjusted: list[Tensor] = []  # the codes, adjusted to that photo: adjusted to each one, they would flicker
        self._memory: Moments | None = None
        self._tones: Tensor | None = None  # of what the network painted, likewise
        self._colors: list[tuple[Tensor, Tensor]] | None = None  # moments of what is painted and of the photo, likewise

    def _fresh(self, photo: Tensor, frames: int = 1, motions: Sequence[Motion] = ()) -> Generator[Step, None, Tensor]:
        """What the network paints; see `KeyFramePainter`."""
        yield from ()
        encoded = self._encoded(photo, frames)
        if not self._adjusted:
            assert self._scene is not None
            codes = [*encoded_styles(self._generator, self._styles, self._scene, self._options), *self._given]
            self._adjusted = self._generator.adjusted(self._scene, codes, remember=False)

        def carry(tones: Tensor) -> Tensor:
            self._tones = tones if self._tones is None else torch.lerp(tones, self._tones, _MEMORY**frames)
            return self._tones

        return self._painted(encoded, carry)

    def _sketch(self, picture: Tensor, photo: Tensor, key: Tensor) -> Generator[Step, None, Tensor]:
        """What the network paints, with the statistics of the last key frame; see `KeyFramePainter`."""
        yield from ()
        assert self._memory is not None
        encoded = self._generator.encode_content(picture, remember=False)
        encoded = self._averaged(encoded, self._memory, tones_of(photo))
        return padded_to(self._painted(encoded, lambda tones: tones if self._tones is None else self._tones), picture)

    def _painted(self, encoded: EncodedPhoto, carry: Callable[[Tensor], Tensor]) -> Tensor:
        """An encoded photo, painted; `carry` as in the generator."""
        *_, (_, _, painted) = self._generator.paint(encoded, self._adjusted, self._shares, self._options.strength, carry=carry)
        assert painted is not None  # the last one is the result
        return painted

    def _finished(self, painted: Tensor, photo: Tensor) -> Tensor:
        if self._given and self._options.color == "match" and self._options.strength:
            return self._matched(painted, photo)
        return recolored(painted, photo, self._options, from_codes=False)

    def _matched(self, painted: Tensor, photo: Tensor) -> Tensor:
        """A painted frame in the photo's colors, by moments averaged over time: matched frame by frame, they would flicker."""
        now = [color_moments(painted), color_moments(photo)]
        if self._colors is not None:
            now = [(mean.lerp(old_mean, _MEMORY), spread.lerp(old, _MEMORY)) for (mean, spread), (old_mean, old) in zip(now, self._colors)]
        self._colors = now
        return mapped(painted, *color_map(*now)).clamp(0, 1)

    def _painted_anew(self, photo: Tensor, *, cut: bool = False) -> Generator[Step, None, Tensor]:
        if cut:
            self._memory = None
        return (yield from super()._painted_anew(photo, cut=cut))

    def _encoded(self, photo: Tensor, frames: int = 1) -> EncodedPhoto:
        encoded = self._generator.encode_content(photo, remember=False)
        self._memory = carried(self._memory, encoded.moments, frames)
        if self._memory is encoded.moments:  # a new scene
            self._tones, self._scene, self._adjusted, self._colors = None, photo, [], None
        return self._averaged(encoded, self._memory, encoded.tones)

    def _averaged(self, encoded: EncodedPhoto, memory: Moments, tones: Tensor) -> EncodedPhoto:
        """An encoded photo with statistics averaged over time."""
        return replace(encoded, moments=memory, code=self._generator.code_of(memory, tones))

    def observe(self, photo: Tensor) -> None:
        """Update the statistics for a frame that was painted in an earlier run."""
        self._encoded(photo)


class LivePainter(FramePainter):
    """Paints the frames of a camera as they come, each at once.

    Unlike those of a film, the frames between two key frames can't wait for the later one: they take all their paint from the frame
    before, and what they show for the first time takes the colors around it, until the next key frame paints it.
    """

    _since = 0  # frames painted since the last key frame, this one included
    _unexplained = 0.0
    _age = 0  # frames since codes were adjusted

    def paint(self, photo: Tensor) -> Tensor:
        """The painting of the next frame `[3, H, W]`, of the same size."""
        last, self._last = self._last, photo
        self._age += 1
        motion = None
        if last is not None and last.shape == photo.shape and self._film.steadiness:
            motion = motion_between(last, photo)
        if motion is None or motion.cut:
            self._since, self._unexplained = 0, 0.0
            return returned(self._painted_anew(photo, cut=True))
        self._since += 1
        self._unexplained += 1 - float(motion.confidence.mean())
        if self._since < self._film.key_every and self._unexplained < _MOST_GUESSED:
            painted = self._paint.along(photo, motion)
        else:
            painted = self._paint.onto(photo, padded_to(returned(self._fresh(photo, self._since)), photo), motion)
            self._since, self._unexplained = 0, 0.0
        return self._finished(painted, photo)

    def _encoded(self, photo: Tensor, frames: int = 1) -> EncodedPhoto:
        adjusted = self._adjusted
        encoded = super()._encoded(photo, frames)
        if self._age < _ADJUSTED_FOR:  # adjusting takes as long as painting, so not at every jolt of the camera
            self._adjusted = adjusted
        elif not self._adjusted:
            self._age = 0
        return encoded


def carried(memory: Moments | None, new: Moments, frames: int = 1) -> Moments:
    """The running average of the statistics, `frames` after the last ones, or the new ones alone after a cut."""
    if memory is None or _change(memory, new) > _CUT:
        return new
    return new.lerp(memory, _MEMORY**frames)


def _change(one: Moments, two: Moments) -> float:
    level = LEVELS[2]
    return float((one.grams[level] - two.grams[level]).norm() / one.grams[level].norm().clamp_min(1e-9))
