"""Gram matrices of a painting, from those of its enlarged thumbnail.

Enlarging leaves out the finest strokes, so a thumbnail's Gram matrices are those of a blurred painting. Seen from far enough, the same is
missing of every painting: each feature falls to about the same share. So one linear map of the features by layer, which depends on how far
the thumbnail was enlarged, brings the matrices back to within a few percent (models/sharpening.md).
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from style_core.errors import RequestError
from style_core.files import sha256_of

TERMS = 2  # powers of what is lacking
_LEAST_SHARE = 0.2  # of its side that a thumbnail may have; the maps were fitted to few smaller ones
_PREFIX = "maps."


class GramSharpening:
    """Maps of features by layer.

    Args:
        maps: `[TERMS, C, C]` by layer.
        lite_sha256: of the `lite` whose features they are for.
        sha256: of their file.
    """

    def __init__(self, maps: Mapping[str, Tensor], lite_sha256: str = "", sha256: str = ""):
        self.maps, self.lite_sha256, self.sha256 = {layer: each.float() for layer, each in maps.items()}, lite_sha256, sha256

    @classmethod
    def load(cls, path: str | Path) -> "GramSharpening":
        """Load from a file made by `style_core.training.gram_sharpening`.

        Raises:
            RequestError: when the file doesn't hold such maps.
        """
        with safe_open(path, "pt") as file:
            maps = {name.removeprefix(_PREFIX): file.get_tensor(name) for name in file.keys() if name.startswith(_PREFIX)}
            if not maps:
                raise RequestError("{file} does not contain maps of Gram matrices.", file=Path(path).name)
            return cls(maps, (file.metadata() or {}).get("lite", ""), sha256_of(Path(path)))

    def tensors(self) -> dict[str, Tensor]:
        """What is stored, float16."""
        return {f"{_PREFIX}{layer}": each.half().contiguous() for layer, each in self.maps.items()}

    def sharpened(self, grams: Mapping[str, Tensor], true_share: float) -> dict[str, Tensor]:
        """The Gram matrices of a painting from those of its thumbnail, `[1, C, C]` by layer; layers without a map are left as they are.

        Args:
            true_share: in `(0, 1]`, the thumbnail's side over that which it was enlarged to (`style_picture`); 1 changes nothing.
        """
        lacking = torch.tensor([1 - max(_LEAST_SHARE, true_share)])
        return {
            layer: mapped(gram, self.maps[layer].to(gram.device), lacking.to(gram.device)) if layer in self.maps else gram
            for layer, gram in grams.items()
        }


def mapped(grams: Tensor, maps: Tensor, lacking: Tensor) -> Tensor:
    """`A G A^T` with `A = I + u P_1 + u^2 P_2`: Gram matrices of features that were multiplied by `A`.

    Args:
        grams: `G`, `[N, C, C]`.
        maps: `P`, `[TERMS, C, C]`.
        lacking: `u`, `[N]` in `[0, 1)`; 0 gives `G`.
    """
    powers = torch.stack([lacking ** (power + 1) for power in range(len(maps))], 1)
    whole = torch.eye(maps.shape[-1], device=grams.device) + torch.einsum("np,pij->nij", powers, maps)
    return whole @ grams @ whole.mT
