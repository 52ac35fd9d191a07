"""Temporal stability of painted films: `python -m benchmarks.film [CLIP ...]`; results are in film.md.

Each clip of `benchmarks.clips`, whose motion is known, is painted with steadiness 0 and with the default. The warping error is the
root mean square difference of each frame from the one before it, warped by the true motion; it is divided by the clip's own, so
that 1 is as steady as the clip. Films are painted and measured with a bicubic kernel. Lanczos' kernel is a check that doesn't share
it, and leaves less of the clip's own error, which is mostly interpolation. Sharpness is the mean Laplacian relative to frames
painted independently. With `--finer`, frames are optimized instead, with `lite`, in the style of a picture of ours.
"""

import argparse
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.clips import CHANGING, Clip, clips, filmed, warped_by_lanczos, warping_error
from benchmarks.common import SAMPLES, best_of
from style_core.devices import Compute, prepare_cpu
from style_core.media.images import fit, read_image
from style_core.progress import returned
from style_core.recipes.film import Painter
from style_core.recipes.key_frames import FilmOptions
from style_core.recipes.optimize_clip import FrameOptimizer, OptimizedFilmOptions
from style_core.recipes.optimize_options import OptimizeOptions
from style_core.recipes.stylize import StylizeOptions
from style_core.recipes.stylize_clip import FramePainter, LivePainter
from style_core.weights.gallery import gallery, gallery_code
from style_core.weights.open import open_generator

