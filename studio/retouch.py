"""After the run: instant adjustments of a result, without painting it again."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import gradio as gr

from studio import files, i18n, print_proof, stage
from studio.events import IMMEDIATE, LAST
from style_core import read_image, read_settings
from style_core.files import sha256_of
from style_core.media.color import COLORS
from style_core.media.images import to_pil
from style_core.media.reading import PRINTS
from style_core.media.retouch import recolor, rewound


def build(run_id: str, board: stage.Board, *, larger: bool = True) -> gr.Button:
    """Build the section.

    Args:
        board: shows the results that are adjusted.
        larger: whether to add a button for repainting at a larger size.
    Returns:
        That button; the tab wires it.
    """
    with gr.Accordion(i18n.AFTER, open=False, elem_id=f"{run_id}-after"):
        with gr.Row():
            position = gr.Slider(0, 1, value=1, step=0.01, label=i18n.POSITION, info=i18n.POSITION_INFO, elem_id=f"{run_id}-position")
            color = gr.Radio(i18n.choices_of("color", COLORS), value="style", label=i18n.label_of("color"))
        with gr.Row():
            paint_on = gr.Button(i18n.LARGER, size="sm", visible=larger, elem_id=f"{run_id}-larger")
            make_film = gr.Button(i18n.FILM_OF_IT, size="sm", elem_id=f"{run_id}-film-run")
            make_gif = gr.Button(i18n.GIF_OF_IT, size="sm", elem_id=f"{run_id}-gif-run")
            gif = gr.DownloadButton(i18n.DOWNLOAD_GIF, size="sm", visible=False, elem_id=f"{run_id}-gif")  # type: ignore[arg-type]  # Gradio declares str
        film = gr.Video(label=i18n.FILM_OF_IT, interactive=False, visible=False, loop=True, height=300, elem_id=f"{run_id}-film")
        print_proof.build(run_id, board.slider, board.result, board.preview)

    def retouch(path, position, color):
        if not files.is_result(path):
            return {board.slider: gr.skip()}
        changed, photo = retouched(path, position, color), files.before_of(path)
        return {
            board.slider: gr.update(value=(to_pil(photo), changed)) if photo is not None else gr.skip(),
            board.download: gr.update(value=changed), board.kind: stage.FIRST_KIND, board.result: changed,
        }  # fmt: skip

    def begin_anew() -> list:
        """Another result is as it was painted, and nothing was made of it yet."""
        return [1, "style", gr.update(value=None, visible=False), gr.update(value=None, visible=False)]

    how = {"show_progress": "hidden", "api_visibility": "private", **LAST}
    outputs = [board.slider, board.download, board.kind, board.result]
    gr.on([position.release, color.input], retouch, [board.original, position, color], outputs, **how)
    board.original.change(begin_anew, None, [position, color, film, gif], **IMMEDIATE)
    make_film.click(_filming(".mp4"), board.original, film, api_visibility="private")
    make_gif.click(_filming(".gif"), board.original, gif, api_visibility="private")
    return paint_on


def _filming(suffix: str) -> Callable:
    """A handler that makes a film of how a result formed, of this file type."""

    def filmed(path: str | None, request: gr.Request) -> dict:
        if not files.is_result(path):
            raise i18n.no_result(request)
        return gr.update(value=files.film_of(path, suffix), visible=True)

    return filmed


def retouched(path: str, position: float, color: str) -> str:
    """The path of a result rewound to a position and recolored; the result itself if nothing changes."""
    if position == 1 and color == "style":
        return path
    photo, image = files.before_of(path), read_image(path, limits=PRINTS)
    if photo is not None:
        image = recolor(rewound([photo, *(partial(read_image, frame) for frame in files.frames_of(path)), image], position), photo, color)
    settings = {**read_settings(path), "after": {"position": position, "color": color, "of": sha256_of(Path(path))}}
    return files.save(image, settings["recipe"], settings, Path(path).parent)
