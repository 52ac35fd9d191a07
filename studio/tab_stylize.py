"""The tab "Stylize": any style at once; every control acts as soon as it is moved."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr

from studio import compare, files, gpu, live, paintings, regions, words
from studio.controls import controls, documented, use_buttons
from studio.pictures import opened, opened_if_given, picture_input
from style_core import Compute, RequestError, StylizeOptions, gallery, gallery_code
from style_core.media.diagnosis import diagnose
from style_core.media.images import fit, to_pil
from style_core.media.settings import settings_of
from style_core.networks.generator import EncodedPhoto
from style_core.recipes.stylize import encoded_styles, recolored
from style_core.weights.open import open_generator

_TOLD_FROM = 0.5  # strength from which a result that is almost the photo is no wish but a failure
_LOOKS_KEPT = 4  # photos whose features are at hand, so that a moved slider runs the decoder alone
_looks: OrderedDict[tuple, EncodedPhoto] = OrderedDict()
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
            gr.Markdown(words.GALLERY, elem_classes="quiet")
            wall = gr.Gallery(
                [(str(entry.thumbnail), f"{entry.title} · {entry.painter}") for entry in gallery().values()], label=words.GALLERY, show_label=False,
                columns=4, height=330, object_fit="cover", allow_preview=False, interactive=False, buttons=[], elem_id="stylize-gallery",
            )  # fmt: skip
            option_controls = controls("stylize")
            mix = gr.Slider(0, 1, value=0, step=0.01, label=words.MIX, info=words.MIX_INFO)
            more = paintings.build("stylize")
            painted = regions.build("stylize", content, [words.GALLERY_SHORT, words.OWN_SHORT, words.STYLE_2, words.STYLE_3])
        with gr.Column(scale=3, min_width=340, elem_id="stylize-result"):
            slider = gr.ImageSlider(
                value=(samples["content"], samples["content"]), label=words.BEFORE_AFTER, type="filepath", format="jpeg", max_height=620,
                interactive=False, buttons=["fullscreen"], elem_id="stylize-slider", slider_position=30,
            )  # fmt: skip
            status = gr.Markdown(words.STYLIZE_READY, elem_classes="status", elem_id="stylize-status")
            with gr.Row():
                run = gr.Button(words.STYLIZE, variant="primary", elem_classes="run-button", elem_id="stylize-run")
                refine = gr.Button(words.REFINE, interactive=False, elem_id="stylize-refine")
                download = gr.DownloadButton(words.DOWNLOAD, elem_id="stylize-download")
                kind = live.kinds("stylize")
            grid_place = gr.Column()
            uses = use_buttons("stylize")
    result = gr.State(None)

    @documented(
        "stylize", content="The photo.", style="A painting, unless gallery_style is given.", gallery_style="A style of the gallery, by name.",
        mix="With both: 0 is the gallery's style, 1 the painting's.", **paintings.SENTENCES, regions="Masks painted on the photo, or null.",
    )  # fmt: skip
    def stylize(
        content, style=None, gallery_style="", mix=0.0, regions=None, request: gr.Request = None, style_2=None, style_3=None, **given
    ) -> Iterator[dict]:
        """Paint a photo in the style of a painting, or of a style of the gallery, in one pass."""
        given |= {"style_2": style_2, "style_3": style_3}
        try:
            path, before, sentence = _stylize(compute, _Request.of(content, style, gallery_style, mix, regions, given), request)
        except RequestError as error:
            raise words.refusal(error, request) from error
        yield {
            slider: (before, path), status: sentence, result: path,
            download: path, kind: files.KINDS[0], refine: gr.update(interactive=True),
        }  # fmt: skip

    def at_once(content, style, gallery_style, mix, regions, request: gr.Request, **given) -> Iterator[dict]:
        """The same as soon as there is something to paint, and nothing before."""
        if content is None or not (style or gallery_style or given["style_2"] or given["style_3"]):
            yield {status: words.STYLIZE_READY}
            return
        yield from stylize(content, style, gallery_style, mix, regions, request, **given)

    outputs = [slider, status, result, refine, download, kind]
    inputs = [content, style, chosen, mix, painted]
    how = {
        "concurrency_id": "device",
        "concurrency_limit": 1,
        "show_progress": "minimal",
        "show_progress_on": status,
        "inputs_kwargs": {**option_controls, **more},
    }
    run.click(stylize, inputs, outputs, api_name="stylize", **how)
    moved = [content.change, style.change, chosen.change, mix.release]
    moved += [field.release if isinstance(field, gr.Slider) else field.change for field in (*option_controls.values(), *more.values())]
    gr.on(moved, at_once, inputs, outputs, trigger_mode="always_last", api_visibility="private", **how)

    def small(gallery_style, content, style, mix, request, **given):
        options = {**given, "size": compare.SIDE}
        wanted = _Request.of(content, style if not gallery_style else None, gallery_style, mix, None, options)
        return gpu.call(_painted, compute, wanted, words.language_of(request))[0]

    with grid_place:
        picked = compare.build(small, [content, style, mix], option_controls, chosen, option_controls["strength"])
    picked.success(at_once, inputs, outputs, api_visibility="private", **how)
    live.wire_download(kind, download, result)
    _wire_gallery(wall, names, chosen)
    return {
        "content": content, "style": style, "result": result, "refine": refine, "uses": uses, "option_controls": {**option_controls, "gallery": chosen},
    }  # fmt: skip


def _wire_gallery(wall: gr.Gallery, names: list[str], chosen: gr.Textbox) -> None:
    def choose(event: gr.SelectData) -> str:
        return names[event.index]

    wall.select(choose, None, chosen, queue=False, show_progress="hidden", api_visibility="private")


@dataclass(frozen=True)
class _Request:
    """What is to be stylized, as the page holds it.

    Attributes:
        content: the photo's path.
        gallery_style: a name, or empty.
        paintings: paths and weights of one's own paintings, three of them, None where there is none.
        mix: with a gallery style and a first painting, the painting's share of the weight that they have together.
        regions: what was painted on the photo.
        options: by name.
    """

    content: str | None
    gallery_style: str
    paintings: list[tuple[str | None, float]]
    mix: float
    regions: dict | None
    options: dict

    @classmethod
    def of(cls, content, style, gallery_style, mix, regions, given: dict) -> "_Request":
        """From a handler's values; those of more paintings are taken out of `given`, and its options are left."""
        options = dict(given)
        return cls(content, gallery_style, [(style, 1.0), *paintings.taken(options)], mix, regions, options)

    def pictures(self) -> dict[int, object]:
        """The paintings that there are, read, by their place behind the gallery's style: 1, 2 or 3."""
        return {place: opened_if_given(path) for place, (path, _) in enumerate(self.paintings, 1) if path is not None}

    def weights(self) -> list[float]:
        """Of the gallery's style and of the paintings, of those that there are."""
        own = [weight for path, weight in self.paintings if path is not None]
        if not self.gallery_style:
            return own
        if self.paintings[0][0] is None:
            return [1.0, *own]
        return [1 - self.mix, self.mix, *own[1:]]


