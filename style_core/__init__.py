"""Pentimento's core: neural style transfer without a user interface.

from style_core import finish, optimize, read_image, stylize, write_image

photo, painting = read_image("photo.jpg"), read_image("painting.jpg")
result = finish(stylize(photo, [painting])).image              # takes seconds
result = finish(optimize(photo, [painting])).image             # slower and finer
write_image("painted.png", result)
"""

import os

# Set before torch is imported: OpenMP threads that wait spin for some 60 microseconds and then sleep. By default they spin on and block
# the cores; without any spinning, a small picture takes a third longer (benchmarks/reliability.md).
os.environ.update({} if "OMP_WAIT_POLICY" in os.environ else {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "2500"})

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.images import read_image, write_image
from style_core.media.settings import read_settings
from style_core.progress import Step, finish
from style_core.recipes.dream import DreamOptions, dream
from style_core.recipes.imagine import ImagineOptions, imagine
from style_core.recipes.optimize import optimize
from style_core.recipes.optimize_options import OptimizeOptions
from style_core.recipes.stylize import StylizeOptions, stylize
from style_core.recipes.table import RECIPES
from style_core.version import __version__
from style_core.weights.gallery import gallery, gallery_code, gallery_grams

__all__ = [
    "RECIPES",
    "Compute",
    "DreamOptions",
    "OptimizeOptions",
    "ImagineOptions",
    "RequestError",
    "Step",
    "StylizeOptions",
    "__version__",
    "dream",
    "finish",
    "gallery",
    "gallery_code",
    "gallery_grams",
    "imagine",
    "optimize",
    "read_image",
    "read_settings",
    "stylize",
    "write_image",
]
