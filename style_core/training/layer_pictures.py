"""The layer browser's pictures: dreams from noise for each layer of `lite`, and for a few channels of each.

    python -m style_core.training.layer_pictures

Run it again whenever `lite` changes. The channels are those whose responses vary most over our own sample pictures, that is, the
most selective ones.
"""

import argparse
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

from style_core.devices import Compute, prepare_cpu
from style_core.media.images import fit, read_image, to_pil
from style_core.networks.extractor import FeatureExtractor, load_extractor
from style_core.progress import finish
from style_core.recipes.dream import DreamOptions, dream
from style_core.weights.layer_pictures import FOLDER, LayerPicture, layer_pictures
from style_core.weights.registry import MODELS

LAYERS = (
    "relu1_1",
    "relu2_1",
    "relu2_2",
    "relu3_1",
    "relu3_2",
    "relu3_3",
    "relu3_4",
    "relu4_1",
    "relu4_2",
    "relu4_3",
    "relu4_4",
    "relu5_1",
)
_CHANNELS, _TRIED = 3, 12  # per layer: pictures wanted, and channels tried
_SIDE, _DREAMT = 112, 224  # px, of the shipped picture and of the dream
_PLAIN = DreamOptions(size=_DREAMT, start="noise", octaves=3, iterations=30, strength=0.5)
_BLANK = 0.15  # standard deviation below which a dream failed: noise doesn't activate that channel


def telling_channels(extractor: FeatureExtractor, samples: list[Path], layer: str) -> list[int]:
    """Channels sorted by the variation of their responses over the sample pictures, relative to their mean; largest first."""
    scores = []
    for path in samples:
        features = extractor.extract(fit(read_image(path), 384)[None], [layer])[layer][0].float().flatten(1)
        scores.append(features.std(1) / (features.mean(1) + features.mean()))
    return torch.stack(scores).sum(0).argsort(descending=True).tolist()


def grown(extractor: FeatureExtractor, picture: LayerPicture) -> bool:
    """Dream a picture and write it; returns False, and writes nothing, if the dream failed."""
    options = replace(_PLAIN, layer=picture.term)
    image = finish(dream(None, options, compute=extractor.compute, extractor=extractor)).result
    if image.std() < _BLANK:
        return False
    to_pil(fit(image, _SIDE)).save(picture.path, quality=82)
    print(picture.term, flush=True)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path, default=Path("studio/samples"), help="Folder of our own pictures.")
    given = parser.parse_args()
    prepare_cpu()
    compute = Compute.choose("cpu")
    extractor = load_extractor("lite", MODELS / "lite.safetensors", compute)
    FOLDER.mkdir(exist_ok=True)
    for old in layer_pictures():
        old.path.unlink()
    samples = sorted(given.samples.glob("*.jpg"))
    for layer in LAYERS:
        grown(extractor, LayerPicture("lite", layer, None))
        seen = (grown(extractor, LayerPicture("lite", layer, channel)) for channel in telling_channels(extractor, samples, layer)[:_TRIED])
        next(islice(filter(None, seen), _CHANNELS - 1, None), None)


if __name__ == "__main__":
    main()
