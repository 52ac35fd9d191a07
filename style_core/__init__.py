"""Pentimento's core: neural style transfer without a user interface.

    from style_core import read_image, write_image, optimize, finish

    result = finish(optimize(read_image("photo.jpg"), [read_image("painting.jpg")])).image
    write_image("painted.png", result)
"""

from style_core.devices import Compute
from style_core.dream import DreamOptions, dream
from style_core.errors import RequestError
from style_core.gatys import GatysOptions, optimize
from style_core.imaging import read_image, write_image
from style_core.progress import Step, finish
from style_core.recipes import RECIPES
from style_core.settings import read_settings
from style_core.version import __version__

__all__ = [
    "RECIPES",
    "Compute",
    "DreamOptions",
    "GatysOptions",
    "RequestError",
    "Step",
    "__version__",
    "dream",
    "finish",
    "optimize",
    "read_image",
    "read_settings",
    "write_image",
]
