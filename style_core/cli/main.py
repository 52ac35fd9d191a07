"""The recipes from a shell: `python -m style_core optimize photo.jpg painting.jpg -o painted.png`.

Progress goes to standard error. With `--json`, one JSON object goes to standard output at the end. Exit status:
0 done, 2 a mistake in the request, 130 interrupted (the picture so far is saved), 1 anything else.
"""

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from torch import Tensor

from style_core.cli import batch as cli_batch
from style_core.cli import proof as cli_proof
from style_core.cli import redo
from style_core.cli import weights as cli_weights
from style_core.cli.batch import check_flags, run_folder
from style_core.cli.continuing import begun_run, continued_options
from style_core.cli.films import run_clip, run_walk, run_zoom
from style_core.cli.masks import framed, masks_by_photo, refuse_with_clip
from style_core.cli.run import USUAL, check_outputs, requested, run_many, run_recipe
from style_core.devices import DEVICES, Compute, prepare_cpu
from style_core.errors import RequestError
from style_core.media.images import load_picture, read_image, read_mask
from style_core.options import OptionField, Options, Range
from style_core.progress import Steps
from style_core.recipes.dream import DreamOptions, dream
from style_core.recipes.dream_zoom import ZoomOptions, dream_zoom
from style_core.recipes.film import CLIP_SUFFIXES
from style_core.recipes.imagine import WALK_FRAMES, ImagineOptions, imagine, walk
from style_core.recipes.job_file import check_gallery
from style_core.recipes.key_frames import FilmOptions
from style_core.recipes.optimize import optimize
from style_core.recipes.optimize_clip import OptimizedFilmOptions, optimize_clip
from style_core.recipes.optimize_options import OptimizeOptions
from style_core.recipes.stylize import StylizeOptions, stylize
from style_core.recipes.stylize_clip import stylize_clip
from style_core.recipes.subject import SUBJECTS
from style_core.recipes.table import RECIPES, Recipe, picture_name
from style_core.sizes import DPI, PRESETS, Size, parse_size
from style_core.weights.gallery import gallery, gallery_code, gallery_grams
from style_core.weights.open import open_generator

_FROM_GALLERY = "gallery:"

_O = TypeVar("_O", bound=Options)


