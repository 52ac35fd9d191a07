"""Options: each field described once, where its default stands.

Sliders, shell flags, API names, the check before any work and the README's tables are all made from the fields
declared here with `option`.
"""

import dataclasses
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from style_core.errors import RequestError


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included, offered in steps of `step`, in `unit`."""

    low: float
    high: float
    step: float
    unit: str = ""

    def __contains__(self, value: Any) -> bool:
        # Written as one chain so that nan fails it.
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"between {self.low:g} and {self.high:g}" + (f" {self.unit}" if self.unit else "")


@dataclass(frozen=True)
class OptionField:
    """One option as a front end needs it: made from a field of an Options class.

    `allowed` is a `Range` for numbers, a tuple for a choice, None for a switch or free text. `expert` options are
    folded away in the app.
    """

    name: str
    kind: type
    default: Any
    help: str
    allowed: Range | tuple[str, ...] | None
    expert: bool

    @property
    def unit(self) -> str:
        return self.allowed.unit if isinstance(self.allowed, Range) else ""


def option(default: Any, help: str, allowed: Range | tuple[str, ...] | None = None, *, expert: bool = False) -> Any:
    """Declare a field of an Options class: its default, one sentence about it, and what it may be."""
    return dataclasses.field(default=default, metadata={"help": help, "allowed": allowed, "expert": expert})


class Options:
    """Base of the frozen dataclasses that hold what a recipe can be asked for.

    Raises:
        RequestError: on construction, when a value is not allowed, naming the option, the value and what would do.
    """

    def __post_init__(self) -> None:
        for field in self.fields():
            value = _checked(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)

    @classmethod
    def fields(cls) -> Iterator[OptionField]:
        """The options in the order in which they are declared."""
        for field in dataclasses.fields(cls):
            yield OptionField(field.name, type(field.default), field.default, **field.metadata)

    @classmethod
    def make(cls, **given: Any) -> "Options":
        """Build from names that come from outside, such as a settings file.

        Raises:
            RequestError: for a name that is no option, with the nearest one that is.
        """
        names = [field.name for field in cls.fields()]
        for name in given:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1)
                hint = f"did you mean {near[0]}?" if near else f"the options are {', '.join(names)}."
                raise RequestError(f"There is no option {name}; {hint}")
        return cls(**given)

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def _checked(field: OptionField, value: Any) -> Any:
    allowed = field.allowed
    if field.kind is bool:
        if not isinstance(value, bool):
            raise RequestError(f"{field.name} is {value}; it must be true or false.")
        return value
    if isinstance(allowed, tuple):
        if value not in allowed:
            raise RequestError(f"{field.name} is {value}; it must be one of {', '.join(allowed)}.")
        return value
    if field.kind in (int, float):
        return _checked_number(field, value)
    if not isinstance(value, str):
        raise RequestError(f"{field.name} is {value}; it must be text.")
    return value


def _checked_number(field: OptionField, value: Any) -> int | float:
    wanted = f"it must be {field.allowed}." if field.allowed else "it must be a number."
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RequestError(f"{field.name} is {value}; {wanted}")
    if field.allowed is not None and value not in field.allowed:
        raise RequestError(f"{field.name} is {value:g}; {wanted}")
    if field.kind is int:
        # Sliders and JSON send 300.0 for 300.
        if value != int(value):
            raise RequestError(f"{field.name} is {value:g}; it must be a whole number.")
        return int(value)
    return float(value)
