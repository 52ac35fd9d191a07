"""The stage on which a run shows itself: the picture as it forms, before and after, status, buttons, losses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.i18n import I18nData

from studio import files, i18n, jobs
from studio.events import IMMEDIATE, SILENT, Updates, watching
from style_core import RequestError, read_image
from style_core.media.images import fit, to_pil
from style_core.media.settings import read_settings
from style_core.recipes.recorded_inputs import digest_of, digests_in

PREVIEW_SIDE = 768  # px, of previews; the file has the full size
PREVIEW_EVERY = 0.8  # seconds
STAGE_HEIGHT = 640  # px
FIRST_KIND = files.KINDS[0]
_MEASURES = {"LOSSES": "LOSSES_AXIS", "DREAM_LOSSES": "DREAM_LOSSES_AXIS"}  # what the plot shows, by its title


@dataclass
class Board:
    """The components on which a run shows itself.

    Attributes:
        preview: the picture as it forms.
        slider: before and after, when it is done.
        status: one line of words.
        plot: losses by iteration.
        download: the result as a file.
        run, stop, resume: the buttons; the last one continues a result, where there is one.
        kind: the file type that is downloaded.
        original: path of the last result as it was painted; None before.
        result: path of the last result as it stands now, for other tabs; None before.
        losses: key of the plot's title, one of `_MEASURES`.
    """

    preview: gr.Image
    slider: gr.ImageSlider
    status: gr.Markdown
    plot: gr.LinePlot
    download: gr.DownloadButton
    kind: gr.Dropdown
    run: gr.Button
    stop: gr.Button
    resume: gr.Button
    original: gr.State
    result: gr.State
    run_id: str
    losses: str

    @property
    def outputs(self) -> list:
        return [
            self.preview,
            self.slider,
            self.status,
            self.plot,
            self.download,
            self.kind,
            self.run,
            self.stop,
            self.original,
            self.result,
        ]

    def waiting(self) -> dict:
        """What is shown until a run has got somewhere: everything of before, which a request that is refused must not lose."""
        return {self.status: "…", self.run: gr.update(interactive=False), self.stop: gr.update(interactive=True)}

    def cleared(self, request: gr.Request | None) -> dict:
        """What is shown from when a run has got somewhere: nothing of before, and an empty place for the picture."""
        keys = {"title": self.losses, "x_title": "ITERATION", "y_title": _MEASURES[self.losses]}
        words: dict[str, Any] = {name: i18n.say(key, request) for name, key in keys.items()}
        return {
            self.preview: gr.update(value=None, visible=True),
            self.slider: gr.update(visible=False),
            # Sentences rather than labels that follow the browser, because plots show those as code.
            self.plot: gr.update(value=None, **words),
            self.download: None,
            self.result: None,
            self.original: None,
        }

    def idle(self) -> dict:
        """State of the buttons when nothing runs."""
        return {self.run: gr.update(interactive=True), self.stop: gr.update(interactive=False)}

    def wire(self, recipe: Callable, inputs: list, more: dict, api_name: str) -> None:
        """Let the buttons run `recipe` (published as `api_name`) and stop it; `more` are its inputs by keyword."""
        self.follow(self.run.click, recipe, inputs, more, api_name=api_name)
        jobs.wire_stop(self.stop, self.run_id)
        wire_download(self.kind, self.download, self.result)

    def wire_continue(self, updates: Callable[..., Updates], photo: gr.Image, more: dict) -> None:
        """Let the button `resume`, shown where there is a result, continue it.

        Args:
            updates: makes the updates of a run from the photo, the other inputs by keyword, and the request; the path of the
                result is among those as `continue_from`.
            more: these other inputs.
        """

        @jobs.job(self.run_id, self.status, photo="photo")
        def continued(photo, result, request: gr.Request, **given) -> Updates:
            if not files.is_result(result):
                raise i18n.no_result(request)
            if photo is not None and not _made_from(result, photo):
                raise gr.Error(i18n.say("CONTINUE_OTHER_PHOTO", request), print_exception=False)
            yield from updates(photo, {**given, "continue_from": result}, request)

        self.follow(self.resume.click, continued, [photo, self.original], more)
        self.original.change(lambda path: gr.update(visible=path is not None), self.original, self.resume, **IMMEDIATE)

    def follow(self, trigger: Callable, recipe: Callable, inputs: list, more: dict, **published) -> None:
        """Run `recipe`, a job, on this board when `trigger` fires."""
        event = trigger(
            recipe,
            inputs,
            self.outputs,
            inputs_kwargs=more,
            **watching(self.status),
            **(published or {"api_visibility": "private"}),
        )
        event.failure(self.idle, None, [self.run, self.stop], queue=False, api_visibility="private")


def _made_from(result: str, photo: str) -> bool:
    """Whether a result was made from this photo, or doesn't say."""
    known = digests_in(read_settings(result).get("request", {}), ("content", "image"))
    return not known or digest_of(photo) in known


