"""Dream zoom: a film that zooms into a dream; each frame is the last one, enlarged and rotated, with more dreaming.

This is the endless zoom of the first DeepDreams (Mordvintsev et al. 2015): enlarging loses detail, and the dream adds new detail.
"""

import math
import time
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.images import size_to_fit
from style_core.media.reading import MIN_SIDE
from style_core.options import SEED_COUNT, Options, Range, option
from style_core.progress import Step, Steps
from style_core.recipes.dream import DreamOptions, check_request, dream
from style_core.weights.open import open_extractor


@dataclass(frozen=True)
class ZoomOptions(Options):
    """The motion of a dream zoom."""

    frames: int = option(96, "Frames of the video, at 24 per second.", Range(2, 2400, 1))
    zoom_rate: float = option(1.03, "Zoom factor from each frame to the next.", Range(1, 1.25, 0.005))
    turn: float = option(0.4, "Rotation from each frame to the next.", Range(-10, 10, 0.1, "degrees"))
    iterations_each: int = option(3, "Dream steps per octave in each frame after the first.", Range(1, 50, 1))


OCTAVES_EACH = 2  # octaves of each frame after the first; coarse shapes exist already


def warped(image: Tensor, zoom: float, turn: float) -> Tensor:
    """An image `[3, H, W]` enlarged about its center by `zoom` and rotated by `turn` degrees, with reflected edges."""
    height, width = image.shape[-2:]
    sine, cosine = math.sin(math.radians(turn)) / zoom, math.cos(math.radians(turn)) / zoom
    # grid_sample's axes both run from -1 to 1, so the rotation includes the aspect ratio.
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
    """Zoom into a dream; each Step with an image holds the next frame. Closing the generator cancels it.

    Args:
        image: `[3, H, W]`; None dreams from noise.
        guide: as in `dream`.
        last, done: the last frame and the number of frames of an interrupted zoom, to continue it.
        compute: where to run; None chooses.
    Raises:
        RequestError: for a request that can't be carried out.
    """
    terms = check_request(image, options, None)
    if image is not None and min(size := size_to_fit(image.shape[-2:], options.size)) < MIN_SIDE:
        raise RequestError(
            "The film would be {width} x {height} px; it must be at least {least} px on each side. Choose a larger size.",
            width=size[1], height=size[0], least=MIN_SIDE,
        )  # fmt: skip
    started = time.monotonic()
    yield Step(done, zoom.frames, note="Starting.")
    compute = compute or Compute.choose()
    extractor, note = yield from open_extractor(options.extractor, [term.layer for term in terms], compute)
    onward = replace(options, octaves=min(options.octaves, OCTAVES_EACH), iterations=zoom.iterations_each, start="photo")
    frame = last
    for index in range(done, zoom.frames):
        source, how = (image, options) if frame is None else (warped(frame, zoom.zoom_rate, zoom.turn), onward)
        how = replace(how, seed=(options.seed + index) % SEED_COUNT)
        for step in dream(source, how, guide=guide, compute=compute, extractor=extractor, preview_every=math.inf):
            if step.image is None:
                # During a long frame, report progress and allow canceling.
                yield Step(index, zoom.frames, step.losses, None, time.monotonic() - started, None, note, extractor.weights)
        frame = step.image
        seconds = time.monotonic() - started
        eta = seconds / (index + 1 - done) * (zoom.frames - index - 1)
        yield Step(index + 1, zoom.frames, step.losses, frame, seconds, eta, note, extractor.weights)
