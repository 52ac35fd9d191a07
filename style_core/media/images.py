"""Reading and writing pictures: files and bytes to image tensors and back.

An image is float32 `[3, H, W]`, sRGB in `[0, 1]`. Pictures are read upright, in sRGB, at full bit depth. Written files contain
their settings, but no camera data or location.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy
import torch
from PIL import Image, ImageColor
from torch import Tensor
from torch.nn import functional

from style_core.errors import RequestError, RunFailed
from style_core.files import check_target, written_aside
from style_core.media.encoding import DEPTHS, MOST_SIDE, TRANSPARENT, WRITABLE, save, save_deep
from style_core.media.reading import UPLOADS, Limits, read_header, read_pixels
from style_core.messages import Message, joined

_STRIP = 2**20  # pixels
ImageTensor = Tensor  # an image, for annotations where torch is not imported


@dataclass(frozen=True)
class Picture:
    """A picture as read.

    Attributes:
        image: `[3, H, W]`, with transparent parts over the background.
        alpha: `[1, H, W]`, or None for an opaque picture.
        note: a note to the user about how it was read, or empty.
    """

    image: Tensor
    alpha: Tensor | None = None
    note: str = ""


def read_image(
    source: str | Path | bytes | IO[bytes], *, background: str = "white", long_side: int | None = None, limits: Limits = UPLOADS
) -> Tensor:
    """Read a picture as an image `[3, H, W]`; transparent parts show `background`.

    Args:
        long_side, limits: as `load_picture`.
    Raises:
        RequestError: as `load_picture`.
    """
    return load_picture(source, background=background, long_side=long_side, limits=limits).image


def load_picture(
    source: str | Path | bytes | IO[bytes], *, background: str = "white", long_side: int | None = None, limits: Limits = UPLOADS
) -> Picture:
    """Read a picture with its alpha channel and a note about how it was read.

    Args:
        source: a path, the bytes of a file, or an open binary file.
        background: a color name or `#rrggbb` for transparent parts.
        long_side: a sufficient size in px. A picture of many megapixels may then be read at a reduced size, but not below
            this, in a fraction of the time and memory.
        limits: the largest picture to read: `UPLOADS`, 100 MB and 100 megapixels, or `PRINTS`, the largest that the recipes make.
    Raises:
        RequestError: when the file is missing, not a readable picture, damaged, too large or too small; the message names the
            file, never its folder.
    """
    read = read_pixels(read_header(source, limits), long_side)
    image = read.image if read.alpha is None else over(read.image, read.alpha, background)
    return Picture(image, read.alpha, read.note)


def over(image: Tensor, alpha: Tensor, background: str) -> Tensor:
    """`image` with its `alpha` `[1, H, W]` over a color.

    Raises:
        RequestError: for an unknown color.
    """
    try:
        color = ImageColor.getrgb(background)[:3]
    except ValueError as error:
        raise RequestError("background is {background}; it must be a color name or #rrggbb.", background=background) from error
    ground = torch.tensor(color, dtype=torch.float32).view(3, 1, 1) / 255
    return ground + alpha * (image - ground)


def write_image(
    path: str | Path,
    image: Tensor,
    *,
    settings: dict | None = None,
    alpha: Tensor | None = None,
    quality: int = 95,
    depth: int = 8,
    dpi: float | None = None,
) -> None:
    """Write an image with its settings, atomically; the suffix chooses PNG, JPEG, WebP, AVIF or TIFF.

    Args:
        image: `[3, H, W]`; values outside `[0, 1]` are clamped.
        settings: how it was made, to be read back by `read_settings`.
        alpha: `[1, h, w]`, resized to the image; JPEG drops it.
        quality: of JPEG, WebP and AVIF, 1 to 100.
        depth: bits per channel of PNG, 8 or 16; TIFF always has 16, the others 8.
        dpi: dots per inch for printing; None stores none.
    Raises:
        RequestError: for an unknown suffix, a picture that is too large for the format, or a path that can't be written to.
    """
    path = Path(path)
    kind = check_writable(path)
    side = max(image.shape[-2:])
    if side > MOST_SIDE.get(kind, side):
        raise RequestError(
            "{file} would be {side} px on its long side, but {kind} allows only {most}; use .png or .tif.",
            file=path.name, side=side, kind=kind, most=MOST_SIDE[kind],
        )  # fmt: skip
    if alpha is not None:
        alpha = resize(alpha, tuple(image.shape[-2:])) if kind in TRANSPARENT else None
    with writing(path) as aside:
        if depth > 8 and depth in DEPTHS.get(kind, ()) or kind == "TIFF":
            save_deep(_sixteen_bit(image, alpha), aside, kind, dpi, settings)
        else:
            picture = to_pil(image)
            if alpha is not None:
                picture.putalpha(to_pil(alpha.expand(3, -1, -1)).convert("L"))
            save(picture, aside, kind, quality, dpi, settings)


def write_result(path: str | Path, image: Tensor, **how: Any) -> None:
    """Write the picture of a run, which must not be lost: if it can't be written, it is kept as a PNG among the temporary files.

    Args:
        how: as `write_image` takes it.
    Raises:
        RunFailed: naming the kept file, when the picture can't be written to its path.
        RequestError: when it can't be kept either.
    """
    path = Path(path)
    try:
        write_image(path, image, **how)
    except RequestError as error:
        if (kept := _kept(f"{path.stem}.png", image, how)) is None:
            raise
        raise RunFailed(joined(error.message, Message("The picture was saved as {kept} instead.", kept=str(kept)))) from error


def _kept(name: str, image: Tensor, how: dict[str, Any]) -> Path | None:
    """The path of a picture written among the temporary files, or None if it can't be."""
    try:
        kept = Path(tempfile.mkdtemp(prefix="pentimento-kept-")) / name
        write_image(kept, image, **how)
    except (OSError, RequestError):
        return None
    return kept


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A temporary path that replaces `path` at the end of the block.

    Raises:
        RequestError: when writing fails.
    """
    try:
        with written_aside(path) as aside:
            yield aside
    except (OSError, ValueError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(
            "{file} could not be written ({reason}); choose another folder.",
            file=path.name, reason=getattr(error, "strerror", None) or str(error),
        ) from error  # fmt: skip


def check_writable(path: str | Path) -> str:
    """The format of a path's suffix. Checks a path before any work is done for it.

    Raises:
        RequestError: for an unknown suffix, or a path that can't be written to.
    """
    kind = check_suffix(path)
    check_target(path)
    return kind


def check_suffix(path: str | Path) -> str:
    """The format of a path's suffix.

    Raises:
        RequestError: for an unknown one.
    """
    path = Path(path)
    kind = WRITABLE.get(path.suffix.lower())
    Image.init()
    if kind is None or kind not in Image.SAVE:
        raise RequestError("{file} does not end in a suffix that can be written; use .png, .jpg, .webp, .avif or .tif.", file=path.name)
    return kind


def read_mask(source: str | Path | bytes | IO[bytes], limits: Limits = UPLOADS) -> Tensor:
    """Read a mask `[1, H, W]` in `[0, 1]`: white is where the style goes; transparent is where it doesn't.

    Args:
        limits: as `load_picture`.
    Raises:
        RequestError: as `load_picture`.
    """
    picture = load_picture(source, background="black", limits=limits)
    return picture.image.mean(0, keepdim=True)


def masks_by_color(strokes: Image.Image, colors: Sequence[str], least_alpha: float = 0.2) -> list[Tensor | None]:
    """Turn strokes painted over a photo into a mask for each color.

    Args:
        strokes: a picture that is transparent where nothing was painted.
        colors: in Pillow's notation, such as `#d1495b`; each stroke counts as the nearest color.
        least_alpha: pixels below this alpha count as unpainted.
    Returns:
        For each color a mask `[1, H, W]` of 0 and 1, or None if it wasn't used.
    """
    pixels = torch.from_numpy(numpy.array(strokes.convert("RGBA"))).float() / 255  # [H, W, 4]
    palette = torch.tensor([ImageColor.getrgb(color)[:3] for color in colors]) / 255
    nearest = torch.cdist(pixels[..., :3].reshape(-1, 3), palette).argmin(1).view(pixels.shape[:2])
    painted = pixels[..., 3] >= least_alpha
    masks = [((nearest == index) & painted).float()[None] for index in range(len(colors))]
    return [mask if mask.any() else None for mask in masks]


def strokes_of(mask: Tensor, color: str) -> Image.Image:
    """A mask `[1, H, W]` as strokes: a picture of this color where the mask is above a half, transparent elsewhere."""
    strokes = Image.new("RGBA", (mask.shape[-1], mask.shape[-2]), color)
    strokes.putalpha(Image.fromarray(((mask[0] > 0.5) * 255).to(torch.uint8).numpy()))
    return strokes


def to_pil(image: Tensor) -> Image.Image:
    """`[3, H, W]` -> an RGB picture of Pillow's without metadata."""
    return Image.fromarray(torch.stack(_eight_bit(image), -1).cpu().numpy())


