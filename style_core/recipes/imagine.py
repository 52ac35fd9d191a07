"""`imagine`: abstract paintings out of a latent space, by seed, around a picture, or on a walk between two.

The space was learned by a VAE-GAN (Larsen et al. 2016) from crops of paintings; see `latent_net`. A code is mapped to
a style, which truncation draws towards the average (Karras et al. 2019), and decoded to 128 px; the generator then
repaints the enlarged picture in its own style, so that it holds up at size.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from style_core.weights import registry as weights
from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.networks.extractor import FeatureExtractor, open_extractor
from style_core.recipes.stylize import StylizeOptions, stylize
from style_core.media.images import fit_short, resize
from style_core.networks.latent import PLACES, SIDE, W_SIZE, WIDTHS, Z_SIZE, LatentNet
from style_core.optimization.losses import relative_distances
from style_core.options import Options, Range, option
from style_core.progress import Step

FINISHES = ("painted", "plain")
MAX_COUNT = 64
AXES = 4

_LIKENESS_STEPS, _LIKENESS_RATE = 80, 0.1
_LIKENESS_LAYERS = ("relu2_1", "relu3_1", "relu4_1")
_PACED_SIDE = 32             # px, of the pictures by which a walk keeps its pace
_COARSE, _COARSE_WEIGHT = 16, 8.0     # px a side at which colours are compared, and how much that counts


@dataclass(frozen=True)
class ImagineOptions(Options):
    """Imagine abstract paintings from a latent space."""

    size: int = option(512, "Side of the square that results.", Range(128, 2048, 32, "px"))
    seed: int = option(0, "Which picture: every seed is another.", Range(0, 2**31 - 1, 1))
    count: int = option(1, "How many pictures: of this seed and those that follow it.", Range(1, MAX_COUNT, 1))
    truncation: float = option(0.8, "0 is the average picture of all, 1 as daring as the space goes.", Range(0, 1.5, 0.05))
    variation: float = option(0.4, "With a picture to start from: 0 gives its nearest likeness, 1 forgets it.", Range(0, 1, 0.05))
    finish: str = option("painted", "Enlarged by the generator, stroke by stroke, or plainly.", FINISHES)
    axis1: float = option(0.0, "Along the direction in which pictures differ most.", Range(-4, 4, 0.1, "sd"))
    axis2: float = option(0.0, "Along the second direction.", Range(-4, 4, 0.1, "sd"))
    axis3: float = option(0.0, "Along the third direction.", Range(-4, 4, 0.1, "sd"), expert=True)
    axis4: float = option(0.0, "Along the fourth direction.", Range(-4, 4, 0.1, "sd"), expert=True)

    @property
    def axes(self) -> list[float]:
        """How far to go along each principal direction, in standard deviations."""
        return [getattr(self, f"axis{number}") for number in range(1, AXES + 1)]


@dataclass(frozen=True)
class Likeness:
    """Where a picture is found in the latent space.

    Attributes:
        code: what the encoder reads in it, `[1, Z_SIZE]`.
        detail: what has to be added to the code's style, place by place, to come nearer to it: `[1, PLACES, W_SIZE]`.
        grain: where its strokes fall, `[1, 1, s, s]` for each stage.
    """

    code: Tensor
    detail: Tensor
    grain: list[Tensor]


class Latent:
    """The loaded latent space.

    Args:
        net: encoder and decoder, float32, on the CPU: a picture takes some 20 ms.
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
            raise RequestError(f"{Path(path).name} does not hold the latent space: {error}") from error
        return cls(net.requires_grad_(False).eval(), weights.sha256_of(Path(path)))

    def code(self, seed: int) -> Tensor:
        """The code of a seed, `[1, Z_SIZE]`, drawn from the prior."""
        return torch.randn(1, Z_SIZE, generator=torch.Generator().manual_seed(seed))

    def grain(self, seed: int) -> list[Tensor]:
        """The noise of a seed, `[1, 1, s, s]` for each stage: where its strokes fall, which no code says."""
        generator = torch.Generator().manual_seed(seed)
        return [torch.randn(1, 1, size, size, generator=generator) for size in WIDTHS]

    @torch.no_grad()
    def encode(self, image: Tensor) -> Tensor:
        """The code of the square in the middle of a picture `[3, h, w]`: `[1, Z_SIZE]`, as long as the prior's are."""
        mean = self.net.encoder(_middle(image)[None])[0]
        return mean * (Z_SIZE**0.5 / mean.norm(dim=1, keepdim=True).clamp_min(1e-6))

    def search(self, image: Tensor, extractor: FeatureExtractor) -> Iterator[Likeness]:
        """Find a picture: encode it, then go on by optimisation from there (Zhu et al. 2016); each likeness is nearer.

        Styles (W+, Abdal et al. 2019) and noise (Karras et al. 2020, appendix D) both move; the noise keeps its unit size.

        Args:
            extractor: whose features of picture and likeness are compared.
        """
        target, code = _middle(image)[None], self.encode(image)
        start = self.style(code)[:, None].expand(1, PLACES, W_SIZE)
        with torch.enable_grad():
            detail = torch.zeros_like(start).requires_grad_()
            grain = [noise.requires_grad_() for noise in self.grain(0)]
            optimizer = torch.optim.Adam([detail, *grain], lr=_LIKENESS_RATE, betas=(0.9, 0.99))
            with torch.no_grad():
                truth = extractor.extract(target, _LIKENESS_LAYERS)
            for step in range(_LIKENESS_STEPS):
                optimizer.param_groups[0]["lr"] = _LIKENESS_RATE * (1 - step / _LIKENESS_STEPS)
                found = self.net.decoder(start + detail, SIDE, grain)
                features = extractor.extract(found, _LIKENESS_LAYERS)
                colors = [functional.adaptive_avg_pool2d(batch, _COARSE) for batch in (found, target)]
                loss = sum(relative_distances(features[layer], truth[layer]) for layer in _LIKENESS_LAYERS).sum()
                loss = loss + _COARSE_WEIGHT * (colors[0] - colors[1]).abs().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                with torch.no_grad():
                    for noise in grain:
                        noise.div_(noise.square().mean().sqrt())
                yield Likeness(code, detail.detach().clone(), [noise.detach().clone() for noise in grain])

    @torch.no_grad()
    def style(self, code: Tensor, truncation: float = 1.0, axes: Sequence[float] = ()) -> Tensor:
        """Codes `[B, Z_SIZE]` -> styles `[B, W_SIZE]`, drawn towards the mean and moved along the principal directions."""
        w = torch.lerp(self.net.mean, self.net.decoder.styles(code), truncation)
        for axis, amount in zip(self.net.axes, axes):
            w = w + amount * axis
        return w

    @torch.no_grad()
    def paint(self, w: Tensor, grain: list[Tensor] | None = None) -> Tensor:
        """Styles `[B, W_SIZE]` or `[B, PLACES, W_SIZE]` -> pictures `[B, 3, SIDE, SIDE]`; without a grain, seed 0's."""
        return self.net.decoder(w, SIDE, grain or self.grain(0))

    def shown(self, likeness: Likeness) -> Tensor:
        """The picture of a likeness, `[1, 3, SIDE, SIDE]`."""
        return self.paint(self.style(likeness.code)[:, None] + likeness.detail, likeness.grain)

    @torch.no_grad()
    def pace(self, way: Callable[[float], Tensor], frames: int) -> list[float]:
        """Where on a way to stop for `frames` pictures that differ evenly: shares of it, from 0 to 1.

        Equal steps of a code are unequal steps of its picture: some stretches change little, others much.
        """
        shares = torch.linspace(0, 1, 2 * frames)
        styles = torch.cat([way(float(share)) for share in shares])
        pictures = torch.cat([self.net.decoder(part, _PACED_SIDE, self.grain(0)) for part in styles.split(32)])
        steps = (pictures[1:] - pictures[:-1]).square().mean((1, 2, 3)).sqrt()
        # Where nothing changes at all the way still goes on.
        gone = torch.cat([torch.zeros(1), (steps + steps.mean() / 10 + 1e-9).cumsum(0)])
        return numpy.interp(numpy.linspace(0, float(gone[-1]), frames), gone.numpy(), shares.numpy()).tolist()


