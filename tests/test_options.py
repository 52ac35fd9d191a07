from dataclasses import dataclass

import pytest

from style_core.errors import RequestError
from style_core.options import Options, Range, option


@dataclass(frozen=True)
class Sample(Options):
    """An Options class with one option of each kind."""

    size: int = option(512, "Long side.", Range(128, 2048, 64, "px"))
    strength: float = option(0.5, "How much.", Range(0, 1, 0.05))
    init: str = option("content", "Where from.", ("content", "noise"))
    pyramid: bool = option(True, "Small first.", expert=True)
    layers: str = option("", "Which layers.", expert=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 64}, "size is 64; it must be between 128 and 2048 px."),
        ({"size": 200.5}, "size is 200.5; it must be a whole number."),
        ({"size": None}, "size is None; it must be a number between 128 and 2048 px."),
        ({"size": True}, "size is True; it must be a number between 128 and 2048 px."),
        ({"strength": float("nan")}, "strength is nan; it must be between 0 and 1."),
        ({"strength": "0.5"}, "strength is '0.5'; it must be a number between 0 and 1."),
        ({"init": "Content"}, "init is Content; it must be one of content, noise."),
        ({"init": None}, "init is None; it must be one of content, noise."),
        ({"pyramid": 1}, "pyramid is 1; it must be true or false."),
        ({"layers": 3}, "layers is 3; it must be text."),
        ({"strenght": 1}, "There is no option strenght; did you mean strength?"),
        ({"zzz": 1}, "There is no option zzz; the options are size, strength, init, pyramid, layers."),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_in_words(given, message):
    with pytest.raises(RequestError) as caught:
        Sample.make(**given)
    assert str(caught.value) == message


def test_whole_numbers_sent_as_floats_are_taken():
    options = Sample(size=256.0, strength=1)
    assert options.size == 256 and isinstance(options.size, int)
    assert options.strength == 1.0 and isinstance(options.strength, float)


def test_fields_carry_what_a_front_end_needs():
    size, *_, layers = Sample.fields()
    assert (size.name, size.kind, size.default, size.unit, size.expert) == ("size", int, 512, "px", False)
    assert (layers.kind, layers.allowed, layers.expert) == (str, None, True)


def test_options_survive_a_round_trip_through_a_dictionary():
    options = Sample(size=1024, pyramid=False)
    assert Sample.make(**options.as_dict()) == options
