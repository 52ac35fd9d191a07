import pytest

from style_core.errors import RequestError
from style_core.sizes import PRESETS, Size, parse_size


@pytest.mark.parametrize(
    ("text", "dpi", "wanted"),
    [
        ("1024", None, Size(1024)),
        ("1024 px", 150, Size(1024, 150)),
        ("42cm", None, Size(4961, 300)),
        ("42 cm", 150, Size(2480, 150)),
        ("420mm", 300, Size(4961, 300)),
        ("10in", 200, Size(2000, 200)),
        ('10,5"', 200, Size(2100, 200)),
        ("a1", None, Size(9933, 300)),
        ("A4", 150, Size(1754, 150)),
        ("screen", None, Size(1920)),
        ("square", None, Size(2048, None, True)),
    ],
)
def test_sizes_are_read_as_people_write_them(text, dpi, wanted):
    assert parse_size(text, dpi) == wanted


@pytest.mark.parametrize(
    ("text", "dpi", "message"),
    [
        ("large", None, f"size is large; write it like 1024, 42cm or 16.5in, or as one of {', '.join(PRESETS)}."),
        ("-3cm", None, f"size is -3cm; write it like 1024, 42cm or 16.5in, or as one of {', '.join(PRESETS)}."),
        ("10.5", None, "size is 10.5; pixels must be a whole number."),
        ("42cm", 5, "dpi is 5; it must be between 36 and 1200."),
        ("42cm", float("nan"), "dpi is nan; it must be between 36 and 1200."),
    ],
)
def test_invalid_sizes_are_refused(text, dpi, message):
    with pytest.raises(RequestError) as caught:
        parse_size(text, dpi)
    assert str(caught.value) == message
