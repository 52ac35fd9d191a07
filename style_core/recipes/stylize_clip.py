"""Clips: a film painted frame by frame, with statistics that are carried over time so that it doesn't flicker."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.images import fit
from style_core.media.video import Clip, FrameWriter, check_video_path
from style_core.networks.generator_net import LEVELS
from style_core.networks.moments import Moments, style_shares
from style_core.progress import Step
from style_core.recipes.stylize import StylizeOptions, encoded_styles, recolored
from style_core.weights.open import open_generator

CLIP_SUFFIXES = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi")
_MEMORY = 0.9  # of the statistics before, in each frame's
_CUT = 0.35  # relative change of the statistics that means a new scene


def stylize_clip(
    source: str | Path, out: str | Path, styles: Sequence[Tensor], options: StylizeOptions = StylizeOptions(), *,
    style_weights: Sequence[float] | None = None, codes: Sequence[Tensor] = (), compute: Compute | None = None,
    preview_every: float = 1.0,
) -> Iterator[Step]:  # fmt: skip
    """Paint a clip into the file `out`, with its sound; yields a Step for each frame.

    Whoever stops iterating has canceled it, and no file is left. Statistics are an average over time, started anew at
    a cut, so that a style doesn't jump with every frame's own.

    Raises:
        RequestError: for a clip that can't be read, an `out` that can't be written, or a request without a style.
    """
    check_video_path(out)
    clip = Clip.open(source)
    if not styles and not codes:
        raise RequestError("There is no style; give a style picture or choose one from the gallery.")
    shares = style_shares(style_weights, len(styles) + len(codes))
    started, shown_at = time.monotonic(), time.monotonic()
    yield Step(0, clip.frames, note="Starting.")
    generator = open_generator(compute or Compute.choose())
    made = {"generator": generator.sha256}
    chosen: list[Tensor] = []
    memory, done, painted = None, 0, None
    with FrameWriter(out, clip.fps, sound=clip.path) as writer:
        for frame in clip.images():
            photo = fit(frame, options.size)
            chosen = chosen or [*encoded_styles(generator, styles, photo, options), *codes]
            encoded = generator.encode_content(photo)
            memory = carried(memory, encoded.moments)
            encoded = replace(encoded, moments=memory, code=generator.code_of(memory))
            *_, (_, _, painted) = generator.paint(encoded, chosen, shares, options.strength)
            # Colors matched frame by frame would flicker, so codes keep their own.
            painted = recolored(painted, photo, options, from_codes=False)
            writer.add(painted)
            done += 1
            seconds = time.monotonic() - started
            preview = None
            if time.monotonic() - shown_at >= preview_every:
                preview, shown_at = painted, time.monotonic()
            eta = seconds / done * (clip.frames - done) if clip.frames >= done else None
            yield Step(done, max(done, clip.frames), image=preview, seconds=seconds, eta=eta, weights=made)
    if painted is None:
        raise RequestError("{file} has no frames; choose another clip.", file=Path(source).name)
    yield Step(done, done, image=painted, seconds=time.monotonic() - started, eta=0.0, weights=made)


def carried(memory: Moments | None, new: Moments) -> Moments:
    """Statistics over time: mostly those before, or the new ones alone after a cut."""
    if memory is None or _change(memory, new) > _CUT:
        return new
    return Moments(
        {level: torch.lerp(new.means[level], memory.means[level], _MEMORY) for level in LEVELS},
        {level: torch.lerp(new.grams[level], memory.grams[level], _MEMORY) for level in LEVELS},
    )


def _change(one: Moments, two: Moments) -> float:
    level = LEVELS[2]
    return float((one.grams[level] - two.grams[level]).norm() / one.grams[level].norm().clamp_min(1e-9))
