"""Settings: how a picture was made, stored in its file, so that it can be made again."""

import copy
import json
import platform
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from PIL import ExifTags, Image, PngImagePlugin, UnidentifiedImageError

from style_core.errors import RequestError
from style_core.progress import Step
from style_core.version import __version__

KEY = "pentimento"
_KINDS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF")  # of the files that pictures are written to
_COMMENT_PREFIX = f"{KEY} "
_TYPES = {"recipe": str, "options": dict, "weights": dict, "request": dict, "done": int}  # of settings that are read again
_MOST_IN_JPEG = 65_000  # bytes of settings; the whole EXIF block of a JPEG may have 65,533


def settings_of(recipe: str, options: Mapping[str, Any], weights: Mapping[str, str] | None = None, **extra: Any) -> dict:
    """Everything needed to make a picture again.

    Args:
        recipe: its name in RECIPES.
        options: by name, as returned by `Options.as_dict`; they include the seed.
        weights: sha256 of each weight file used, by network.
        extra: the rest of the request, such as style weights.
    """
    versions = {"pentimento": __version__, "torch": torch.__version__, "python": platform.python_version()}
    return {"recipe": recipe, "options": dict(options), "weights": dict(weights or {}), "versions": versions, **extra}


def done_of(shown: Step, last: Step) -> dict[str, Any]:
    """Settings of a stopped picture: its number of iterations so far, and its level. Empty for a finished one.

    Args:
        shown: the Step that the picture is from.
        last: the run's last Step.
    """
    if not last.total or last.iteration >= last.total:
        return {}
    return {"done": shown.iteration} if shown.level is None else {"done": shown.iteration, "level": asdict(shown.level)}


def iterations_of(settings: Mapping[str, Any]) -> int:
    """Iterations that a picture has had: those so far if it was stopped, else all that its options ask for, in all octaves."""
    options = settings["options"]
    return int(settings.get("done", options.get("iterations", 0) * options.get("octaves", 1)))


def embed(settings: dict | None, kind: str) -> dict[str, Any]:
    """Arguments for Pillow's `save` that store settings: in a PNG's text chunk, a TIFF's description, or else the EXIF user comment."""
    if not settings:
        return {}
    text = json.dumps(settings, ensure_ascii=False, sort_keys=True)
    if kind == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt(KEY, text)
        return {"pnginfo": chunks}
    if kind == "TIFF":
        return {"description": described(settings)}
    exif, plain = Image.Exif(), json.dumps(settings if kind != "JPEG" else _without_the_largest(settings, _MOST_IN_JPEG))
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\0\0\0" + _COMMENT_PREFIX.encode() + plain.encode()
    return {"exif": exif.tobytes()}


def _without_the_largest(settings: dict, most: int) -> dict:
    """Settings without the largest pictures stored in them, so that they take at most `most` bytes as text."""
    reduced = copy.deepcopy(settings)
    stored = sorted(_stored_in(reduced.get("request", {})), key=lambda fact: len(fact["data"]))
    while stored and len(json.dumps(reduced)) > most:
        del stored.pop()["data"]
    return reduced


def _stored_in(request: Mapping[str, Any]) -> Iterator[dict]:
    """The facts of a request's pictures that contain the picture itself."""
    for value in request.values():
        yield from (fact for fact in (value if isinstance(value, list) else [value]) if isinstance(fact, dict) and "data" in fact)


def described(settings: dict) -> str:
    """Settings as the description of a TIFF, in ASCII."""
    return _COMMENT_PREFIX + json.dumps(settings, sort_keys=True)


def settings_in(path: str | Path) -> dict | None:
    """The settings inside a picture, or None for one from elsewhere."""
    try:
        return read_settings(path)
    except RequestError:
        return None


def read_settings(path: str | Path) -> dict:
    """The settings stored in a picture that this project wrote. Its pixels are not decoded, so any file may be given.

    `recipe`, `options`, `weights`, `request` and `done` have the types that `settings_of` gives them; what is in them isn't checked.

    Raises:
        RequestError: when the file is damaged, or contains no settings.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # about the size of prints
            with Image.open(path, formats=_KINDS) as picture:
                text = _settings_text(picture)
    except FileNotFoundError as error:
        raise RequestError("There is no file {file}; check its name and folder.", file=path.name) from error
    except UnidentifiedImageError:
        text = ""
    except Exception as error:  # decoders raise nearly every type of exception for malformed files
        raise RequestError("{file} is not a readable picture.", file=path.name) from error
    try:
        settings = json.loads(text) if text else None
    except (ValueError, RecursionError):
        settings = None
    if (
        not isinstance(settings, dict)
        or "recipe" not in settings
        or not all(isinstance(settings.get(name, kind()), kind) for name, kind in _TYPES.items())
    ):
        raise RequestError(
            "{file} contains no settings; only pictures saved by Pentimento do, and editors may remove them.", file=path.name
        )
    return settings


def _settings_text(picture: Image.Image) -> str:
    if picture.format == "PNG":
        return picture.info.get(KEY, "")  # it stands before the pixels; `text` would decode them to find others behind them
    if picture.format == "TIFF":
        text = str(picture.tag_v2.get(ExifTags.Base.ImageDescription, ""))  # type: ignore[attr-defined]
        return text.removeprefix(_COMMENT_PREFIX) if text.startswith(_COMMENT_PREFIX) else ""
    comment = picture.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment, b"")
    text = comment if isinstance(comment, str) else bytes(comment)[8:].decode("utf-8", "replace")
    return text.removeprefix(_COMMENT_PREFIX) if text.startswith(_COMMENT_PREFIX) else ""
