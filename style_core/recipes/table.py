"""RECIPES: the table that the shell, the studio, the API's documentation and the tests walk."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from style_core.networks.backbones import EXTRACTORS
from style_core.options import Options
from style_core.progress import Steps
from style_core.recipes.cost_model import Cost, Situation
from style_core.recipes.dream import DreamOptions, dream, dream_cost
from style_core.recipes.imagine import ImagineOptions, imagine, imagine_cost
from style_core.recipes.optimize import optimize, optimize_cost
from style_core.recipes.optimize_options import OptimizeOptions
from style_core.recipes.recorded_inputs import PICTURES
from style_core.recipes.stylize import StylizeOptions, stylize, stylize_cost
from style_core.weights.gallery import FROM_GALLERY


def picture_name(taken: str) -> str:
    """The plain name of a picture in `takes`: `styles+` -> `styles`."""
    return taken.rstrip("+?")


def placeholder(taken: str) -> str:
    """What stands for a picture in `takes` where a command is shown: `styles+` -> `STYLE`."""
    name = picture_name(taken).upper()
    return name.removesuffix("S") if taken.endswith("+") else name


@dataclass(frozen=True)
class Recipe:
    """A recipe.

    Attributes:
        name: as in the shell, the API and the settings of a picture.
        takes: its pictures, in order, by their names in `PICTURES`: `styles+` is one or more, passed as a list; `image?` is optional and
            None if missing.
        options: its Options class. The first line of its docstring is the summary in the shell's help.
        run: `run(*pictures, options, compute=compute)` yields Steps, the last of which holds the result.
        cost: `cost(options, situation)` predicts the cost of a run; without it there are no estimates.

    Raises:
        ValueError: for a picture under another name, which would not be recorded.
    """

    name: str
    takes: tuple[str, ...]
    options: type[Options]
    run: Callable[..., Steps]
    cost: Callable[[Any, Situation], Cost] | None = None

    def __post_init__(self) -> None:
        if unknown := set(self.pictures) - set(PICTURES):
            raise ValueError(f"{self.name} takes {', '.join(sorted(unknown))}; pictures are called {', '.join(PICTURES)}.")

    @property
    def pictures(self) -> tuple[str, ...]:
        """The plain names of its pictures: `styles+` -> `styles`."""
        return tuple(picture_name(taken) for taken in self.takes)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("stylize", ("content", "styles+"), StylizeOptions, stylize, stylize_cost),
        Recipe("optimize", ("content", "styles+"), OptimizeOptions, optimize, optimize_cost),
        Recipe("dream", ("image?",), DreamOptions, dream, dream_cost),
        Recipe("imagine", (), ImagineOptions, imagine, imagine_cost),
    )
}

# Options that came later, with the values that earlier pictures were made with.
_LATER = {"stylize": {"refine": 0}}


def command_of(settings: Mapping[str, Any]) -> str:
    """The shell command that makes a picture again from its settings, with input pictures as capitalized placeholders.

    What was made from more than a recipe's own pictures, such as a guide or a mask, is made again by `redo`, which finds it in RESULT.png.

    Raises:
        RequestError: for options that are unknown or out of range.
    """
    recipe = RECIPES[settings["recipe"]]
    options = options_used(settings)
    pictures = [placeholder(taken) for taken in recipe.takes]
    request = settings.get("request", {})
    if more := [name.upper() for name in (*PICTURES, "subject") if name in request and name not in recipe.pictures]:
        given = [*pictures, *(name for name in more if name not in ("MASK", "SUBJECT"))]
        return shlex.join(["python", "-m", "style_core", "redo", "RESULT.png", "-o", "OUT.png", "--inputs", *given])
    if settings.get("gallery"):
        pictures[1] = FROM_GALLERY + settings["gallery"]
    if getattr(options, "start", "") == "noise":
        pictures = []
    return shlex.join(["python", "-m", "style_core", recipe.name, *pictures, "-o", "OUT.png", *flags_of(options)])


def options_used(settings: Mapping[str, Any]) -> Any:
    """The Options of a picture's recipe, with the feature network that was used where they left the choice open.

    Raises:
        RequestError: for options that are unknown or out of range.
    """
    options = RECIPES[settings["recipe"]].options.make(**options_recorded(settings))
    used = next((name for name in settings.get("weights", {}) if name in EXTRACTORS), None)
    if used and getattr(options, "extractor", None) == "auto":
        return options.make(**{**options.as_dict(), "extractor": used})
    return options


def options_recorded(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a picture by name, with those that came after it."""
    return {**_LATER.get(settings["recipe"], {}), **settings["options"]}


def flags_of(options: Options, every: bool = False) -> list[str]:
    """The shell's flags for options that differ from the defaults, or for `every` option."""
    words = []
    for field in options.fields():
        value, flag = getattr(options, field.name), field.name.replace("_", "-")
        if value == field.default and not every:
            continue
        if field.kind is bool:
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            # With an equals sign, so that text beginning with a dash isn't read as a flag.
            words.append(f"--{flag}={value:.17g}" if field.kind is float else f"--{flag}={value}")
    return words
