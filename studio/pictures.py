"""Pictures that people give: taken as the files they are, checked when they come, told about beside where they came."""

import gradio as gr

from studio import words
from style_core import RequestError, read_image
from style_core.media.images import Picture, load_picture


class RawImage(gr.Image):
    """An image input that hands over the uploaded file untouched.

    Gradio's own reading turns 16-bit pictures white, drops alpha and forgets orientation; `style_core.media.images` doesn't.
    """

    is_template = True

    def preprocess(self, payload):
        if payload is None:
            return None
        if payload.url and payload.url.startswith("data:"):
            raise gr.Error(words.say("INLINE", None), print_exception=False)
        return payload.path


def picture_input(label: str, *, height: int = 220, value: str | None = None, elem_id: str | None = None) -> tuple[RawImage, gr.Markdown]:
    """A picture input and, under it, the place where a word about the picture appears."""
    picture = RawImage(
        value=value, label=label, height=height, sources=["upload", "clipboard", "webcam"], type="filepath", image_mode=None,
        buttons=["fullscreen"], elem_id=elem_id,
    )  # fmt: skip
    notice = gr.Markdown(visible=False, elem_classes="notice", elem_id=f"{elem_id}-notice" if elem_id else None)
    picture.change(notice_of, picture, notice, show_progress="hidden", queue=False, api_visibility="private")
    return picture, notice


def notice_of(path: str | None, request: gr.Request) -> dict:
    """What there is to say about a picture as soon as it is there: an error, or how it was read."""
    if path is None:
        return gr.update(value="", visible=False)
    try:
        note = load_picture(path).note
    except RequestError as error:
        note = str(error)
    return gr.update(value=words.told(note, request), visible=bool(note))


def opened(path: str | None, missing: str) -> Picture:
    """The picture that was given.

    Raises:
        RequestError: when none was, with the sentence `missing`, or when it can't be read.
    """
    if path is None:
        raise RequestError(missing)
    return load_picture(path)


def opened_if_given(path: str | None):
    """The image, or None where no file was given."""
    return None if path is None else read_image(path)
