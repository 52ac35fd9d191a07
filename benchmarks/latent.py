"""Quality of the latent space: `python -m benchmarks.latent`; results are in latent.md.

Evaluated by VGG-19 in float32 against crops of paintings that training never used. Optionally compared with a plain DCGAN trained
for the same time: `python -m style_core.training.dcgan`, then `--dcgan runs/dcgan/dcgan.safetensors`.
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.common import arguments, evaluation_network, print_table
from style_core.devices import Compute, prepare_cpu
from style_core.matrices import matrix_root
from style_core.networks.extractor import FeatureExtractor, load_extractor
from style_core.networks.latent import Latent, slerp
from style_core.networks.latent_net import SIDE
from style_core.training import dcgan
from style_core.training.data import Crops, split
from style_core.training.latent import CROP_SCALE
from style_core.weights.registry import MODELS

_AT_ONCE = 25
_WALKS, _FRAMES = 10, 60


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--weights", type=Path, default=MODELS / "latent.safetensors")
    parser.add_argument("--dcgan", type=Path, help="A plain DCGAN's generator, trained for the same time.")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--inversions", type=int, default=101, help="Number of crops to invert, of 101; about 4 s each.")
    given = parser.parse_args()
    prepare_cpu()
    evaluator = evaluation_network(given.vgg19)
    latent = Latent.load(given.weights)
    crops = Crops(split(given.data / "style")[1], seed=7)
    real, other = (crops.batch(given.samples, SIDE, CROP_SCALE) for _ in range(2))
    imagined = _batched(
        lambda seeds: torch.cat([latent.paint(latent.style(latent.code(seed)), latent.noise_maps(seed)) for seed in seeds]),
        range(given.samples),
    )
    rows = {"imagined": imagined, "other real crops": other, "noise in the crops' palettes": noise_like(real)}
    if given.dcgan:
        rows["plain DCGAN"] = dcgan.samples(given.dcgan, given.samples)
    truth = pooled(evaluator, real)
    spread_of_real = spread(evaluator, real[:64])
    print_table(
        ["", "Fréchet distance, relu4_1 pooled", "mean pairwise distance, relu3_1, of 64", "of the real one"],
        [
            [name, frechet(pooled(evaluator, batch), truth), (own := spread(evaluator, batch[:64])), own / spread_of_real]
            for name, batch in rows.items()
        ],
    )
    share = recognized(evaluator, latent, real[:101], given.inversions)
    print(f"\nInversions nearest to their own crop of 101, relu3_1, {given.inversions} inverted: {share:.0%}")
    print(f"Largest step of a walk over its median step, mean and worst of {_WALKS} walks: {jumps(latent)}")


def _batched(make, items: Iterable) -> Tensor:
    items = list(items)
    return torch.cat([make(items[start : start + _AT_ONCE]) for start in range(0, len(items), _AT_ONCE)])


@torch.no_grad()
def pooled(evaluator: FeatureExtractor, batch: Tensor) -> Tensor:
    """Means of relu4_1 over positions, `[B, 512]`."""
    return _batched(lambda part: evaluator.extract(torch.stack(part), ["relu4_1"])["relu4_1"].mean((2, 3)).double(), batch)


def frechet(one: Tensor, two: Tensor) -> float:
    """Squared Fréchet distance of Gaussians fitted to two sets of features (Heusel et al. 2017), `[B, C]` each."""
    (mean_one, cov_one), (mean_two, cov_two) = ((x.mean(0), torch.cov(x.T)) for x in (one, two))
    root = matrix_root(cov_two)
    cross = matrix_root(root @ cov_one @ root).diagonal().sum()
    return float((mean_one - mean_two).square().sum() + cov_one.trace() + cov_two.trace() - 2 * cross)


@torch.no_grad()
def spread(evaluator: FeatureExtractor, batch: Tensor) -> float:
    """Mean distance between the relu3_1 features of all pairs of a batch."""
    features = _batched(lambda part: evaluator.extract(torch.stack(part), ["relu3_1"])["relu3_1"].flatten(1), batch)
    return float(torch.pdist(features).mean())


def noise_like(batch: Tensor) -> Tensor:
    """Each crop's pixels in random order, which keeps only its palette."""
    generator = torch.Generator().manual_seed(0)
    flat = batch.flatten(2)
    return torch.stack([picture[:, torch.randperm(flat.shape[-1], generator=generator)] for picture in flat]).view_as(batch)


def recognized(evaluator: FeatureExtractor, latent: Latent, crops: Tensor, count: int, layer: str = "relu3_1") -> float:
    """Share of the first `count` crops whose inversion is closer to them than to any other crop, by relative feature distance."""
    lite = load_extractor("lite", MODELS / "lite.safetensors", Compute.choose("cpu", "fp32"))
    again = []
    for crop in crops[:count]:
        *_, inversion = latent.invert(crop, lite)
        again.append(latent.shown(inversion))
    with torch.no_grad():
        one, two = (
            _batched(lambda part: evaluator.extract(torch.stack(part), [layer])[layer].flatten(1), batch)
            for batch in (torch.cat(again), crops)
        )
    distances = torch.cdist(one, two) / two.norm(dim=1)
    return float((distances.argmin(1) == torch.arange(count)).float().mean())


def jumps(latent: Latent) -> str:
    """Largest pixel step over the median step of walks between seeds."""
    ratios = []
    for seed in range(_WALKS):
        start, end = latent.code(seed), latent.code(seed + 1)
        way = lambda share: latent.style(slerp(start, end, share))  # noqa: E731
        pictures = latent.paint(torch.cat([way(share) for share in latent.pace(way, _FRAMES)]))
        steps = (pictures[1:] - pictures[:-1]).square().mean((1, 2, 3)).sqrt()
        ratios.append(float(steps.max() / steps.median()))
    return f"{sum(ratios) / _WALKS:.2f}, {max(ratios):.2f}"


if __name__ == "__main__":
    main()