def in_bytes(image: Tensor) -> Tensor:
    """An image in 8 bits, for a large one that is kept for later: a quarter of the memory; see `as_image`."""
    return torch.stack(_eight_bit(image))


def as_image(kept: Tensor) -> Tensor:
    """An image from one in 8 bits; others stay as they are."""
    return kept.float().div_(255) if kept.dtype == torch.uint8 else kept


def _eight_bit(image: Tensor) -> list[Tensor]:
    """The channels of `[C, H, W]`, uint8; one by one and in place, because each float32 copy of a print takes gigabytes."""
    return [channel.detach().clamp(0, 1).mul_(255).round_().to(torch.uint8) for channel in image]


def _sixteen_bit(image: Tensor, alpha: Tensor | None) -> numpy.ndarray:
    """`[3, H, W]` and `[1, H, W]` or None -> `[H, W, 3 or 4]`, uint16; channel by channel, to save memory."""
    channels = [*image, *(alpha if alpha is not None else [])]
    planes = [(channel.detach().cpu().clamp(0, 1) * 65535).round_().numpy().astype(numpy.uint16) for channel in channels]
    return numpy.stack(planes, -1)


def from_pil(picture: Image.Image) -> Tensor:
    """A picture of Pillow's -> `[3, H, W]`; alpha is dropped."""
    return torch.from_numpy(numpy.array(picture.convert("RGB"))).permute(2, 0, 1).float().contiguous() / 255


