"""Logic of the tab "Stylize": a request from the page, painted between the steps of longer runs."""

import time
from dataclasses import dataclass

import gradio as gr

from studio import files, first_picture, gpu, i18n, more_paintings, painted_masks
from studio.uploads import PAINTING_SIDE, read_upload
from style_core import Compute, RequestError, StylizeOptions, gallery, gallery_code, read_image
from style_core.media.diagnosis import diagnose
from style_core.media.images import ImageTensor, fit, to_pil
from style_core.media.settings import settings_of
from style_core.recipes.areas import in_effect
from style_core.recipes.recorded_inputs import GALLERY, request_of
from style_core.recipes.stylize import is_judged, paint_photo
from style_core.weights.open import open_generator

_PHOTO_SIDE = 1024  # px, of a photo shown before it is painted


@dataclass(frozen=True)
class Style:
    """A painting's path, or `GALLERY` and a gallery style's name; its weight, and its mask `[1, H, W]` or None."""

    name: str
    weight: float
    mask: ImageTensor | None

    @property
    def in_gallery(self) -> bool:
        return self.name.startswith(GALLERY)


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
        found = [Style(GALLERY + self.gallery_style, 1 - self.mix if both else 1.0, masks[0])] if self.gallery_style else []
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


def stylized(compute: Compute, wanted: StylizeRequest, request: gr.Request | None) -> tuple[str, object, str]:
    """The result's path, the photo to compare with, and the status."""
    started = time.monotonic()
    image, photo, look, trouble = gpu.call(painted, compute, wanted, i18n.language_of(request))
    seconds = time.monotonic() - started
    sha256 = open_generator(compute).sha256
    styles = wanted.styles()
    given = {
        "content": wanted.content, "styles": [style.name for style in styles], "style_weights": [style.weight for style in styles],
        "mask": painted_masks.saved([style.mask for style in styles]),
    }  # fmt: skip
    made = {"generator": sha256}
    settings = settings_of("stylize", wanted.options, made, gallery=wanted.gallery_style or None, request=request_of(given))
    path = files.save(image, "stylize", settings)
    height, width = image.shape[-2:]
    entry = gallery().get(wanted.gallery_style)
    named = f"{i18n.named_painting(entry, request)}. " if entry else ""
    sentence = named + i18n.say("DONE", request, width=width, height=height, seconds=i18n.duration(seconds))
    trouble = trouble or (diagnose(image, photo, look) if look is not None else "")
    options = StylizeOptions.make(**wanted.options)
    masks = [style.mask for style in styles]
    _, unused = in_effect(options, masks, [style.weight for style in styles])
    if unused:
        sentence += f" {i18n.translate(unused, request)}"
    if trouble:
        sentence += f"\n\n⚠ {i18n.say(f'DIAGNOSIS_{trouble}', request)}"
    return path, to_pil(photo), sentence


def painted(compute: Compute, wanted: StylizeRequest, language: str) -> tuple[ImageTensor, ImageTensor, ImageTensor | None, str]:
    """The result, the photo, the style picture for detecting lost colors (None unless there is a single one), and a verdict.

    Raises:
        RequestError: for a request that can't be carried out.
    """
    options = StylizeOptions.make(**wanted.options)
    photo = fit(read_upload(wanted.content, i18n.say("NO_CONTENT", language), options.size).image, options.size, enlarge=True)
    generator = open_generator(compute)
    # Pictures first, as in `stylize`.
    styles, named = sorted(wanted.styles(), key=lambda style: style.in_gallery), bool(wanted.gallery_style)
    if not styles:
        raise RequestError(i18n.say("NO_STYLE_AT_ALL", language))
    pictures = [read_image(style.name, long_side=PAINTING_SIDE) for style in styles if not style.in_gallery]
    codes = [gallery_code(wanted.gallery_style, generator.sha256, options.style_scale)] if named else []
    masks = [style.mask for style in styles] if any(style.mask is not None for style in styles) else None
    *_, (_, _, image, trouble) = paint_photo(generator, photo, pictures, options, [style.weight for style in styles], masks, codes)
    assert image is not None  # the last one carries the whole picture
    alone = masks is None and is_judged(options) and len(styles) == 1 and not named
    return image, photo, pictures[0] if alone else None, trouble
