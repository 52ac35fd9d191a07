"""Options: each field is described once, next to its default.

Sliders, shell flags, API names and the validation before any work are all generated from the fields declared with `option`.
"""

import dataclasses
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from style_core.errors import RequestError
from style_core.messages import Message


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
        return self.as_message()

    def as_message(self) -> Message:
        """For example `between 128 and 2048 px`."""
        if self.unit:
            return Message("between {low:.10g} and {high:.10g} {unit}", low=self.low, high=self.high, unit=self.unit)
        return Message("between {low:.10g} and {high:.10g}", low=self.low, high=self.high)


@dataclass(frozen=True)
class OptionField:
    """One option for a front end, generated from a field of an Options class.

    `allowed` is a `Range` for numbers, a tuple for a choice, None for a switch or free text. The app shows `expert` options
    under Advanced.
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


SEED_COUNT = 2**31  # after the last seed comes the first
SEEDS = Range(0, SEED_COUNT - 1, 1)


def option(default: Any, help: str, allowed: Range | tuple[str, ...] | None = None, *, expert: bool = False) -> Any:
    """Declare a field of an Options class: its default, a sentence of explanation, and the allowed values."""
    return dataclasses.field(default=default, metadata={"help": help, "allowed": allowed, "expert": expert})


@dataclass(frozen=True)
class Options:
    """Base of the frozen dataclasses that hold a recipe's options.

    Raises:
        RequestError: on construction, for an invalid value; names the option, the value and the allowed values.
    """

    def __post_init__(self) -> None:
        for field in self.fields():
            value = _checked(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)

    @classmethod
    def fields(cls) -> Iterator[OptionField]:
        """The options in order of declaration."""
        for field in dataclasses.fields(cls):
            yield OptionField(field.name, type(field.default), field.default, **field.metadata)

    @classmethod
    def make(cls, **given: Any) -> Self:
        """Build from external names, such as those of a settings file.

        Raises:
            RequestError: for an unknown name, suggesting the nearest option.
        """
        names = [field.name for field in cls.fields()]
        for name in given:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1)
                if near:
                    raise RequestError("There is no option {option}; did you mean {near}?", option=name, near=near[0])
                raise RequestError("There is no option {option}; the options are {known}.", option=name, known=", ".join(names))
        return cls(**given)

    @classmethod
    def check(cls, name: str, value: Any) -> None:
        """Check the value of one option.

        Raises:
            RequestError: if it is invalid, as on construction.
        """
        _checked(next(field for field in cls.fields() if field.name == name), value)

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def _checked(field: OptionField, value: Any) -> Any:
    allowed = field.allowed
    if field.kind is bool:
        if not isinstance(value, bool):
            raise RequestError("{option} is {value}; it must be true or false.", option=field.name, value=value)
        return value
    if isinstance(allowed, tuple):
        if value not in allowed:
            raise RequestError(
                "{option} is {value}; it must be one of {allowed}.", option=field.name, value=value, allowed=", ".join(allowed)
            )
        return value
    if field.kind in (int, float):
        return _checked_number(field, value)
    if not isinstance(value, str):
        raise RequestError("{option} is {value}; it must be text.", option=field.name, value=value)
    return value


def _checked_number(field: OptionField, value: Any) -> int | float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        shown = repr(value) if isinstance(value, str) else value
        if isinstance(field.allowed, Range):
            said = "{option} is {value}; it must be a number {allowed}."
            raise RequestError(said, option=field.name, value=shown, allowed=field.allowed.as_message())
        raise RequestError("{option} is {value}; it must be a number.", option=field.name, value=shown)
    if isinstance(field.allowed, Range) and value not in field.allowed:
        raise RequestError(
            "{option} is {value}; it must be {allowed}.", option=field.name, value=f"{value:.10g}", allowed=field.allowed.as_message()
        )
    if field.kind is int:
        # Sliders and JSON send 300.0 for 300.
        if value != int(value):
            raise RequestError("{option} is {value}; it must be a whole number.", option=field.name, value=f"{value:.10g}")
        return int(value)
    return float(value)
