"""The tab "About": what is at work here, and where its weights are."""

import gradio as gr

from studio import words
from style_core import Compute, __version__, weights


def build(page: gr.Blocks, compute: Compute) -> None:
    """Lay the tab out; the table is made anew with each page."""
    gr.Markdown(f"Pentimento {__version__} · {compute.describe()}", elem_id="about-device")
    table = gr.Markdown(elem_id="about-weights")
    page.load(_weights_table, None, table, queue=False, show_progress="hidden", api_visibility="private")


def _weights_table(request: gr.Request) -> str:
    rows = [
        f"| {entry.name} | {entry.about} | {weights.whereabouts(entry.name)} | {entry.bytes / 1e6:.1f} MB | {entry.licence} |"
        for entry in weights.registry().values()
    ]
    return "\n".join([words.say("ABOUT_HEAD", request), "|---|---|---|---|---|", *rows])
