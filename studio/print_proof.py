"""After the run: how a result looks printed, by the printer's color profile, and the result in its inks."""

from typing import Any

import gradio as gr

from studio import files, i18n
from studio.events import IMMEDIATE
from style_core import RequestError


class _RawFile(gr.File):
    """A file input that passes on the uploaded file; Gradio's own leaves an empty file behind each time."""

    is_template = True

    def preprocess(self, payload):
        return None if payload is None else payload.path


def build(run_id: str, slider: gr.ImageSlider, result: gr.State, alone: gr.Image | None = None) -> None:
    """Build the section.

    Args:
        slider: shows the result beside its print, until the section is closed or there is another result.
        result: path of the result.
        alone: shows, in the slider's place, a result that was made without a photo.
    """
    with gr.Accordion(i18n.PRINT, open=False, elem_id=f"{run_id}-print") as section:
        profile = _RawFile(label=i18n.PROFILE, height=110, elem_id=f"{run_id}-profile")
        with gr.Row(equal_height=True):
            paper = gr.Checkbox(False, label=i18n.PAPER, elem_id=f"{run_id}-paper")
            show = gr.Button(i18n.PROOF_SHOW, size="sm", elem_id=f"{run_id}-proof-run")
            separate = gr.Button(i18n.CMYK, size="sm", elem_id=f"{run_id}-cmyk-run")
            inks = gr.DownloadButton(i18n.CMYK_DOWNLOAD, size="sm", visible=False, elem_id=f"{run_id}-cmyk")  # type: ignore[arg-type]  # Gradio declares str
        said = gr.Markdown(elem_classes="notice", visible=False, elem_id=f"{run_id}-proof-said")
    # What the slider showed before the print, or an empty pair if it was hidden; the printed result.
    before, made_of = gr.State(None), gr.State(None)
    hidden = {said: gr.update(visible=False), inks: gr.update(visible=False)}

    def proofed(path, profile, paper, pair, shown, request: gr.Request):
        _check(path, profile, request)
        try:
            proof, name, changed = files.proofed(path, profile, paper=paper)
        except RequestError as error:
            raise i18n.refusal(error, request) from error
        sentence = i18n.say("PROOFED", request, profile=f"`{name.replace('`', ' ')}`", changed=changed)
        hides = alone is not None and not files.has_before(path)
        return {
            slider: gr.update(value=(path, proof), visible=True), said: gr.update(value=sentence, visible=True),
            before: () if hides else shown or pair, made_of: path, **({alone: gr.update(visible=False)} if hides else {}),
        }  # fmt: skip

    def separated(path, profile, request: gr.Request):
        _check(path, profile, request)
        try:
            return gr.update(value=files.separated(path, profile), visible=True), path
        except RequestError as error:
            raise i18n.refusal(error, request) from error

    def closed(shown):
        back: dict[Any, Any] = {before: None, said: hidden[said]}
        if shown:
            back[slider] = gr.update(value=tuple(shown))
        elif shown is not None:
            back |= {slider: gr.update(visible=False), alone: gr.update(visible=True)}
        return back

    def checked(path, made):
        """Whoever was quicker than the print has another result already."""
        return hidden if made is not None and path != made else {said: gr.skip()}

    private: dict[str, Any] = {"api_visibility": "private"}
    places = [slider] if alone is None else [slider, alone]
    shown = show.click(proofed, [result, profile, paper, slider, before], [*places, said, before, made_of], **private)
    made = separate.click(separated, [result, profile], [inks, made_of], **private)
    for event in (shown, made):
        event.success(checked, [result, made_of], [said, inks], **IMMEDIATE)
    section.collapse(closed, before, [*places, before, said], **IMMEDIATE)
    result.change(lambda: {**hidden, before: None}, None, [said, inks, before], **IMMEDIATE)


def _check(path: object, profile: str | None, request: gr.Request) -> None:
    if not files.is_result(path):
        raise i18n.no_result(request)
    if profile is None:
        raise gr.Error(i18n.say("NO_PROFILE", request), print_exception=False)
