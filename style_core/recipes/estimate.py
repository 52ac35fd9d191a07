"""Estimates of a run's time and memory, for any recipe."""

from style_core.devices import Compute
from style_core.media.clip import Clip
from style_core.media.images import beyond, size_to_fit
from style_core.options import Options
from style_core.recipes.cost_model import Cost, Situation
from style_core.recipes.key_frames import FilmOptions
from style_core.recipes.memory_plan import budget, check_fits
from style_core.recipes.optimize_clip import OptimizedFilmOptions, optimized_film_cost
from style_core.recipes.optimize_options import OptimizeOptions
from style_core.recipes.run_history import Estimate, corrected
from style_core.recipes.stylize import StylizeOptions
from style_core.recipes.stylize_clip import stylized_film_cost
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
    return _corrected(recipe.cost(options, Situation(compute, photo, network, started, styles)), compute)


def film_estimate(clip: Clip, options: Options, film: FilmOptions, compute: Compute, *, extractor: str = "lite") -> Estimate:
    """The same for a film, stylized or optimized by the class of `options`."""
    if isinstance(options, OptimizeOptions) and isinstance(film, OptimizedFilmOptions):
        network = extractor if options.extractor == "auto" else options.extractor
        return _corrected(optimized_film_cost(clip, options, film, compute, network), compute)
    if isinstance(options, StylizeOptions) and isinstance(film, FilmOptions):
        return _corrected(stylized_film_cost(clip, options.size, film, compute), compute)
    raise TypeError(f"No film is made with {type(options).__name__} and {type(film).__name__}.")


def _corrected(cost: Cost, compute: Compute) -> Estimate:
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
    each = found.bytes / (size[0] * size[1])
    check_fits(size, lambda smaller: each * smaller[0] * smaller[1], budget(compute))
    return found