def follow_photo(board: Board, photo: gr.State, ready: I18nData) -> None:
    """Show a photo large as soon as it is chosen, and clear the results of the one before."""

    def shown(path: str | None, request: gr.Request) -> dict:
        if not jobs.here.let_go(board.run_id, request, path, files.looks_like_same_file):
            return {board.status: gr.skip()}  # the photo was restored with the page, and so are its results
        try:
            picture = None if path is None else to_pil(fit(read_image(path, long_side=PREVIEW_SIDE), PREVIEW_SIDE))
        except RequestError:
            picture = None  # already reported next to the picture
        return {
            board.preview: gr.update(value=picture, visible=True),
            board.slider: gr.update(visible=False),
            board.status: ready,
            board.download: None,
            board.original: None,
            board.result: None,
        }

    outputs = [board.preview, board.slider, board.status, board.download, board.original, board.result]
    photo.change(shown, photo, outputs, **IMMEDIATE)


def wire_download(kind: gr.Dropdown, download: gr.DownloadButton, result: gr.State, painting: gr.State | None = None) -> None:
    """Make the file type menu change the file of the download button.

    Args:
        painting: whether a picture is being painted that can be asked for early; see `asked_early`.
    """

    def convert(path, kind):
        return gr.update(value=files.converted(path, kind)) if files.is_result(path) else gr.skip()

    def missing(path, painting, request: gr.Request):
        if path is None and not painting:
            gr.Info(i18n.say("NO_RESULT", request))

    kind.change(convert, [result, kind], download, **SILENT)
    download.click(missing, [result, painting or gr.State(False)], None, **SILENT)


def board(run_label: I18nData, run_id: str, ready: I18nData, photo: str | None = None, losses: str = "LOSSES") -> Board:
    """Build a stage: the picture as it forms, then before and after; status; buttons; the folded plot.

    Args:
        photo: the picture shown before the first run.
        losses: key of the plot's title, one of `_MEASURES`.
    """
    preview = gr.Image(
        photo,
        label=i18n.FORMING,
        show_label=False,
        format="jpeg",
        interactive=False,
        buttons=["fullscreen"],
        elem_id=f"{run_id}-preview",
        elem_classes="picture",
    )
    slider = gr.ImageSlider(
        label=i18n.BEFORE_AFTER,  # type: ignore[arg-type]  # Gradio declares str
        show_label=False,
        type="filepath",
        format="png",
        max_height=STAGE_HEIGHT,
        interactive=False,
        visible=False,
        buttons=["fullscreen"],
        slider_position=50,
        elem_id=f"{run_id}-slider",
    )
    status = gr.Markdown(ready, elem_classes="status", elem_id=f"{run_id}-status")
    with gr.Row(elem_classes="actions"):
        button = gr.Button(run_label, variant="primary", elem_classes="run-button", elem_id=f"{run_id}-run")
        stopper = gr.Button(i18n.STOP, interactive=False, elem_classes="stop-button", elem_id=f"{run_id}-stop")
        resume = gr.Button(i18n.CONTINUE, visible=False, elem_id=f"{run_id}-continue")
        download, kind = download_button(run_id)
    small_buttons(run_id, download)
    with gr.Accordion(i18n.DETAILS, open=False, elem_id=f"{run_id}-details"):
        plot = gr.LinePlot(
            x="iteration",
            y="loss",
            color="distance",
            height=220,
            elem_id=f"{run_id}-plot",
            color_title=" ",
        )
    return Board(preview, slider, status, plot, download, kind, button, stopper, resume, gr.State(None), gr.State(None), run_id, losses)


def download_button(run_id: str) -> tuple[gr.DownloadButton, gr.Dropdown]:
    """A download button with a menu of file types."""
    download = gr.DownloadButton(i18n.DOWNLOAD, elem_id=f"{run_id}-download")  # type: ignore[arg-type]  # Gradio declares str
    kind = gr.Dropdown(
        [(kind.upper(), kind) for kind in files.KINDS],
        value=FIRST_KIND,
        label=i18n.FILE_KIND,
        show_label=False,
        container=False,
        filterable=False,
        scale=0,
        min_width=92,
        elem_id=f"{run_id}-kind",
        elem_classes="file-kind",
    )
    return download, kind


def small_buttons(run_id: str, download: gr.DownloadButton) -> None:
    """Actions of the page on a result: show the photo while a button is held, share, copy."""
    with gr.Row(elem_classes="small-actions"):
        gr.Button(i18n.HOLD, size="sm", min_width=60, elem_id=f"{run_id}-hold", elem_classes="hold-button")
        handed = gr.Button(i18n.SHARE, size="sm", min_width=60, elem_id=f"{run_id}-share", elem_classes="share-button")
        copied = gr.Button(i18n.COPY, size="sm", min_width=60, elem_id=f"{run_id}-copy", elem_classes="copy-button")
    for button, act in ((handed, "share"), (copied, "copy")):
        button.click(None, download, None, js=f"(file) => window.pentimento.{act}(file)", api_visibility="private")
