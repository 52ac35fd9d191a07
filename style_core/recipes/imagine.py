"""`imagine`: abstract paintings out of a latent space, by seed, around a picture, or on a walk between two.

The space was learned by a VAE-GAN (Larsen et al. 2016) from crops of paintings; see `latent_net`. A code is mapped to
a style, which truncation draws towards the average (Karras et al. 2019), and decoded to 128 px; the generator then
repaints the enlarged picture in its own style, so that it holds up at size.
"""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.images import resize
from style_core.networks.latent import INVERSION_LAYERS, Inversion, Latent, blended, slerp
from style_core.networks.latent_net import PLACES, SIDE, W_SIZE
from style_core.options import Options, Range, option
from style_core.progress import Step, Steps
from style_core.recipes.cost_model import Cost, Situation, generator_cost
from style_core.recipes.run_history import Watch
from style_core.recipes.stylize import StylizeOptions, stylize
from style_core.weights.open import open_extractor, open_latent

FINISHES = ("painted", "plain")
MAX_COUNT = 64

_INVERSION_STEPS, _INVERSION_RATE = 80, 0.1
_COARSE, _COARSE_WEIGHT = 16, 8.0  # px a side at which colors are compared, and how much that counts
_MOST_FRAMES = 2400  # of a walk


@dataclass(frozen=True)
class ImagineOptions(Options):
    """Imagine abstract paintings from a latent space."""

    size: int = option(512, "Side of the square that results.", Range(128, 2048, 32, "px"))
    seed: int = option(0, "Which picture: every seed is another.", Range(0, 2**31 - 1, 1))
    count: int = option(1, "How many pictures: of this seed and those that follow it.", Range(1, MAX_COUNT, 1))
    truncation: float = option(0.8, "0 is the average picture of all, 1 as daring as the space goes.", Range(0, 1.5, 0.05))
    variation: float = option(0.4, "With a picture to start from: 0 reproduces it as closely as it can, 1 ignores it.", Range(0, 1, 0.05))
    finish: str = option("painted", "Enlarged by the generator, stroke by stroke, or plainly.", FINISHES)
    # The latent space's principal directions, named by what they were seen to do.
    warmth: float = option(0.0, "Less is colder and bluer, more is warmer.", Range(-4, 4, 0.1))
    darkness: float = option(0.0, "Less is lighter, more is darker.", Range(-4, 4, 0.1))
    boldness: float = option(0.0, "Less is calmer, more has bolder forms.", Range(-3, 4, 0.1))
    composition: float = option(0.0, "Moves the forms to other places.", Range(-4, 4, 0.1), expert=True)

    @property
    def axes(self) -> list[float]:
        """How far to go along each principal direction, in standard deviations."""
        return [self.boldness, self.composition, self.warmth, self.darkness]


def _found(latent: Latent, image: Tensor, total: int, started: float) -> Generator[Step, None, Inversion]:
    """A picture's place in the space, with signs of life while it is searched."""
    extractor, _ = yield from open_extractor("lite", INVERSION_LAYERS, Compute.choose("cpu", "fp32"))
    for inversion in latent.invert(image, extractor):
        yield Step(0, total, seconds=time.monotonic() - started, note="Encoding the picture.")
    return inversion


def imagine(options: ImagineOptions = ImagineOptions(), near: Tensor | None = None, *, compute: Compute | None = None) -> Steps:
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
    watch = Watch("imagine", compute, generator_cost(options.size, options.size, compute, options.count, imagined=True))
    if near is not None:
        around = yield from _found(latent, near, options.count, started)
    for index in range(options.count):
        code, noise_maps = latent.code(options.seed + index), latent.noise_maps(options.seed + index)
        if around is None:
            style = latent.style(code, options.truncation, options.axes)
        else:
            style = latent.style(slerp(around.code, code, options.variation), _truncation(options, near), options.axes)
            style = style[:, None] + (1 - options.variation) * around.detail
            noise_maps = blended(around.noise_maps, noise_maps, options.variation)
        picture = latent.paint(style, noise_maps)[0]
        image, used = finished(picture, options, compute)
        seconds = time.monotonic() - started
        eta = seconds / (index + 1) * (options.count - index - 1)
        if index + 1 == options.count and near is None:
            watch.finish()
        yield Step(index + 1, options.count, image=image, seconds=seconds, eta=eta, weights={"latent": latent.sha256, **used})


def walk(
    options: ImagineOptions = ImagineOptions(), ends: Sequence[Tensor] = (), *, frames: int = 96, compute: Compute | None = None
) -> Steps:
    """Walk through the space; each Step with an image holds a frame.

    Args:
        ends: none walks from the seed's picture to the next seed's, one from that picture to the seed's, two from one
            to the other.
        frames: of the walk, both ends included; at least 2.
    Raises:
        RequestError: for a request that can't be carried out.
    """
    if len(ends) > 2:
        raise RequestError("A walk has two ends, but {given} pictures were given; give at most two.", given=len(ends))
    if not 2 <= frames <= _MOST_FRAMES:
        raise RequestError("A walk has {frames} frames; it must have 2 to {most}.", frames=frames, most=_MOST_FRAMES)
    started = time.monotonic()
    yield Step(0, frames, note="Starting.")
    latent = open_latent()
    compute = compute or Compute.choose()
    found = []
    for image in ends:
        found.append((yield from _found(latent, image, frames, started)))
    for seed in range(options.seed, options.seed + 2 - len(found)):
        found.append(Inversion(latent.code(seed), torch.zeros(1, PLACES, W_SIZE), latent.noise_maps(seed)))
    truncation = _truncation(options, ends[0] if len(ends) == 2 else None)

    def way(share: float) -> Tensor:
        style = latent.style(slerp(found[0].code, found[1].code, share), truncation, options.axes)
        return style[:, None] + torch.lerp(found[0].detail, found[1].detail, share)

    for index, share in enumerate(latent.pace(way, frames)):
        picture = latent.paint(way(share), blended(found[0].noise_maps, found[1].noise_maps, share))[0]
        image, used = finished(picture, options, compute)
        seconds = time.monotonic() - started
        eta = seconds / (index + 1) * (frames - index - 1)
        yield Step(index + 1, frames, image=image, seconds=seconds, eta=eta, weights={"latent": latent.sha256, **used})


def _truncation(options: ImagineOptions, near: Tensor | None) -> float:
    """A picture's inversion is not drawn towards the average, for it would not be one any more; what strays from it is."""
    return options.truncation if near is None else 1 + (options.truncation - 1) * options.variation


def finished(picture: Tensor, options: ImagineOptions, compute: Compute) -> tuple[Tensor, dict[str, str]]:
    """A decoded picture at the size of the result, and the sha256 of the network that finished it, by its name."""
    enlarged = resize(picture, (options.size, options.size)).clamp(0, 1)
    if options.finish == "plain" or options.size == SIDE:
        return enlarged, {}
    *_, last = stylize(enlarged, [picture], StylizeOptions(size=options.size, style_scale=1.0), compute=compute)
    return last.result, dict(last.weights)


def imagine_cost(options: ImagineOptions, given: Situation) -> Cost:
    """What pictures of the latent space take, by the model alone."""
    cost = generator_cost(options.size, options.size, given.compute, options.count, imagined=True)
    return Cost("imagine", cost, (options.size, options.size))
