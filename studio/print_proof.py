"""After the run: how a result looks printed, by the printer's color profile, and the result in its inks."""

import gradio as gr

from studio import files, i18n
from studio.events import IMMEDIATE
from style_core import RequestError
from style_core.media.proof import PROFILE_SUFFIXES


def build(run_id: str, slider: gr.ImageSlider, result: gr.State) -> None:
    """Build the section.

    Args:
        slider: shows the result beside its print.
        result: path of the result.
    """
    with gr.Accordion(i18n.PRINT, open=False, elem_id=f"{run_id}-print"):
        profile = gr.File(label=i18n.PROFILE, file_types=list(PROFILE_SUFFIXES), height=110, elem_id=f"{run_id}-profile")
        with gr.Row():
            paper = gr.Checkbox(False, label=i18n.PAPER, elem_id=f"{run_id}-paper")
            show = gr.Button(i18n.PROOF_SHOW, size="sm", elem_id=f"{run_id}-proof-run")
            inks = gr.DownloadButton(i18n.CMYK_DOWNLOAD, size="sm", visible=False, elem_id=f"{run_id}-cmyk")  # type: ignore[arg-type]  # Gradio declares str
        said = gr.Markdown(elem_classes="notice", visible=False, elem_id=f"{run_id}-proof-said")

    def proofed(path, profile, paper, request: gr.Request):
        if not files.is_result(path):
            raise i18n.no_result(request)
        if profile is None:
            raise gr.Error(i18n.say("NO_PROFILE", request), print_exception=False)
        try:
            printed = files.printed(path, profile, paper=paper)
        except RequestError as error:
            raise i18n.refusal(error, request) from error
        return {
            slider: gr.update(value=(path, printed.proof), visible=True),
            said: gr.update(value=i18n.say("PROOFED", request, profile=printed.profile, lost=printed.lost), visible=True),
            inks: gr.update(value=printed.inks, visible=True),
        }

    show.click(proofed, [result, profile, paper], [slider, said, inks], api_visibility="private")
    # A new result has not been printed yet.
    result.change(lambda: (gr.update(visible=False), gr.update(visible=False)), None, [said, inks], **IMMEDIATE)
