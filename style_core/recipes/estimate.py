"""Estimates before a run of any recipe: how long it will take here, and how much memory."""

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.images import beyond, size_to_fit
from style_core.networks.backbones import BACKBONES
from style_core.networks.vgg19 import LAYERS
from style_core.options import Options
from style_core.recipes.cost_model import generator_cost, network_cost
from style_core.recipes.dream import DreamOptions, octave_sizes, parse_terms
from style_core.recipes.imagine import ImagineOptions
from style_core.recipes.levels import levels_of
from style_core.recipes.optimize import predicted_cost
from style_core.recipes.optimize_options import OptimizeOptions, balance_of
from style_core.recipes.plan import budget, largest_that_fits
from style_core.recipes.run_history import Estimate, corrected
from style_core.recipes.stylize import StylizeOptions


def estimate(
    options: Options, photo: tuple[int, int] | None, compute: Compute, *, extractor: str = "lite", started: bool = False, styles: int = 1
) -> Estimate:
    """Seconds and bytes that a run will take, from the model and from what such runs have taken on this machine.

    Args:
        options: of any recipe of `RECIPES`; their class says which.
        photo: height and width; None where there is none, such as for `imagine`.
        extractor: the backbone that will be at work where options leave that open.
        started: whether there is a picture to start from.
        styles: how many.
    Raises:
        RequestError: when no way of running it fits into memory, with the size that would.
    """
    name = getattr(options, "extractor", "auto")
    name = extractor if name == "auto" else name
    if isinstance(options, OptimizeOptions):
        levels = levels_of(size_to_fit(photo, options.size), options, started)
        return corrected(
            f"optimize {name}", compute, predicted_cost(levels, BACKBONES[name].shape, balance_of(options), options, compute, styles)
        )
    if isinstance(options, DreamOptions):
        deepest = max((term.layer for term in parse_terms(options.layer)), key=LAYERS.index)
        height, width = (options.size, options.size) if photo is None else size_to_fit(photo, options.size)
        octaves = octave_sizes((height, width), options, [deepest])
        sizes = [(rows, columns, options.iterations) for rows, columns in octaves]
        return _fitting(corrected(f"dream {name}", compute, network_cost(sizes, name, compute, deepest)), (height, width), compute)
    if isinstance(options, StylizeOptions):
        size = size_to_fit(photo, options.size)
        return _fitting(corrected("stylize", compute, generator_cost(*size, compute)), size, compute)
    if isinstance(options, ImagineOptions):
        size = (options.size, options.size)
        made = generator_cost(*size, compute, options.count, imagined=True)
        return _fitting(corrected("imagine", compute, made), size, compute)
    raise TypeError(f"No recipe takes {type(options).__name__}.")


def larger_than_photo(options: Options, photo: tuple[int, int]) -> str:
    """What is to be said where the size goes beyond the photo (height, width), or nothing."""
    return beyond(photo, size_to_fit(photo, options.size))


def _fitting(found: Estimate, size: tuple[int, int], compute: Compute) -> Estimate:
    """An estimate that fits; what grows with the pixels says what would.

    Raises:
        RequestError: for one that doesn't.
    """
    allowed, pixels = budget(compute), size[0] * size[1]
    if found.bytes <= allowed:
        return found
    fitting = largest_that_fits(size, lambda smaller: found.bytes * smaller[0] * smaller[1] / pixels <= allowed)
    raise RequestError(
        "A picture of {width} x {height} px needs at least {needed:.1f} GB of memory, and {free:.1f} GB can be used here; choose a size of "
        "at most {fitting} px.",
        width=size[1],
        height=size[0],
        needed=found.bytes / 1e9,
        free=allowed / 1e9,
        fitting=fitting,
    )
