"""Training of the latent space: a VAE-GAN (Larsen et al. 2016) of crops of paintings.

    python -m style_core.training.latent --data FOLDER --minutes 60 --out runs/latent

The discriminator compares frozen features (Projected GAN, Sauer et al. 2021): small heads, spectrally normalized
(Miyato et al. 2018), on VGG-19's levels and on the pixels, are trained with the hinge loss on augmented pictures (Zhao et al.
2020). Reconstruction is measured in the same features, position by position and by Gram matrix, so that textures are right even
where positions are not. Half of the evaluated pictures are decoded from codes of pictures, half from the prior. The VAE trains
alone at first, so that codes are meaningful before the critic joins; otherwise the GAN collapses. Also from the start, the pooled
features of pictures from the prior are matched to those of real crops in sliced Wasserstein distance (Deshpande et al. 2018), which
prevents collapse. The first part of the training runs at 64 px, the rest at 128 px.
"""

import argparse
import time
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from style_core.devices import Compute, prepare_cpu
from style_core.media.images import to_pil
from style_core.networks.extractor import FeatureExtractor, load_extractor
from style_core.networks.latent_net import SIDE, Z_SIZE, LatentNet
from style_core.networks.moments import gram_matrix, relative_distances
from style_core.training.average import running_average
from style_core.training.data import Crops, split
from style_core.training.runs import Run, Stateful, cosine

LEVELS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
PLACED = {"relu2_1": 0.5, "relu3_1": 1.0, "relu4_1": 1.0}  # levels at which reconstructions are compared position by position
_KEPT = 0.998  # decay of the average of the weights, which ships
CROP_SCALE = (0.8, 1.5)  # sides of training crops, relative to the decoded side
_GAIN = 8.0  # of the critic's output: spectrally normalized layers alone are too weak to reach the hinge
_RAMP = 0.1  # share of the minutes over which the adversarial weight rises
_QUEUE = 256  # imagined pictures whose features are compared with as many real ones
_COLOR_PLACES = 4  # grid cells per side whose mean colors are compared
_DIRECTIONS = 128  # random directions per step of the sliced distance
_WARMED = 0.4  # share of the minutes after which the prior has its full weight


