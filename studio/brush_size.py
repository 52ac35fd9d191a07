"""Brush size: the painting and the photo side by side, at their scale in the result."""

import gradio as gr
from PIL import Image

from studio import i18n
from studio.controls import Controls, change_events
from studio.events import IMMEDIATE, LAST, apart
from studio.uploads import PAINTING_SIDE
from style_core import RequestError, read_image
from style_core.media.images import fit, to_pil
from style_core.recipes.optimize_inputs import sized_style

_SIDE = 260  # px, of each crop
_GAP = 8


def build(run_id: str, photo: gr.State, style: gr.Image, option_controls: Controls) -> None:
    """Build the section. While open, it follows the photo's path, the painting, the size and the brush size."""
    sizes = {name: option_controls[name] for name in ("size", "style_scale")}
    with gr.Accordion(i18n.BRUSH, open=False, elem_id=f"{run_id}-brush") as section:
        gr.Markdown(i18n.BRUSH_INFO, elem_classes="quiet")
        crops = gr.Image(
            format="png",
            width=2 * _SIDE + _GAP,
            height=_SIDE,
            interactive=False,
            show_label=False,
            buttons=[],
            elem_id=f"{run_id}-brush-crops",
        )
    is_open = gr.State(False)
    asked = [is_open, photo, style, *sizes.values()]
    section.expand(lambda: True, None, is_open, **IMMEDIATE).then(crops_of, asked, crops, **IMMEDIATE)
    section.collapse(lambda: False, None, is_open, **IMMEDIATE)
    changed = apart([photo.change, style.input, *change_events(sizes)])
    changed(crops_of, asked, crops, **LAST, **IMMEDIATE)


def crops_of(is_open: bool, content: str | None, style: str | None, size: float, scale: float) -> Image.Image | None:
    """The centers of the painting and the photo, at the scale that `optimize` uses."""
    if not is_open or content is None or style is None:
        return None
    try:
        photo = fit(read_image(content, long_side=int(size)), int(size), enlarge=True)
        height, width = photo.shape[-2:]
        painting = sized_style(read_image(style, long_side=PAINTING_SIDE), (height, width), scale)
    except RequestError:
        return None  # already reported next to the picture
    sheet = Image.new("RGB", (2 * _SIDE + _GAP, _SIDE), "white")
    for index, image in enumerate((painting, photo)):
        sheet.paste(_middle(to_pil(image)), (index * (_SIDE + _GAP), 0))
    return sheet


def _middle(picture: Image.Image) -> Image.Image:
    left, top = (max(0, (side - _SIDE) // 2) for side in picture.size)
    return picture.crop((left, top, min(picture.width, left + _SIDE), min(picture.height, top + _SIDE)))
