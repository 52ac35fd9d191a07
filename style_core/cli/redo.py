"""`redo`: make a picture again from the settings inside it and the pictures that it was made from."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from style_core.errors import RequestError
from style_core.files import sha256_of
from style_core.media.settings import read_settings
from style_core.recipes.imagine import ImagineOptions
from style_core.recipes.recorded_inputs import PICTURES, WRITING, facts_in, request_in, stored_in
from style_core.recipes.table import RECIPES, Recipe, flags_of, options_used, picture_name
from style_core.weights.registry import find, registry

_FLAGS = {"continue_from": "--continue"}  # flags that differ from the picture's name


def add(commands: Any, main: Callable[[Sequence[str]], int]) -> None:
    """Add the command; `main` runs the reconstructed command."""
    about = "Make a picture again from the settings inside it."
    parser = commands.add_parser("redo", help=about, description=about)
    parser.add_argument("picture", metavar="PICTURE", help="A picture that Pentimento saved.")
    parser.add_argument("--inputs", metavar="IMAGE", nargs="*", default=[], help="The pictures that it was made from, in any order.")
    parser.add_argument("-o", "--out", required=True, metavar="OUT.png", help="The file to write.")
    parser.add_argument("--json", action="store_true", help="Print one JSON object to standard output at the end.")
    parser.set_defaults(run=lambda given: redo(given, main, commands.choices))


def redo(
    given: argparse.Namespace, main: Callable[[Sequence[str]], int], commands: Mapping[str, argparse.ArgumentParser]
) -> int:  # fmt: skip
    """Run the command that made a picture, reconstructed from its settings.

    Args:
        commands: the parsers of all commands, by name.
    Raises:
        RequestError: if the picture has no settings, inputs are missing, or the weights have changed.
    """
    settings = read_settings(given.picture)
    recipe = RECIPES.get(settings["recipe"])
    if recipe is None:
        raise RequestError("{file} was made by {recipe}, which this version does not have.", file=given.picture, recipe=settings["recipe"])
    request = request_in(settings, given.picture, [picture_name(taken) for taken in recipe.takes if taken[-1] != "?"])
    if "after" in settings:
        print("The picture was adjusted after it was painted; redo leaves the adjustments out.", file=sys.stderr)
    if "done" in settings:
        print(f"The picture was stopped after {settings['done']} steps; redo makes the finished one.", file=sys.stderr)
    _check_weights(settings.get("weights", {}))
    options = options_used(settings)
    if isinstance(options, ImagineOptions) and options.finish == "painted" and "styles" not in settings.get("weights", {}):
        raise RequestError("{file} was imagined by an earlier version, in other styles; use that version.", file=given.picture)
    with tempfile.TemporaryDirectory() as folder:
        inputs = _Inputs(given.inputs, Path(folder))
        # The continued picture's options become defaults, so every option is passed explicitly.
        flags = flags_of(options, every="continue_from" in request)
        if request.get("square"):
            flags.append(f"--size={options.size}square")
        flags += [f"--{name}={request[name]}" for name in WRITING if name in request]
        if commands[recipe.name].get_default("keep_alpha") is not None:
            flags.append("--keep-alpha" if request.get("keep_alpha") else "--no-keep-alpha")
        words = [recipe.name, *_words(recipe, request, inputs), "-o", given.out, *flags]
        return main([*words, "--json"] if given.json else words)


class _Inputs:
    """Pictures by their sha256: the given files, and masks stored in a picture."""

    def __init__(self, paths: Sequence[str], folder: Path):
        for path in paths:
            if not Path(path).is_file():
                raise RequestError("There is no file {file}; check its name and folder.", file=path)
        self._known = {sha256_of(Path(path)): path for path in paths}
        self._folder, self._stored = folder, 0

    def path_of(self, fact: str | Mapping[str, str]) -> str:
        if isinstance(fact, str):
            return fact
        digest, file = fact["sha256"], fact.get("file", "")
        if digest in self._known:
            return self._known[digest]
        if "data" not in fact:
            raise RequestError(
                "{file} is missing; give it with --inputs, unchanged: its sha256 begins with {digest}.", file=file, digest=digest[:12]
            )
        self._stored += 1
        path = self._folder / f"{self._stored}.png"  # by number, because its own name may be a path to anywhere
        path.write_bytes(stored_in(fact))
        return str(path)


def _words(recipe: Recipe, request: Mapping[str, Any], inputs: _Inputs) -> Iterator[str]:
    """A request as command-line arguments: the recipe's own pictures in its order, then the others as flags."""
    for name in (*recipe.pictures, *(name for name in PICTURES if name not in recipe.pictures)):
        if name not in request or name == "init_image" and "continue_from" in request:  # the continued picture knows that there was one
            continue
        paths = [inputs.path_of(fact) for fact in facts_in(request, name)]
        if name in recipe.pictures:
            yield from paths
        elif name == "mask" and isinstance(request[name], list):
            for path in paths:
                yield from ("--mask", path)
        else:
            yield from (_FLAGS.get(name, f"--{name.replace('_', '-')}"), *paths)
    if "style_weights" in request:
        yield from ("--style-weights", *map(str, request["style_weights"]))
    if "subject" in request:
        yield f"--subject={request['subject']}"
    if "background" in request:
        yield f"--background={request['background']}"


def _check_weights(weights: Mapping[str, str]) -> None:
    """Refuse weights that have changed since, because they would make a different picture.

    A network from the hub is kept only as deep as it was used, so its file changes while its tensors stay the same.
    """
    for name, digest in weights.items():
        path = find(name)
        if path is None or not digest or sha256_of(path) == digest:
            continue
        if registry()[name].repo:
            print(f"The file of {name} is another one than the picture was made with; it may be deeper.", file=sys.stderr)
        else:
            raise RequestError(
                "The picture was made with other {name} weights (sha256 {digest}) than are installed; use the version that made it.",
                name=name, digest=str(digest)[:12],
            )  # fmt: skip
