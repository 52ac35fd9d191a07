"""The gallery's files: codes and Gram matrices for each painting in `models/gallery.toml`, and thumbnails.

    python -m style_core.training.gallery --data ../shared/data

Only what is missing is made: new entries, or all of them after the generator or `lite` has changed. If an entry got another painting,
`--again NAME` makes it again. Thumbnails show our own rendered pictures, painted; `--contact` writes all of them to one sheet for
inspection.
"""

import argparse
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from style_core.devices import Compute, prepare_cpu
from style_core.media.images import fit_short, read_image, to_pil
from style_core.networks.generator import Generator
from style_core.progress import finish
from style_core.recipes.refinement import measured_style
from style_core.recipes.stylize import StylizeOptions, paint_photo
from style_core.weights.gallery import CODE_SCALES, CODES, GRAMS, gallery, gram_factor, gram_from, tensors_digest
from style_core.weights.registry import MODELS, registry

_THUMBNAIL_SIDE = 256
_SAMPLES = [Path("studio/samples") / name for name in ("mountain-lake.jpg", "still-life.jpg", "night-street.jpg", "bust.jpg")]
_SMALLEST_CROP = 0.6  # of a sample picture's short side
_OWN = Path("studio/samples/styles")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="Folder with style/.")
    parser.add_argument("--samples", type=Path, nargs="+", default=_SAMPLES, help="Our own pictures, which are painted for the thumbnails.")
    parser.add_argument("--contact", type=Path, help="Write all thumbnails to one picture.")
    parser.add_argument("--again", nargs="+", default=[], metavar="NAME", help="Styles to make again; all of them: --again all.")
    given = parser.parse_args()
    prepare_cpu()
    generator = Generator.load(MODELS / "generator.safetensors", Compute.choose("cpu"))
    folder = MODELS / "gallery"
    folder.mkdir(exist_ok=True)
    again = set(gallery()) if given.again == ["all"] else set(given.again)
    codes = _kept(generator, again)
    lite = registry()["lite"].sha256
    factors = _kept_factors(lite, again)
    for stale in folder.glob("*.jpg"):
        if stale.stem not in codes:
            stale.unlink()
    samples = [read_image(path) for path in given.samples]
    for index, style in enumerate(gallery().values()):
        if style.name in codes and style.name in factors:
            continue
        painting = read_image(_OWN / style.picture if style.picture else given.data / "style" / style.file)
        if style.name not in factors:
            factors[style.name] = _factors(painting, generator.compute)
        if style.name in codes:
            continue
        at_scales = [generator.encode_style(painting, scale) for scale in CODE_SCALES]
        codes[style.name] = torch.cat(at_scales).half().contiguous()
        photo = _crop(samples[index % len(samples)], index // len(samples))
        code, grams = codes[style.name][1:2].float(), partial(_grams, factors[style.name])
        painted = finish(paint_photo(generator, photo, [], StylizeOptions(), codes=[code], grams=[grams], remember=False)).result
        to_pil(fit_short(painted, _THUMBNAIL_SIDE)).save(style.thumbnail, quality=82)
    save_file(codes, MODELS / CODES, {"generator": generator.sha256, "sha256": tensors_digest(codes)})
    by_layer = {f"{name}.{layer}": factor for name, layers in factors.items() for layer, factor in layers.items()}
    save_file(by_layer, MODELS / GRAMS, {"lite": lite, "sha256": tensors_digest(by_layer)})
    if given.contact:
        _write_contact(given.contact)


def _kept(generator: Generator, again: set[str]) -> dict[str, torch.Tensor]:
    """Codes that this generator made earlier, of styles that are in the gallery and have a thumbnail, without those to make again."""
    path = MODELS / CODES
    if not path.is_file():
        return {}
    with safe_open(path, "pt") as file:
        if (file.metadata() or {}).get("generator") != generator.sha256:
            return {}
        names = set(file.keys()) & set(gallery()) - again
        return {name: file.get_tensor(name) for name in names if gallery()[name].thumbnail.is_file()}


def _kept_factors(lite: str, again: set[str]) -> dict[str, dict[str, torch.Tensor]]:
    """Factors of Gram matrices by style and layer that this `lite` made earlier, likewise."""
    path = MODELS / GRAMS
    found: dict[str, dict[str, torch.Tensor]] = {}
    if not path.is_file():
        return {}
    with safe_open(path, "pt") as file:
        if (file.metadata() or {}).get("lite") == lite:
            for key in file.keys():
                name, layer = key.split(".")
                if name in gallery() and name not in again:
                    found.setdefault(name, {})[layer] = file.get_tensor(key)
    return found


def _factors(painting: torch.Tensor, compute: Compute) -> dict[str, torch.Tensor]:
    """Factors of a painting's Gram matrices by layer, `[len(CODE_SCALES), C, r]`, float16."""
    at_scales = [measured_style(painting, scale, compute).grams for scale in CODE_SCALES]
    return {layer: torch.stack([gram_factor(grams[layer][0].cpu()) for grams in at_scales]).half().contiguous() for layer in at_scales[0]}


def _grams(factors: dict[str, torch.Tensor], scale: float) -> dict[str, torch.Tensor]:
    """Gram matrices `[1, C, C]` by layer at one of `CODE_SCALES`."""
    place = CODE_SCALES.index(scale)
    return {layer: gram_from(factor[place : place + 1].float()) for layer, factor in factors.items()}


def _crop(sample: torch.Tensor, number: int) -> torch.Tensor:
    """A square part of a sample picture at twice the thumbnail's side; each number is another one, evenly spread over sizes and places."""
    height, width = sample.shape[-2:]
    smaller, down, across = torch.quasirandom.SobolEngine(3, scramble=True, seed=0).draw(number + 1)[-1].tolist()
    side = round(min(height, width) * (1 - (1 - _SMALLEST_CROP) * smaller))
    top, left = round(down * (height - side)), round(across * (width - side))
    return fit_short(sample[:, top : top + side, left : left + side], 2 * _THUMBNAIL_SIDE)


def _write_contact(path: Path, columns: int = 10) -> None:
    thumbnails = [Image.open(style.thumbnail) for style in gallery().values()]
    sheet = Image.new("RGB", (columns * _THUMBNAIL_SIDE, -(-len(thumbnails) // columns) * _THUMBNAIL_SIDE))
    for index, thumbnail in enumerate(thumbnails):
        sheet.paste(thumbnail, (index % columns * _THUMBNAIL_SIDE, index // columns * _THUMBNAIL_SIDE))
    sheet.save(path)


if __name__ == "__main__":
    main()
