"""A plain DCGAN (Radford et al. 2016), a baseline for `benchmarks/latent.py`; it doesn't ship.

    python -m style_core.training.dcgan --minutes 55 --out runs/dcgan

Transposed convolutions, batch norm, the non-saturating cross-entropy loss and Adam as in the paper, at 128 px; the generator has
about as many parameters as the latent space's decoder.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from style_core.devices import Compute, prepare_cpu
from style_core.networks.latent_net import SIDE
from style_core.training.data import Crops, split
from style_core.training.latent import CROP_SCALE
from style_core.training.runs import Run

Z_SIZE = 100
_WIDTHS = (384, 256, 160, 96, 48)  # of the generator at 4 to 64 px; the discriminator uses the reverse


def generator() -> nn.Sequential:
    """Codes `[B, Z_SIZE, 1, 1]` -> pictures `[B, 3, 128, 128]` in `[-1, 1]`."""
    layers: list[nn.Module] = [
        nn.ConvTranspose2d(Z_SIZE, _WIDTHS[0], 4, 1, 0, bias=False),
        nn.BatchNorm2d(_WIDTHS[0]),
        nn.ReLU(inplace=True),
    ]
    for inputs, outputs in zip(_WIDTHS, _WIDTHS[1:]):
        layers += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.ConvTranspose2d(_WIDTHS[-1], 3, 4, 2, 1), nn.Tanh())


def discriminator() -> nn.Sequential:
    """Pictures `[B, 3, 128, 128]` -> logits `[B, 1, 1, 1]`."""
    widths = _WIDTHS[::-1]
    layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 0))


def _initialize(net: nn.Module) -> None:
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)


def samples(path: Path, count: int, seed: int = 0) -> Tensor:
    """Pictures `[count, 3, 128, 128]` in `[0, 1]` from a file that this trainer wrote."""
    net = generator()
    net.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()}, strict=False)
    net.eval()
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        return (
            torch.cat([net(torch.randn(min(50, count - start), Z_SIZE, 1, 1, generator=draw)) for start in range(0, count, 50)]) / 2 + 0.5
        )


def train(given: argparse.Namespace) -> None:
    """Train until the minutes are up and write `dcgan.safetensors`."""
    prepare_cpu()
    torch.manual_seed(given.seed)
    dtype = Compute.choose("cpu").dtype
    crops = Crops(split(given.data)[0], given.seed)
    players = [generator(), discriminator()]
    for player in players:
        _initialize(player)
    optimizers = [torch.optim.Adam(player.parameters(), 2e-4, betas=(0.5, 0.999)) for player in players]
    run = Run(given.out, given.minutes, dict(zip(("g", "d", "g_optimizer", "d_optimizer", "crops"), (*players, *optimizers, crops))))
    while run.going():
        real = crops.batch(given.batch, SIDE, CROP_SCALE) * 2 - 1
        with torch.autocast("cpu", dtype, enabled=dtype == torch.bfloat16):
            fake = players[0](torch.randn(given.batch, Z_SIZE, 1, 1))
            evaluated = _entropy(players[1](real), 1.0) + _entropy(players[1](fake.detach()), 0.0)
        _move(optimizers[1], evaluated)
        with torch.autocast("cpu", dtype, enabled=dtype == torch.bfloat16):
            fooled = _entropy(players[1](fake), 1.0)
        _move(optimizers[0], fooled)
        run.step_done(evaluated=float(evaluated.detach()), fooled=float(fooled.detach()))
    save_file({name: tensor.half().contiguous() for name, tensor in players[0].state_dict().items()}, given.out / "dcgan.safetensors")


def _entropy(logits: Tensor, truth: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits.float(), torch.full_like(logits, truth, dtype=torch.float32))


def _move(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/style"), help="Folder of pictures.")
    parser.add_argument("--out", type=Path, default=Path("runs/dcgan"))
    parser.add_argument("--minutes", type=float, default=55)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
