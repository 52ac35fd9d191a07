"""The studio's languages, a file or folder each: `en` contains every text, the others translate the same keys.

Each has `CODE` (the browser's language code), `WORDS`, `LABELS`, `UNITS`, `CHOICES` and `CATEGORIES` (gallery categories; may be
empty). English also has `SHARE_WARNING`. All but English have `HELP`, the options' explanations, `SENTENCES`, the core's messages, and
`PAINTINGS`, the gallery's titles, painters, years and museums; these are English in the core. `GRADIO` replaces texts of Gradio's own,
where a language has it. A new language is one file or folder here.
"""

import importlib
import pkgutil

# English first: it is the fallback for missing texts.
ALL = sorted(
    (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)), key=lambda one: one.CODE != "en"
)