class _Parser(argparse.ArgumentParser):
    """An argparse parser that raises RequestError, so that every mistake is reported alike: one line, exit 2."""

    def error(self, message: str) -> NoReturn:
        raise RequestError(f"{message[0].upper()}{message[1:]}. See {self.prog} --help.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    try:
        given = _parser().parse_args(arguments)
        if getattr(given, "continue_from", None):  # parse again, with the picture's own options as defaults
            given = _parser(given.recipe, continued_options(given.continue_from, given.recipe)).parse_args(arguments)
        if getattr(given, "batch", False):
            check_flags(given)
        elif hasattr(given, "recipe"):
            check_outputs(given)
        prepare_cpu()
        with _ended_as_by_ctrl_c():
            return given.run(given)
    except RequestError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted before there was a picture to save.", file=sys.stderr)
        return 130


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """Make SIGTERM, which shutdowns and schedulers send, save the picture so far, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def add_options(parser: argparse.ArgumentParser, options: type[Options]) -> None:
    """A flag for each option, with its default and range in the help; values are checked by the class itself."""
    for field in options.fields():
        flag = f"--{field.name.replace('_', '-')}"
        if field.name == "size":
            parser.add_argument(flag, default=str(field.default), metavar="SIZE", help=f"{_help(field)} {_sizes_on_paper(field)}")
        elif field.kind is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=field.default, help=_help(field))
        else:
            parser.add_argument(flag, type=field.kind, default=field.default, metavar=_metavar(field), help=_help(field))


def options_from(given: argparse.Namespace, options: type[_O]) -> _O:
    """The Options from parsed flags."""
    values = {field.name: getattr(given, field.name) for field in options.fields()}
    if "size" in values:
        given.sized = parse_size(given.size, given.dpi)
        _check_print(options, given)
        values["size"], given.square = given.sized.long_side, given.sized.square
    return options(**values)


def _sizes_on_paper(field: OptionField) -> str:
    assert isinstance(field.allowed, Range)
    named = [name for name, preset in PRESETS.items() if preset.long_side() in field.allowed]
    return f"Also a length on paper, such as 16cm or 6.5in, or one of {', '.join(named)}."


def _check_print(options: type[Options], given: argparse.Namespace) -> None:
    """Refuse a size on paper that is too large, in words that say so; of pixels, the options themselves do."""
    (allowed,) = (field.allowed for field in options.fields() if field.name == "size")
    pixels, dpi = given.sized.long_side, given.sized.dpi
    assert isinstance(allowed, Range)
    if parse_size(given.size).dpi is None or pixels <= allowed.high:
        return
    raise RequestError(
        "{size} at {dpi:g} dots per inch is {pixels} px, and {recipe} makes up to {most:g} px; use --dpi {fitting} or less, or a smaller "
        "size.",
        size=given.size, dpi=dpi, pixels=pixels, recipe=given.recipe, most=allowed.high, fitting=int(dpi * allowed.high / pixels),
    )  # fmt: skip


def _help(field: OptionField) -> str:
    allowed = f" {field.allowed}" if isinstance(field.allowed, Range) else ""
    default = "on" if field.default is True else "off" if field.default is False else field.default
    shown = f" (default {default};{allowed})" if allowed else f" (default {default})" if default != "" else ""
    return (field.help + shown).replace("%", "%%")


def _metavar(field: OptionField) -> str:
    if isinstance(field.allowed, tuple):
        return "|".join(field.allowed)
    return field.unit.upper() or {int: "N", float: "X", str: "TEXT"}[field.kind]


def _parser(changed: str = "", defaults: Mapping[str, Any] | None = None) -> argparse.ArgumentParser:
    """The whole parser; `defaults` replace those of the options of the recipe `changed`."""
    installed = Path(sys.argv[0]).stem == "pentimento"
    parser = _Parser(
        prog="pentimento" if installed else "python -m style_core",
        description="Neural style transfer: photos painted in the style of paintings.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    for recipe in RECIPES.values():
        _add_recipe(commands, recipe)
    cli_batch.add(commands)
    cli_weights.add(commands)
    redo.add(commands, main)
    cli_proof.add(commands)
    if defaults:
        commands.choices[changed].set_defaults(**defaults)
    return parser


def _add_recipe(commands: Any, recipe: Recipe) -> None:
    """Add a command for a recipe, with its pictures, options and flags."""
    summary = (recipe.options.__doc__ or recipe.name).splitlines()[0]
    parser = commands.add_parser(recipe.name, help=summary, description=summary)
    parser.add_argument("-o", "--out", required=True, metavar="OUT.png", help="The file to write: .png, .jpg, .webp, .avif or .tif.")
    parser.add_argument("--device", default="auto", metavar="|".join(DEVICES), help="Where to compute (default auto).")
    parser.add_argument("--json", action="store_true", help="Print one JSON object to standard output at the end.")
    add_options(parser, recipe.options)
    parser.add_argument(
        "--quality", type=_quality, metavar="N", help=f"Quality of .jpg, .webp and .avif, 1 to 100 (default {USUAL['quality']})."
    )
    depth = f"Bits per channel of a .png (default {USUAL['depth']}); a .tif has 16."
    parser.add_argument("--depth", type=int, choices=(8, 16), help=depth)
    parser.add_argument("--dpi", type=float, metavar="N", help=f"Dots per inch of a print, also stored in the file (default {DPI:g}).")
    add_more, run = _COMMANDS.get(recipe.name, (partial(_add_pictures, recipe), partial(_run, recipe)))
    add_more(parser)
    parser.add_argument(
        "--batch", action="store_true", help="The first picture and OUT are folders: process every picture in the first one. "
        "If interrupted, run the same command again to continue."
    )  # fmt: skip
    parser.set_defaults(run=run, recipe=recipe.name, sized=Size(0), **USUAL)


def _quality(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text[:4]) <= 100):
        raise argparse.ArgumentTypeError("quality must be between 1 and 100.")
    return int(text)


def _add_pictures(recipe: Recipe, parser: argparse.ArgumentParser) -> None:
    for taken in recipe.takes:
        name = picture_name(taken)
        nargs = taken[-1] if taken[-1] in "+?" else None
        parser.add_argument(name, metavar=name.upper(), nargs=nargs, help="One or more pictures." if nargs == "+" else "A picture.")


def _run(recipe: Recipe, given: argparse.Namespace) -> int:
    """Run a recipe from its entry in the table."""
    options = options_from(given, recipe.options)
    if given.batch:
        raise RequestError("{recipe} has no --batch; use the command batch.", recipe=recipe.name)
    pictures = []
    for taken in recipe.takes:
        found = getattr(given, picture_name(taken))
        pictures.append([_read(path) for path in found] if isinstance(found, list) else _read(found) if found else None)
    compute = Compute.choose(given.device)
    return run_recipe(recipe.name, recipe.run(*pictures, options, compute=compute), options, compute, given)


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


def _add_stylize(parser: argparse.ArgumentParser) -> None:
    _add_styles(parser)
    add_options(parser, FilmOptions)
    parser.epilog = (
        f"A STYLE may be gallery:NAME, with NAME one of {', '.join(gallery())}. CONTENT may be a clip; OUT is then an .mp4. "
        "After Ctrl-C, the same command continues it."
    )


def _stylize(given: argparse.Namespace) -> int:
    options = options_from(given, StylizeOptions)
    compute = Compute.choose(given.device)
    named = [path.removeprefix(_FROM_GALLERY) for path in given.styles if path.startswith(_FROM_GALLERY)]
    styles = [_read(path) for path in given.styles if not path.startswith(_FROM_GALLERY)]
    codes = [gallery_code(name, open_generator(compute).sha256, options.style_scale) for name in named]
    weights = _pictures_first(given.styles, given.style_weights)
    if Path(given.content).suffix.lower() in CLIP_SUFFIXES:
        refuse_with_clip(given, "mask", "subject", "outside", "batch", "square")
        options = replace(options, refine=0)  # as frames are painted, and as the film's settings say
        film = stylize_clip(
            given.content, given.out, styles, options, options_from(given, FilmOptions),
            style_weights=weights, codes=codes, compute=compute, begun=given.out,
        )  # fmt: skip
        return run_clip(film, compute, given)

    masks_of = masks_by_photo(given, compute)
    grams = [partial(gallery_grams, name) for name in named]

    def steps(path: str | Path) -> Steps:
        photo = _read(path, given)
        masks = _pictures_first(given.styles, masks_of(photo))
        return stylize(photo, styles, options, style_weights=weights, masks=masks, codes=codes, grams=grams, compute=compute)

    if given.batch:
        return run_folder("stylize", given.content, steps, options, compute, given)
    return run_recipe("stylize", steps(given.content), options, compute, given)


def _pictures_first(styles: Sequence[str], values: Sequence | None) -> list | None:
    """Values in the order of `styles`, reordered as `stylize` takes them: pictures first, then codes."""
    if values is None or len(values) != len(styles):
        return None if values is None else list(values)
    order = sorted(range(len(styles)), key=lambda index: styles[index].startswith(_FROM_GALLERY))
    return [values[index] for index in order]


def _add_continue(parser: argparse.ArgumentParser, pictures: str) -> None:
    parser.add_argument(
        "--continue", dest="continue_from", metavar="PICTURE.png",
        help=f"Continue a stopped picture, from the same {pictures}; its own options are the defaults. "
        "A finished picture gets as many iterations again.",
    )  # fmt: skip


def _add_optimize(parser: argparse.ArgumentParser) -> None:
    _add_styles(parser)
    parser.add_argument("--init-image", metavar="IMAGE", help="A picture to start from, such as an earlier result.")
    _add_continue(parser, "CONTENT and STYLEs")
    parser.add_argument("--timelapse", metavar="FILE.mp4|.gif", help="Also write a film of how the picture formed.")
    parser.add_argument("--memory", type=float, metavar="GB", help="Memory that the run may use (default: 90 %% of the free memory).")
    add_options(parser, OptimizedFilmOptions)
    parser.epilog = "CONTENT may be a clip; OUT is then an .mp4. After Ctrl-C, the same command continues it."


def _optimize(given: argparse.Namespace) -> int:
    options = options_from(given, OptimizeOptions)
    check_gallery("optimize", [style for style in given.styles if style.startswith(_FROM_GALLERY)])
    if Path(given.content).suffix.lower() in CLIP_SUFFIXES:
        return _optimize_clip(given, options)
    _check_memory(given.memory)
    styles = [_read(path) for path in given.styles]
    start = read_image(given.init_image) if given.init_image else None
    begun: dict[str, Any] = {}
    kept = None
    if given.continue_from:
        begun, kept = begun_run(given, {"content": [given.content], "styles": given.styles})
        if start is None and "init_image" in given.carried:
            start = begun["begun"]  # that there was one, whichever it was, decides about the sizes of the levels
    compute = Compute.choose(given.device)
    masks_of = masks_by_photo(given, compute, kept)

    def steps(path):
        photo = _read(path, given)
        return optimize(
            photo, styles, options,
            style_weights=given.style_weights, masks=masks_of(photo), init_image=start, compute=compute,
            preview_every=0.0 if given.timelapse else 1.0, memory=given.memory and given.memory * 1e9, **begun,
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
        given.content, given.out, [_read(path) for path in given.styles], options, options_from(given, OptimizedFilmOptions),
        style_weights=given.style_weights, compute=compute, begun=given.out,
    )  # fmt: skip
    return run_clip(steps, compute, given)


def _add_dream(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", nargs="?", help="The photo; without one, the dream starts from noise.")
    parser.add_argument("--guide", metavar="IMAGE", help="A picture whose features guide the dream.")
    parser.add_argument("--mask", metavar="MASK.png", help="The area to dream in, white on black.")
    _add_continue(parser, "IMAGE and guide")
    parser.add_argument("--timelapse", metavar="FILE.mp4|.gif", help="Also write a film of how the dream grew.")
    parser.add_argument(
        "--zoom", metavar="FILE.mp4|.gif", help="Zoom into the dream and write the film. After an interruption the same command resumes it."
    )
    add_options(parser, ZoomOptions)


def _dream(given: argparse.Namespace) -> int:
    options = options_from(given, DreamOptions)
    if not given.image:
        options = replace(options, start="noise")
    image = _read(given.image, given) if given.image and not given.batch else None
    guide = read_image(given.guide) if given.guide else None
    mask = framed(read_mask(given.mask), given) if given.mask else None
    begun: dict[str, Any] = {}
    if given.continue_from:
        if given.zoom:
            raise RequestError("A zoom continues by itself; give --continue or --zoom, not both.")
        inputs = {"image": [given.image] if given.image else [], "guide": [given.guide] if given.guide else []}
        begun, kept = begun_run(given, inputs)
        mask = kept[0] if kept else mask
    compute = Compute.choose(given.device)
    if given.zoom:
        if mask is not None:
            raise RequestError("A mask can't follow a zoom; give --mask or --zoom, not both.")
        if options.outside:
            raise RequestError("--outside needs a mask, which can't follow a zoom; leave it out.")
        if given.timelapse:
            raise RequestError("A zoom is a film already; give --timelapse or --zoom, not both.")
        zoom = options_from(given, ZoomOptions)
        facts = {**options.as_dict(), **zoom.as_dict(), **requested(given)}
        return run_zoom(
            lambda **done: dream_zoom(image, options, zoom, guide=guide, compute=compute, **done), facts, options, compute, given
        )
    if options_from(given, ZoomOptions) != ZoomOptions():
        raise RequestError("--frames, --zoom-rate, --turn and --iterations-each are of a zoom; add --zoom, or leave them out.")
    preview_every = 0.0 if given.timelapse else 1.0

    def steps(image):
        return dream(image, options, guide=guide, mask=mask, compute=compute, preview_every=preview_every, **begun)

    if given.batch:
        return run_folder("dream", given.image, lambda path: steps(_read(path, given)), options, compute, given)
    return run_recipe("dream", steps(image), options, compute, given)


def _add_imagine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--near", metavar="IMAGE", nargs="+", help="A picture to vary; for a walk, one or both of its ends.")
    parser.add_argument(
        "--walk", metavar="FILE.mp4|.gif", help="Also write a walk: to the next seed's picture, or between the pictures of --near."
    )
    parser.add_argument("--frames", type=int, default=WALK_FRAMES, metavar="N", help=f"Frames of the walk (default {WALK_FRAMES}).")
    parser.epilog = "With --count, OUT.png stands for OUT-1.png, OUT-2.png and so on."


def _imagine(given: argparse.Namespace) -> int:
    options = options_from(given, ImagineOptions)
    if given.batch:
        if len(given.near or ()) > 1:
            raise RequestError("--near has {given} names; with --batch, give one folder.", given=len(given.near))
        compute, folder = Compute.choose(given.device), (given.near or [None])[0]
        return run_folder("imagine", folder, lambda path: imagine(options, _read(path), compute=compute), options, compute, given)
    near = [_read(path) for path in given.near or ()]
    compute = Compute.choose(given.device)
    if given.walk and options.count > 1:
        raise RequestError("--walk makes one film; leave out --count.")
    if given.walk:
        return run_walk("imagine", walk(options, near, frames=given.frames, compute=compute), options, compute, given)
    if given.frames != WALK_FRAMES:
        raise RequestError("--frames is of a walk; add --walk, or leave it out.")
    if len(near) > 1:
        raise RequestError("--near has {given} pictures; give one, or use --walk to go from one to the other.", given=len(near))
    steps = imagine(options, near[0] if near else None, compute=compute)
    if options.count > 1:
        return run_many("imagine", steps, options, compute, given)
    return run_recipe("imagine", steps, options, compute, given)


def _read(path: str | Path, given: argparse.Namespace | None = None) -> Tensor:
    """Read a picture and print the note about it. Keeps the photo's alpha with `--keep-alpha`."""
    picture = load_picture(path, background=getattr(given, "background", "white"))
    if picture.note:
        print(picture.note, file=sys.stderr)
    if given is not None and getattr(given, "keep_alpha", False):
        given.transparency = None if picture.alpha is None else framed(picture.alpha, given)
    return picture.image if given is None else framed(picture.image, given)


# Commands with more than their recipe's pictures and options: the function that adds their flags, and the one that runs them.
_COMMANDS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]] = {
    "stylize": (_add_stylize, _stylize),
    "optimize": (_add_optimize, _optimize),
    "dream": (_add_dream, _dream),
    "imagine": (_add_imagine, _imagine),
}
