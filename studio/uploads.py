"""Uploaded pictures: passed on as files, checked on arrival, with a notice next to the input."""

import gradio as gr
from gradio.components.base import server
from gradio.components.image_editor import AcceptBlobs
from gradio.i18n import I18nData
from PIL import Image

from studio import files, i18n
from studio.events import EACH, IMMEDIATE
from style_core import RequestError, read_image
from style_core.media.images import ImageTensor, Picture, load_picture, to_pil
from style_core.media.reading import PRINTS, UPLOADS, Limits, read_header, read_pixels

PAINTING_SIDE = 4096  # px; enough of a painting for any stroke size
_LAYERS, _UNASKED = 4, 32  # layers of an editor, and visitors with strokes not yet requested
_LARGEST_LAYER = 2**23  # bytes; strokes alone compress well
_CANVAS = (800, 800)  # px, an editor's canvas unless told otherwise
_LOOK = 64  # px; enough to check whether a picture can be read


class RawImage(gr.Image):
    """An image input that passes on the uploaded file unchanged.

    Gradio's own reading turns 16-bit pictures white, drops alpha and forgets orientation; `style_core.media.images` doesn't.
    """

    is_template = True

    def preprocess(self, payload):
        if payload is None:
            return None
        if payload.url and payload.url.startswith("data:"):
            raise gr.Error(i18n.say("INLINE", None), print_exception=False)
        return payload.path


def picture_input(
    label: I18nData, *, height: int = 220, value: str | None = None, elem_id: str | None = None, path: gr.State | None = None
) -> RawImage:
    """A picture input with a notice below it.

    Args:
        path: state of the picture's path, if other components set it too; None if only the visitor provides pictures.
    """
    picture = RawImage(
        value=value, label=label, height=height, sources=["upload", "clipboard", "webcam"], type="filepath", image_mode=None,
        buttons=["fullscreen"], elem_id=elem_id,
    )  # fmt: skip
    notice = gr.Markdown(visible=False, elem_classes="notice", elem_id=f"{elem_id}-notice" if elem_id else None)
    # Not the input's own change event, which Gradio fires repeatedly for a picture set while its tab is hidden.
    came = picture.input if path is None else path.change
    came(notice_of, path or picture, notice, **EACH, **IMMEDIATE)
    return picture


def notice_of(path: str | None, request: gr.Request) -> dict:
    """The notice about a new picture: an error, or how it was read."""
    if path is None:
        return gr.update(value="", visible=False)
    try:
        note = load_picture(path, long_side=_LOOK).note
    except RequestError as error:
        note = str(error)
    return gr.update(value=i18n.translate(note, request), visible=bool(note))


def read_upload(path: str | None, missing: str, long_side: int = PAINTING_SIDE) -> Picture:
    """Read an uploaded picture; `long_side` in px is a sufficient size.

    Raises:
        RequestError: when there is none, with the message `missing`, or when it can't be read.
    """
    if path is None:
        raise RequestError(missing)
    return load_picture(path, long_side=int(long_side), limits=_limits(path))


def read_if_given(path: str | None, long_side: int = PAINTING_SIDE) -> ImageTensor | None:
    """The image, or None without a file; `long_side` in px is a sufficient size."""
    return None if path is None else read_image(path, long_side=int(long_side), limits=_limits(path))


def _limits(path: str) -> Limits:
    """A result may be larger than what a visitor uploads."""
    return PRINTS if files.is_result(path) else UPLOADS


class RawEditor(gr.ImageEditor):
    """An editor that passes on only its layers, read like all pictures: within limits, and only from uploaded files.

    Gradio's own editor decodes background, layers and composite at any size, and keeps unused blobs.
    """

    is_template = True

    def preprocess(self, payload):
        if payload is None:
            return None
        background = None
        if payload.id is None:
            layers = [layer.path for layer in payload.layers if layer is not None and layer.path]
            background = payload.background
        else:
            sent = self.blob_storage.pop(payload.id, None)
            layers = [layer for layer in sent.layers if layer] if sent else []
        try:
            strokes = [_strokes(layer) for layer in layers[:_LAYERS]]
            if strokes and background is not None and background.path:
                strokes = _within(strokes, read_header(background.path).size)
        except RequestError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return {"background": None, "layers": strokes, "composite": None}

    @server
    def accept_blobs(self, data: AcceptBlobs):
        """Store strokes that the browser sends during painting; strokes of visitors who leave are never requested, so it is bounded."""
        index = str(data.data.get("index", ""))
        too_large = sum(len(content) for _, content in data.files) > _LARGEST_LAYER
        if data.data.get("type") != "layer" or not index.isdecimal() or int(index) >= _LAYERS or too_large:
            return
        super().accept_blobs(data)
        while len(self.blob_storage) > _UNASKED:
            del self.blob_storage[next(iter(self.blob_storage))]


def canvas_layer(strokes: Image.Image) -> Image.Image:
    """A layer that an editor shows where it belongs on its background.

    An editor centers a layer on its canvas before it fits the canvas to the background, so the layer has to be as large as the canvas.
    """
    layer = Image.new("RGBA", _CANVAS)
    layer.paste(strokes)
    return layer


def _within(layers: list[Image.Image], size: tuple[int, int]) -> list[Image.Image]:
    """Layers without what a `canvas_layer` has beyond its background; one that was painted on comes back without that.

    Args:
        size: height and width of the background.
    """
    height, width = size
    return [layer.crop((0, 0, min(width, layer.width), min(height, layer.height))) for layer in layers]


def _strokes(layer: str | bytes) -> Image.Image:
    """A layer as an RGBA picture.

    Raises:
        RequestError: when it can't be read, or is too large.
    """
    header = read_header(layer)
    if max(header.size) > PAINTING_SIDE:
        raise RequestError("{file} is too large for a mask; it may have at most {most} px a side.", file=header.name, most=PAINTING_SIDE)
    read = read_pixels(header)
    strokes = to_pil(read.image)
    if read.alpha is not None:
        strokes.putalpha(to_pil(read.alpha.expand(3, -1, -1)).convert("L"))
    return strokes
