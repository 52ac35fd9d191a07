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
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from style_core.cli import batch as cli_batch
from style_core.cli import proof as cli_proof
from style_core.cli import redo
from style_core.cli import weights as cli_weights
from style_core.cli.batch import check_flags
from style_core.cli.continuing import continued_options
from style_core.cli.dreaming import add_dream, add_imagine, run_dream, run_imagine
from style_core.cli.flags import add_options, options_from
from style_core.cli.painting import add_optimize, add_stylize, run_optimize, run_stylize
from style_core.cli.pictures import read_given
from style_core.cli.run import USUAL, check_outputs, run_recipe
from style_core.devices import DEVICES, Compute, prepare_cpu
from style_core.errors import RequestError
from style_core.recipes.table import RECIPES, Recipe, picture_name, placeholder
from style_core.sizes import DPI, Size


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
        parser.add_argument(name, metavar=placeholder(taken), nargs=nargs, help="One or more pictures." if nargs == "+" else "A picture.")


def _run(recipe: Recipe, given: argparse.Namespace) -> int:
    """Run a recipe from its entry in the table."""
    options = options_from(given, recipe.options)
    if given.batch:
        raise RequestError("{recipe} has no --batch; use the command batch.", recipe=recipe.name)
    pictures = []
    for taken in recipe.takes:
        found = getattr(given, picture_name(taken))
        pictures.append([read_given(path) for path in found] if isinstance(found, list) else read_given(found) if found else None)
    compute = Compute.choose(given.device)
    return run_recipe(recipe.name, recipe.run(*pictures, options, compute=compute), options, compute, given)


# Commands with more than their recipe's pictures and options: the function that adds their flags, and the one that runs them.
_COMMANDS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]] = {
    "stylize": (add_stylize, run_stylize),
    "optimize": (add_optimize, run_optimize),
    "dream": (add_dream, run_dream),
    "imagine": (add_imagine, run_imagine),
}
