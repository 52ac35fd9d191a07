"""Our own paintings, rendered in different techniques: oil, glass, ink, mosaic, woodcut, paper cut, points.

python -m style_core.training.paintings --out studio/samples/styles [NAME ...]
"""

from collections.abc import Callable

from PIL import Image

from style_core.training.paintings import brush, craft

PAINTINGS: dict[str, Callable[[], Image.Image]] = {
    "impasto": brush.impasto,
    "stained-glass": craft.stained_glass,
    "ink-wash": brush.ink_wash,
    "mosaic": craft.mosaic,
    "woodcut": craft.woodcut,
    "paper-cut": craft.paper_cut,
    "points": brush.points,
}
