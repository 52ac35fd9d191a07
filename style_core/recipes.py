"""RECIPES: the one table that the shell, the studio, the API's documentation and the tests walk."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from style_core.dream import DreamOptions, dream
from style_core.gatys import GatysOptions, optimize
from style_core.generator import StylizeOptions, stylize
from style_core.latent import ImagineOptions, imagine
from style_core.options import Options
from style_core.progress import Step


@dataclass(frozen=True)
class Recipe:
    """A thing that can be done with pictures.

    Attributes:
        name: as in the shell, the API and the settings inside a picture.
        takes: the pictures it needs, in order; `style+` is one or more, a trailing `?` is optional.
        options: its Options class.
        run: pictures and options -> Steps.
    """

    name: str
    takes: tuple[str, ...]
    options: type[Options]
    run: Callable[..., Iterator[Step]]


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("stylize", ("content", "style+"), StylizeOptions, stylize),
        Recipe("optimize", ("content", "style+"), GatysOptions, optimize),
        Recipe("dream", ("image?",), DreamOptions, dream),
        Recipe("imagine", ("near?",), ImagineOptions, imagine),
    )
}
