"""Clips by optimization: each key frame starts from the last painted frame, warped by the motion, and stays close to it.

After Ruder, Dosovitskiy and Brox (2016), "Artistic Style Transfer for Videos": the first frame is painted like a picture; each
further key frame starts from the warped last one, which needs few iterations, and a temporal term penalizes changes of what was visible
before. Newly visible areas are unconstrained, and a new scene starts anew. Frames between two key frames aren't optimized.
"""

import functools
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import torch
from torch import Tensor

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.clip import Clip
from style_core.media.color import match_color
from style_core.media.images import fit, resize
from style_core.media.motion import Motion, image_of, onward, pixels_of
from style_core.media.video import check_video_path
from style_core.messages import Message
from style_core.networks.backbones import BACKBONES
from style_core.networks.moments import style_shares
from style_core.optimization.dream_term import term_layers
from style_core.optimization.temporal import TemporalTarget
from style_core.options import Range, option
from style_core.progress import Step, Steps, retold
from style_core.recipes.areas import in_effect
from style_core.recipes.cost_model import Cost, Situation, carrying_seconds, generator_cost, network_cost, style_loss_seconds
from style_core.recipes.film import announcement, film_request, painted_film
from style_core.recipes.key_frames import FilmOptions, KeyFramePainter
from style_core.recipes.loss_weights import loss_weights_of
from style_core.recipes.memory_plan import budget, network_of
from style_core.recipes.optimize import generated_options, largest_generated, optimize, optimize_cost
from style_core.recipes.optimize_options import OptimizeOptions
from style_core.recipes.run_history import Estimate
from style_core.recipes.steady_paint import BRISK, SteadyPaint
from style_core.recipes.stylize import encoded_styles
from style_core.weights.open import open_extractor, open_generator
from style_core.weights.registry import registry

_STROKES = 8.0  # px, Gaussian that separates strokes from the colors they are on
FULL_STRENGTH = 0.5  # strength at which the optimizer paints as strongly as the generator at 1
_TEMPORAL_WEIGHT = 1000.0  # weight of the mean squared difference at steadiness 1


@dataclass(frozen=True)
class OptimizedFilmOptions(FilmOptions):
    """Consistency of an optimized film's frames, and how long they are optimized."""

    frame_iterations: int = option(40, "Optimizer steps for each key frame of a video after the first of a scene.", Range(1, 1000, 1))


def optimize_clip(
    source: str | Path, out: str | Path, styles: Sequence[Tensor], options: OptimizeOptions = OptimizeOptions(),
    film: OptimizedFilmOptions = OptimizedFilmOptions(), *, style_weights: Sequence[float] | None = None,
    compute: Compute | None = None, preview_every: float = 1.0, continue_from: str | Path | None = None,
) -> Steps:  # fmt: skip
    """Optimize a clip's frames into the film `out`, with its sound and timing; yields a Step for each frame, and others in between.

    If stopped early, the film so far is kept; see `painted_film`.

    Args:
        continue_from: a stopped film of the same request, painted with the same networks, to continue, which may be `out` itself.
    Raises:
        RequestError: for a clip that can't be read, an `out` that can't be written, a request without a style picture, frames that
            don't fit into memory, or another film in `continue_from`; see `painted_film`.
    """
    check_video_path(out, source)
    clip = Clip.open(source)
    if not styles:
        raise RequestError("There is no style picture; give at least one.")
    shares = style_shares(style_weights, len(styles))
    compute = compute or Compute.choose()
    yield announcement(clip, options.size)
    networks = {"generator": registry()["generator"].sha256}
    options, _ = in_effect(options, None)
    if options.strength or options.alpha or options.beta:
        chosen = yield from _chosen_extractor(clip, options, film, compute)
        options = replace(options, extractor=chosen)
        networks[chosen] = registry()[chosen].sha256  # none from the hub: its file changes when more of its layers are needed
    asked = options.as_dict() | film.as_dict() | {"shares": shares}
    request = film_request("optimize", clip, styles, asked, networks)
    painter = FrameOptimizer(styles, shares, options, film, compute)
    yield from painted_film(clip, out, painter, request, options.size, continue_from=continue_from, preview_every=preview_every)


def _chosen_extractor(clip: Clip, options: OptimizeOptions, film: OptimizedFilmOptions, compute: Compute) -> Generator[Step, None, str]:
    """The name of the network that all frames are painted with: the one that options choose, or leave open.

    It is fetched if necessary; yields Steps meanwhile, and one that says if `lite` is used instead of VGG-19.

    Raises:
        RequestError: before any download, if the frames don't fit into memory; if a network requested by name is unavailable.
    """
    optimized_film_cost(clip, options, film, compute, "lite" if options.extractor == "auto" else options.extractor)
    loss_weights = loss_weights_of(options)
    layers = [*loss_weights.content, *loss_weights.style, *term_layers(loss_weights.dream)]
    opening = open_extractor(options.extractor, layers, compute, options.pooling)
    extractor, note = yield from retold(opening, lambda step: Step(0, clip.frames, note=step.note))  # its iterations are megabytes
    if note:
        yield Step(0, clip.frames, note=note)
    return extractor.name


