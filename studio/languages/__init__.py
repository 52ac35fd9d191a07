"""The studio's languages, a file each: `en` holds every text, the others the same keys in their own words.

Each has `CODE` (as browsers name it), `NAME`, `WORDS`, `LABELS`, `UNITS` and `CHOICES`; all but English also `HELP`, which stands
with the options in English, and `SENTENCES`, which are what the core says. A new language is one file here.
"""

import importlib
import pkgutil

# English first: it answers for whatever another has no words for.
ALL = sorted(
    (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)), key=lambda one: one.CODE != "en"
)
