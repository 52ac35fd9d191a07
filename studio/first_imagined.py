"""The pictures that Imagine opens with: the first seeds, imagined already.

They ship as small files; `python -c "from studio import first_imagined; first_imagined.paint()"` imagines them again.
"""

from pathlib import Path

from studio import files, first_picture
from style_core import ImagineOptions, imagine, read_image, write_image
from style_core.media.settings import settings_of

_SEEDS, _SIZE, _QUALITY = range(6), 256, 88  # side in px; of the JPEG
_FOLDER = Path(__file__).parent / "samples" / "imagined"


def pictures() -> list[Path]:
    """The shipped files, by seed."""
    return [_FOLDER / f"seed-{seed}.jpg" for seed in _SEEDS]


def result(seed: int) -> str:
    """One of them as an ordinary result with settings."""
    path = files.new_folder() / f"{first_picture.EXAMPLE}-{seed}.png"
    options = ImagineOptions(seed=seed, size=_SIZE, count=1).as_dict()
    write_image(path, read_image(pictures()[seed]), settings=settings_of("imagine", options))
    return str(path)


def paint() -> None:
    """Imagine the pictures and write the shipped files."""
    _FOLDER.mkdir(exist_ok=True)
    made = [step.image for step in imagine(ImagineOptions(seed=_SEEDS[0], size=_SIZE, count=len(_SEEDS))) if step.image is not None]
    for path, image in zip(pictures(), made, strict=True):
        write_image(path, image, quality=_QUALITY)
