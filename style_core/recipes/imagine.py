"""`imagine`: abstract paintings from a latent space: by seed, similar to a picture, or on the way between two.

The space was learned by a VAE-GAN (Larsen et al. 2016) from crops of paintings; see `latent_net`. A code is mapped to a style,
which truncation moves toward the mean (Karras et al. 2019), and decoded to 128 px. The generator then paints the enlarged picture in an
imagined style, drawn from the style prior, which gives it detail and colors.
"""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.images import resize
from style_core.networks.latent import INVERSION_LAYERS, Inversion, Latent, blended, slerp
from style_core.networks.latent_net import PLACES, W_SIZE
from style_core.options import SEED_COUNT, SEEDS, Options, Range, option
from style_core.progress import Step, Steps
from style_core.recipes.cost_model import Cost, Situation, generator_cost, inversion_seconds
from style_core.recipes.run_history import Watch
from style_core.weights.open import open_extractor, open_generator, open_latent, open_style_prior

FINISHES = ("painted", "plain")
MAX_COUNT = 64

_MOST_FRAMES = 2400  # of a morph
MORPH_FRAMES = 96
_NO_STYLE = torch.zeros(1, 0)


@dataclass(frozen=True)
class ImagineOptions(Options):
    """Imagine abstract paintings from a latent space."""

    size: int = option(512, "Side of the square result.", Range(128, 2048, 32, "px"))
    seed: int = option(0, "Which picture: each number gives a different one.", SEEDS)
    count: int = option(1, "Number of pictures, from this seed on.", Range(1, MAX_COUNT, 1))
    truncation: float = option(0.8, "0 gives average shapes; higher values give more unusual ones.", Range(0, 1.5, 0.05))
    variation: float = option(0.4, "With a picture to start from: 0 reproduces it as closely as possible, 1 ignores it.", Range(0, 1, 0.05))
    finish: str = option("painted", "Painted in a style of its own, or only enlarged.", FINISHES)
    # Of the colors: directions of the style, or of the latent space for plain pictures.
    warmth: float = option(0.0, "Lower values are colder and bluer, higher values warmer.", Range(-4, 4, 0.1))
    darkness: float = option(0.0, "Lower values are lighter, higher values darker.", Range(-4, 4, 0.1))
    vividness: float = option(0.0, "Lower values are grayer, higher values more colorful; only for painted pictures.", Range(-4, 4, 0.1))
    # Of the shapes: the latent space's principal directions, named by their visible effect.
    boldness: float = option(0.0, "Lower values are calmer, higher values have bolder shapes.", Range(-3, 4, 0.1))
    composition: float = option(0.0, "Moves the shapes around.", Range(-4, 4, 0.1), expert=True)

    @property
    def axes(self) -> list[float]:
        """How far to go along each principal direction, in standard deviations; a painted picture's style has the colors."""
        colors = [self.warmth, self.darkness] if self.finish == "plain" else [0.0, 0.0]
        return [self.boldness, self.composition, *colors]

    @property
    def colors(self) -> dict[str, float]:
        """How far to change each attribute of the style's colors."""
        return {"warmth": self.warmth, "darkness": self.darkness, "vividness": self.vividness}


def nth(options: ImagineOptions, index: int) -> ImagineOptions:
    """Options that make the picture `index` of those that `options` ask for, counted from 0."""
    return replace(options, seed=(options.seed + index) % SEED_COUNT, count=1)


def _found(latent: Latent, image: Tensor, total: int, started: float) -> Generator[Step, None, Inversion]:
    """Invert a picture; yields Steps meanwhile."""
    extractor, _ = yield from open_extractor("lite", INVERSION_LAYERS, Compute.choose("cpu", "fp32"))
    for inversion in latent.invert(image, extractor):
        yield Step(0, total, seconds=time.monotonic() - started, note="Encoding the picture.")
    return inversion


def imagine(options: ImagineOptions = ImagineOptions(), near: Tensor | None = None, *, compute: Compute | None = None) -> Steps:
    """Imagine `options.count` pictures; each Step with an image holds the next of them, and its seed is `seed + k`.

    Args:
        near: `[3, h, w]`, a picture to vary; None samples from the prior.
        compute: where to finish pictures; None chooses.
    Raises:
        RequestError: for a request that can't be carried out.
    """
    started = time.monotonic()
    yield Step(0, options.count, note="Starting.")
    latent = open_latent()
    compute = compute or Compute.choose()
    finish = _Finish(options, compute)
    watch = Watch("imagine", compute, generator_cost(options.size, options.size, compute, options.count, imagined=True))
    around = None
    if near is not None:
        around = (yield from _found(latent, near, options.count, started)), finish.seen(near)
    for index in range(options.count):
        seed = nth(options, index).seed
        code, noise_maps, manner = latent.code(seed), latent.noise_maps(seed), finish.imagined(seed)
        if around is None:
            style = latent.style(code, options.truncation, options.axes)
        else:
            inversion, seen = around
            truncation = 1 + (options.truncation - 1) * options.variation  # of the variation alone, as in `morph`
            style = latent.style(slerp(inversion.code, code, options.variation), truncation, options.axes)
            style = style[:, None] + (1 - options.variation) * inversion.detail
            noise_maps = blended(inversion.noise_maps, noise_maps, options.variation)
            manner = torch.lerp(seen, manner, options.variation)
        image = finish.paint(latent.paint(style, noise_maps)[0], manner)
        seconds = time.monotonic() - started
        eta = seconds / (index + 1) * (options.count - index - 1)
        if index + 1 == options.count and near is None:
            watch.finish()
        weights = {"latent": latent.sha256, **finish.weights}
        watch.pause()  # others may compute meanwhile
        yield Step(index + 1, options.count, image=image, seconds=seconds, eta=eta, weights=weights)
        watch.resume()


