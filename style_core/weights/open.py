"""Open a network by name: find or fetch its file, check it, load it once per process."""

import threading
from collections import OrderedDict, abc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.files import sha256_of
from style_core.messages import Message
from style_core.networks.backbones import BACKBONES, EXTRACTORS
from style_core.networks.extractor import FeatureExtractor, check_layers
from style_core.networks.generator import Generator
from style_core.networks.latent import Latent
from style_core.networks.sharpening import GramSharpening
from style_core.networks.style_prior import StylePrior
from style_core.networks.vgg19 import layer_name
from style_core.progress import Step
from style_core.weights import registry as weights

_KEPT = 3  # networks of a kind that are kept loaded


class _Loaded:
    """A cache of loaded networks. They are frozen, so all runs of a process share them."""

    def __init__(self, kept: int = 1):
        self._networks: OrderedDict[tuple, Any] = OrderedDict()
        self._kept, self._lock = kept, threading.Lock()

    def get(self, path: Path, *made_for: Any, load: Callable[[], Any]) -> Any:
        key = (str(path), path.stat().st_mtime_ns, *made_for)
        with self._lock:
            if key not in self._networks:
                while len(self._networks) >= self._kept:
                    self._networks.popitem(last=False)
                self._networks[key] = load()
            self._networks.move_to_end(key)
            return self._networks[key]


_extractors, _generators, _latents, _priors, _sharpenings = _Loaded(_KEPT), _Loaded(), _Loaded(), _Loaded(), _Loaded()


def open_generator(compute: Compute) -> Generator:
    """The shipped generator, loaded once per process.

    Raises:
        RequestError: when its file is missing or not the one that ships.
    """
    path = weights.shipped("generator")
    return _generators.get(path, compute, load=lambda: Generator.load(path, compute))


def open_latent() -> Latent:
    """The shipped latent space, loaded once per process.

    Raises:
        RequestError: when its file is missing or not the one that ships.
    """
    path = weights.shipped("latent")
    return _latents.get(path, load=lambda: Latent.load(path))


def open_style_prior(generator_sha256: str = "") -> StylePrior:
    """The shipped style prior, loaded once per process.

    Args:
        generator_sha256: of the generator that will use it; codes of one generator don't fit another.
    Raises:
        RequestError: when its file is missing, not the one that ships, or made for another generator.
    """
    path = weights.shipped("styles")
    prior: StylePrior = _priors.get(path, load=lambda: StylePrior.load(path))
    if generator_sha256 and prior.generator_sha256 != generator_sha256:
        raise RequestError("The style prior belongs to another generator; make it again with style_core.training.style_prior.")
    return prior


def open_gram_sharpening() -> GramSharpening:
    """The shipped maps from thumbnails' Gram matrices to paintings', loaded once per process.

    Raises:
        RequestError: when their file is missing, not the one that ships, or made for another `lite`.
    """
    path = weights.shipped("sharpening")
    sharpening: GramSharpening = _sharpenings.get(path, load=lambda: GramSharpening.load(path))
    if sharpening.lite_sha256 != weights.registry()["lite"].sha256:
        raise RequestError("The maps of Gram matrices belong to another lite; make them again with style_core.training.gram_sharpening.")
    return sharpening


def open_extractor(
    choice: str, layers: Iterable[str], compute: Compute, pooling: str = "max"
) -> abc.Generator[Step, None, tuple[FeatureExtractor, str]]:
    """Open an extractor, fetching its weights if necessary: `extractor, note = yield from open_extractor(...)`.

    Args:
        choice: one of `BACKBONES`, or `auto`: VGG-19 if its weights are here or can be downloaded, else `lite`.
        layers: the ones that will be used; deeper tensors are not fetched.
    Returns:
        The extractor, and a note that says if `lite` is used instead of VGG-19, and why.
    Raises:
        RequestError: for an unknown choice or layer, or when weights requested by name are unavailable.
    """
    if choice not in EXTRACTORS:
        raise RequestError(
            "{option} is {value}; it must be one of {allowed}.", option="extractor", value=choice, allowed=", ".join(EXTRACTORS)
        )
    names = [layer_name(layer) for layer in layers]
    note = ""
    if choice == "auto":
        try:
            path = yield from weights.fetch("vgg19", names)
            return _cached("vgg19", path, compute, pooling), note
        except weights.WeightsError as error:
            reason = error.reason if isinstance(error, weights.HubUnavailable) else str(error)
            choice, note = "lite", Message("Using the built-in network instead of VGG-19: {reason}", reason=reason)
    check_layers(choice, names, BACKBONES[choice].layers)
    path = yield from weights.fetch(choice, names, patient=True)  # by name, or it ships
    return _cached(choice, path, compute, pooling), note


def _cached(name: str, path: Path, compute: Compute, pooling: str) -> FeatureExtractor:
    def load() -> FeatureExtractor:
        extractor = BACKBONES[name].load(path, compute, pooling)
        extractor.sha256 = sha256_of(path)
        return extractor

    return _extractors.get(path, name, compute, pooling, load=load)
