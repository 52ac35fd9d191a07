"""The studio's texts in every language of `studio.languages`.

`i18n.PAINT` is a label that follows the browser's language; `say("DONE", request, ...)` returns a sentence in the visitor's language.
Explanations of options come from `style_core` in English, and from the language files otherwise.
"""

import re
from collections.abc import Iterable, Mapping

import gradio as gr
from gradio.i18n import I18nData

from studio.languages import ALL
from style_core import RECIPES
from style_core.messages import Message
from style_core.networks.backbones import BACKBONES
from style_core.options import Options
from style_core.recipes.dream_zoom import ZoomOptions
from style_core.recipes.optimize_clip import OptimizedFilmOptions
from style_core.weights.gallery import GalleryStyle

LANGUAGES = tuple(language.CODE for language in ALL)
_CHOSEN = re.compile(r"(?:^|;\s*)pentimento-language=([\w-]+)")  # in the cookies; see `language_choice`
SHARE_WARNING = ALL[0].SHARE_WARNING
_OPTIONS: tuple[type[Options], ...] = (*(recipe.options for recipe in RECIPES.values()), ZoomOptions, OptimizedFilmOptions)


def _table(language) -> dict[str, str]:
    """All texts of a language by key: its own, labels with their units, choices, explanations, and Gradio's where they differ."""
    table = dict(language.WORDS) | getattr(language, "GRADIO", {})
    for options in _OPTIONS:
        for field in options.fields():
            for key in filter(language.LABELS.get, (field.name, f"{options.__name__}.{field.name}")):
                unit = f" ({language.UNITS[field.unit]})" if field.unit else ""
                table[f"LABEL_{key}_{field.unit}"] = language.LABELS[key] + unit
            own = getattr(language, "HELP", {})
            table[f"HELP_{options.__name__}_{field.name}"] = own.get(f"{options.__name__}.{field.name}", field.help)
    for name, choices in language.CHOICES.items():
        table |= {f"CHOICE_{name}_{choice}": text for choice, text in choices.items()}
    return table


# By language, then by key.
TABLE = {language.CODE: _table(language) for language in ALL}
# Browsers of other regions fall back to a code's first part; if several languages share it, to the first of them.
_FALLBACKS = {code.partition("-")[0]: table for code, table in reversed(TABLE.items())}
I18N = gr.I18n(**_FALLBACKS | TABLE)
# Translations of the core's English messages, by language.
_SENTENCES = {language.CODE: getattr(language, "SENTENCES", {}) for language in ALL}

# Translations of the gallery's titles, painters, years and museums, by language.
_PAINTINGS = {language.CODE: getattr(language, "PAINTINGS", {}) for language in ALL}


def __getattr__(key: str) -> I18nData:
    """`i18n.PAINT`: a label that follows the browser."""
    if key not in TABLE[LANGUAGES[0]]:
        raise AttributeError(f"There is no text called {key}.")
    return I18N(key)


def named(key: str) -> I18nData:
    """The label of a composed key, such as `SIZE_DRAFT`."""
    return __getattr__(key.upper())


def in_each_language(key: str) -> dict[str, str]:
    """A text by language, for what the page itself shows."""
    return {language: table[key] for language, table in TABLE.items()}


def in_all_languages(keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """By language, texts by key."""
    return {language: {key: table[key] for key in keys} for language, table in TABLE.items()}


def category_in_each_language(category: str) -> dict[str, str]:
    """The name of a gallery category, by language."""
    return {language.CODE: language.CATEGORIES.get(category, category) for language in ALL}


def painting_in(language: str, text: str) -> str:
    """A title, painter, year or museum of the gallery in a language."""
    return _PAINTINGS[language].get(text, text)


def painting_in_each_language(*texts: str) -> dict[str, str]:
    """Titles, painters, years and museums of the gallery by language, joined by commas; empty ones are left out."""
    return {code: TABLE[code]["COMMA"].join(painting_in(code, text) for text in texts if text) for code in LANGUAGES}


def named_painting(style: GalleryStyle, request: gr.Request | None) -> str:
    """Title and painter of a gallery style in the visitor's language."""
    language = language_of(request)
    return f"{painting_in(language, style.title)} · {painting_in(language, style.painter)}"


def language_of(request: gr.Request | None) -> str:
    """The language that the visitor chose, or else the browser's, if it is available; otherwise, and for programs, English."""
    headers = request.headers if request is not None else {}
    chosen = _CHOSEN.search(headers.get("cookie", ""))
    wanted = (chosen[1] if chosen else "", headers.get("accept-language", ""))
    return next((code for one in wanted for code in LANGUAGES if one.lower().startswith(code.lower()[:2])), LANGUAGES[0])


def say(key: str, visitor: gr.Request | str | None, **values) -> str:
    """A sentence in a visitor's language; the visitor may be given as a language code."""
    language = visitor if isinstance(visitor, str) else language_of(visitor)
    return TABLE[language][key].format(**values)


def translated(sentence: str, known: Mapping[str, str]) -> str:
    """A message of the core and its nested messages, translated by `known`; unknown ones stay in English."""
    if not isinstance(sentence, Message) or not sentence.values:
        return known.get(sentence, sentence)
    values = {name: translated(value, known) if isinstance(value, str) else value for name, value in sentence.values.items()}
    return known.get(sentence.template, sentence.template).format(**values)


def translate(sentence: str, visitor: gr.Request | str | None) -> str:
    """A message of the core in the visitor's language."""
    language = visitor if isinstance(visitor, str) else language_of(visitor)
    return translated(sentence, _SENTENCES[language])


def refusal(error: Exception | str, visitor: gr.Request | None) -> gr.Error:
    """An error for the page, from a RequestError: `raise i18n.refusal(error, request) from error`."""
    return gr.Error(translate(str(error), visitor), print_exception=False)


def no_result(visitor: gr.Request | None) -> gr.Error:
    """The refusal where a result is needed and there is none."""
    return gr.Error(say("NO_RESULT", visitor), print_exception=False)


def label_of(name: str, unit: str = "", options: type | None = None) -> I18nData:
    """The label of an option, with its unit; the Options class may have its own."""
    own = f"LABEL_{options.__name__}.{name}_{unit}" if options else ""
    return I18N(own if own in TABLE[LANGUAGES[0]] else f"LABEL_{name}_{unit}")


def help_of(options: type, name: str) -> I18nData:
    """The explanation of an option."""
    return I18N(f"HELP_{options.__name__}_{name}")


def choices_of(name: str, allowed: tuple[str, ...]) -> list[tuple[I18nData | str, str]]:
    """A choice's names and values; networks have the same name in all languages."""
    known, titles = ALL[0].CHOICES.get(name, {}), {name: backbone.title for name, backbone in BACKBONES.items()}
    return [(I18N(f"CHOICE_{name}_{choice}") if choice in known else titles.get(choice, choice), choice) for choice in allowed]


def duration(seconds: float) -> str:
    """`0.3 s`, `12 s` from ten seconds on, `2:05 min` from a minute on."""
    if seconds < 9.95:
        return f"{max(seconds, 0.1):.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60}:{whole % 60:02} min"
