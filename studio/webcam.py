"""The camera of the tab "Video": frames painted as they come, and a snapshot that goes to every tab."""

import functools
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr
from PIL import Image

from studio import files, gpu, i18n
from studio.controls import use_buttons
from studio.events import IMMEDIATE, SILENT
from studio.tabs import Source
from style_core import Compute, StylizeOptions, gallery_code, read_image
from style_core.media.images import fit, from_pil, to_pil
from style_core.media.settings import settings_of
from style_core.recipes.recorded_inputs import request_of
from style_core.recipes.stylize_clip import LivePainter
from style_core.weights.open import open_generator
from style_core.weights.registry import registry

_EVERY = 0.05  # seconds between frames that the camera sends
_LIMIT = 120  # seconds until the camera queues up again, so that others get their turn
_SIDE = 384  # px
_CAMERAS = 4  # that share a device, each slower than alone, and whose paint is kept

# In the process that computes. A frame that arrives at another process finds no paint there, or that of an earlier frame, and is painted
# anew as far as it must be.
_painters: OrderedDict[tuple, LivePainter] = OrderedDict()


@dataclass(frozen=True, kw_only=True)
class Camera(Source):
    """The camera, whose results are snapshots; `afresh` lays it out anew at events."""

    afresh: Callable[..., None]


def build(compute: Compute, chosen: list) -> Camera:
    """Lay the camera out and wire it.

    Args:
        chosen: the components with the gallery style, the visitor's painting, whether to use that, and the strength.
    """
    gr.Markdown(i18n.WEBCAM_READY, elem_classes="quiet")
    with gr.Row():
        camera = gr.Image(
            label=i18n.WEBCAM, sources=["webcam"], streaming=True, type="pil", height=360, elem_id="film-camera",
            webcam_options=gr.WebcamOptions(mirror=True, constraints={"video": {"width": 640}}),
        )  # fmt: skip
        shown_live = gr.Image(label=i18n.RESULT, format="jpeg", type="pil", height=360, interactive=False, buttons=[], elem_id="film-live")

    def paint_frame(frame, name, own, used, strength, request: gr.Request):
        own = own if used else None
        if frame is None or not (name or own):
            return None
        code = _code_of(compute, name, own)
        return gpu.call(_painted_live, compute, request.session_hash, frame, code, _options(strength))

    camera.stream(
        paint_frame, [camera, *chosen], shown_live, stream_every=_EVERY, time_limit=_LIMIT, concurrency_id="camera",
        concurrency_limit=_CAMERAS * gpu.places(), **SILENT,
    )  # fmt: skip

    def keep(picture, name, own, used, strength, request: gr.Request) -> tuple[str, dict]:
        """The frame in view as a result like any other."""
        if picture is None:
            raise i18n.no_result(request)
        own = own if used else None
        made = {"generator": registry()["generator"].sha256}
        asked = {} if own is None else request_of({"styles": [own]})
        settings = settings_of("stylize", _options(strength).as_dict(), made, gallery=None if own else name or None, request=asked)
        path = files.save(from_pil(picture), "stylize", settings)
        return path, gr.update(value=path, visible=True)

    with gr.Row(elem_classes="actions"):
        snap = gr.Button(i18n.SNAPSHOT, elem_id="film-snap")
        download = gr.DownloadButton(i18n.DOWNLOAD, visible=False, elem_id="film-download")  # type: ignore[arg-type]  # Gradio declares str
    uses, result = use_buttons("film"), gr.State(None)
    snap.click(keep, [shown_live, *chosen], [result, download], **SILENT)  # queued: errors of others are not shown

    def afresh(*opened: Callable) -> None:
        """Lay the camera out anew at these events: the page has switched it off meanwhile, and Gradio doesn't ask for it twice."""
        for event in opened:
            event(lambda: gr.update(visible=False), None, camera, **IMMEDIATE).then(
                lambda: gr.update(visible=True), None, camera, **IMMEDIATE
            )

    return Camera(result=result, uses=uses, afresh=afresh)


def _options(strength: float) -> StylizeOptions:
    return StylizeOptions(size=_SIDE, strength=strength, refine=0)


@functools.lru_cache(maxsize=16)
def _code_of(compute: Compute, name: str, own: str | None):
    """The chosen style's code; a painting is encoded once and not at every frame."""
    return gpu.call(_encoded, compute, own) if own else gallery_code(name, registry()["generator"].sha256)


def _encoded(compute: Compute, own: str):
    return open_generator(compute).encode_style(read_image(own))


def _painted_live(compute: Compute, visitor: str, frame: Image.Image, code, options: StylizeOptions) -> Image.Image:
    key = (visitor, options.strength, code.numpy().tobytes())
    painter = _painters.pop(key, None) or LivePainter(open_generator(compute), [], [code], [1.0], options)
    _painters[key] = painter
    while len(_painters) > _CAMERAS * gpu.places():
        _painters.popitem(last=False)
    return to_pil(painter.paint(fit(from_pil(frame), options.size, enlarge=True)))
