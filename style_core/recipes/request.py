"""What a recipe was given beside its options, for the settings inside its picture: which pictures, at what weights.

The shell and the studio write the same, so that `redo` makes either's pictures again.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from style_core.files import sha256_of

# The names that pictures go by in the shell; a value may be a list of paths.
PICTURES = ("content", "styles", "image", "near", "guide", "mask", "init_image", "continue_from")
PLAIN = ("style_weights", "background", "keep_alpha")
GALLERY = "gallery:"  # before the name of a gallery style, where a path of a picture would stand
_INSIDE_BYTES = 32 * 1024  # masks up to this size are kept inside the picture, so that nobody has to keep them


def request_of(given: Mapping[str, Any]) -> dict:
    """Facts of what was given: each picture by name and sha256, plain values as they are.

    Args:
        given: by the names in `PICTURES` and `PLAIN`; others, and what is empty or the default, are left out.
    """
    request: dict[str, Any] = {}
    for name in PICTURES:
        value = given.get(name)
        if value:
            request[name] = _fact(value, name) if isinstance(value, (str, Path)) else [_fact(path, name) for path in value]
    for name in PLAIN:
        value = given.get(name)
        if value and value != "white":
            request[name] = value
    return request


def _fact(path: str | Path, name: str) -> str | dict[str, str]:
    if str(path).startswith(GALLERY):
        return str(path)
    file = Path(path)
    fact = {"file": file.name, "sha256": sha256_of(file)}
    if name == "mask" and file.stat().st_size <= _INSIDE_BYTES:
        fact["data"] = base64.b64encode(file.read_bytes()).decode()
    return fact


def digests_in(request: Mapping[str, Any], names: Sequence[str] = PICTURES) -> list[str]:
    """The sha256 of every picture that a request names."""
    facts = [fact for name in names if name in request for fact in (request[name] if isinstance(request[name], list) else [request[name]])]
    return [fact["sha256"] for fact in facts if isinstance(fact, dict) and fact.get("sha256")]
