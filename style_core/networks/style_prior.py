"""The style prior: codes of many paintings, from which imagined pictures get their styles.

An imagined style is a mixture of two paintings' codes, since codes mix. The tones at the end of a code give its colors, and the
codes' regression on an attribute of the colors gives a direction that changes this attribute as it differs between paintings.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from style_core.errors import RequestError
from style_core.files import sha256_of
from style_core.media.tones import TONES

_MOST_SECOND = 0.4  # share of the second painting of a mixture
_UNMUTED = 0.25  # standard deviations of vividness that mixing and painting take away
_SALT = 0x5E  # style and shapes of a seed must not be drawn from the same numbers
_UNIT = 0.5  # standard deviations by which an attribute changes per unit
_LUMINANCE = (0.2126, 0.7152, 0.0722)


class StylePrior:
    """A distribution of styles.

    Args:
        codes: `[N, 265]`, of paintings, as `Generator.encode_style` makes them.
        generator_sha256: of the generator that they were made by.
        sha256: of their file.
    """

    def __init__(self, codes: Tensor, generator_sha256: str = "", sha256: str = ""):
        self.codes, self.generator_sha256, self.sha256 = codes.float(), generator_sha256, sha256
        self._directions = _directions(self.codes)

    @classmethod
    def load(cls, path: str | Path) -> "StylePrior":
        """Load from a file made by `style_core.training.style_prior`.

        Raises:
            RequestError: when the file doesn't hold codes.
        """
        with safe_open(path, "pt") as file:
            if "codes" not in file.keys():
                raise RequestError("{file} does not contain codes of styles.", file=Path(path).name)
            return cls(file.get_tensor("codes"), (file.metadata() or {}).get("generator", ""), sha256_of(Path(path)))

    def code(self, seed: int) -> Tensor:
        """The code of a seed's style, `[1, 265]`."""
        draw = torch.Generator().manual_seed(seed ^ _SALT)
        one, other = torch.randint(len(self.codes), (2,), generator=draw).tolist()
        mixture = torch.lerp(self.codes[one], self.codes[other], _MOST_SECOND * float(torch.rand((), generator=draw)))
        return (mixture + _UNMUTED * self._directions["vividness"])[None]

    def moved(self, code: Tensor, amounts: Mapping[str, float]) -> Tensor:
        """A code `[1, 265]` whose colors are changed.

        Args:
            amounts: by attribute, `warmth`, `darkness` or `vividness`: in half standard deviations of the paintings'.
        """
        for name, amount in amounts.items():
            code = code + _UNIT * amount * self._directions[name]
        return code


def attributes(tones: Tensor) -> dict[str, Tensor]:
    """Attributes `[B]` of colors, from tones `[B, 9]`: red above blue, darkness, and colorfulness."""
    red, green, blue = tones[:, :3].unbind(1)
    rr, rg, rb, gg, gb, bb = tones[:, 3:TONES].unbind(1)
    luminance = sum(weight * channel for weight, channel in zip(_LUMINANCE, (red, green, blue)))
    opponents = (rr - 2 * rb + bb) + (4 * gg + rr + bb - 4 * rg - 4 * gb + 2 * rb) / 3  # red - blue, and green against both
    return {"warmth": red - blue, "darkness": -torch.as_tensor(luminance), "vividness": opponents.clamp_min(0).sqrt()}


def _directions(codes: Tensor) -> dict[str, Tensor]:
    """How codes change with one standard deviation of each attribute, `[265]`: their regression on it."""
    centered = codes - codes.mean(0)
    directions = {}
    for name, values in attributes(codes[:, -TONES:]).items():
        apart = values - values.mean()
        directions[name] = (centered * apart[:, None]).mean(0) / apart.square().mean().sqrt().clamp_min(1e-9)
    return directions
