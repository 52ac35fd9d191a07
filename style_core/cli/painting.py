"""The commands that paint a photo in the style of paintings: stylize and optimize, of pictures and of clips."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from style_core.cli.batch import run_folder
from style_core.cli.continuing import add_continue, to_continue
from style_core.cli.films import run_clip
from style_core.cli.flags import add_options, options_from
from style_core.cli.masks import masks_by_photo, refuse_with_clip, refuse_with_photo
from style_core.cli.pictures import read_given
from style_core.cli.run import run_recipe
from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.images import read_image
from style_core.media.reading import PRINTS
from style_core.progress import Steps
from style_core.recipes.film import is_clip
from style_core.recipes.job_file import check_gallery
from style_core.recipes.key_frames import FilmOptions
from style_core.recipes.optimize import optimize
from style_core.recipes.optimize_clip import OptimizedFilmOptions, optimize_clip
from style_core.recipes.optimize_options import OptimizeOptions
from style_core.recipes.stylize import StylizeOptions, stylize
from style_core.recipes.stylize_clip import stylize_clip
from style_core.recipes.subject import SUBJECTS
from style_core.weights.gallery import FROM_GALLERY, gallery, gallery_code, gallery_grams
from style_core.weights.open import open_generator


def _add_styles(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("content", metavar="CONTENT", help="The photo.")
    parser.add_argument("styles", metavar="STYLE", nargs="+", help="One or more paintings.")
    parser.add_argument("--background", default="white", metavar="COLOR", help="Color behind transparent parts of CONTENT (default white).")
    parser.add_argument(
        "--keep-alpha", action=argparse.BooleanOptionalAction, default=True,
        help="Keep CONTENT's transparency, except in a .jpg, which can't store it (default on).",
    )  # fmt: skip
    parser.add_argument("--style-weights", type=float, nargs="+", metavar="W", help="One for each style; only ratios count.")
    parser.add_argument(
        "--mask", action="append", metavar="MASK.png", help="The area of a style, white on black; once for each style, in order."
    )
    parser.add_argument(
        "--subject",
        metavar="|".join(SUBJECTS),
        help="Find the main subject: keep it as photographed, paint only it, or give it the first style.",
    )


def add_stylize(parser: argparse.ArgumentParser) -> None:
    _add_styles(parser)
    add_options(parser, FilmOptions)
    parser.epilog = (
        f"A STYLE may be gallery:NAME, with NAME one of {', '.join(gallery())}. CONTENT may be a clip; OUT is then an .mp4. "
        "After Ctrl-C, the same command continues it."
    )


def run_stylize(given: argparse.Namespace) -> int:
    options = options_from(given, StylizeOptions)
    compute = Compute.choose(given.device)
    named = [path.removeprefix(FROM_GALLERY) for path in given.styles if path.startswith(FROM_GALLERY)]
    styles = [read_given(path) for path in given.styles if not path.startswith(FROM_GALLERY)]
    codes = [gallery_code(name, open_generator(compute).sha256, options.style_scale) for name in named]
    weights = _pictures_first(given.styles, given.style_weights)
    if is_clip(given.content, given.out):
        refuse_with_clip(given, "mask", "subject", "outside", "batch", "square")
        options = replace(options, refine=0)  # as frames are painted, and as the film's settings say
        film = stylize_clip(
            given.content, given.out, styles, options, options_from(given, FilmOptions),
            style_weights=weights, codes=codes, compute=compute, continue_from=given.out,
        )  # fmt: skip
        return run_clip(film, compute, given)

    refuse_with_photo(given, FilmOptions)
    masks_of = masks_by_photo(given, compute)
    grams = [partial(gallery_grams, name) for name in named]

    def steps(path: str | Path) -> Steps:
        photo = read_given(path, given)
        masks = _pictures_first(given.styles, masks_of(photo))
        return stylize(photo, styles, options, style_weights=weights, masks=masks, codes=codes, grams=grams, compute=compute)

    if given.batch:
        return run_folder("stylize", given.content, steps, options, compute, given)
    return run_recipe("stylize", steps(given.content), options, compute, given)


def _pictures_first(styles: Sequence[str], values: Sequence | None) -> list | None:
    """Values in the order of `styles`, reordered as `stylize` takes them: pictures first, then codes."""
    if values is None or len(values) != len(styles):
        return None if values is None else list(values)
    order = sorted(range(len(styles)), key=lambda index: styles[index].startswith(FROM_GALLERY))
    return [values[index] for index in order]


def add_optimize(parser: argparse.ArgumentParser) -> None:
    _add_styles(parser)
    parser.add_argument("--init-image", metavar="IMAGE", help="A picture to start from, such as an earlier result.")
    add_continue(parser, "CONTENT and STYLEs")
    parser.add_argument("--timelapse", metavar="FILE.mp4|.gif", help="Also write a film of how the picture formed.")
    parser.add_argument("--memory", type=float, metavar="GB", help="Memory that the run may use (default: 90 %% of the free memory).")
    add_options(parser, OptimizedFilmOptions)
    parser.epilog = "CONTENT may be a clip; OUT is then an .mp4. After Ctrl-C, the same command continues it."


def run_optimize(given: argparse.Namespace) -> int:
    options = options_from(given, OptimizeOptions)
    check_gallery("optimize", [style for style in given.styles if style.startswith(FROM_GALLERY)])
    if is_clip(given.content, given.out):
        return _optimize_clip(given, options)
    refuse_with_photo(given, OptimizedFilmOptions)
    _check_memory(given.memory)
    styles = [read_given(path) for path in given.styles]
    start = read_image(given.init_image, limits=PRINTS) if given.init_image else None
    stopped: dict[str, Any] = {}
    kept = None
    if given.continue_from:
        stopped, kept = to_continue(given, {"content": [given.content], "styles": given.styles})
        if start is None and "init_image" in given.carried:
            start = stopped["continue_from"]  # that there was one, whichever it was, decides about the sizes of the levels
    compute = Compute.choose(given.device)
    masks_of = masks_by_photo(given, compute, kept)

    def steps(path):
        photo = read_given(path, given)
        return optimize(
            photo, styles, options,
            style_weights=given.style_weights, masks=masks_of(photo), init_image=start, compute=compute,
            preview_every=0.0 if given.timelapse else 1.0, memory=given.memory and given.memory * 1e9, **stopped,
        )  # fmt: skip

    if given.batch:
        return run_folder("optimize", given.content, steps, options, compute, given)
    return run_recipe("optimize", steps(given.content), options, compute, given)


def _check_memory(gigabytes: float | None) -> None:
    if gigabytes is not None and not 0 < gigabytes < float("inf"):
        raise RequestError("--memory is {value:g}; it must be above 0, in gigabytes.", value=gigabytes)


def _optimize_clip(given: argparse.Namespace, options: OptimizeOptions) -> int:
    refuse_with_clip(given, "mask", "subject", "outside", "init_image", "timelapse", "continue_from", "batch", "square", "memory")
    compute = Compute.choose(given.device)
    steps = optimize_clip(
        given.content, given.out, [read_given(path) for path in given.styles], options, options_from(given, OptimizedFilmOptions),
        style_weights=given.style_weights, compute=compute, continue_from=given.out,
    )  # fmt: skip
    return run_clip(steps, compute, given)
