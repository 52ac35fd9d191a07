"""How the gallery was made: a code for each painting that `models/gallery.toml` names, and a thumbnail of each.

    python -m style_core.training.gallery --data ../shared/data

To be run again whenever the generator changes. The thumbnails are our own sample picture, painted.
"""

import argparse
from pathlib import Path

from safetensors.torch import save_file

from style_core.devices import Compute, prepare_cpu
from style_core.media.images import fit, read_image, to_pil
from style_core.networks.generator import Generator
from style_core.weights.gallery import gallery
from style_core.weights.registry import MODELS

_THUMBNAIL_SIDE = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="Folder with style/.")
    parser.add_argument("--sample", type=Path, default=Path("studio/samples/landscape.jpg"))
    given = parser.parse_args()
    prepare_cpu()
    generator = Generator.load(MODELS / "generator.safetensors", Compute.choose("cpu"))
    encoded = generator.encode_content(fit(read_image(given.sample), 2 * _THUMBNAIL_SIDE))
    codes = {}
    (MODELS / "gallery").mkdir(exist_ok=True)
    for style in gallery().values():
        codes[style.name] = generator.encode_style(read_image(given.data / "style" / style.file)).half().contiguous()
        *_, (_, _, painted) = generator.paint(encoded, [codes[style.name].float()])
        to_pil(fit(painted, _THUMBNAIL_SIDE)).save(style.thumbnail, quality=85)
    save_file(codes, MODELS / "gallery.safetensors", {"generator": generator.sha256})


if __name__ == "__main__":
    main()
