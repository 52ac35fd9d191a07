"""Flags made from a recipe's options, and its options from parsed flags."""

import argparse
from typing import TypeVar

from style_core.errors import RequestError
from style_core.options import OptionField, Options, Range
from style_core.sizes import PRESETS, parse_size

_O = TypeVar("_O", bound=Options)


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
