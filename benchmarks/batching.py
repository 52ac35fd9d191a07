"""Whether pictures that wait for the same style are painted faster together: `python -m benchmarks.batching`.

Times of the generator alone, per picture, by the number of pictures in a batch.
"""

import argparse
from functools import partial

import torch

from benchmarks.common import best_of, print_table
from style_core.devices import Compute, prepare_cpu
from style_core.networks.generator_net import CODE_SIZE, StyleModulation
from style_core.networks.moments import Moments
from style_core.weights.gallery import gallery, gallery_code
from style_core.weights.open import open_generator

_SIZES = ((176, 256), (384, 512))  # px, height and width
_BATCHES = (1, 2, 4, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=6, help="The fastest counts.")
    given = parser.parse_args()
    prepare_cpu()
    compute = Compute.choose()
    print(f"{compute.describe()}, ms a picture\n")
    rows = []
    for height, width in _SIZES:
        times = [best_of(given.repeats, partial(painted, compute, count, height, width)) / count for count in _BATCHES]
        rows.append([f"{width} x {height} px", *(f"{1000 * seconds:.0f}" for seconds in times)])
    print_table(["pictures at once", *map(str, _BATCHES)], rows)


@torch.no_grad()
def painted(compute: Compute, count: int, height: int, width: int) -> None:
    """Paint `count` pictures in one style, in one pass."""
    generator = open_generator(compute)
    batch = torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0)).to(compute.device)
    code = gallery_code(next(iter(gallery())))[:, :CODE_SIZE].to(compute.device)
    features = generator.net.encode(batch)
    modulation = StyleModulation(generator.net.style(code).expand(count, -1))
    generator.net(batch, features, Moments.of(features), modulation).cpu()


if __name__ == "__main__":
    main()
