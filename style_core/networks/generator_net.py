"""The generator's network: paints a photo in one forward pass, in a style given by a small code.

An encoder (the trunk of `lite`, frozen) extracts the photo's features at five depths. Normalized over the whole picture, they
enter a decoder from the deepest up; every stage of the decoder is scaled and shifted by values predicted from the style's
code (conditional instance normalization, Dumoulin et al. 2017; predicted for unseen styles, Ghiasi et al. 2017). The code is
computed from the moments of the style picture's features, second moments included, because style is evaluated by Gram
matrices.

Only the stages up to a quarter of the picture's size are normalized by their own statistics; the two finest are plain
convolutions. So a large picture can be painted in tiles that match the untiled result exactly.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from style_core.devices import Compute
from style_core.networks.extractor import FeatureExtractor, first_layers, vgg_layers
from style_core.networks.moments import Moments
from style_core.networks.vgg19 import STYLE_LAYERS

LEVELS = STYLE_LAYERS
ENCODER_WIDTHS = (16, 32, 96, 128, 160)
STRIDE = 16  # of the deepest level; sides are padded to a multiple of it
CODE_SIZE = 256
# Tensors that are fitted after training, and that weights of earlier releases lack; as zeros they change nothing.
CORRECTIONS = ("style.feedback", "style.sharpening")
SHARPENING_TERMS = 2  # powers of how much a style picture was enlarged, by which its code is corrected
_PROBES = 16  # projections of each level whose second moments enter the code
_WIDTHS = (16, 32, 64, 96, 96)  # of the decoder's stages, finest first
_BLOCKS = (0, 0, 1, 4, 2)  # residual blocks in each stage
_HIDDEN = 352
DEEP_BLOCKS = 3  # further residual blocks after the coarsest stage, for large shapes
_EPSILON = 1e-5
# Floors below which variation is noise or rounding, which normalization must not amplify: the variance of the
# decoder's channels (hundreds for photos), and a fraction of the typical feature size at a level.
_CALM_VARIANCE = 10.0
_CALM_SHARE = 0.03


class StyleModulation:
    """Scales and shifts of the decoder's channels, uniform over a picture or varying by region.

    Args:
        values: `[B, V]`, one style for each picture of a batch; or `[S, V]` with `shares`.
        shares: `[S, 1, H, W]` that sum to 1 at each position: styles by region of one picture.
    """

    def __init__(self, values: Tensor, shares: Tensor | None = None):
        self.values, self.shares = values, shares

    @property
    def uniform(self) -> bool:
        """Whether there is one style, for the whole picture."""
        return self.shares is None and len(self.values) == 1

    def at(self, start: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift for `width` channels from index `start`, broadcastable to `like`, `[B, width, h, w]`."""
        chosen = self.values[:, start : start + 2 * width]
        if self.shares is None:
            scale, shift = chosen[:, :, None, None].chunk(2, 1)
        else:
            local = functional.interpolate(self.shares, like.shape[-2:], mode="area")
            scale, shift = torch.einsum("sv,sohw->vhw", chosen, local)[None].chunk(2, 1)
        return 1 + scale.to(like.dtype), shift.to(like.dtype)

    def crop(self, rows: slice, columns: slice) -> "StyleModulation":
        return StyleModulation(self.values, None if self.shares is None else self.shares[..., rows, columns])


class _ModulationLayout:
    """Assigns indices in the vector of scales and shifts while the decoder is built."""

    def __init__(self):
        self.total = 0

    def take(self, width: int) -> int:
        start, self.total = self.total, self.total + 2 * width
        return start


