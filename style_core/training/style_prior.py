"""The style prior's file: codes of sharp training paintings.

    python -m style_core.training.style_prior --data ../shared/data

Make it again after the generator has changed; `style_core.training.register styles FILE` ships it.
"""

import argparse
import random
from pathlib import Path

import torch
from safetensors.torch import save_file

from style_core.devices import Compute, prepare_cpu
from style_core.media.images import read_image
from style_core.networks.generator import Generator
from style_core.training.data import sharp, split
from style_core.weights.registry import MODELS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="Folder with style/.")
    parser.add_argument("--count", type=int, default=512, help="Paintings (default 512).")
    parser.add_argument("--seed", type=int, default=0, help="Of their choice.")
    parser.add_argument("--out", type=Path, default=Path("runs/styles.safetensors"))
    given = parser.parse_args()
    prepare_cpu()
    generator = Generator.load(MODELS / "generator.safetensors", Compute.choose("cpu", "fp32"))
    paintings = sharp(split(given.data / "style")[0])
    chosen = random.Random(given.seed).sample(paintings, min(given.count, len(paintings)))
    codes = torch.cat([generator.encode_style(read_image(path)) for path in chosen])
    given.out.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "model": "styles: codes of paintings, from which imagined pictures get their styles",
        "command": f"python -m style_core.training.style_prior --count {given.count} --seed {given.seed}",
        "generator": generator.sha256,
    }
    save_file({"codes": codes.half().contiguous()}, given.out, facts)


if __name__ == "__main__":
    main()
