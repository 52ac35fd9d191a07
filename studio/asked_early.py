"""What is asked of a picture that is still being painted: the button is pressed again as soon as the picture is there."""

from collections.abc import Sequence

import gradio as gr

from studio import files, i18n
from studio.events import IMMEDIATE, SILENT

# Given the id of the button that was pressed too early, and the file to download; returns what is still to be done.
_PRESS = """(id, file) => {
  if (!id || !file) return id;
  setTimeout(() => document.getElementById(id)?.click(), 100);
  return '';
}"""


def build(run_id: str) -> tuple[gr.State, gr.Textbox]:
    """Whether a picture is being painted, and the id of the button that was pressed meanwhile, or nothing."""
    return gr.State(False), gr.Textbox("", visible="hidden", elem_id=f"{run_id}-asked")


def wire(buttons: Sequence[gr.Button | gr.DownloadButton], result: gr.State, painting: gr.State, asked: gr.Textbox, download) -> None:
    """Press these buttons again with the result, if they were pressed while it was painted.

    Args:
        result: its path; None before.
        painting, asked: from `build`.
        download: the button that holds its file.
    """
    for button in buttons:

        def ask(path: str | None, painting: bool, request: gr.Request, name: str = button.elem_id or ""):
            if files.is_result(path) or not painting:
                return gr.skip()
            gr.Info(i18n.say("ASKED_EARLY", request))
            return name

        noted = button.click(ask, [result, painting], asked, **SILENT)
        noted.success(None, [asked, download], asked, js=_PRESS, **IMMEDIATE)  # the picture may have come just now
    # Forgotten if there will be no picture. Not an output of the run, which programs would receive, too.
    painting.change(lambda going_on, path: gr.skip() if going_on or path else "", [painting, result], asked, **IMMEDIATE)
    # By way of the server, because the page reports a state's change before it has given the button its file.
    result.change(lambda: None, None, None, **IMMEDIATE).success(None, [asked, download], asked, js=_PRESS, **IMMEDIATE)
