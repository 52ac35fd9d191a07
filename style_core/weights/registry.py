"""Weights: from a name in the registry to a verified file on this machine.

Searched in this order: a file given by hand (such as `STYLE_CORE_VGG19=/path`), one that ships in `models/`, one in the cache, the hub.
Nothing is unpickled, and every file is checked before it is used.
"""

import os
import shutil
import time
import tomllib
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import torch
from filelock import FileLock, Timeout
from huggingface_hub import constants
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from style_core.files import forget_digests, sha256_of
from style_core.messages import Message
from style_core.networks.backbones import BACKBONES
from style_core.networks.vgg19 import LAYERS, layer_name
from style_core.progress import Step
from style_core.weights import hub
from style_core.weights.verify import HubUnavailable, WeightsError, check_golden, check_network

__all__ = ["Entry", "HubUnavailable", "WeightsError", "fetch", "find", "registry", "sha256_of", "shipped", "verify", "whereabouts"]


def _models_folder() -> Path:
    """`models/` of a clone, or the copy of it inside an installed package."""
    package = Path(__file__).resolve().parent.parent
    clone = package.parent / "models"
    return clone if (clone / "registry.toml").is_file() else package / "_models"


MODELS = _models_folder()
_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_SECONDS_A_STEP = 0.3
_MEGABYTE = 2**20
_T = TypeVar("_T")


@dataclass(frozen=True)
class Entry:
    """A weight file in the registry.

    Attributes:
        name: as in options and commands.
        about: a one-sentence description.
        license, source: its terms and where it comes from.
        bytes: size of the file, or of the tensors used.
        file: name in `models/` if it ships, else in `repo`.
        sha256: of a shipped file.
        repo, revision: on the hub.
    """

    name: str
    about: str
    license: str
    source: str
    bytes: int
    file: str
    sha256: str = ""
    repo: str = ""
    revision: str = "main"


@lru_cache(maxsize=1)
def registry() -> dict[str, Entry]:
    """All entries of `models/registry.toml`, by name."""
    return {name: Entry(name=name, **facts) for name, facts in read_table("registry.toml").items()}


