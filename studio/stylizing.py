"""Logic of the tab "Stylize": a request from the page, painted between the steps of longer runs."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import gradio as gr
from PIL import Image

from studio import files, first_picture, gpu, i18n, more_paintings, newest, painted_masks
from studio.uploads import PAINTING_SIDE, read_upload
from style_core import Compute, RequestError, StylizeOptions, finish, gallery, gallery_code, gallery_grams, read_image
from style_core.media.diagnosis import diagnose
from style_core.media.images import ImageTensor, fit, to_pil
from style_core.media.settings import settings_of
from style_core.progress import Steps
from style_core.recipes.areas import in_effect
from style_core.recipes.recorded_inputs import request_of
from style_core.recipes.stylize import GramsAtScale, PaintedStep, is_judged, paint_photo
from style_core.weights.gallery import FROM_GALLERY
from style_core.weights.open import open_generator
from style_core.weights.registry import registry

_PHOTO_SIDE = 1024  # px, of a photo shown before it is painted


@dataclass(frozen=True)
class Style:
    """A painting's path, or `FROM_GALLERY` and a gallery style's name; its weight, and its mask `[1, H, W]` or None."""

    name: str
    weight: float
    mask: ImageTensor | None

    @property
    def in_gallery(self) -> bool:
        return self.name.startswith(FROM_GALLERY)


@dataclass(frozen=True)
class StylizeRequest:
    """A request from the page.

    Attributes:
        content: the photo's path.
        gallery_style: a name, or empty.
        paintings: paths and weights of the visitor's three paintings; None for a missing one.
        mix: with a gallery style and a first painting, the painting's share of their weight.
        regions: strokes painted on the photo.
        options: by name.
    """

    content: str | None
    gallery_style: str
    paintings: list[tuple[str | None, float]]
    mix: float
    regions: dict | None
    options: dict

    @classmethod
    def of(cls, content, style, gallery_style, mix, regions, given: dict) -> "StylizeRequest":
        """From a handler's values; removes those of further paintings from `given`, which leaves the options."""
        options = dict(given)
        return cls(content, gallery_style, [(style, 1.0), *more_paintings.taken(options)], mix, regions, options)

    def styles(self) -> list["Style"]:
        """The styles, those with a mask first, as in the shell."""
        masks = painted_masks.masks_of(self.regions, len(painted_masks.COLORS)) or [None] * len(painted_masks.COLORS)
        both = bool(self.gallery_style and self.paintings[0][0])
        found = [Style(FROM_GALLERY + self.gallery_style, 1 - self.mix if both else 1.0, masks[0])] if self.gallery_style else []
        for place, (path, weight) in enumerate(self.paintings, 1):
            if path is not None:
                found.append(Style(path, self.mix if both and place == 1 else weight, masks[place]))
        return sorted(found, key=lambda style: style.mask is None)

    def key(self) -> str:
        """A key that is equal for requests with the same result; ignores regions, which are painted only on request."""
        both = self.gallery_style and self.paintings[0][0]
        there = [pair for pair in self.paintings if pair[0] is not None]
        if not there and first_picture.is_asked_for(self.content, self.gallery_style, self.options):
            return first_picture.KEY
        return repr((self.content, self.gallery_style, there, self.mix if both else None, sorted(self.options.items())))


def photo_alone(path: str | None) -> tuple | None:
    """A photo on both sides of the slider, before anything is painted; None if it can't be read."""
    if path is None:
        return None
    try:
        shown = to_pil(fit(read_image(path, long_side=_PHOTO_SIDE), _PHOTO_SIDE))
    except RequestError:
        return None  # already reported next to the picture
    return shown, shown


@dataclass(frozen=True)
class Shown:
    """A picture on its way to the page.

    Attributes:
        photo: to compare with.
        picture: what the network painted, before it is refined; None for the result.
        path: the result's file; empty before.
        sentence: the status.
    """

    photo: Image.Image
    picture: Image.Image | None
    path: str
    sentence: str


