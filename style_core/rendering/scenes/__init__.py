"""Our own pictures that look like photographs, with light, depth and grain, rendered from arithmetic and a seed."""

from collections.abc import Callable

from PIL import Image

from style_core.rendering.scenes import bust, mountains, still_life, street

# A scene maps (long side, seed) to a picture; the file is named after it.
SCENES: dict[str, Callable[..., Image.Image]] = {
    "mountain-lake": mountains.render,
    "still-life": still_life.render,
    "night-street": street.render,
    "bust": bust.render,
}
LONG_SIDE = 1536
