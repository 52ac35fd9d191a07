"""Shared by the benchmarks: validation pairs, measurements and tables."""

import argparse
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from style_core.devices import Compute, prepare_cpu
from style_core.media.images import fit, fit_short, read_image
from style_core.networks.extractor import FeatureExtractor, load_extractor
from style_core.networks.generator import Generator
from style_core.progress import finish
from style_core.recipes.stylize import StylizeOptions, paint_photo
from style_core.training.data import split

DATA = Path("../shared/data")
VGG19 = Path("../shared/weights/vgg19.safetensors")
SAMPLES = Path("studio/samples")  # our own pictures


def arguments(about: str) -> argparse.ArgumentParser:
    """Flags of every benchmark that evaluates with VGG-19."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--data", type=Path, default=DATA, help="Folder with content/ and style/.")
    parser.add_argument("--vgg19", type=Path, default=VGG19, help="VGG-19's weights, for evaluation and for painting with it.")
    return parser


def paint_with(vgg19: Path) -> None:
    """Use this file for VGG-19, unless one is set already, and use all cores."""
    os.environ.setdefault("STYLE_CORE_VGG19", str(vgg19.resolve()))
    prepare_cpu()


def evaluation_network(path: Path = VGG19) -> FeatureExtractor:
    """VGG-19 in float32, which evaluates all results, whatever precision they were painted in."""
    return load_extractor("vgg19", path, Compute.choose("cpu", "fp32"))


def validation_pairs(data: Path, count: int, seed: int = 0) -> list[tuple[Path, Path]]:
    """Random pairs of a photo and a painting from the validation split."""
    draw = random.Random(seed)
    photos, paintings = split(data / "content")[1], split(data / "style")[1]
    return list(zip(draw.sample(photos, count), draw.sample(paintings, count)))


def read_pair(photo: Path, painting: Path, size: int, *, short: bool = False) -> tuple[Tensor, Tensor]:
    """The photo with its long (or short) side at `size`, and the painting with the same short side as the photo."""
    content = read_image(photo)
    content = fit_short(content, size) if short else fit(content, size, enlarge=True)
    return content, fit_short(read_image(painting), min(content.shape[-2:]))


def painted(generator: Generator, photo: Tensor, style: Tensor, refine: int = StylizeOptions().refine) -> Tensor:
    """The photo `[3, H, W]` in one style `[3, h, w]`, as `stylize` paints it; with `refine` 0, as the network alone does."""
    generator.encode_content(photo)  # what is known already is not recorded: runs beside VGG-19 would spoil the app's estimates
    return finish(paint_photo(generator, photo, [style], StylizeOptions(refine=refine))).result


def own_process(module: str, *flags: str) -> str:
    """The output of a benchmark in its own process, so that its peak memory can be measured."""
    return subprocess.run([sys.executable, "-m", module, *flags], check=True, capture_output=True, text=True).stdout


def peak_memory() -> int:
    """Peak memory of this process in bytes (Linux only), because `ru_maxrss` starts with the parent's peak."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert found is not None
    return 1024 * int(found[1])


def best_of(repeats: int, work: Callable[[], object]) -> float:
    """Seconds of the fastest of several runs, which other processes disturbed least."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def print_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table in Markdown; numbers get four significant digits."""
    cells = [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    print("| " + " | ".join(heads) + " |")
    print("|" + " --- |" * len(heads))
    for row in cells:
        print("| " + " | ".join(row) + " |")
