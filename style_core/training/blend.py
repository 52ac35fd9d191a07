"""Interpolate the weights of a network before and after further training, which often does better than either.
    python -m style_core.training.blend models/lite.safetensors runs/lite/lite.safetensors --out runs/lite/blended.safetensors

Both are in the same valley of the loss, and noise of the last steps cancels out (Wortsman et al. 2022, "Robust fine-tuning of
zero-shot models").
"""

import argparse
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from style_core.errors import RequestError
from style_core.networks.generator_net import CORRECTIONS
from style_core.networks.vgg19 import pooling_of


def blend(before: Path, after: Path, out: Path, share: float = 0.5) -> None:
    """Write `share` of the tensors of `after` and the rest of those of `before`, with the metadata of `after`.

    Args:
        before, after, out: safetensors files of one network.
        share: in `[0, 1]`.
    Raises:
        RequestError: when the two differ in shape or pooling.
    """
    second = load_file(after)
    first = _grown(load_file(before), second)
    with safe_open(after, "pt") as file:
        facts = file.metadata() or {}
    shapes = [{name: tensor.shape for name, tensor in each.items()} for each in (first, second)]
    if shapes[0] != shapes[1] or pooling_of(before) != pooling_of(after):
        raise RequestError(
            "{before} and {after} differ in shape; blend a network with a further trained version of itself.",
            before=before.name,
            after=after.name,
        )
    tensors = {name: tensor.float().lerp(second[name].float(), share).to(tensor.dtype) for name, tensor in first.items()}
    save_file(
        tensors, out, {**facts, "blend": f"{share:g} of the weights from this command, the rest from the weights that it started with"}
    )


def _grown(first: dict[str, Tensor], second: dict[str, Tensor]) -> dict[str, Tensor]:
    """Earlier tensors, with blocks that were added since, as identities (`training.generator` adds deep blocks this way)."""
    grown = dict(first)
    for name, tensor in second.items():
        if name.startswith("deep."):
            # A residual block whose last convolution is zero is an identity.
            grown.setdefault(name, torch.zeros_like(tensor) if name.endswith("second.conv.weight") else tensor)
        elif name.startswith("style.values.") and len(first.get(name, tensor)) < len(tensor):
            grown[name] = torch.cat([first[name], torch.zeros_like(tensor[len(first[name]) :])])
        elif name in CORRECTIONS:
            grown.setdefault(name, tensor)
    return grown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="Share of the later weights, 0 to 1.")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    blend(given.before, given.after, given.out, given.share)


if __name__ == "__main__":
    main()
