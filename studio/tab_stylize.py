"""The tab "Stylize": any style at once; every control acts as soon as it is moved."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator

import gradio as gr

from studio import files, live, words
from studio.controls import controls, use_buttons
from studio.pictures import opened, picture_input
from style_core import Compute, RequestError, StylizeOptions, gallery, gallery_code, read_image
from style_core.generator import Look, encoded_styles, open_generator, recolored
from style_core.imaging import fit, to_pil
from style_core.settings import settings_of

_START_SIZE = 768            # px: quick on two cores; the slider goes further
_LOOKS_KEPT = 4              # photos whose features are at hand, so that a moved slider runs the decoder alone
_looks: OrderedDict[tuple, Look] = OrderedDict()
_lock = threading.Lock()


def build(compute: Compute, samples: dict[str, str]) -> dict[str, gr.components.Component]:
    """Lay the tab out and wire it; returns the components that other tabs connect to, by name."""
    names = list(gallery())
    gr.Markdown(words.STYLIZE_INTRO, elem_classes="quiet")
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=320):
            with gr.Row():
                with gr.Column(min_width=140):
                    content, _ = picture_input(words.CONTENT, value=samples["content"], elem_id="stylize-content")
                with gr.Column(min_width=140):
                    style, _ = picture_input(words.OWN_STYLE, elem_id="stylize-style")
            chosen = gr.Textbox(value="", visible=False, label=words.GALLERY)
            wall = gr.Gallery(
                [(str(entry.thumbnail), f"{entry.title} · {entry.painter}") for entry in gallery().values()], label=words.GALLERY,
                columns=4, height=330, object_fit="cover", allow_preview=False, interactive=False, buttons=[], elem_id="stylize-gallery",
            )  # fmt: skip
            knobs = controls(StylizeOptions, defaults={"size": _START_SIZE})
            mix = gr.Slider(0, 1, value=0, step=0.01, label=words.MIX, info=words.MIX_INFO)
        with gr.Column(scale=3, min_width=340):
            slider = gr.ImageSlider(
                value=(samples["content"], samples["content"]), label=words.BEFORE_AFTER, type="filepath", format="jpeg", max_height=620,
                interactive=False, buttons=["fullscreen"], elem_id="stylize-slider", slider_position=30,
            )  # fmt: skip
            status = gr.Markdown(words.STYLIZE_READY, elem_classes="status", elem_id="stylize-status")
            with gr.Row():
                run = gr.Button(words.STYLIZE, variant="primary", elem_classes="run-button", elem_id="stylize-run")
                refine = gr.Button(words.REFINE, interactive=False, elem_id="stylize-refine")
                download = gr.DownloadButton(words.DOWNLOAD, visible=False, elem_id="stylize-download")
                kind = live.kinds("stylize")
            uses = use_buttons("stylize")
    result = gr.State(None)

    def stylize(content, style, gallery_style, mix, request: gr.Request, **given) -> Iterator[dict]:
        """Paint a photo in the style of a painting, or of a style of the gallery, in one pass."""
        try:
            path, before, sentence = _stylize(compute, content, style, gallery_style, mix, given, request)
        except RequestError as error:
            raise gr.Error(str(error), print_exception=False) from error
        yield {
            slider: gr.update(value=(before, path)), status: sentence, result: path,
            download: gr.update(value=path, visible=True), kind: gr.update(value="png", visible=True), refine: gr.update(interactive=True),
        }  # fmt: skip

    def at_once(content, style, gallery_style, mix, request: gr.Request, **given) -> Iterator[dict]:
        """The same as soon as there is something to paint, and nothing before."""
        if content is None or (style is None and not gallery_style):
            yield {status: words.STYLIZE_READY}
            return
        yield from stylize(content, style, gallery_style, mix, request, **given)

    outputs = [slider, status, result, download, kind, refine]
    inputs = [content, style, chosen, mix]
    how = {"concurrency_id": "device", "concurrency_limit": 1, "show_progress": "minimal", "show_progress_on": status, "inputs_kwargs": knobs}
    run.click(stylize, inputs, outputs, api_name="stylize", **how)
    moved = [content.change, style.change, chosen.change, mix.release]
    moved += [knob.release if isinstance(knob, gr.Slider) else knob.change for knob in knobs.values()]
    gr.on(moved, at_once, inputs, outputs, trigger_mode="always_last", api_visibility="private", **how)
    live.wire_download(kind, download, result)
    _wire_gallery(wall, names, chosen)
    return {
        "content": content, "style": style, "result": result, "refine": refine, "uses": uses, "knobs": {**knobs, "gallery": chosen},
    }  # fmt: skip


def _wire_gallery(wall: gr.Gallery, names: list[str], chosen: gr.Textbox) -> None:
    def choose(event: gr.SelectData) -> str:
        return names[event.index]

    wall.select(choose, None, chosen, queue=False, show_progress="hidden", api_visibility="private")


def _stylize(compute: Compute, content, style, gallery_style: str, mix: float, given: dict, request) -> tuple[str, object, str]:
    started = time.monotonic()
    options = StylizeOptions.make(**given)
    photo_path, photo = content, fit(opened(content, words.say("NO_CONTENT", request)).image, options.size)
    generator = open_generator(compute)
    codes = [gallery_code(gallery_style, generator.sha256)] if gallery_style else []
    pictures = [read_image(style)] if style is not None else []
    if not codes and not pictures:
        raise RequestError(words.say("NO_STYLE_AT_ALL", request))
    shares = [1.0] if len(codes) + len(pictures) == 1 else [1 - mix, mix]
    look = _look(generator, photo_path, photo, options.size)
    encoded = encoded_styles(generator, pictures, photo, options)
    *_, (_, _, painted) = generator.paint(look, [*codes, *encoded], shares, options.strength)
    painted = recolored(painted, photo, options, from_codes=bool(codes))
    settings = settings_of("stylize", given, {"generator": generator.sha256}, gallery=gallery_style or None)
    path = files.save(painted, "stylize", settings)
    height, width = painted.shape[-2:]
    named = f"{gallery()[gallery_style].title} · {gallery()[gallery_style].painter}. " if gallery_style else ""
    return path, to_pil(photo), named + words.say("DONE", request, width=width, height=height, seconds=words.duration(time.monotonic() - started))


def _look(generator, path: str, photo, size: int) -> Look:
    key = (generator.sha256, path, size)
    with _lock:
        if key in _looks:
            _looks.move_to_end(key)
            return _looks[key]
    look = generator.look(photo)
    with _lock:
        _looks[key] = look
        while len(_looks) > _LOOKS_KEPT:
            _looks.popitem(last=False)
    return look