def read_table(name: str) -> dict[str, dict]:
    """A table of `models/`.

    Raises:
        WeightsError: when it is missing or damaged.
    """
    try:
        with (MODELS / name).open("rb") as file:
            return tomllib.load(file)
    except (OSError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise WeightsError("{file} in models/ is missing or damaged; get the project's files again.", file=name) from error


def cache_folder() -> Path:
    """Where downloaded tensors are kept: beside the hub client's own cache (`HF_HOME`)."""
    return Path(constants.HF_HOME) / "pentimento"


def find(name: str, layers: Iterable[str] | None = None) -> Path | None:
    """A verified file on this machine, or None. Uses no network.

    Args:
        layers: the ones that will be used, by default all; a cached network that is too shallow is not returned.
    Raises:
        WeightsError: for an unknown name, or a given or shipped file that is wrong.
    """
    entry = _entry(name)
    if not entry.repo:
        return _check_shipped(entry)
    deepest = _deepest(name, layers)
    if given := os.environ.get(_variable(name), ""):
        return _check_given(name, Path(given), deepest)
    return _cached(name) if _reaches(name, _cached(name), deepest) else None


def shipped(name: str) -> Path:
    """The verified file of an entry that ships in `models/`.

    Raises:
        WeightsError: when it is missing or not the one that ships.
    """
    return _check_shipped(_entry(name))


def fetch(name: str, layers: Iterable[str] | None = None, patient: bool = False) -> Generator[Step, None, Path]:
    """Like `find`, but downloads a missing file from the hub, yielding Steps meanwhile.

    Args:
        patient: wait for the hub's first answer for half a minute, as for weights that are requested by name.
    Returns:
        The verified file's path: `path = yield from fetch(name)`.
    Raises:
        WeightsError: when it is unavailable; within five seconds if the hub doesn't answer, unless `patient`.
    """
    layers = None if layers is None else tuple(layers)
    found = find(name, layers)
    if found is not None:
        return found
    entry, deepest = _entry(name), _deepest(name, layers)
    with _saving_in_words():
        cache_folder().mkdir(parents=True, exist_ok=True)
    try:
        remote, spans = yield from _offered(entry, deepest, hub.PATIENT_SECONDS if patient else hub.DECIDE_SECONDS)
        with _saving_in_words():
            return (yield from _download(entry, deepest, remote, spans))
    except hub.HubError as error:
        raise HubUnavailable(str(error), _variable(name)) from error


def whereabouts(name: str) -> str:
    """Where a weight file is now: given by hand, shipped, cached, or on the hub."""
    entry = _entry(name)
    if not entry.repo:
        return "shipped" if (MODELS / entry.file).is_file() else "missing from models/"
    if os.environ.get(_variable(name), ""):
        return Message("set by {variable}", variable=_variable(name))
    if _reaches(name, _cached(name), LAYERS[0]):
        return "cached from the hub"
    return Message("on the hub, at {repo}", repo=entry.repo)


def verify(name: str) -> str:
    """Hash and test a weight file, ignoring cached results.

    Returns:
        A sentence with the result.
    Raises:
        WeightsError: when the file is wrong.
    """
    forget_digests()
    _checked.cache_clear()
    entry = _entry(name)
    path = find(name, LAYERS[:1])
    if path is None and os.path.isfile(_cached(name)):
        raise WeightsError("{file} in the cache is damaged; `weights pull {weights}` gets it again.", file=_cached(name).name, weights=name)
    if path is None:
        return f"not on this machine; it is {whereabouts(name)}"
    if entry.repo:
        tensors = _load(path)
        backbone = BACKBONES[name]
        deepest = next(layer for layer in reversed(backbone.layers) if backbone.tensors(layer).keys() <= tensors.keys())
        check_network(backbone, tensors, deepest, path.name)
    else:
        check_golden(path)
    return f"good ({whereabouts(name)}, sha256 {sha256_of(path)[:16]}…)"


def _entry(name: str) -> Entry:
    if name not in registry():
        raise WeightsError("There are no weights called {weights}; there are {known}.", weights=name, known=", ".join(registry()))
    return registry()[name]


def _cached(name: str) -> Path:
    """Where a network from the hub is kept."""
    return cache_folder() / f"{name}.safetensors"


def _deepest(name: str, layers: Iterable[str] | None) -> str:
    layers = BACKBONES[name].layers if layers is None else layers
    return max((layer_name(layer) for layer in layers), key=LAYERS.index, default=LAYERS[0])


def _variable(name: str) -> str:
    """The environment variable that can point to a local copy of a file from the hub."""
    return f"STYLE_CORE_{name.upper()}"


def _check_given(name: str, path: Path, deepest: str) -> Path:
    if not path.is_file():
        raise WeightsError(
            "{variable} points to {file}, which is not a file; give the path of {network}'s safetensors file.",
            variable=_variable(name),
            file=path.name,
            network=BACKBONES[name].title,
        )
    _checked(name, path, path.stat().st_mtime_ns, deepest)
    return path


def _check_shipped(entry: Entry) -> Path:
    path = MODELS / entry.file
    if not path.is_file():
        raise WeightsError("{file} is missing from models/; get the project's files again.", file=entry.file)
    if sha256_of(path) != entry.sha256:
        raise WeightsError("{file} in models/ is not the shipped file (its sha256 differs); get it again.", file=entry.file)
    return path


@lru_cache(maxsize=8)
def _checked(name: str, path: Path, mtime: int, deepest: str) -> None:
    check_network(BACKBONES[name], _load(path), deepest, path.name)


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError("{file} is not a complete safetensors file ({reason}).", file=path.name, reason=str(error)) from error


def _reaches(name: str, path: Path, deepest: str) -> bool:
    """Whether a cached file is there, complete and deep enough. Its content was checked when it was saved."""
    # os.path returns False for a folder without access; Path would raise.
    if not os.path.isfile(path):
        return False
    try:
        with safe_open(path, "pt") as file:
            return BACKBONES[name].tensors(deepest).keys() <= set(file.keys())
    except (SafetensorError, OSError):
        return False


@contextmanager
def _saving_in_words() -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise WeightsError("The weights could not be saved to the cache folder ({reason}).", reason=reason) from error


def _offered(entry: Entry, deepest: str, seconds: float) -> Generator[Step, None, tuple[hub.Remote, dict[str, hub.TensorSpan]]]:
    """What the hub has: the file at its commit, with the tensors up to `deepest` among its spans; `seconds` as in `hub.read_spans`."""
    backbone = BACKBONES[entry.name]
    asking = hub.read_spans(hub.Remote(entry.repo, entry.revision, entry.file), seconds)
    remote, spans = yield from _as_steps(asking, Message("Requesting {weights} from the hub.", weights=entry.name))
    if missing := backbone.tensors(deepest).keys() - spans.keys():
        raise WeightsError(
            "{file} of {repo} has no tensor {missing}; it is not {network}.",
            file=entry.file,
            repo=entry.repo,
            missing=min(missing),
            network=backbone.title,
        )
    return remote, spans


def _download(entry: Entry, deepest: str, remote: hub.Remote, spans: dict[str, hub.TensorSpan]) -> Generator[Step, None, Path]:
    with ExitStack() as held:
        # One process at a time: two would write to the same files.
        while True:
            try:
                held.enter_context(FileLock(cache_folder() / f"{entry.name}.lock", timeout=_SECONDS_A_STEP))
                break
            except Timeout:
                yield Step(0, 0, note=Message("Another run is downloading {weights}; waiting for it.", weights=entry.name))
        found = find(entry.name, [deepest])
        return found or (yield from _bring(entry, deepest, remote, spans))


def _bring(entry: Entry, deepest: str, remote: hub.Remote, spans: dict[str, hub.TensorSpan]) -> Generator[Step, None, Path]:
    """Download the tensors up to `deepest`, check them and save them in one file."""
    backbone = BACKBONES[entry.name]
    wanted = backbone.tensors(deepest)
    parts = _parts_of(entry, remote)
    coming = hub.fetch_spans(remote, {name: spans[name] for name in wanted}, parts)
    yield from _as_steps(coming, Message("Downloading {weights} from Hugging Face; this happens once.", weights=entry.name))
    try:
        tensors = {name: _tensor(parts / name, spans[name]) for name in wanted}
        check_network(backbone, tensors, deepest, entry.file)
    except (WeightsError, KeyError, RuntimeError) as error:
        # Wrong bytes must not be resumed at the next attempt.
        shutil.rmtree(parts, ignore_errors=True)
        if isinstance(error, WeightsError):
            raise
        raise WeightsError("The hub's data for {weights} does not match its header; try again.", weights=entry.name) from error
    path = _cached(entry.name)
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        save_file(tensors, partial, {"source": f"{entry.repo} at {remote.revision}: {entry.file}"})
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    shutil.rmtree(parts, ignore_errors=True)
    return path


def _as_steps(work: Generator[hub.Progress, None, _T], note: str) -> Generator[Step, None, _T]:
    """Work of the hub with its progress as Steps in megabytes; `note` stands where the progress has none. Returns the work's result."""
    yielded, said = 0.0, ""
    with closing(work):
        while True:
            try:
                progress = next(work)
            except StopIteration as end:
                return end.value
            if time.monotonic() - yielded > _SECONDS_A_STEP or progress.note != said:
                yielded, said = time.monotonic(), progress.note
                yield Step(progress.done // _MEGABYTE, progress.total // _MEGABYTE, note=progress.note or note)


def _parts_of(entry: Entry, remote: hub.Remote) -> Path:
    """The folder for received tensors; those of another commit are deleted."""
    parts = cache_folder() / f"{entry.name}.part"
    mark = parts / "revision"
    if parts.exists() and not (mark.is_file() and mark.read_text(encoding="utf-8") == remote.revision):
        shutil.rmtree(parts)
    parts.mkdir(exist_ok=True)
    mark.write_text(remote.revision, encoding="utf-8")
    return parts


def _tensor(path: Path, span: hub.TensorSpan) -> Tensor:
    data = bytearray(path.read_bytes())
    return torch.frombuffer(data, dtype=_DTYPES[span.dtype]).reshape(span.shape)
