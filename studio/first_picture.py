"""The picture that the studio opens with: one of our own photos, already painted.

The painted picture ships as a small file, so that the page shows it before anything is computed;
`python -c "from studio import first_picture; first_picture.paint()"` paints it again.
"""

from functools import partial
from pathlib import Path

from studio import files
from studio.controls import STARTS
from studio.examples import first_photo
from style_core import StylizeOptions, finish, gallery, gallery_code, gallery_grams, read_image, stylize, write_image
from style_core.devices import Compute
from style_core.media.settings import settings_of
from style_core.weights.open import open_generator

# In order of preference; the first one in the gallery is used.
_STYLES = ("starry-night", "cafe-terrace", "red-fuji")
_SIZE, _QUALITY = 1024, 82  # px of the long side; of the JPEG
_PAINTED = Path(__file__).parent / "samples" / "first-painted.jpg"
EXAMPLE = "pentimento-example"  # how the files of examples are called
KEY = "first"  # key of the first picture's request
_ready: list[str] = []


def style() -> str:
    """The gallery style in which the first picture is painted."""
    return next((name for name in _STYLES if name in gallery()), next(iter(gallery())))


def before_and_after() -> tuple[str, str]:
    """The photo and the painted picture, as files."""
    return first_photo(), str(_PAINTED) if _PAINTED.is_file() else first_photo()


def result() -> str:
    """The painted picture as an ordinary result with settings; created again if it was swept away."""
    if not _ready or not Path(_ready[0]).is_file():
        path = files.new_folder() / f"{EXAMPLE}.png"
        settings = settings_of("stylize", StylizeOptions(size=_SIZE).as_dict(), {}, gallery=style())
        write_image(path, read_image(before_and_after()[1]), settings=settings)
        _ready[:] = [str(path)]
    files.in_use(_ready[0])
    return _ready[0]


def is_asked_for(content: str | None, gallery_style: str, options: dict) -> bool:
    """Whether a request, without the visitor's own paintings, is the first picture's."""
    mine = Path(first_photo())
    if content is None or gallery_style != style() or Path(content).name != mine.name:
        return False
    defaults = {field.name: field.default for field in StylizeOptions.fields()} | STARTS["stylize"]
    return all(options.get(name) == value for name, value in defaults.items()) and Path(content).stat().st_size == mine.stat().st_size


def is_example(path: object) -> bool:
    """Whether a result is a picture that a tab opened with, which no visitor made."""
    return isinstance(path, str) and Path(path).name.startswith(EXAMPLE)


def paint() -> None:
    """Paint the first photo in the first style and write the shipped file."""
    compute = Compute.choose()
    code = gallery_code(style(), open_generator(compute).sha256)
    options, grams = StylizeOptions(size=_SIZE), partial(gallery_grams, style())
    step = finish(stylize(read_image(first_photo()), [], options, codes=[code], grams=[grams], compute=compute))
    write_image(_PAINTED, step.result, quality=_QUALITY)
