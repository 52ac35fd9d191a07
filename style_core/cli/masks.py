"""Masks for the shell's recipes: from files, from an earlier run, or of the photo's subject."""

import argparse
from collections.abc import Callable, Sequence

from torch import Tensor

from style_core.cli.run import USUAL
from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.images import read_mask, square_of
from style_core.media.reading import PRINTS
from style_core.options import Options
from style_core.recipes.subject import check_subject, find_subject, masks_for


def masks_by_photo(
    given: argparse.Namespace, compute: Compute, kept: Sequence[Tensor | None] | None = None
) -> Callable[[Tensor], list | None]:
    """A function from a photo to a mask for each style: the given masks for all photos, or masks of the photo's subject.

    Args:
        kept: masks of an earlier run, used if none are given.
    """
    if given.subject is None:
        masks = read_masks(given.mask, len(given.styles)) or (kept and [*kept, *[None] * (len(given.styles) - len(kept))])
        fitting = [mask if mask is None else framed(mask, given) for mask in masks] if masks else None
        return lambda photo: fitting
    if given.mask:
        raise RequestError("--subject makes its own mask; give --mask or --subject, not both.")
    check_subject(given.subject, len(given.styles))
    return lambda photo: masks_for(find_subject(photo, compute), given.subject, len(given.styles))


def refuse_with_clip(given: argparse.Namespace, *flags: str) -> None:
    """Refuse flags that work only with a photo.

    Raises:
        RequestError: naming the first such flag.
    """
    usual = {"background": "white", **USUAL}
    for name in (*flags, "background", "quality", "depth"):
        if getattr(given, name) not in (None, False, usual.get(name)):
            flag = f"--size {given.size}" if name == "square" else f"--{name.replace('_', '-')}"
            raise RequestError("{flag} works only with a photo; CONTENT is a clip.", flag=flag)


def refuse_with_photo(given: argparse.Namespace, film: type[Options]) -> None:
    """Refuse the flags of a film's options, which work only with a clip.

    Raises:
        RequestError: naming the first such flag.
    """
    for field in film.fields():
        if getattr(given, field.name) != field.default:
            raise RequestError("--{flag} works only with a clip; leave it out.", flag=field.name.replace("_", "-"))


def framed(image: Tensor, given: argparse.Namespace) -> Tensor:
    """The photo, or its alpha or mask, cropped to the requested shape."""
    return square_of(image) if given.sized.square else image


def read_masks(paths: Sequence[str] | None, styles: int) -> list | None:
    """Masks for the styles in order; None for styles beyond the last mask.

    Raises:
        RequestError: for more masks than styles.
    """
    if not paths:
        return None
    if len(paths) > styles:
        raise RequestError("There are {masks} masks for {styles} styles; give at most one for each.", masks=len(paths), styles=styles)
    return [read_mask(path, PRINTS) for path in paths] + [None] * (styles - len(paths))
