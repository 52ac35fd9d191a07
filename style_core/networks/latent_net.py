"""The latent space's networks: an encoder and a decoder of 128 px pictures, joined by a code of 128 numbers.

`z ~ N(0, I)` is mapped to a style `w` (a mapping network, Karras et al. 2019), which scales and shifts each stage of
the decoder; a picture is encoded to a mean and a log-variance of `z` (VAE, Kingma and Welling 2014). Each stage adds its
own correction to the enlarged picture of the one before (skip generator, Karras et al. 2020), so that training can
begin with small pictures and go on with large ones.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

Z_SIZE = 128
W_SIZE = 256
SIDE = 128  # px, side of decoded pictures
SEEN_SIDE = 64  # px, side at which a picture is encoded
DIRECTIONS = 8  # principal directions that ship with the weights
WIDTHS = {4: 256, 8: 256, 16: 192, 32: 112, 64: 56, 128: 28}
PLACES = 1 + len(WIDTHS)  # inputs of a style: the start and each stage
_DEEP = (16, 32)  # sizes with a second convolution
_SEEN_WIDTHS = (3, 24, 48, 96, 160, 224)
_EPSILON = 1e-8


class _Modulated(nn.Module):
    """Convolution, group norm (Wu and He 2018), scale and shift by the style, noise, rectifier."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect", bias=False)
        self.norm = nn.GroupNorm(outputs // 14 if outputs % 14 == 0 else outputs // 16, outputs, affine=False)
        self.affine = nn.Linear(W_SIZE, 2 * outputs)
        nn.init.normal_(self.affine.weight, std=0.5 / W_SIZE**0.5)
        nn.init.zeros_(self.affine.bias)
        self.grain = nn.Parameter(torch.full((outputs,), 0.2))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        scale, shift = self.affine(w)[:, :, None, None].chunk(2, 1)
        x = torch.addcmul(shift.to(x.dtype), self.norm(self.conv(x)), 1 + scale.to(x.dtype))
        return functional.leaky_relu(x + self.grain[:, None, None].to(x.dtype) * noise.to(x.dtype), 0.2)


class _Stage(nn.Module):
    """One size: two modulated convolutions, and this size's correction to the picture."""

    def __init__(self, inputs: int, outputs: int, deep: bool):
        super().__init__()
        self.first = _Modulated(inputs, outputs)
        self.second = _Modulated(outputs, outputs) if deep else None
        self.color = nn.Conv2d(outputs, 3, 1)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        x = self.first(x, w, noise)
        if self.second is not None:
            x = x + self.second(x, w, noise.flip(-1))
        return x, self.color(x)


class Decoder(nn.Module):
    """Codes to pictures."""

    def __init__(self):
        super().__init__()
        self.mapping = nn.Sequential(
            nn.Linear(Z_SIZE, W_SIZE), nn.LeakyReLU(0.2), nn.Linear(W_SIZE, W_SIZE), nn.LeakyReLU(0.2), nn.Linear(W_SIZE, W_SIZE)
        )
        self.start = nn.Linear(W_SIZE, WIDTHS[4] * 16)
        sizes = list(WIDTHS)
        self.stages = nn.ModuleList(_Stage(WIDTHS[max(4, size // 2)], WIDTHS[size], deep=size in _DEEP) for size in sizes)
        # Styles start at unit variance: with weaker ones, all codes would decode to the same picture at first.
        for linear in [layer for layer in self.mapping if isinstance(layer, nn.Linear)] + [self.start]:
            nn.init.kaiming_normal_(linear.weight, 0.2)
            nn.init.zeros_(linear.bias)
        for stage in list(self.stages)[1:]:
            assert isinstance(stage, _Stage)
            for parameter in stage.color.parameters():
                nn.init.zeros_(parameter)

    def styles(self, z: Tensor) -> Tensor:
        """`[B, Z_SIZE]` -> `[B, W_SIZE]`."""
        return self.mapping(z * (z.square().mean(1, keepdim=True) + _EPSILON).rsqrt())

    def forward(self, w: Tensor, side: int = SIDE, noises: list[Tensor] | None = None) -> Tensor:
        """Styles -> pictures `[B, 3, side, side]` in `[0, 1]`.

        Args:
            w: `[B, W_SIZE]`, or one for the start and one for each stage, `[B, PLACES, W_SIZE]` (the space W+ of Abdal et
                al., "Image2StyleGAN", 2019).
            side: px: 4, 8 ... 128; smaller than 128 leaves the last stages out.
            noises: `[B or 1, 1, s, s]` for each stage; None draws them.
        """
        w = w if w.dim() == 3 else w[:, None].expand(-1, PLACES, -1)
        x = self.start(w[:, 0]).view(-1, WIDTHS[4], 4, 4)
        picture = torch.zeros((), device=w.device)
        for index, (size, stage) in enumerate(zip(WIDTHS, self.stages)):
            if size > side:
                break
            if index:
                x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            noise = noises[index] if noises is not None else torch.randn(len(w), 1, size, size, device=w.device)
            x, correction = stage(x, w[:, 1 + index], noise)
            picture = _doubled(picture) + correction.float() if index else correction.float()
        return torch.sigmoid(picture)


def _doubled(picture: Tensor) -> Tensor:
    return functional.interpolate(picture, scale_factor=2.0, mode="bilinear", align_corners=False)


class Encoder(nn.Module):
    """Pictures to the mean and the log-variance of their codes."""

    def __init__(self):
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip(_SEEN_WIDTHS, _SEEN_WIDTHS[1:]):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.GroupNorm(outputs // 8, outputs), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.out = nn.Linear(_SEEN_WIDTHS[-1] * 4, 2 * Z_SIZE)

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """`[B, 3, h, w]` in `[0, 1]` -> two of `[B, Z_SIZE]`, float32."""
        seen = functional.interpolate(batch, (SEEN_SIDE, SEEN_SIDE), mode="bilinear", antialias=True, align_corners=False)
        features = self.layers((seen - 0.5) * 4)
        mean, log_variance = self.out(features.flatten(1)).float().chunk(2, 1)
        return mean, log_variance.clamp(-8, 4)


class LatentNet(nn.Module):
    """Encoder and decoder, and the decoder's principal directions; everything that `models/latent.safetensors` holds."""

    mean: Tensor
    axes: Tensor

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder()
        self.register_buffer("mean", torch.zeros(W_SIZE))
        self.register_buffer("axes", torch.zeros(DIRECTIONS, W_SIZE))

    @torch.no_grad()
    def measure(self, count: int = 4096) -> None:
        """Compute the mean style and the principal directions from `count` codes of a fixed seed."""
        z = torch.randn(count, Z_SIZE, generator=torch.Generator().manual_seed(0))
        w = self.decoder.styles(z)
        self.mean.copy_(w.mean(0))
        _, lengths, axes = torch.linalg.svd(w - self.mean, full_matrices=False)
        self.axes.copy_(axes[:DIRECTIONS] * lengths[:DIRECTIONS, None] / count**0.5)