def morph(
    options: ImagineOptions = ImagineOptions(), ends: Sequence[Tensor] = (), *, frames: int = MORPH_FRAMES, compute: Compute | None = None
) -> Steps:
    """Pass through the space from one picture to another; each Step with an image holds a frame.

    Args:
        ends: with none, the morph goes from the seed's picture to the next seed's; with one, from that picture to the seed's; with
            two, from one to the other.
        frames: number of frames, including both ends; at least 2.
    Raises:
        RequestError: for a request that can't be carried out.
    """
    if len(ends) > 2:
        raise RequestError("A morph has two ends, but {given} pictures were given; give at most two.", given=len(ends))
    if not 2 <= frames <= _MOST_FRAMES:
        raise RequestError("A morph needs 2 to {most} frames; {frames} were asked for.", frames=frames, most=_MOST_FRAMES)
    started = time.monotonic()
    yield Step(0, frames, note="Starting.")
    latent = open_latent()
    finish = _Finish(options, compute or Compute.choose())
    # Truncation would make a picture's inversion differ from the picture.
    found, manners, truncations = [], [], [1.0] * len(ends) + [options.truncation] * (2 - len(ends))
    for image in ends:
        found.append((yield from _found(latent, image, frames, started)))
        manners.append(finish.seen(image))
    for seed in [nth(options, index).seed for index in range(2 - len(found))]:
        found.append(Inversion(latent.code(seed), torch.zeros(1, PLACES, W_SIZE), latent.noise_maps(seed)))
        manners.append(finish.imagined(seed))

    def way(share: float) -> Tensor:
        truncation = (1 - share) * truncations[0] + share * truncations[1]
        style = latent.style(slerp(found[0].code, found[1].code, share), truncation, options.axes)
        return style[:, None] + torch.lerp(found[0].detail, found[1].detail, share)

    for index, share in enumerate(latent.pace(way, frames)):
        picture = latent.paint(way(share), blended(found[0].noise_maps, found[1].noise_maps, share))[0]
        image = finish.paint(picture, torch.lerp(manners[0], manners[1], share))
        seconds = time.monotonic() - started
        eta = seconds / (index + 1) * (frames - index - 1)
        weights = {"latent": latent.sha256, **finish.weights}
        yield Step(index + 1, frames, image=image, seconds=seconds, eta=eta, weights=weights)


class _Finish:
    """Enlarges decoded pictures and, unless they are to stay plain, paints them.

    Styles are codes `[1, 265]`; those of plain pictures are empty, `[1, 0]`.
    """

    def __init__(self, options: ImagineOptions, compute: Compute):
        self._options, self._networks = options, None
        if options.finish == "painted":
            generator = open_generator(compute)
            self._networks = generator, open_style_prior(generator.sha256)

    @property
    def weights(self) -> dict[str, str]:
        """The sha256 of each file in use, by name."""
        if self._networks is None:
            return {}
        generator, prior = self._networks
        return {"generator": generator.sha256, "styles": prior.sha256}

    def imagined(self, seed: int) -> Tensor:
        """The style of a seed."""
        if self._networks is None:
            return _NO_STYLE
        _, prior = self._networks
        return prior.moved(prior.code(seed), self._options.colors)

    def seen(self, image: Tensor) -> Tensor:
        """The style of a picture `[3, h, w]`."""
        if self._networks is None:
            return _NO_STYLE
        generator, prior = self._networks
        return prior.moved(generator.encode_style(image), self._options.colors)

    def paint(self, picture: Tensor, style: Tensor) -> Tensor:
        """A decoded picture `[3, SIDE, SIDE]` at the size of the result."""
        enlarged = resize(picture, (self._options.size, self._options.size)).clamp(0, 1)
        if self._networks is None:
            return enlarged
        generator, _ = self._networks
        *_, (_, _, painted) = generator.paint(generator.encode_content(enlarged, remember=False), [style])
        assert painted is not None  # the last one is the whole picture
        return painted


def imagine_cost(options: ImagineOptions, given: Situation) -> Cost:
    """Predicted cost of pictures from the latent space."""
    cost = generator_cost(options.size, options.size, given.compute, options.count, imagined=True)
    if given.started:
        cost = replace(cost, seconds=cost.seconds + inversion_seconds())
    return Cost("imagine", cost, (options.size, options.size))
