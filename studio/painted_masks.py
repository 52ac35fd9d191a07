"""Regions: masks painted on the photo with a brush, one color for each style."""

from collections.abc import Callable, Sequence
from functools import partial

import gradio as gr
from gradio.i18n import I18nData
from PIL import Image

from studio import files, gpu, i18n
from studio.events import IMMEDIATE
from studio.uploads import RawEditor, canvas_layer
from style_core import Compute, read_image
from style_core.media.images import fit, masks_by_color, strokes_of, to_pil
from style_core.recipes.subject import find_subject

# Colors that differ in lightness as well as hue.
COLORS = ("#d1495b", "#2e6fb7", "#f2c14e", "#3d1a5b")
_SIDE = 640  # px; an editor sends three pictures of this size with each run


def build(
    compute: Compute, run_id: str, photo: gr.Image, shared: gr.State, names: list,
    title: I18nData = i18n.REGIONS, info: I18nData = i18n.REGIONS_INFO, first: Callable[..., int] = lambda: 0, of: Sequence = (),
):  # fmt: skip
    """A folded editor for painting over the photo.

    Returns:
        The editor, whose value goes to `masks_of`, and the events that fill it with the main subject.

    Args:
        compute: where the subject is found.
        photo: the input that provides the photo.
        shared: its path, shared by all tabs; with another photo, the areas painted on the last one go.
        names: a label for each color.
        title, info: title and explanation of the section.
        first: which color the subject is proposed in, given the values of the components `of`.
    """
    count = len(names)
    with gr.Accordion(title, open=False, elem_id=f"{run_id}-regions") as section:
        gr.Markdown(info, elem_classes="quiet")
        with gr.Row():
            for color, name in zip(COLORS, names):
                gr.Button(name, size="sm", interactive=False, min_width=90, elem_classes=f"swatch swatch-{color.removeprefix('#')}")
        with gr.Row(elem_classes="small-actions"):
            bring = gr.Button(i18n.BRING_PHOTO, size="sm", elem_id=f"{run_id}-regions-bring")
            only = gr.Button(i18n.SUBJECT_ONLY, size="sm", elem_id=f"{run_id}-regions-subject")
            around = gr.Button(i18n.SUBJECT_KEPT, size="sm", elem_id=f"{run_id}-regions-around")
        editor = RawEditor(
            type="pil", brush=gr.Brush(colors=list(COLORS[:count]), color_mode="fixed", default_size=36), eraser=gr.Eraser(default_size=36),
            layers=gr.LayerOptions(allow_additional_layers=False), transforms=(), sources=(), height=420, show_label=False, buttons=[],
            elem_id=f"{run_id}-regions-editor",
        )  # fmt: skip

    shared.change(lambda: None, None, editor, **IMMEDIATE)
    bring.click(_brought, photo, editor, **IMMEDIATE)
    section.expand(_opened, [photo, editor], editor, **IMMEDIATE)
    proposals = [
        button.click(
            partial(_proposed, compute, inverted=inverted, first=first),
            [photo, *of],
            editor,
            show_progress="minimal",
            api_visibility="private",
        )
        for button, inverted in ((only, False), (around, True))
    ]
    return editor, proposals


def _opened(path: str | None, painted: dict | None) -> dict | None:
    """The photo in the editor that is opened, where nothing is painted yet."""
    return _brought(path) if masks_of(painted, len(COLORS)) is None else gr.skip()


def _brought(path: str | None) -> dict | None:
    """The photo in the editor, without strokes."""
    return None if path is None else _on_editor(to_pil(_small(path)))


def _proposed(compute: Compute, path: str | None, *values, inverted: bool, first: Callable[..., int]) -> dict | None:
    """The photo in the editor, its main subject painted over with a color, or all but it; the brush can mend it."""
    if path is None:
        return None
    photo = _small(path)
    mask = gpu.call(find_subject, photo, compute)
    return _on_editor(to_pil(photo), canvas_layer(strokes_of(1 - mask if inverted else mask, COLORS[first(*values)])))


def _small(path: str):
    """The photo at the size of the editor."""
    return fit(read_image(path, long_side=_SIDE), _SIDE)


def _on_editor(photo: Image.Image, *layers: Image.Image) -> dict:
    """An editor's value: a photo and layers above it, as files."""
    place = files.new_folder()
    photo.save(place / "photo.png")
    paths = [str(place / f"layer-{number}.png") for number in range(len(layers))]
    for path, layer in zip(paths, layers):
        layer.save(path)
    return {"background": str(place / "photo.png"), "layers": paths, "composite": None}


def masks_of(painted: dict | None, count: int) -> list | None:
    """A mask for each of `count` styles, or None for one without strokes; None if nothing was painted."""
    layers = [layer for layer in (painted or {}).get("layers") or [] if layer is not None]
    if not layers:
        return None
    strokes = Image.new("RGBA", layers[0].size)
    for layer in layers:
        strokes.alpha_composite(layer.convert("RGBA"))
    masks = masks_by_color(strokes, COLORS[:count])
    return masks if any(mask is not None for mask in masks) else None


def saved(masks: Sequence) -> list[str]:
    """Write the masks as pictures, white in the style's area; returns their paths, without missing masks."""
    there = [mask for mask in masks if mask is not None]
    paths: list[str] = []
    if there:
        place = files.new_folder()
        for mask in there:
            paths.append(str(place / f"mask-{len(paths) + 1}.png"))
            to_pil(mask.expand(3, -1, -1)).convert("L").save(paths[-1])
    return paths


CSS = "\n".join(
    f".swatch-{color.removeprefix('#')}, .swatch-{color.removeprefix('#')}:disabled "
    f"{{ border-left: 14px solid {color} !important; opacity: 1 !important; }}"
    for color in COLORS
)
