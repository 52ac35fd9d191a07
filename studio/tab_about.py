"""The tab "About": what the tabs are for, the technical details, and a button to retry the download."""

import gradio as gr

from studio import i18n
from studio.events import IMMEDIATE, Updates
from style_core import Compute, RequestError, Step, __version__
from style_core.weights import registry as weights

_REFERENCE = "vgg19"
_WORDS = ("ABOUT_QUICK", "ABOUT_SLOW", "ABOUT_OTHERS", "ABOUT_GOOD", "ABOUT_PRIVATE", "ABOUT_KEYS")


def build(page: gr.Blocks, compute: Compute) -> None:
    """Build the tab; its text is updated at each page load, and the table of weights when it is unfolded."""
    words = gr.Markdown(elem_id="about-words")
    with gr.Row():
        get = gr.Button(i18n.GET_VGG19, elem_id="about-get", scale=0, min_width=260)
        status = gr.Markdown(i18n.GET_VGG19_INFO, elem_classes="status", elem_id="about-status")
    gr.Markdown(i18n.RIGHTS, elem_classes="quiet")
    with gr.Accordion(i18n.TECHNICAL, open=False, elem_id="about-details") as details:
        gr.Markdown(f"Pentimento {__version__} · {compute.describe()}", elem_id="about-device")
        table = gr.Markdown(elem_id="about-weights")
    page.load(_words, None, words, **IMMEDIATE)
    details.expand(_weights_table, None, table, **IMMEDIATE)

    def fetched(request: gr.Request) -> Updates:
        yield {status: "…"}
        try:
            steps = weights.fetch(_REFERENCE, patient=True)
            for step in steps:
                yield {status: _megabytes(step, request)}
        except RequestError as error:
            yield {status: f"⚠ {i18n.translate(str(error), request)}"}
            return
        yield {status: i18n.say("GOT_VGG19", request), table: _weights_table(request)}

    get.click(
        fetched, None, [status, table], concurrency_limit=1, show_progress="minimal", show_progress_on=status, api_visibility="private"
    )


def _words(request: gr.Request) -> str:
    return "\n".join(f"- {i18n.say(key, request)}" for key in _WORDS)


def _megabytes(step: Step, request: gr.Request) -> str:
    note = i18n.translate(step.note, request)
    return f"**{step.iteration} / {step.total} MB** · {note}" if step.total else note


def _weights_table(request: gr.Request) -> str:
    rows = []
    for entry in weights.registry().values():
        about, place = i18n.translate(entry.about, request), i18n.translate(weights.whereabouts(entry.name), request)
        rows.append(f"| {entry.name} | {about} | {place} | {entry.bytes / 1e6:.1f} MB | {entry.license} |")
    return "\n".join([i18n.say("ABOUT_HEAD", request), "|---|---|---|---|---|", *rows])
