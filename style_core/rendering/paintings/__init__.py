"""Our own paintings, rendered in different techniques: oil, glass, ink, mosaic, woodcut, paper cut, points."""

from collections.abc import Callable

from PIL import Image

from style_core.rendering.paintings import brush, craft

PAINTINGS: dict[str, Callable[[], Image.Image]] = {
    "impasto": brush.impasto,
    "stained-glass": craft.stained_glass,
    "ink-wash": brush.ink_wash,
    "mosaic": craft.mosaic,
    "woodcut": craft.woodcut,
    "paper-cut": craft.paper_cut,
    "points": brush.points,
}
