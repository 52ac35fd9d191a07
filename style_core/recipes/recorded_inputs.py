"""A recipe's inputs besides its options, for the settings stored in its picture: pictures and weights.

The shell and the studio store the same, so that `redo` works with pictures of both.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from style_core.errors import RequestError
from style_core.files import sha256_of
from style_core.weights.gallery import FROM_GALLERY

# Names of pictures in the shell; a value may be a list of paths.
PICTURES = ("content", "styles", "image", "near", "guide", "mask", "init_image", "continue_from")
MADE_FROM = tuple(name for name in PICTURES if name not in ("init_image", "continue_from"))
WRITING = ("dpi", "quality", "depth")  # of the file
PLAIN = ("style_weights", "background", "keep_alpha", "subject", "square")
_INSIDE_BYTES = 32 * 1024  # masks up to this size are stored in the picture


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
    """The inputs stored in the settings of the picture `file`.

    Args:
        needed: names of pictures that must be among them.
    Raises:
        RequestError: if they aren't, or there are no inputs at all.
    """
    if "request" not in settings or not set(needed) <= settings["request"].keys():
        raise RequestError(
            "{file} does not say which pictures it was made from: it is a frame of a film or a camera, or was saved by an earlier version.",
            file=file,
        )
    return settings["request"]


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
    facts = [fact for name in names if name in request for fact in (request[name] if isinstance(request[name], list) else [request[name]])]
    return [fact["sha256"] for fact in facts if isinstance(fact, dict) and fact.get("sha256")]