def _stylize(compute: Compute, wanted: _Request, request: gr.Request | None) -> tuple[str, object, str]:
    """The result's path, the photo beside it, and what there is to say."""
    started = time.monotonic()
    painted, photo, style = gpu.call(_painted, compute, wanted, words.language_of(request))
    sha256 = open_generator(compute).sha256
    settings = settings_of("stylize", wanted.options, {"generator": sha256}, gallery=wanted.gallery_style or None)
    path = files.save(painted, "stylize", settings)
    height, width = painted.shape[-2:]
    entry = gallery().get(wanted.gallery_style)
    named = f"{entry.title} · {entry.painter}. " if entry else ""
    sentence = named + words.say("DONE", request, width=width, height=height, seconds=words.duration(time.monotonic() - started))
    in_full = wanted.options["strength"] >= _TOLD_FROM and regions.masks_of(wanted.regions, len(regions.COLORS)) is None
    trouble = diagnose(painted, photo, style) if in_full else ""
    if trouble:
        sentence += f"\n\n⚠ {words.say(f'DIAGNOSIS_{trouble}', request)}"
    return path, to_pil(photo), sentence


def _painted(compute: Compute, wanted: _Request, language: str) -> tuple:
    """The result, the photo at its size, and the style picture where it is a picture and gives the colors."""
    options = StylizeOptions.make(**wanted.options)
    photo = fit(opened(wanted.content, words.say("NO_CONTENT", language), options.size).image, options.size)
    generator = open_generator(compute)
    named, pictures = bool(wanted.gallery_style), wanted.pictures()
    if not named and not pictures:
        raise RequestError(words.say("NO_STYLE_AT_ALL", language))
    codes = [gallery_code(wanted.gallery_style, generator.sha256)] if named else []
    codes += encoded_styles(generator, list(pictures.values()), photo, options)
    masks = regions.masks_of(wanted.regions, len(regions.COLORS))
    if masks is not None:
        masks = [masks[place] for place in ([0] if named else []) + list(pictures)]
    encoded = _encode(generator, wanted.content, photo, options.size)
    *_, (_, _, painted) = generator.paint(encoded, codes, wanted.weights(), options.strength, masks)
    painted = recolored(painted, photo, options, from_codes=named)
    alone = len(codes) == 1 and not named and options.color == "style"
    return painted, photo, *(pictures.values() if alone else [None])


def _encode(generator, path: str, photo, size: int) -> EncodedPhoto:
    key = (generator.sha256, path, size)
    with _lock:
        if key in _looks:
            _looks.move_to_end(key)
            return _looks[key]
    encoded = generator.encode_content(photo)
    with _lock:
        _looks[key] = encoded
        while len(_looks) > _LOOKS_KEPT:
            _looks.popitem(last=False)
    return encoded