def optimized_film_cost(clip: Clip, options: OptimizeOptions, film: OptimizedFilmOptions, compute: Compute, network: str) -> Cost:
    """Predicted cost of a film, as if it had no cuts.

    Raises:
        RequestError: when the frames don't fit into memory.
    """
    size = clip.size(options.size)
    given = Situation(compute, size, network)
    first = optimize_cost(replace(options, size=max(64, *size)), given)
    generated = generator_cost(*size, compute)
    used = network_of(BACKBONES[network].shape, loss_weights_of(options), loss=options.loss)
    iterated = network_cost([(*size, film.frame_iterations)], network, compute).seconds
    each = generated.seconds + iterated + film.frame_iterations * style_loss_seconds(*size, used, compute)
    optimized = math.ceil((clip.frames - 1) / film.painted_every)
    seconds = first.estimate.seconds + optimized * each + clip.frames * carrying_seconds(*size)
    return Cost(first.kind, Estimate(seconds, max(first.estimate.bytes, min(generated.bytes, budget(compute)))))


class FrameOptimizer(KeyFramePainter):
    """Optimizes key frames in order, each starting from the paint before it."""

    _linked = True

    def __init__(
        self, styles: Sequence[Tensor], shares: Sequence[float], options: OptimizeOptions, film: OptimizedFilmOptions, compute: Compute
    ):  # fmt: skip
        super().__init__(film, SteadyPaint(film.steadiness, BRISK))
        self._styles, self._shares, self._options, self._compute = styles, shares, options, compute
        self._iterations = film.frame_iterations

    def _fresh(self, photo: Tensor, frames: int = 1, motions: Sequence[Motion] = ()) -> Generator[Step, None, Tensor]:
        """What the optimizer paints; see `KeyFramePainter`."""
        options, start, held = self._sized(photo), None, None
        if motions:
            motion = functools.reduce(lambda way, further: onward(further, way), motions)  # from the last painted frame
            moved, confidence = self._paint.moved(motion), torch.from_numpy(motion.confidence)
            start = torch.lerp((yield from self._joining(photo, moved)), moved, confidence)  # joined to newly visible areas
            held = TemporalTarget(moved, confidence, _TEMPORAL_WEIGHT * self._film.steadiness)
            options = replace(options, iterations=self._iterations, pyramid=False)
        for step in optimize(
            photo, self._styles, options, style_weights=self._shares, init_image=start, held=held, compute=self._compute
        ):  # fmt: skip
            self.weights.update(step.weights)
            said = Message("This frame: {iteration} of {total} steps.", iteration=step.iteration, total=step.total)
            yield replace(step, note=said, full=None)
        return resize(step.result, photo.shape[-2:])  # small frames were enlarged

    def _sized(self, photo: Tensor) -> OptimizeOptions:
        return replace(self._options, size=max(64, *photo.shape[-2:]))

    def _sketch(self, picture: Tensor, photo: Tensor, key: Tensor) -> Generator[Step, None, Tensor]:
        """What newly visible areas start from; see `KeyFramePainter`."""
        return (yield from self._joining(picture, key))

    def _joining(self, photo: Tensor, painted: Tensor) -> Generator[Step, None, Tensor]:
        """A photo `[3, H, W]` in the colors of a painted one, so that both join, with the generator's strokes."""
        generated = yield from self._generated(photo, self._sized(photo))
        return _with_strokes(match_color(photo, painted), match_color(generated, painted))

    def _generated(self, photo: Tensor, options: OptimizeOptions) -> Generator[Step, None, Tensor]:
        """The generator's picture of a frame `[3, H, W]`, as strong as the optimizer's; painted smaller if memory is short."""
        height, width = photo.shape[-2:]
        sized = fit(photo, largest_generated((height, width), self._compute, budget(self._compute)))
        generator = open_generator(self._compute)
        self.weights["generator"] = generator.sha256
        codes = encoded_styles(generator, self._styles, photo, generated_options(options))
        encoded = generator.encode_content(sized, remember=False)
        for _, _, painted in generator.paint(encoded, codes, self._shares, min(1.0, options.strength / FULL_STRENGTH)):
            yield Step(0, options.iterations, note="Starting from the generator's picture.")
        assert painted is not None  # the last one is the result
        return resize(painted, (height, width))

    def observe(self, photo: Tensor) -> None:
        """Earlier frames are not needed; `resume_from` gives the last one."""


def _with_strokes(image: Tensor, painted: Tensor) -> Tensor:
    """An image `[3, H, W]` with the strokes of a painted one."""
    soft, strokes = (cv2.GaussianBlur(pixels_of(each), (0, 0), _STROKES) for each in (image, painted))
    return (painted + image_of(soft - strokes)).clamp(0, 1)