class ModulatedConv(nn.Module):
    """A convolution whose output is scaled and shifted by the style; normalized over the picture first if `normal`."""

    def __init__(self, layout: _ModulationLayout, inputs: int, outputs: int, kernel: int = 3, *, normal: bool):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, padding_mode="reflect")
        self.normal, self.width, self.start = normal, outputs, layout.take(outputs)

    def forward(self, x: Tensor, modulation: StyleModulation) -> Tensor:
        scale, shift = modulation.at(self.start, self.width, x)
        if modulation.uniform:  # the same, without passes over memory for scale and shift
            scale, shift = scale.flatten(), shift.flatten()
            if self.normal:
                return functional.instance_norm(self.conv(x), weight=scale, bias=shift, eps=_CALM_VARIANCE)
            return self._convolved(x, scale, shift)
        x = self.conv(x)
        if self.normal:
            x = functional.instance_norm(x, eps=_CALM_VARIANCE)
        return x * scale + shift

    def _convolved(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """The convolution, with scale and shift of its output in its weights."""
        assert self.conv.bias is not None
        reach = self.conv.kernel_size[0] // 2
        padded = functional.pad(x, (reach,) * 4, mode="reflect") if reach else x
        return functional.conv2d(padded, self.conv.weight * scale[:, None, None, None], self.conv.bias * scale + shift)


class Residual(nn.Module):
    """Two modulated convolutions with a shortcut (He et al. 2016)."""

    def __init__(self, layout: _ModulationLayout, width: int):
        super().__init__()
        self.first = ModulatedConv(layout, width, width, normal=True)
        self.second = ModulatedConv(layout, width, width, normal=True)

    def forward(self, x: Tensor, modulation: StyleModulation) -> Tensor:
        return x + self.second(self.first(x, modulation).relu_(), modulation)


def _doubled(x: Tensor, exact: bool) -> Tensor:
    """Twice as large, `[B, C, 2 H, 2 W]`.

    Resized, then convolved: transposed convolutions leave checkerboards (Odena et al. 2016), and nearest-neighbor
    enlarging leaves stairs on smooth areas.

    Args:
        exact: keep constant areas constant to the last bit, by subtracting each channel's first value before resizing;
            otherwise instance normalization would amplify rounding errors into visible clouds.
    """
    resize = partial(functional.interpolate, scale_factor=2.0, mode="bilinear", align_corners=False)
    if not exact:
        return resize(x)
    first = x[..., :1, :1].float()
    return (resize(x.float() - first) + first).to(x.dtype)


def _by_squares(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """A convolution padded by reflection, `[B, C, H, W]` -> `[B, C', H, W]`, H and W even.

    Computed for squares of four positions at once: three output channels alone leave most of a vector unit idle.
    """
    outputs, inputs, side, _ = conv.weight.shape
    weight = conv.weight.new_zeros(outputs, 2, 2, inputs, side + 1, side + 1)
    for down in (0, 1):
        for right in (0, 1):
            weight[:, down, right, :, down : down + side, right : right + side] = conv.weight
    assert conv.bias is not None
    padded = functional.pad(x, (side // 2,) * 4, mode="reflect")
    squares = functional.conv2d(padded, weight.flatten(0, 2), conv.bias.repeat_interleave(4), stride=2)
    return functional.pixel_shuffle(squares, 2)


class _Stage(nn.Module):
    """One size of the decoder: joins the coarser stage's output with the encoder's features of this size."""

    def __init__(self, layout: _ModulationLayout, level: int):
        super().__init__()
        width, skipped, normal = _WIDTHS[level], ENCODER_WIDTHS[level], level >= 2
        below = _WIDTHS[level + 1] if level + 1 < len(_WIDTHS) else 0
        self.skip = ModulatedConv(layout, skipped, width, 1 if level >= 2 else 3, normal=False)
        self.rise = ModulatedConv(layout, below, width, normal=normal) if below else None
        self.blocks = nn.ModuleList(Residual(layout, width) for _ in range(_BLOCKS[level]))

    def forward(self, below: Tensor | None, encoded: Tensor, modulation: StyleModulation) -> Tensor:
        x = self.skip(encoded, modulation)
        if self.rise is not None and below is not None:
            x = x + self.rise(_doubled(below, exact=self.rise.normal), modulation)
        x = x.relu_()
        for block in self.blocks:
            x = block(x, modulation)
        return x


class StyleNet(nn.Module):
    """Moments of a style picture -> its code; a code -> the decoder's scales and shifts."""

    scales: Tensor
    feedback: Tensor
    sharpening: Tensor

    def __init__(self, values: int):
        super().__init__()
        self.probes = nn.ParameterList(nn.Parameter(torch.randn(_PROBES, width) / width**0.5) for width in ENCODER_WIDTHS)
        self.register_buffer("scales", torch.ones(len(LEVELS)))
        # How far codes are moved by what a first result misses; see `Generator.adjusted`.
        self.register_buffer("feedback", torch.zeros(()))
        # Regressions from the code of an enlarged thumbnail to what the sharp painting's adds; see `sharpened`.
        self.register_buffer("sharpening", torch.zeros(SHARPENING_TERMS, CODE_SIZE, CODE_SIZE + 1))
        pairs = _PROBES * (_PROBES + 1) // 2
        self.read = nn.Linear(sum(2 * width + pairs for width in ENCODER_WIDTHS), _HIDDEN)
        self.code = nn.Linear(_HIDDEN, CODE_SIZE)
        self.widen = nn.Linear(CODE_SIZE, CODE_SIZE)
        self.values = nn.Linear(CODE_SIZE, values)

    def encode(self, moments: Moments) -> Tensor:
        """`[B, CODE_SIZE]`."""
        parts = []
        for index, level in enumerate(LEVELS):
            unit = self.scales[index]
            projected = self.probes[index] @ moments.grams[level] @ self.probes[index].mT / unit**2
            rows, columns = torch.triu_indices(_PROBES, _PROBES, device=projected.device)
            second = projected[:, rows, columns]
            # Signed roots: second moments span decades; their roots are comparable to the means.
            second = second.sign() * (second.abs() + 1e-4).sqrt()
            parts += [moments.means[level] / unit, (moments.deviations(level) / unit).log1p(), second]
        return self.code(functional.leaky_relu(self.read(torch.cat(parts, 1)), 0.2))

    def sharpened(self, code: Tensor, true_share: float) -> Tensor:
        """The code `[1, CODE_SIZE]` that a painting would have, given that of a thumbnail enlarged to the same size.

        Enlarging leaves out the finest strokes, whose statistics follow from the others' (by ridge regressions on training paintings;
        `style_core.training.sharpening`).

        Args:
            true_share: in `(0, 1]`, the thumbnail's side over that which it was enlarged to.
        """
        lacking = 1 - true_share
        known = torch.cat([code, code.new_ones(len(code), 1)], 1)
        return code + sum(lacking ** (power + 1) * known @ matrix.mT for power, matrix in enumerate(self.sharpening))

    def forward(self, code: Tensor) -> Tensor:
        """Codes `[B, CODE_SIZE]` -> the modulation's values, `[B, V]`."""
        return self.values(functional.leaky_relu(self.widen(functional.leaky_relu(code, 0.2)), 0.2))


class GeneratorNet(nn.Module):
    """Encoder, style net and decoder; everything that `models/generator.safetensors` holds."""

    def __init__(self, compute: Compute, deep_blocks: int = DEEP_BLOCKS):
        super().__init__()
        trunk = first_layers(vgg_layers(ENCODER_WIDTHS, padding_mode="reflect"), 30)
        self.encoder = FeatureExtractor("generator", trunk, compute)
        layout = _ModulationLayout()
        self.stages = nn.ModuleList(_Stage(layout, level) for level in range(len(LEVELS)))
        self.picture = ModulatedConv(layout, 3, _WIDTHS[0], 3, normal=False)
        # Built last, so that the indices of earlier layers match those in weights without these blocks.
        self.deep = nn.ModuleList(Residual(layout, _WIDTHS[-1]) for _ in range(deep_blocks))
        self.out = nn.Conv2d(_WIDTHS[0], 3, 5, padding=2, padding_mode="reflect")
        self.style = StyleNet(layout.total)
        for module in (*self.stages.modules(), *self.deep.modules()):
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                module.bias = nn.Parameter(torch.zeros(module.out_channels))

    def encode(self, batch: Tensor, levels: Sequence[str] = LEVELS) -> dict[str, Tensor]:
        """Features by level of `[B, 3, H, W]`; sides are multiples of `STRIDE`."""
        return self.encoder.extract(batch, levels)

    def coarse(self, features: dict[str, Tensor], moments: Moments, modulation: StyleModulation) -> Tensor:
        """The three coarse stages, `[B, 64, H / 4, W / 4]`; normalized over the whole picture."""
        x: Tensor = self.stages[4](None, self._normalized(features, moments, 4), modulation)
        for block in self.deep:
            x = block(x, modulation)
        for index in (3, 2):
            x = self.stages[index](x, self._normalized(features, moments, index), modulation)
        return x

    def fine(self, x: Tensor, features: dict[str, Tensor], batch: Tensor, moments: Moments, modulation: StyleModulation) -> Tensor:
        """The two fine stages, from `coarse`'s output to pictures `[B, 3, H, W]`; their receptive field is a few pixels."""
        x = self.stages[1](x, self._normalized(features, moments, 1), modulation)
        painted = self.stages[0](x, self._normalized(features, moments, 0), modulation)
        centered = ((batch - 0.5) * 2).to(painted.dtype, memory_format=self.encoder.compute.memory_format)
        return torch.sigmoid(_by_squares(self.out, painted + self.picture(centered, modulation)).float())

    def forward(self, batch: Tensor, features: dict[str, Tensor], moments: Moments, modulation: StyleModulation) -> Tensor:
        return self.fine(self.coarse(features, moments, modulation), features, batch, moments, modulation)

    def _normalized(self, features: dict[str, Tensor], moments: Moments, index: int) -> Tensor:
        """A level's features with mean 0 and deviation 1 by channel; `moments` are the whole picture's."""
        level = LEVELS[index]
        mean, deviation = moments.means[level], moments.deviations(level)
        floor = 1e-2 * deviation.mean(1, keepdim=True) + _CALM_SHARE * self.style.scales[index] + _EPSILON
        scale = (1 / (deviation + floor))[:, :, None, None]
        dtype = features[level].dtype
        return torch.addcmul((-mean[:, :, None, None] * scale).to(dtype), features[level], scale.to(dtype))