_FINER_STYLE = SAMPLES / "styles" / "impasto.jpg"
_TIMED = 25  # frames
_TIMED_SIZE = (288, 512)
_LIVE = 384  # px, a camera's frames
_REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", help="Names of clips (default: all).")
    parser.add_argument("--style", default="sunflowers", choices=list(gallery()), help="A style of the gallery.")
    parser.add_argument("--frames", type=int, help="Number of frames per clip (default: all).")
    parser.add_argument("--key-every", type=int, default=FilmOptions().key_every, help="Frames from key frame to key frame.")
    parser.add_argument(
        "--filmed", nargs="+", type=Path, default=[], metavar="FILE", help="Filmed clips instead; their motion is estimated."
    )
    parser.add_argument("--finer", action="store_true", help="Optimize the frames.")
    parser.add_argument("--only-steady", action="store_true", help="Leave out the films without steadying, and what compares with them.")
    parser.add_argument("--time", action="store_true", help="Also measure the time of a frame.")
    given = parser.parse_args()
    if given.frames is not None and given.frames < 2:
        parser.error(f"--frames is {given.frames}; at least 2 can be compared.")
    prepare_cpu()
    compute = Compute.choose("cpu")
    if given.finer and given.time:
        parser.error("--time is for films that are painted by the generator; leave out --finer.")
    if given.finer:
        style = _FINER_STYLE.stem
        finer = OptimizedFilmOptions(key_every=given.key_every)
        ways = [partial(_optimizer, compute, how) for how in (OptimizedFilmOptions(steadiness=0.0), finer)]
    else:
        style = given.style
        steady = FilmOptions(key_every=given.key_every)
        ways = [partial(_stylizer, compute, style, how) for how in (FilmOptions(steadiness=0.0), steady)]
    print(f"{style}, {compute.describe()}\n")
    print("| clip | the clip's own | without | with | without / own | with / own | with / own, Lanczos | sharpness with |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    rows = []
    chosen = {path.name: filmed(path) for path in given.filmed} if given.filmed else clips(*given.clips)
    for name, clip in chosen.items():
        rows.append(_row(ways, _start_of(clip, given.frames), only_steady=given.only_steady))
        print(f"| {name}{' *' if name in CHANGING else ''} | " + _cells(rows[-1]) + " |", flush=True)
    print("| mean | " + _cells([sum(column) / len(rows) for column in zip(*rows)]) + " |")
    if given.time:
        _print_times(compute, style, ways)


def _start_of(clip: Clip, frames: int | None) -> Clip:
    cuts = tuple(cut for cut in clip.cuts if frames is None or cut < frames)
    return Clip(clip.frames[:frames], clip.flow[:frames], clip.valid[:frames], cuts)


def _stylizer(compute: Compute, style: str, film: FilmOptions) -> Painter:
    generator = open_generator(compute)
    return FramePainter(generator, [], [gallery_code(style, generator.sha256)], [1.0], StylizeOptions(), film)


def _optimizer(compute: Compute, film: OptimizedFilmOptions) -> Painter:
    options = OptimizeOptions(extractor="lite")
    return FrameOptimizer([read_image(_FINER_STYLE)], [1.0], options, film, compute)


def _row(ways: Sequence[Callable[[], Painter]], clip: Clip, *, only_steady: bool) -> tuple[float, ...]:
    """Figures of a clip painted without and with steadying; those that need the film without are NaN if `only_steady`."""
    own = _mean(warping_error(clip))
    without = sharpness_without = math.nan
    if not only_steady:
        alone = painted(ways[0](), clip)
        without, sharpness_without = _mean(warping_error(alone)), sharpness(alone.frames)
    steady = painted(ways[1](), clip)
    with_ = _mean(warping_error(steady))
    by_lanczos = _ratio(_mean(warping_error(steady, warped_by_lanczos)), _mean(warping_error(clip, warped_by_lanczos)))
    return own, without, with_, _ratio(without, own), _ratio(with_, own), by_lanczos, sharpness(steady.frames) / sharpness_without


def _cells(values: Sequence[float]) -> str:
    return " | ".join("" if math.isnan(value) else f"{value:.2f}" for value in values)


def painted(painter: Painter, clip: Clip) -> Clip:
    """The painted clip."""
    done = paintings(painter, [frame.float() / 255 for frame in clip.frames])
    return Clip([(image * 255 + 0.5).byte() for image in done], clip.flow, clip.valid, clip.cuts)


def paintings(painter: Painter, frames: Sequence[Tensor]) -> list[Tensor]:
    """The paintings of some frames `[3, H, W]`, in order."""
    done = [painting for frame in frames for painting in returned(painter.paint_next(frame))]
    return [*done, *returned(painter.paint_rest())]


def sharpness(frames: Sequence[Tensor]) -> float:
    """Mean absolute Laplacian of the second half of the frames, where blur would have accumulated."""
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    late = frames[len(frames) // 2 :]
    return _mean(float(functional.conv2d(frame.float().mean(0)[None, None], kernel).abs().mean()) for frame in late)


def _print_times(compute: Compute, style: str, ways: Sequence[Callable[[], Painter]]) -> None:
    """Print the time of a frame with and without, the best of a few films painted in turn."""
    height, width = _TIMED_SIZE
    picture = fit(read_image(SAMPLES / "mountain-lake.jpg"), 640)
    frames = [picture[:, 2 * t : 2 * t + height, 3 * t : 3 * t + width].contiguous() for t in range(_TIMED)]
    times: list[tuple[float, ...]] = []
    for _ in range(_REPEATS):
        times.append(tuple(_seconds(way(), frames) / len(frames) for way in ways))
    without, with_ = (min(column) for column in zip(*times))
    small = [fit(frame, _LIVE) for frame in frames]
    live = best_of(_REPEATS, lambda: _painted_live(compute, style, small)) / len(frames)
    print(f"\nA camera's frame, {_LIVE} px: {1000 * live:.0f} ms.")
    print(f"A frame of {width} x {height} px: {1000 * without:.0f} ms without, {1000 * with_:.0f} ms with ({with_ / without:.2f} times).")


def _seconds(painter: Painter, frames: Sequence[Tensor]) -> float:
    started = time.monotonic()
    paintings(painter, frames)
    return time.monotonic() - started


def _painted_live(compute: Compute, style: str, frames: Sequence[Tensor]) -> list[Tensor]:
    generator = open_generator(compute)
    painter = LivePainter(generator, [], [gallery_code(style, generator.sha256)], [1.0], StylizeOptions())
    return [painter.paint(frame) for frame in frames]


def _ratio(one: float, two: float) -> float:
    return one / two if two else float("inf")


def _mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