def _found(latent: Latent, image: Tensor, total: int, started: float) -> Generator[Step, None, Likeness]:
    """A picture's place in the space, with signs of life while it is searched."""
    extractor, _ = yield from open_extractor("lite", _LIKENESS_LAYERS, Compute.choose("cpu", "fp32"))
    for likeness in latent.search(image, extractor):
        yield Step(0, total, seconds=time.monotonic() - started, note="Looking for its likeness.")
    return likeness


def _middle(image: Tensor) -> Tensor:
    """The square in the middle of a picture, `[3, SIDE, SIDE]`."""
    sized = fit_short(image, SIDE)
    top, left = ((side - SIDE) // 2 for side in sized.shape[-2:])
    return sized[:, top : top + SIDE, left : left + SIDE]


_loaded: dict[tuple, Latent] = {}
_loading = threading.Lock()


def open_latent() -> Latent:
    """The shipped latent space, loaded once a process.

    Raises:
        RequestError: when its file is missing or not the one that ships.
    """
    path = weights.find("latent")
    key = (str(path), path.stat().st_mtime_ns)
    with _loading:
        if key not in _loaded:
            _loaded.clear()
            _loaded[key] = Latent.load(path)
        return _loaded[key]


def slerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """Spherical interpolation of codes, or of noise (Shoemake 1985; White 2016): on the way, lengths stay the prior's."""
    cosine = (start * end).sum() / (start.norm() * end.norm()).clamp_min(1e-12)
    angle = torch.arccos(cosine.clamp(-1, 1))
    if angle < 1e-4:
        return torch.lerp(start, end, share)
    return (torch.sin((1 - share) * angle) * start + torch.sin(share * angle) * end) / torch.sin(angle)


def blended(start: list[Tensor], end: list[Tensor], share: float) -> list[Tensor]:
    """Noise on the way from one grain to another, of the same size all along."""
    return [slerp(one, two, share) for one, two in zip(start, end, strict=True)]


def imagine(
    options: ImagineOptions = ImagineOptions(), near: Tensor | None = None, *, compute: Compute | None = None
) -> Iterator[Step]:
    """Imagine `options.count` pictures; each Step with an image holds the next of them, and its seed is `seed + k`.

    Args:
        near: `[3, h, w]`, a picture to vary; None draws from the prior.
        compute: where to finish pictures; None chooses.
    Raises:
        RequestError: for a request that can't be carried out.
    """
    started = time.monotonic()
    yield Step(0, options.count, note="Starting.")
    latent = open_latent()
    compute = compute or Compute.choose()
    around = None
    if near is not None:
        around = yield from _found(latent, near, options.count, started)
    for index in range(options.count):
        code, grain = latent.code(options.seed + index), latent.grain(options.seed + index)
        if around is None:
            style = latent.style(code, options.truncation, options.axes)
        else:
            style = latent.style(slerp(around.code, code, options.variation), _truncation(options, near), options.axes)
            style = style[:, None] + (1 - options.variation) * around.detail
            grain = blended(around.grain, grain, options.variation)
        picture = latent.paint(style, grain)[0]
        image, used = finished(picture, options, compute)
        seconds = time.monotonic() - started
        eta = seconds / (index + 1) * (options.count - index - 1)
        yield Step(index + 1, options.count, image=image, seconds=seconds, eta=eta, weights={"latent": latent.sha256, **used})


def walk(
    options: ImagineOptions = ImagineOptions(), ends: Sequence[Tensor] = (), *, frames: int = 96, compute: Compute | None = None
) -> Iterator[Step]:
    """Walk through the space; each Step with an image holds a frame.

    Args:
        ends: none walks from the seed's picture to the next seed's, one from that picture to the seed's, two from one
            to the other.
        frames: of the walk, both ends included; at least 2.
    Raises:
        RequestError: for a request that can't be carried out.
    """
    if len(ends) > 2:
        raise RequestError(f"A walk has two ends, and {len(ends)} pictures were given; give two at most.")
    if frames < 2:
        raise RequestError(f"A walk of {frames} frames goes nowhere; it needs 2 or more.")
    started = time.monotonic()
    yield Step(0, frames, note="Starting.")
    latent = open_latent()
    compute = compute or Compute.choose()
    found = []
    for image in ends:
        found.append((yield from _found(latent, image, frames, started)))
    for seed in range(options.seed, options.seed + 2 - len(found)):
        found.append(Likeness(latent.code(seed), torch.zeros(1, PLACES, W_SIZE), latent.grain(seed)))
    truncation = _truncation(options, ends[0] if len(ends) == 2 else None)

    def way(share: float) -> Tensor:
        style = latent.style(slerp(found[0].code, found[1].code, share), truncation, options.axes)
        return style[:, None] + torch.lerp(found[0].detail, found[1].detail, share)

    for index, share in enumerate(latent.pace(way, frames)):
        picture = latent.paint(way(share), blended(found[0].grain, found[1].grain, share))[0]
        image, used = finished(picture, options, compute)
        seconds = time.monotonic() - started
        eta = seconds / (index + 1) * (frames - index - 1)
        yield Step(index + 1, frames, image=image, seconds=seconds, eta=eta, weights={"latent": latent.sha256, **used})


def _truncation(options: ImagineOptions, near: Tensor | None) -> float:
    """A picture's likeness is not drawn towards the average, for it would not be one any more; what strays from it is."""
    return options.truncation if near is None else 1 + (options.truncation - 1) * options.variation


def finished(picture: Tensor, options: ImagineOptions, compute: Compute) -> tuple[Tensor, dict[str, str]]:
    """A decoded picture at the size of the result, and the sha256 of the network that finished it, by its name."""
    enlarged = resize(picture, (options.size, options.size)).clamp(0, 1)
    if options.finish == "plain" or options.size == SIDE:
        return enlarged, {}
    *_, last = stylize(enlarged, [picture], StylizeOptions(size=options.size, style_scale=1.0), compute=compute)
    return last.image, dict(last.weights)
