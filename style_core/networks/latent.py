"""The loaded latent space: decodes seeds to pictures, and finds the codes of pictures (GAN inversion)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from style_core.errors import RequestError
from style_core.files import sha256_of
from style_core.media.images import fit_short
from style_core.networks.extractor import FeatureExtractor
from style_core.networks.latent_net import PLACES, SIDE, W_SIZE, WIDTHS, Z_SIZE, LatentNet
from style_core.networks.moments import relative_distances

_INVERSION_STEPS, _INVERSION_RATE = 80, 0.1
_COARSE, _COARSE_WEIGHT = 16, 8.0  # side in px at which colors are compared, and the weight of that term
INVERSION_LAYERS = ("relu2_1", "relu3_1", "relu4_1")
_PACED_SIDE = 32  # px, side of the pictures compared to space the frames of a morph evenly


@dataclass(frozen=True)
class Inversion:
    """The latent representation of a picture.

    Attributes:
        code: the encoder's estimate, `[1, Z_SIZE]`.
        detail: offset from the code's style, per layer, found by optimization: `[1, PLACES, W_SIZE]`.
        noise_maps: positions of its strokes, `[1, 1, s, s]` for each stage.
    """

    code: Tensor
    detail: Tensor
    noise_maps: list[Tensor]


class Latent:
    """The loaded latent space.

    Args:
        net: encoder and decoder, float32, on the CPU, which is fast enough for pictures this small.
        sha256: of its file.
    """

    def __init__(self, net: LatentNet, sha256: str = ""):
        self.net, self.sha256 = net, sha256

    @classmethod
    def load(cls, path: str | Path) -> "Latent":
        """Load from a safetensors file made by `style_core.training.latent`.

        Raises:
            RequestError: when the file's tensors are not the latent space's.
        """
        net = LatentNet()
        try:
            net.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
        except RuntimeError as error:
            raise RequestError("{file} does not contain the latent space: {reason}", file=Path(path).name, reason=str(error)) from error
        return cls(net.requires_grad_(False).eval(), sha256_of(Path(path)))

    def code(self, seed: int) -> Tensor:
        """The code of a seed, `[1, Z_SIZE]`, drawn from the prior."""
        return torch.randn(1, Z_SIZE, generator=torch.Generator().manual_seed(seed))

    def noise_maps(self, seed: int) -> list[Tensor]:
        """The noise of a seed, `[1, 1, s, s]` for each stage: positions of strokes, which the code doesn't determine."""
        generator = torch.Generator().manual_seed(seed)
        return [torch.randn(1, 1, size, size, generator=generator) for size in WIDTHS]

    @torch.no_grad()
    def encode(self, image: Tensor) -> Tensor:
        """The code of a picture's central square, `[3, h, w]` -> `[1, Z_SIZE]`, scaled to the prior's typical length."""
        mean = self.net.encoder(_middle(image)[None])[0]
        return mean * (Z_SIZE**0.5 / mean.norm(dim=1, keepdim=True).clamp_min(1e-6))

    def invert(self, image: Tensor, extractor: FeatureExtractor) -> Iterator[Inversion]:
        """Invert a picture: encode it, then optimize from there (Zhu et al. 2016); yields ever closer inversions.

        Styles (W+, Abdal et al. 2019) and noise (Karras et al. 2020, appendix D) are both optimized; the noise keeps unit variance.

        Args:
            extractor: compares the features of picture and inversion.
        """
        target, code = _middle(image)[None], self.encode(image)
        start = self.style(code)[:, None].expand(1, PLACES, W_SIZE)
        with torch.enable_grad():
            detail = torch.zeros_like(start).requires_grad_()
            noise_maps = [noise.requires_grad_() for noise in self.noise_maps(0)]
            optimizer = torch.optim.Adam([detail, *noise_maps], lr=_INVERSION_RATE, betas=(0.9, 0.99))
            with torch.no_grad():
                truth = extractor.extract(target, INVERSION_LAYERS)
            for step in range(_INVERSION_STEPS):
                optimizer.param_groups[0]["lr"] = _INVERSION_RATE * (1 - step / _INVERSION_STEPS)
                found = self.net.decoder(start + detail, SIDE, noise_maps)
                features = extractor.extract(found, INVERSION_LAYERS)
                colors = [functional.adaptive_avg_pool2d(batch, _COARSE) for batch in (found, target)]
                loss = torch.stack([relative_distances(features[layer], truth[layer]) for layer in INVERSION_LAYERS]).sum()
                loss = loss + _COARSE_WEIGHT * (colors[0] - colors[1]).abs().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                with torch.no_grad():
                    for noise in noise_maps:
                        noise.div_(noise.square().mean().sqrt())
                yield Inversion(code, detail.detach().clone(), [noise.detach().clone() for noise in noise_maps])

    @torch.no_grad()
    def style(self, code: Tensor, truncation: float = 1.0, axes: Sequence[float] = ()) -> Tensor:
        """Codes `[B, Z_SIZE]` -> styles `[B, W_SIZE]`, truncated toward the mean and moved along the principal directions."""
        w = torch.lerp(self.net.mean, self.net.decoder.styles(code), truncation)
        for axis, amount in zip(self.net.axes, axes):
            w = w + amount * axis
        return w

    @torch.no_grad()
    def paint(self, w: Tensor, noise_maps: list[Tensor] | None = None) -> Tensor:
        """Styles `[B, W_SIZE]` or `[B, PLACES, W_SIZE]` -> pictures `[B, 3, SIDE, SIDE]`; without noise maps, seed 0's."""
        return self.net.decoder(w, SIDE, noise_maps or self.noise_maps(0))

    def shown(self, inversion: Inversion) -> Tensor:
        """The picture of an inversion, `[1, 3, SIDE, SIDE]`."""
        return self.paint(self.style(inversion.code)[:, None] + inversion.detail, inversion.noise_maps)

    @torch.no_grad()
    def pace(self, way: Callable[[float], Tensor], frames: int) -> list[float]:
        """Positions on a path, from 0 to 1, at which `frames` pictures differ evenly.

        Equal steps of the code change the picture unequally.
        """
        shares = torch.linspace(0, 1, 2 * frames)
        styles = torch.cat([way(float(share)) for share in shares])
        pictures = torch.cat([self.net.decoder(part, _PACED_SIDE, self.noise_maps(0)) for part in styles.split(32)])
        steps = (pictures[1:] - pictures[:-1]).square().mean((1, 2, 3)).sqrt()
        # Stretches without any change still need a positive length.
        gone = torch.cat([torch.zeros(1), (steps + steps.mean() / 10 + 1e-9).cumsum(0)])
        return numpy.interp(numpy.linspace(0, float(gone[-1]), frames), gone.numpy(), shares.numpy()).tolist()


def _middle(image: Tensor) -> Tensor:
    """The square in the middle of a picture, `[3, SIDE, SIDE]`."""
    sized = fit_short(image, SIDE)
    top, left = ((side - SIDE) // 2 for side in sized.shape[-2:])
    return sized[:, top : top + SIDE, left : left + SIDE]


def slerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """Spherical interpolation of codes or noise (Shoemake 1985; White 2016), which keeps the prior's typical length."""
    cosine = (start * end).sum() / (start.norm() * end.norm()).clamp_min(1e-12)
    angle = torch.arccos(cosine.clamp(-1, 1))
    if angle < 1e-4:
        return torch.lerp(start, end, share)
    return (torch.sin((1 - share) * angle) * start + torch.sin(share * angle) * end) / torch.sin(angle)


def blended(start: list[Tensor], end: list[Tensor], share: float) -> list[Tensor]:
    """Interpolation between two sets of noise maps, with constant variance."""
    return [slerp(one, two, share) for one, two in zip(start, end, strict=True)]
