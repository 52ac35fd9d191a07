"""A recipe's inputs besides its options, for the settings stored in its picture: pictures and weights.

The shell and the studio store the same, so that `redo` works with pictures of both.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from style_core.errors import RequestError
from style_core.files import sha256_of
from style_core.weights.gallery import FROM_GALLERY

# Names of pictures in the shell and in `Recipe.takes`; a value may be a list of paths.
PICTURES = ("content", "styles", "image", "near", "guide", "mask", "init_image", "continue_from")
MADE_FROM = tuple(name for name in PICTURES if name not in ("init_image", "continue_from"))
WRITING = ("dpi", "quality", "depth")  # of the file
PLAIN = ("style_weights", "background", "keep_alpha", "subject", "square")
_INSIDE_BYTES = 32 * 1024  # masks up to this size are stored in the picture
_DAMAGED = "The settings inside the picture are damaged; use an unchanged copy of it."


def request_of(given: Mapping[str, Any]) -> dict:
    """The inputs as stored: each picture by name and sha256, plain values unchanged.

    Call it before a run that may take hours, because a picture may be moved meanwhile.

    Args:
        given: by the names in `PICTURES`, `PLAIN` and `WRITING`; other names, empty values and defaults are left out.
    Raises:
        RequestError: if a picture isn't there.
    """
    request: dict[str, Any] = {}
    for name in PICTURES:
        value = given.get(name)
        if value:
            request[name] = _fact(value, name) if isinstance(value, (str, Path)) else [_fact(path, name) for path in value]
    for name in (*PLAIN, *WRITING):
        value = given.get(name)
        if value and value != "white":
            request[name] = value
    return request


def request_in(settings: Mapping[str, Any], file: str, needed: Sequence[str] = ()) -> Mapping[str, Any]:
    """The inputs stored in the settings of the picture `file`, which may come from a stranger.

    Args:
        needed: names of pictures that must be among them.
    Returns:
        By name, as `request_of` makes them: a picture is a `gallery:` style or has the sha256 of a file, style weights are numbers.
    Raises:
        RequestError: if the needed ones aren't there, there are no inputs at all, or they have another form.
    """
    if "request" not in settings or not set(needed) <= settings["request"].keys():
        raise RequestError(
            "{file} does not say which pictures it was made from: it is a frame of a film or a camera, or was saved by an earlier version.",
            file=file,
        )
    request = settings["request"]
    weights = request.get("style_weights", [])
    if not isinstance(weights, list) or not all(isinstance(weight, (int, float)) for weight in weights):
        raise RequestError(_DAMAGED)
    if not all(_is_fact(fact, name) for name in PICTURES for fact in facts_in(request, name)):
        raise RequestError(_DAMAGED)
    return request


def facts_in(request: Mapping[str, Any], name: str) -> list:
    """The pictures stored under a name, each a `gallery:` style or its `file`, `sha256` and, if it was small, `data`."""
    value = request.get(name, [])
    return value if isinstance(value, list) else [value]


def _is_fact(fact: Any, name: str) -> bool:
    # As words of a command, other texts could be flags.
    if isinstance(fact, str):
        return name == "styles" and fact.startswith(FROM_GALLERY)
    plain = isinstance(fact, dict) and all(isinstance(value, str) for value in fact.values())
    return plain and re.fullmatch("[0-9a-f]{64}", fact.get("sha256", "")) is not None


def stored_in(fact: Mapping[str, str]) -> bytes:
    """The file of a picture that is stored in the settings, as its `data`.

    Raises:
        RequestError: if it is not the file that was stored.
    """
    try:
        data = base64.b64decode(fact["data"], validate=True)
    except ValueError as error:
        raise RequestError(_DAMAGED) from error
    if hashlib.sha256(data).hexdigest() != fact["sha256"]:
        raise RequestError(_DAMAGED)
    return data


def _fact(path: str | Path, name: str) -> str | dict[str, str]:
    if str(path).startswith(FROM_GALLERY):
        return str(path)
    file = Path(path)
    # Names from old disks and archives may not be valid text.
    fact = {"file": file.name.encode("utf-8", "replace").decode(), "sha256": digest_of(file)}
    if name == "mask" and file.stat().st_size <= _INSIDE_BYTES:
        fact["data"] = base64.b64encode(file.read_bytes()).decode()
    return fact


def digest_of(path: str | Path) -> str:
    """The sha256 of a picture's file.

    Raises:
        RequestError: if it isn't there.
    """
    if not Path(path).is_file():
        raise RequestError("There is no file {file}; check its name and folder.", file=Path(path).name)
    return sha256_of(Path(path))


def digests_in(request: Mapping[str, Any], names: Sequence[str] = PICTURES) -> list[str]:
    """The sha256 of every picture in a request."""
    facts = [fact for name in names for fact in facts_in(request, name)]
    return [fact["sha256"] for fact in facts if isinstance(fact, dict) and fact.get("sha256")]
