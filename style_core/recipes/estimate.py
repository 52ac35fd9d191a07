"""Estimates of a run's time and memory, for any recipe."""

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.images import beyond, size_to_fit
from style_core.options import Options
from style_core.recipes.cost_model import Situation
from style_core.recipes.memory_plan import budget, largest_that_fits
from style_core.recipes.run_history import Estimate, corrected
from style_core.recipes.table import RECIPES


def estimate(
    options: Options, photo: tuple[int, int] | None, compute: Compute, *, extractor: str = "lite", started: bool = False, styles: int = 1
) -> Estimate:
    """Seconds and bytes that a run will take, from the cost model and earlier runs on this machine.

    Args:
        options: options of any recipe in `RECIPES`; their class determines the recipe.
        photo: height and width; None without a photo, such as for `imagine`.
        extractor: the backbone to assume if options leave it open.
        started: whether the run starts from a given picture.
        styles: number of styles.
    Raises:
        RequestError: when the run can't fit into memory; names a size that would.
    """
    recipe = next((recipe for recipe in RECIPES.values() if recipe.options is type(options)), None)
    if recipe is None or recipe.cost is None:
        raise TypeError(f"No estimate is known for {type(options).__name__}.")
    wanted = getattr(options, "extractor", "auto")
    network = extractor if wanted == "auto" else wanted
    cost = recipe.cost(options, Situation(compute, photo, network, started, styles))
    found = corrected(cost.kind, compute, cost.estimate)
    return found if cost.size is None else _fitting(found, cost.size, compute)


def larger_than_photo(options: Options, photo: tuple[int, int]) -> str:
    """A note if the size is larger than the photo (height, width), or an empty string."""
    return beyond(photo, size_to_fit(photo, options.as_dict()["size"]))


def _fitting(found: Estimate, size: tuple[int, int], compute: Compute) -> Estimate:
    """Check that an estimate fits into memory; memory that grows with the pixels determines the size that would.

    Raises:
        RequestError: if it doesn't fit.
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