def stylized(compute: Compute, wanted: StylizeRequest, request: gr.Request | None) -> Iterator[Shown]:
    """What the network painted, if it will be refined, and then the result.

    Without the result once a newer request of the same visitor came; nothing once that one's picture is shown.
    """
    started = time.monotonic()
    options = StylizeOptions.make(**wanted.options)
    inputs = _Inputs.of(wanted, options, i18n.language_of(request))
    photo, last, is_shown, asked = to_pil(inputs.photo), None, False, newest.count(request)
    with closing(gpu.quick_steps(_paint, compute, options, inputs)) as steps:
        for step in steps:
            if is_shown and newest.count(request) != asked:
                return  # another request of the same visitor waits
            if step.image is not None and step.iteration < step.total:
                if not newest.shows(request, asked):
                    return
                yield Shown(photo, to_pil(step.image), "", i18n.say("ALMOST_DONE", request))
                is_shown = True
            last = step
    if not newest.shows(request, asked):
        return
    assert isinstance(last, PaintedStep) and last.image is not None  # the last step carries the result
    seconds = time.monotonic() - started
    height, width = last.image.shape[-2:]
    styles = wanted.styles()
    given = {
        "content": wanted.content, "styles": [style.name for style in styles], "style_weights": [style.weight for style in styles],
        "mask": painted_masks.saved([style.mask for style in styles]),
    }  # fmt: skip
    settings = settings_of("stylize", wanted.options, last.weights, gallery=wanted.gallery_style or None, request=request_of(given))
    path = files.save(last.image, "stylize", settings)
    sentence = _named(wanted, request) + i18n.say("DONE", request, width=width, height=height, seconds=i18n.duration(seconds))
    trouble = last.verdict or _color_trouble(last.image, inputs, options)
    masks = [style.mask for style in styles]
    _, unused = in_effect(options, masks, [style.weight for style in styles])
    for note in (unused, last.note):
        sentence += f" {i18n.translate(note, request)}" if note else ""
    if trouble:
        sentence += f"\n\n⚠ {i18n.say(f'DIAGNOSIS_{trouble}', request)}"
    yield Shown(photo, None, path, sentence)


def _named(wanted: StylizeRequest, request: gr.Request | None) -> str:
    """The gallery's style, and the visitor's own paintings beside it, before what is said of the result; empty without the former."""
    entry = gallery().get(wanted.gallery_style)
    if entry is None:
        return ""
    given = [path is not None for path, _ in wanted.paintings]
    own = [i18n.say(key, request) for key, there in zip(("OWN_SHORT", "STYLE_2", "STYLE_3"), given) if there]
    return " + ".join([i18n.named_painting(entry, request), *own]) + ". "


def painted(compute: Compute, wanted: StylizeRequest, language: str) -> ImageTensor:
    """The result alone.

    Raises:
        RequestError: for a request that can't be carried out.
    """
    options = StylizeOptions.make(**wanted.options)
    return finish(_paint(compute, options, _Inputs.of(wanted, options, language))).result


@dataclass(frozen=True)
class _Inputs:
    """A request, read: pictures first, as in `stylize`, then codes."""

    photo: ImageTensor
    pictures: list[ImageTensor]
    codes: list[ImageTensor]
    grams: Sequence[GramsAtScale]
    weights: list[float]
    masks: list[ImageTensor | None] | None

    @classmethod
    def of(cls, wanted: StylizeRequest, options: StylizeOptions, language: str) -> "_Inputs":
        """Read a request's files.

        Raises:
            RequestError: for what is missing or can't be read.
        """
        photo = fit(read_upload(wanted.content, i18n.say("NO_CONTENT", language), options.size).image, options.size, enlarge=True)
        styles = sorted(wanted.styles(), key=lambda style: style.in_gallery)
        if not styles:
            raise RequestError(i18n.say("NO_STYLE_AT_ALL", language))
        pictures = [read_image(style.name, long_side=PAINTING_SIDE) for style in styles if not style.in_gallery]
        named, scale = [wanted.gallery_style] if wanted.gallery_style else [], options.style_scale
        codes = [gallery_code(name, registry()["generator"].sha256, scale) for name in named]
        masks = [style.mask for style in styles] if any(style.mask is not None for style in styles) else None
        grams = [partial(gallery_grams, name) for name in named]
        return cls(photo, pictures, codes, grams, [style.weight for style in styles], masks)


def _color_trouble(result: ImageTensor, given: _Inputs, options: StylizeOptions) -> str:
    """What `diagnose` finds, where a single style picture gives the colors; or an empty string."""
    alone = given.masks is None and is_judged(options) and len(given.pictures) == 1 and not given.codes
    return diagnose(result, given.photo, given.pictures[0]) if alone else ""


def _paint(compute: Compute, options: StylizeOptions, given: _Inputs) -> Steps:
    """What `paint_photo` yields, in the process that computes."""
    yield from paint_photo(
        open_generator(compute), given.photo, given.pictures, options, given.weights, given.masks, given.codes, given.grams
    )