class _Head(nn.Module):
    """A small critic on one level: a map of scores by position."""

    def __init__(self, inputs: int, width: int, shrinks: int):
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(shrinks):
            layers += [spectral_norm(nn.Conv2d(inputs, width, 4, 2, 1)), nn.LeakyReLU(0.2)]
            inputs = width
        layers += [spectral_norm(nn.Conv2d(inputs, width, 3, 1, 1)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.verdict = spectral_norm(nn.Conv2d(width + 1, 1, 3, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        x = self.layers(features)
        # The batch's deviation (Karras et al. 2018), by which a collapsed generator is recognized.
        spread = x.float().var(0, unbiased=False).add(1e-6).sqrt().mean().to(x.dtype)
        return _GAIN * self.verdict(torch.cat([x, spread.expand(len(x), 1, *x.shape[-2:])], 1)).float().flatten(1)


class Critic(nn.Module):
    """The discriminator: heads over frozen features and over pixels."""

    def __init__(self, extractor: FeatureExtractor, widths: tuple[int, ...]):
        super().__init__()
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(width, 1, 1), requires_grad=False) for width in widths)
        self.heads = nn.ModuleList(_Head(width, 64, shrinks) for width, shrinks in zip(widths, (2, 2, 1, 1)))
        self.pixels = _Head(3, 48, 3)
        self._extractor = [extractor]  # frozen; in a list, so that it is neither trained nor saved

    def see(self, batch: Tensor) -> dict[str, Tensor]:
        return self._extractor[0].extract(batch, LEVELS)

    @torch.no_grad()
    def match_scales(self, features: dict[str, Tensor]) -> None:
        """Scale the heads' input channels to about unit variance."""
        for scale, level in zip(self.scales, LEVELS):
            scale.copy_(1 / (features[level].float().square().mean((0, 2, 3)).sqrt() + 1e-3)[:, None, None])

    def forward(self, batch: Tensor, features: dict[str, Tensor]) -> Tensor:
        """Scores `[B, positions]`, weighted so that each level counts equally in the mean."""
        seen = [head(features[level] * scale.to(features[level].dtype)) for head, scale, level in zip(self.heads, self.scales, LEVELS)]
        seen.append(self.pixels((batch - 0.5) * 4))
        places = max(verdict.shape[1] for verdict in seen)
        return torch.cat([functional.interpolate(v[:, None], places, mode="nearest")[:, 0] for v in seen], 1)


def augmented(*batches: Tensor) -> list[Tensor]:
    """The same random brightness, saturation, contrast, shift and hole for each of the batches (DiffAugment)."""
    count, _, height, width = batches[0].shape
    draw = lambda: torch.rand(count, 1, 1, 1) - 0.5  # noqa: E731
    brightness, saturation, contrast = 0.5 * draw(), 1 + draw(), 1 + 0.6 * draw()
    down, across = (torch.randint(-side // 8, side // 8 + 1, (count,)) for side in (height, width))
    rows = (torch.arange(height)[None] + down[:, None]).clamp(0, height - 1)
    columns = (torch.arange(width)[None] + across[:, None]).clamp(0, width - 1)
    hole = torch.ones(count, 1, height, width)
    for index in range(count):
        if torch.rand(()) < 0.5:
            top, left = (int(torch.randint(0, side - side // 3, ())) for side in (height, width))
            hole[index, :, top : top + height // 3, left : left + width // 3] = 0
    results = []
    for batch in batches:
        x = batch + brightness
        x = x.mean(1, keepdim=True).lerp(x, saturation)
        x = x.mean((1, 2, 3), keepdim=True).lerp(x, contrast)
        x = x[torch.arange(count)[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
        results.append((x * hole).contiguous())
    return results


def pooled(batch: Tensor, features: dict[str, Tensor]) -> list[Tensor]:
    """Statistics for the queue, `[B, N]` each: colors by grid cell, means and deviations by level, and the deepest by quadrants."""
    colors = functional.adaptive_avg_pool2d(batch.float(), _COLOR_PLACES).flatten(1)
    results = [torch.cat([f.float().mean((2, 3)), f.float().flatten(2).var(2).add(1e-4).sqrt()], 1) for f in features.values()]
    deepest = list(features.values())[-1].float()
    return [colors, *results, functional.adaptive_avg_pool2d(deepest, 2).flatten(1)]


class FeatureQueue:
    """The latest pooled features of real and imagined pictures, and the distance of the two distributions."""

    def __init__(self, size: int):
        self._size = size
        self._real: list[Tensor] = []
        self._imagined: list[Tensor] = []

    def distance(self, imagined: list[Tensor], real: list[Tensor]) -> Tensor:
        """Squared sliced Wasserstein distance, in the real queue's variances; its gradient reaches the newest pictures.

        Along random directions, each new picture is drawn to the real picture of the same rank in the queue.
        """
        self._real = self._joined(self._real, real)
        everyone = self._joined(self._imagined, imagined)
        self._imagined = [part.detach() for part in everyone]
        count, total = len(imagined[0]), imagined[0].new_zeros(())
        for mine, theirs in zip(everyone, self._real):
            spread = theirs.std(0)
            scale = 1 / (spread + 0.3 * spread.mean())  # channels with little variance must not dominate
            directions = functional.normalize(torch.randn(mine.shape[1], _DIRECTIONS), dim=0) * scale[:, None]
            found, wanted = mine @ directions, (theirs @ directions).sort(0).values
            ranks = found.detach().argsort(0).argsort(0)[-count:]
            places = (ranks * len(wanted) // len(found)).clamp(max=len(wanted) - 1)
            total = total + (found[-count:] - wanted.gather(0, places)).square().mean()
        return total / len(everyone)

    def _joined(self, queue: list[Tensor], newest: list[Tensor]) -> list[Tensor]:
        return [torch.cat([old, new])[-self._size :] for old, new in zip(queue, newest)] if queue else list(newest)


class TrainStep:
    """One step of generator and critic."""

    def __init__(self, net: LatentNet, critic: Critic, crops: Crops, given: argparse.Namespace, dtype: torch.dtype):
        self.net, self.critic, self.crops, self.given, self.dtype = net, critic, crops, given, dtype
        self._queues = {side: FeatureQueue(_QUEUE) for side in (SIDE // 2, SIDE)}

    def losses(self, count: int, side: int, warm: float, adversarial_weight: float) -> tuple[dict[str, Tensor], Tensor | None]:
        """The generator's losses by name, including `total`, and the critic's loss, over a new batch of `count`.

        Args:
            side: of the pictures, px.
            warm: in `[0, 1]`, current share of the prior's weight.
            adversarial_weight: in `[0, 1]`, current share of the critic's weight; 0 for no critic.
        """
        real = self.crops.batch(count, side, (SIDE / side * CROP_SCALE[0], SIDE / side * CROP_SCALE[1]))
        with torch.autocast("cpu", self.dtype, enabled=self.dtype == torch.bfloat16):
            mean, log_variance = self.net.encoder(real)
            divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
            drawn = torch.randn(count, Z_SIZE)
            codes = torch.cat([mean + torch.randn_like(mean) * (log_variance / 2).exp(), drawn])
            fake = self.net.decoder(self.net.decoder.styles(codes), side)
            seen_real, again = augmented(real, fake[:count])
            batch = torch.cat([again, *augmented(fake[count:])])
            features = self.critic.see(batch)
            with torch.no_grad():
                truth = self.critic.see(seen_real)
            rebuilt = self._rebuilt({level: f[:count] for level, f in features.items()}, truth, real, fake[:count])
            # Codes must be recoverable from pictures of the prior, which prevents collapse (Zhu et al. 2017, BicycleGAN).
            lost = 1 - functional.cosine_similarity(self.net.encoder(fake[count:])[0], drawn).mean()
            imagined = pooled(batch[count:], {level: f[count:] for level, f in features.items()})
            apart = self._queues[side].distance(imagined, pooled(seen_real, truth))
            total = rebuilt + warm * self.given.kl * divergence + self.given.regression * lost + warm * self.given.sliced * apart
            figures = {"rebuilt": rebuilt, "kl": divergence, "lost": lost, "apart": apart}
            if adversarial_weight == 0:
                return {"total": total, **figures}, None
            self.critic.requires_grad_(False)
            fooled = -self.critic(batch, features).mean()
            self.critic.requires_grad_(True)
            still = {level: f.detach() for level, f in features.items()}
            verdict_fake, verdict_real = self.critic(batch.detach(), still), self.critic(seen_real, truth)
        critic = functional.relu(1 - verdict_real).mean() + functional.relu(1 + verdict_fake).mean()
        return {
            "total": total + adversarial_weight * self.given.adversarial * fooled,
            **figures,
            "fooled": fooled,
            "critic": critic,
        }, critic

    def _rebuilt(self, features: dict[str, Tensor], truth: dict[str, Tensor], real: Tensor, fake: Tensor) -> Tensor:
        placed = sum(weight * relative_distances(features[level], truth[level]).mean() for level, weight in PLACED.items())
        manner = sum(relative_distances(gram_matrix(features[level]), gram_matrix(truth[level])).log1p().mean() for level in LEVELS)
        coarse = (functional.adaptive_avg_pool2d(fake, 16) - functional.adaptive_avg_pool2d(real, 16)).abs().mean()
        return placed + manner + 8 * coarse


@torch.no_grad()
def write_sheet(net: LatentNet, reals: Tensor, side: int, path: Path) -> None:
    """A sheet of three rows of pictures, each with reconstructions below, and then samples."""
    generator = torch.Generator().manual_seed(1)
    columns = 12
    rows = [reals[:columns], net.decoder(net.decoder.styles(net.encoder(reals[:columns])[0]), side)]
    rows += [net.decoder(net.decoder.styles(torch.randn(columns, Z_SIZE, generator=generator)), side) for _ in range(5)]
    sheet = Image.new("RGB", (columns * SIDE, len(rows) * SIDE))
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            sheet.paste(to_pil(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC), (x * SIDE, y * SIDE))
    sheet.save(path, quality=90)


def export(net: LatentNet, path: Path, facts: dict[str, str]) -> None:
    """Write encoder, decoder and the principal directions, in float16."""
    net.measure()
    save_file({name: tensor.half().contiguous() for name, tensor in net.state_dict().items()}, path, facts)


def train(given: argparse.Namespace) -> None:
    """Train until the minutes are up; `latent.safetensors` and `sheet.jpg` follow the averaged weights."""
    prepare_cpu()
    torch.manual_seed(given.seed)
    compute = Compute.choose("cpu")
    extractor = load_extractor("vgg19", given.vgg19, compute)
    crops = Crops(split(given.data)[0], given.seed)
    net = LatentNet()
    widths = tuple(f.shape[1] for f in extractor.extract(torch.rand(1, 3, 64, 64), LEVELS).values())
    critic = Critic(extractor, widths)
    with torch.no_grad():
        critic.match_scales(critic.see(crops.batch(16, 64, (2.0, 4.0))))
    players = [torch.optim.Adam([p for p in part.parameters() if p.requires_grad], given.rate, betas=(0.5, 0.99)) for part in (net, critic)]
    average = running_average(net, _KEPT)
    shipped = average.module
    assert isinstance(shipped, LatentNet)
    parts: dict[str, Stateful] = {"net": net, "critic": critic, "average": average, "crops": crops}
    run = Run(given.out, given.minutes, parts | {"optimizer": players[0], "critic_optimizer": players[1]}, given)
    train_step = TrainStep(net, critic, crops, given, compute.dtype)
    shown = time.monotonic()
    held = Crops(split(given.data)[1], given.seed).batch(12, SIDE, CROP_SCALE)
    while run.going():
        for player in players:
            player.param_groups[0]["lr"] = given.rate * min(1, (run.steps + 1) / 50) * cosine(max(0.0, 2 * run.progress - 1), 0.1)
        side = 64 if run.progress < given.small else SIDE
        alone = run.progress < given.alone
        adversarial_weight = 0.0 if alone else min(1.0, 0.02 + (run.progress - given.alone) / _RAMP)
        losses, evaluated = train_step.losses(given.batch, side, min(1.0, 0.1 + run.progress / _WARMED), adversarial_weight)
        move(players[0], losses["total"], net)
        if evaluated is not None:
            move(players[1], evaluated, critic)
        average.update_parameters(net)
        run.step_done(**{name: float(value.detach()) for name, value in losses.items()})
        if time.monotonic() - shown > 60 * given.show_every or run.progress >= 1:
            shown = time.monotonic()
            write_sheet(shipped, held, side, given.out / "sheet.jpg")
            export(shipped, given.out / "latent.safetensors", _facts(given, run))
    export(shipped, given.out / "latent.safetensors", _facts(given, run))


def move(player: torch.optim.Optimizer, loss: Tensor, net: nn.Module) -> None:
    """One optimizer step with gradient clipping."""
    player.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    player.step()


def _facts(given: argparse.Namespace, run: Run) -> dict[str, str]:
    return {
        "model": "latent: a VAE-GAN of crops of paintings",
        "command": f"python -m style_core.training.latent --minutes {given.minutes:g} --batch {given.batch} --rate {given.rate:g} "
        f"--adversarial {given.adversarial:g} --regression {given.regression:g} --sliced {given.sliced:g} --kl {given.kl:g} "
        f"--small {given.small:g} --alone {given.alone:g} --seed {given.seed}",
        "steps": str(run.steps),
        "minutes": f"{run.spent:.1f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/style"), help="Folder of pictures.")
    parser.add_argument("--vgg19", type=Path, default=Path("../shared/weights/vgg19.safetensors"))
    parser.add_argument("--out", type=Path, default=Path("runs/latent"))
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--batch", type=int, default=12, help="Pictures per step; as many more are sampled from the prior.")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--adversarial", type=float, default=0.15, help="Weight of fooling the critic.")
    parser.add_argument("--regression", type=float, default=1.0, help="Weight of recovering a picture's code.")
    parser.add_argument(
        "--sliced", type=float, default=2.0, help="Weight of the distance between the distributions of imagined and real pictures."
    )
    parser.add_argument("--kl", type=float, default=0.003, help="Weight of the divergence from the prior, in nats.")
    parser.add_argument("--small", type=float, default=0.5, help="Share of the minutes at 64 px.")
    parser.add_argument("--alone", type=float, default=0.25, help="Share of the minutes before the critic joins.")
    parser.add_argument("--show-every", type=float, default=3.0, help="Minutes between sheets.")
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
