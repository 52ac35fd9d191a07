"""Time of each recipe with the app's defaults on our sample pictures: `python -m benchmarks.times`."""

import argparse
import tempfile
from contextlib import closing
from pathlib import Path

import torch

from benchmarks.common import SAMPLES, VGG19, paint_with, print_table
from studio.controls import STARTS
from style_core import DreamOptions, ImagineOptions, OptimizeOptions, StylizeOptions, dream, imagine, optimize, read_image, stylize
from style_core.devices import Compute
from style_core.media.images import fit
from style_core.media.video import FrameWriter
from style_core.progress import Steps
from style_core.recipes.stylize_clip import stylize_clip

LARGE = 1024  # px, of a dream
CLIP_FRAMES = 48
CLIP_SIDE = 512  # px


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vgg19", type=Path, default=VGG19)
    given = parser.parse_args()
    paint_with(given.vgg19)
    photo, style = read_image(SAMPLES / "landscape.jpg"), read_image(SAMPLES / "night-wind.jpg")
    # The first run also loads the generator, which happens only once. It swaps the pictures, so that nothing is cached of the second one.
    quick = StylizeOptions.make(**STARTS["stylize"])
    seconds(stylize(style, [photo], quick))
    rows = [
        [f"stylize, {quick.size} px", seconds(stylize(photo, [style], quick))],
        [
            "the same, until a picture is shown, with photo and style seen before",
            first_seconds(stylize(photo, [style], quick)),
        ],
    ]
    for name in ("vgg19", "lite"):
        slow, dreamy = OptimizeOptions.make(extractor=name, **STARTS["optimize"]), DreamOptions.make(extractor=name, **STARTS["dream"])
        rows.append([f"optimize, {slow.size} px, {slow.iterations} iterations, {name}", seconds(optimize(photo, [style], slow))])
        rows.append([f"dream, {dreamy.size} px, {name}", seconds(dream(photo, dreamy))])
    large = DreamOptions(size=LARGE, octaves=3, iterations=20, start="noise", extractor="lite")
    rows.append([f"dream, {LARGE} x {LARGE} px, 3 octaves of 20, lite", seconds(dream(None, large))])
    several = ImagineOptions.make(**STARTS["imagine"])
    rows.append([f"imagine, {several.count} pictures", seconds(imagine(several))])
    rows.append([f"stylize a clip, {CLIP_FRAMES} frames, {CLIP_SIDE} px", clip_seconds(photo, style)])
    print(f"{Compute.choose().describe()}, torch {torch.__version__}\n")
    print_table(["", "seconds"], rows)


def seconds(steps: Steps) -> float:
    *_, last = steps
    return last.seconds


def first_seconds(steps: Steps) -> float:
    """Seconds until the first picture."""
    with closing(steps):
        return next(step.seconds for step in steps if step.image is not None)


def clip_seconds(photo, style) -> float:
    with tempfile.TemporaryDirectory() as folder:
        clip, out = Path(folder, "clip.mp4"), Path(folder, "painted.mp4")
        with FrameWriter(clip, 24) as writer:
            for frame in range(CLIP_FRAMES):
                writer.add(torch.roll(fit(photo, 720), 3 * frame, 2))
        return seconds(stylize_clip(str(clip), str(out), [style], StylizeOptions(size=CLIP_SIDE)))


if __name__ == "__main__":
    main()
