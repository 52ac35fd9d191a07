"""The switch of the page's language, which is the browser's until the visitor chooses another.

A cookie keeps the choice, because both the page and the server speak. For the page's scripts, the early page answers with it when they
ask for the browser's language; `i18n.language_of` reads it on the server. An address may ask for a language, as in `?lang=es`.
"""

from pathlib import Path

import gradio as gr

from studio import i18n

_SCRIPT = (Path(__file__).parent / "assets" / "language.js").read_text(encoding="utf-8")


def language_switch() -> gr.HTML:
    """The switch, which needs no event: it loads the page again."""
    return gr.HTML(
        html_template="<select></select>", js_on_load=_SCRIPT, apply_default_css=False,
        texts=i18n.in_each_language("LANGUAGE"), elem_id="language",
    )  # fmt: skip
