"""`--continue`: continue a stopped picture, with its own options as defaults."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from style_core.errors import RequestError
from style_core.media.images import read_image, read_mask
from style_core.media.reading import PRINTS
from style_core.media.settings import iterations_of, read_settings
from style_core.recipes.pyramid import level_reached
from style_core.recipes.recorded_inputs import WRITING, digest_of, digests_in, facts_in, request_in, stored_in
from style_core.recipes.table import options_used


def add_continue(parser: argparse.ArgumentParser, pictures: str) -> None:
    """Add the flag `--continue`; `pictures` names what must be given again."""
    parser.add_argument(
        "--continue", dest="continue_from", metavar="PICTURE.png",
        help=f"Continue a stopped picture, from the same {pictures}; its own options are the defaults. "
        "A finished picture gets as many iterations again.",
    )  # fmt: skip


def continued_options(picture: str, recipe: str) -> dict[str, Any]:
    """The options stored in a picture, and what else was asked for, as defaults for the parser of a recipe.

    Raises:
        RequestError: for a picture that another recipe made.
    """
    settings = read_settings(picture)
    if settings["recipe"] != recipe:
        raise RequestError(
            "{file} was made by {recipe}; {wanted} continues only pictures that it made.",
            file=picture,
            recipe=settings["recipe"],
            wanted=recipe,
        )
    options = options_used(settings).as_dict()
    request = settings.get("request", {})
    size = f"{options['size']}square" if request.get("square") else str(options["size"])
    return {**options, **{name: request[name] for name in ("background", "subject", *WRITING) if name in request},
            "keep_alpha": request.get("keep_alpha", False), "size": size}  # fmt: skip


def to_continue(given: argparse.Namespace, pictures: Mapping[str, Sequence[str]]) -> tuple[dict[str, Any], list[Tensor] | None]:
    """Arguments to continue the picture of `--continue` (for `optimize`, also the level that it reached), and the masks stored in it.

    Sets in `given` the style weights, unless they were given, and `carried`: what the new picture's request takes over.

    Args:
        pictures: paths of the given pictures, by their names in the settings.
    Raises:
        RequestError: if the given pictures are not those that it was made from.
    """
    settings = read_settings(given.continue_from)
    request = request_in(settings, given.continue_from)
    for name, paths in pictures.items():
        digests = digests_in(request, [name])
        for path, digest in zip(paths, digests):
            if digest_of(path) != digest:
                raise RequestError("{file} is not the picture that {picture} was made from.", file=path, picture=given.continue_from)
        if len(paths) != len(digests):
            raise RequestError(
                "{picture} was made from {count} pictures as {name}; give the same.",
                picture=given.continue_from,
                count=len(digests),
                name=name,
            )
    if "style_weights" in request:
        given.style_weights = given.style_weights or request["style_weights"]
    if given.mask and getattr(given, "subject", None) == request.get("subject"):
        given.subject = None  # a new mask takes the place of the subject that the picture was made with
    given.carried = {name: request[name] for name in ("init_image", "mask") if name in request}
    arguments: dict[str, Any] = {"continue_from": read_image(given.continue_from, limits=PRINTS), "done": iterations_of(settings)}
    if settings["recipe"] == "optimize":
        arguments["reached"] = level_reached(settings, arguments["continue_from"].shape[-2:])
    return arguments, _masks_inside(request) if not given.mask else None


def _masks_inside(request: Mapping[str, Any]) -> list[Tensor] | None:
    masks = []
    for fact in facts_in(request, "mask"):
        if "data" not in fact:
            raise RequestError("{file} was too large to be stored in the picture; give it again with --mask.", file=fact.get("file", ""))
        masks.append(read_mask(stored_in(fact)))
    return masks or None
