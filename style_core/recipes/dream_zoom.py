"""Dream zoom: a film that flies into a dream; each frame is the one before, nearer and turned, dreamt on.

The endless zoom of the first DeepDreams (Mordvintsev et al. 2015): what is enlarged loses its detail, and the dream
grows new detail there.
"""

import math
import time
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from style_core.devices import Compute
from style_core.options import Options, Range, option
from style_core.progress import Step, Steps
from style_core.recipes.dream import DreamOptions, check_request, dream
from style_core.weights.open import open_extractor


@dataclass(frozen=True)
class ZoomOptions(Options):
    """How a dream zoom flies."""

    frames: int = option(96, "Frames of the film; 24 are a second.", Range(2, 2400, 1))
    zoom_rate: float = option(1.03, "How much nearer each frame is than the one before.", Range(1, 1.25, 0.005))
    turn: float = option(0.4, "How far each frame is turned.", Range(-10, 10, 0.1, "degrees"))
    iterations_each: int = option(3, "Steps of dreaming in each octave of each frame after the first.", Range(1, 50, 1))


_OCTAVES_EACH = 2  # of every frame after the first: the coarse shapes are there already


def warped(image: Tensor, zoom: float, turn: float) -> Tensor:
    """An image `[3, H, W]` enlarged about its center by `zoom` and turned by `turn` degrees; edges are reflected in."""
    height, width = image.shape[-2:]
    sine, cosine = math.sin(math.radians(turn)) / zoom, math.cos(math.radians(turn)) / zoom
    # grid_sample measures both axes from -1 to 1, so a turn in pixels carries the aspect ratio.
    aspect = width / height
    matrix = torch.tensor([[[cosine, sine / aspect, 0.0], [-sine * aspect, cosine, 0.0]]])
    grid = functional.affine_grid(matrix, [1, 3, height, width], align_corners=False)
    return functional.grid_sample(image[None], grid, "bicubic", "reflection", align_corners=False)[0].clamp(0, 1)


def dream_zoom(
    image: Tensor | None,
    options: DreamOptions = DreamOptions(),
    zoom: ZoomOptions = ZoomOptions(),
    *,
    guide: Tensor | None = None,
    last: Tensor | None = None,
    done: int = 0,
    compute: Compute | None = None,
) -> Steps:
    """Fly into a dream; each Step with an image holds the next frame. Whoever stops iterating has canceled it.

    Args:
        image: `[3, H, W]`; None dreams from noise.
        guide: as `dream`.
        last, done: the last frame and how many there were of a zoom that was broken off, to go on from there.
        compute: where to run; None chooses.
    Raises:
        RequestError: for a request that can't be carried out.
    """
    terms = check_request(image, options, None)
    started = time.monotonic()
    yield Step(done, zoom.frames, note="Starting.")
    compute = compute or Compute.choose()
    extractor, note = yield from open_extractor(options.extractor, [term.layer for term in terms], compute)
    onward = replace(options, octaves=min(options.octaves, _OCTAVES_EACH), iterations=zoom.iterations_each, start="photo")
    frame = last
    for index in range(done, zoom.frames):
        source, how = (image, options) if frame is None else (warped(frame, zoom.zoom_rate, zoom.turn), onward)
        how = replace(how, seed=(options.seed + index) % 2**31)
        for step in dream(source, how, guide=guide, compute=compute, extractor=extractor, preview_every=math.inf):
            if step.image is None:
                # A long frame still shows signs of life, and a way out.
                yield Step(index, zoom.frames, step.losses, None, time.monotonic() - started, None, note, extractor.weights)
        frame = step.image
        seconds = time.monotonic() - started
        eta = seconds / (index + 1 - done) * (zoom.frames - index - 1)
        yield Step(index + 1, zoom.frames, step.losses, frame, seconds, eta, note, extractor.weights)
