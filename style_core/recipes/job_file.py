"""Job files: the pictures of a batch, listed in TOML or JSON."""

import json
import os
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from glob import glob
from pathlib import Path
from typing import Any

from torch import Tensor

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.images import read_image
from style_core.media.reading import PRINTS, read_header, read_pixels
from style_core.options import Options
from style_core.progress import Steps
from style_core.recipes.batch import Task
from style_core.recipes.batch_record import SHEET, results_in
from style_core.recipes.table import RECIPES
from style_core.weights.gallery import FROM_GALLERY, gallery_code, gallery_grams
from style_core.weights.open import open_generator

SUFFIXES = frozenset(".jpg .jpeg .png .webp .avif .heic .heif .gif .tif .tiff .bmp .tga .psd".split())
_LISTS: dict[str, tuple[type, ...]] = {
    "contents": (str,),
    "styles": (str,),
    "strengths": (int, float),
}  # entries that are lists, and of what
_TYPES: dict[str, tuple[type, str]] = {
    "recipe": (str, "a name in quotes"), "out": (str, "a name in quotes"), "suffix": (str, "a name in quotes"),
    "options": (dict, "a table"), "sheet": (bool, "true or false"),
}  # fmt: skip
_LONGEST, _FIRST, _LAST = 250, 150, 90  # bytes of a name without suffix, and what is kept of a longer one
_KEYS = ("recipe", "out", "contents", "styles", "strengths", "options", "suffix", "sheet")


@dataclass(frozen=True)
class Job:
    """A parsed job file.

    Attributes:
        folder: of the results.
        tasks: in order.
        suffix: of the results.
        sheet: whether a contact sheet is painted first.
    """

    folder: Path
    tasks: list[Task] = field(default_factory=list)
    suffix: str = ".png"
    sheet: bool = True