def resize(image: Tensor, size: Sequence[int]) -> Tensor:
    """`[C, H, W]` to `[C, height, width]`, bicubic, antialiased, kept in `[0, 1]`."""
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    resized = functional.interpolate(image[None], tuple(size), mode="bicubic", antialias=True, align_corners=False)
    return resized[0].clamp_(0, 1)


def size_to_fit(size: Sequence[int], long_side: int) -> tuple[int, int]:
    """Height and width scaled so that the long side is `long_side`, at least 1 px each."""
    factor = long_side / max(size)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def size_of(path: str | Path, limits: Limits = UPLOADS) -> tuple[int, int]:
    """Height and width of a picture as it will be read, from its header.

    Args:
        limits: as `load_picture`.
    Raises:
        RequestError: as `load_picture`.
    """
    return read_header(path, limits).size


def fit(image: Tensor, long_side: int, *, enlarge: bool = False) -> Tensor:
    """An image scaled so that its long side is `long_side`; smaller images are enlarged only with `enlarge`."""
    if max(image.shape[-2:]) <= long_side and not enlarge:
        return image
    return resize(image, size_to_fit(tuple(image.shape[-2:]), long_side))


def beyond(photo: Sequence[int], result: Sequence[int]) -> str:
    """A note that a result (height, width) is larger than its photo, or an empty string."""
    if max(result) <= max(photo):
        return ""
    return Message(
        "The result is {times:.2g} times as large as the photo ({width} x {height} px), which is enlarged first.",
        times=max(result) / max(photo),
        width=photo[1],
        height=photo[0],
    )


def reduced(result: Sequence[int], size: int) -> str:
    """A note that a run of this size, which was ended early, left only a preview (height, width), or an empty string."""
    if max(result) >= size:
        return ""
    return Message(
        "Only a reduced picture of {width} x {height} px could be kept; let the run end to get all {size} px.",
        width=result[1],
        height=result[0],
        size=size,
    )


def square_of(image: Tensor) -> Tensor:
    """The largest centered square of an image `[C, H, W]`."""
    height, width = image.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[..., top : top + side, left : left + side]


def size_to_fit_short(size: Sequence[int], short_side: int) -> tuple[int, int]:
    """Height and width scaled so that the short side is `short_side`, at least 1 px each."""
    factor = short_side / min(size)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def fit_short(image: Tensor, short_side: int) -> Tensor:
    """An image scaled so that its short side is `short_side`: enlarged as by `resize`, reduced by Lanczos's filter.

    What is measured is scaled so, mostly style pictures. Files of paintings have often been enlarged, which blurs them. Reduced
    bicubically they would be blurred as much again; by Lanczos's filter they lose half as much of their style (benchmarks/inputs.md).
    """
    size = size_to_fit_short(tuple(image.shape[-2:]), short_side)
    return _by_lanczos(image, size) if short_side < min(image.shape[-2:]) else resize(image, size)


def _by_lanczos(image: Tensor, size: tuple[int, int]) -> Tensor:
    """`[C, H, W]` to `[C, height, width]` by Lanczos's filter, kept in `[0, 1]`; torch has none."""
    height, width = size
    channels = [Image.fromarray(channel).resize((width, height), Image.Resampling.LANCZOS) for channel in image.cpu().float().numpy()]
    return torch.from_numpy(numpy.stack([numpy.asarray(channel) for channel in channels])).clamp_(0, 1).to(image)


def row_strips(picture: Tensor) -> Iterator[slice]:
    """The rows of a picture `[..., H, W]` in strips of about a million pixels, so that a print's copies fit into memory."""
    height, width = picture.shape[-2:]
    rows = max(1, _STRIP // width)
    for start in range(0, height, rows):
        yield slice(start, min(height, start + rows))