def read_job(path: str | Path, compute: Compute) -> Job:
    """Read a job file, TOML or JSON; its paths are relative to its own folder.

    `recipe`, `out` and `contents` (files, folders or patterns) are required; `styles` (likewise, or `gallery:NAME`), `strengths`,
    `options`, `suffix` and `sheet` are optional. Each content is painted in each style at each strength.

    Raises:
        RequestError: for a file that can't be read, an unknown entry, or nothing to do.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        given = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except OSError as error:
        raise RequestError("There is no file {file}; check its name and folder.", file=path.name) from error
    except ValueError as error:
        raise RequestError("{file} is not a job file: {reason}.", file=path.name, reason=str(error)) from error
    _check_keys(given, path.name)
    given = {**given, **{key: _entries(given, key, kind, path.name) for key, kind in _LISTS.items()}}
    recipe, options = RECIPES[given["recipe"]], RECIPES[given["recipe"]].options.make(**given.get("options", {}))
    results = results_in(path.parent / given["out"])
    contents = files_of(given["contents"], path.parent, without=results)
    styles = [name for name in given["styles"] if name.startswith(FROM_GALLERY)]
    check_gallery(recipe.name, styles)
    styles += map(str, files_of([name for name in given["styles"] if not name.startswith(FROM_GALLERY)], path.parent, needed=False))
    if "styles+" in recipe.takes and not styles:
        raise RequestError("{file} has no styles; list pictures, or gallery:NAME.", file=path.name)
    if styles and "styles+" not in recipe.takes:
        raise RequestError("{file} has styles, but {recipe} takes none; leave them out.", file=path.name, recipe=recipe.name)
    tasks = tasks_of(recipe.name, contents, styles, given["strengths"], options, compute)
    return Job(path.parent / given["out"], tasks, given.get("suffix", ".png"), given.get("sheet", True))


def _check_keys(given: Any, file: str) -> None:
    if not isinstance(given, dict):
        raise RequestError("{file} is not a job file: {reason}.", file=file, reason="it holds no entries")
    for key, (kind, wanted) in _TYPES.items():
        if key in given and not isinstance(given[key], kind):
            value = repr(given[key])
            raise RequestError("{file} has {value} in {key}; {key} must be {wanted}.", file=file, value=value, key=key, wanted=wanted)
    for key in given:
        if key not in _KEYS:
            raise RequestError("{file} has an unknown entry, {key}; the entries are {known}.", file=file, key=key, known=", ".join(_KEYS))
    for key in ("recipe", "out", "contents"):
        if not given.get(key):
            raise RequestError("{file} has no {key}; add it.", file=file, key=key)
    if given["recipe"] not in RECIPES or not RECIPES[given["recipe"]].takes:
        known = ", ".join(name for name, recipe in RECIPES.items() if recipe.takes)
        raise RequestError("{option} is {value}; it must be one of {allowed}.", option="recipe", value=given["recipe"], allowed=known)


def check_gallery(recipe: str, styles: Sequence[str]) -> None:
    """Check before any work that a recipe takes styles of the gallery, and that they are there.

    Args:
        styles: each a `gallery:NAME`.
    Raises:
        RequestError: if not.
    """
    for style in styles:
        if recipe != "stylize":
            raise RequestError("Styles of the gallery are for stylize; give {recipe} a picture.", recipe=recipe)
        gallery_code(style.removeprefix(FROM_GALLERY))


def _entries(given: Mapping[str, Any], key: str, kind: tuple[type, ...], file: str) -> list:
    """The entries of a list in a job; a single one may stand for itself."""
    value = given.get(key, [])
    entries = value if isinstance(value, list) else [value]
    for entry in entries:
        if not isinstance(entry, kind) or isinstance(entry, bool):
            wanted = "names in quotes" if kind == (str,) else "numbers"
            raise RequestError("{file} has {value} in {key}; {key} must be {wanted}.", file=file, value=repr(entry), key=key, wanted=wanted)
    return entries


def files_of(names: Iterable[str], folder: Path = Path(), *, needed: bool = True, without: Collection[Path] = ()) -> list[Path]:
    """The pictures that names of files, folders and patterns refer to, without repetition.

    Args:
        needed: whether there must be some.
        without: resolved paths of those that a folder or a pattern doesn't mean, such as a batch's own results.
    Raises:
        RequestError: for a name without pictures, or if there are none but some are needed.
    """
    found: dict[Path, None] = {}
    for name in names:
        path = folder / name
        if os.path.isdir(path):  # Path raises for a name that is too long
            matches = sorted(each for each in path.iterdir() if each.suffix.lower() in SUFFIXES)
        else:
            named = [path] if os.path.isfile(path) else sorted(folder / each for each in glob(name, root_dir=folder, recursive=True))
            matches = [each for each in named if each == path or each.is_file() and each.suffix.lower() in SUFFIXES]
        if not os.path.isfile(path):
            matches = [each for each in matches if each.resolve() not in without]
        if not matches:
            raise RequestError("There are no pictures in {folder}.", folder=Path(name).name)
        found |= dict.fromkeys(matches)
    if needed and not found:
        raise RequestError("There are no pictures in {folder}.", folder=folder.name)
    return list(found)


def tasks_of(
    recipe: str, contents: Sequence[Path], styles: Sequence[str], strengths: Sequence[float], options: Options, compute: Compute
) -> list[Task]:
    """Each content in each style at each strength.

    Args:
        styles: files and `gallery:NAME`s; empty for a recipe without styles.
        strengths: if empty, the options' strength is used.
    """
    tasks: list[Task] = []
    taken = {Path(SHEET).stem}
    at_strengths = [(each, options.make(**{**options.as_dict(), "strength": each})) for each in strengths] or [(0.0, options)]
    for content in contents:
        for style in styles or [""]:
            for strength, own in at_strengths:
                parts = [content.stem]
                if len(styles) > 1:
                    parts.append(Path(style.removeprefix(FROM_GALLERY)).stem)
                if len(strengths) > 1:
                    parts.append(f"{strength:g}")
                name = free_name("--".join(parts), taken)
                sources = (str(content), style) if style else (str(content),)
                alpha = partial(_alpha_of, content if "styles+" in RECIPES[recipe].takes else None)
                tasks.append(Task(name, recipe, own, _starter(recipe, content, style, compute), sources, str(content), style, alpha))
    return tasks


def free_name(wanted: str, taken: set[str]) -> str:
    """`wanted`, or `wanted` with the first free number appended; marks it as taken. Names are compared ignoring case.

    A name that is too long for a file loses its middle: its end tells the style.
    """
    name, number = _fitting(wanted), 1
    while name.lower() in taken:
        number += 1
        name = _fitting(f"{wanted}-{number}")
    taken.add(name.lower())
    return name


def _fitting(name: str) -> str:
    letters = os.fsencode(name)
    if len(letters) <= _LONGEST:
        return name
    return f"{letters[:_FIRST].decode(errors='ignore')}…{letters[-_LAST:].decode(errors='ignore')}"


def _starter(recipe: str, content: Path, style: str, compute: Compute) -> Callable[[Options], Steps]:
    def start(options: Options) -> Steps:
        photo = read_image(content, limits=PRINTS)
        if not style:
            return RECIPES[recipe].run(photo, options, compute=compute)
        if style.startswith(FROM_GALLERY):
            sha256, scale = open_generator(compute).sha256, options.as_dict()["style_scale"]
            name = style.removeprefix(FROM_GALLERY)
            codes, grams = [gallery_code(name, sha256, scale)], [partial(gallery_grams, name)]
            return RECIPES[recipe].run(photo, [], options, codes=codes, grams=grams, compute=compute)
        return RECIPES[recipe].run(photo, [read_image(style, limits=PRINTS)], options, compute=compute)

    return start


def _alpha_of(content: Path | None) -> Tensor | None:
    """A photo's transparency; an opaque one isn't decoded for it."""
    header = None if content is None else read_header(content, PRINTS)
    return read_pixels(header).alpha if header and header.see_through else None
