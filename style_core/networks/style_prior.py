"""The style prior: codes of many paintings, from which imagined pictures get their styles.

An imagined style is a mixture of the codes of two paintings in similar colors, since codes mix; mixed with just any other, blue would
become gray. The tones at the end of a code give its colors, and the codes' regression on attributes of the colors gives directions that
change one attribute each, as it differs between paintings.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from style_core.errors import RequestError
from style_core.files import sha256_of
from style_core.media.color import LUMA
from style_core.media.tones import TONES, saturated

_MOST_SECOND = 0.4  # share of the second painting of a mixture
_PARTNERS = 8  # paintings drawn, of which the one in the most similar colors is mixed in
_UNMUTED = 0.25  # standard deviations of vividness that mixing and painting take away
_SALT = 0x5E  # style and shapes of a seed must not be drawn from the same numbers
_UNIT = 0.5  # standard deviations by which an attribute changes per unit
_MOST_SATURATED = 2.0  # factor of the distance from gray


class StylePrior:
    """A distribution of styles.

    Args:
        codes: `[N, 265]`, of paintings, as `Generator.encode_style` makes them.
        generator_sha256: of the generator that they were made by.
        sha256: of their file.
    """

    def __init__(self, codes: Tensor, generator_sha256: str = "", sha256: str = ""):
        self.codes, self.generator_sha256, self.sha256 = codes.float(), generator_sha256, sha256
        self._directions, self._deviations = _directions(self.codes)

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
        one, *partners = torch.randint(len(self.codes), (1 + _PARTNERS,), generator=draw).tolist()
        tones = self.codes[:, -TONES:]
        other = min(partners, key=lambda index: float((tones[index] - tones[one]).norm()))
        mixture = torch.lerp(self.codes[one], self.codes[other], _MOST_SECOND * float(torch.rand((), generator=draw)))
        return self._more(mixture[None], "vividness", _UNMUTED)

    def moved(self, code: Tensor, amounts: Mapping[str, float]) -> Tensor:
        """A code `[1, 265]` whose colors are changed.

        Args:
            amounts: by attribute, `warmth`, `darkness` or `vividness`: in half standard deviations of the paintings'.
        """
        for name, amount in amounts.items():
            code = self._more(code, name, _UNIT * amount)
        return code

    def _more(self, code: Tensor, name: str, deviations: float) -> Tensor:
        """A code with more of an attribute, in standard deviations. Vivid colors move away from gray, and all keep their hues."""
        moved = code + deviations * self._directions[name]
        if name != "vividness":
            return moved
        tones = code[0, -TONES:]
        now = float(attributes(tones[None])[name])
        factor = (now + deviations * self._deviations[name]) / max(now, 1e-3)
        return torch.cat([moved[:, :-TONES], saturated(tones, min(_MOST_SATURATED, max(0.0, factor)))[None]], 1)


def attributes(tones: Tensor) -> dict[str, Tensor]:
    """Attributes `[B]` of colors, from tones `[B, 9]`: red above blue, darkness, and colorfulness."""
    red, green, blue = tones[:, :3].unbind(1)
    rr, rg, rb, gg, gb, bb = tones[:, 3:TONES].unbind(1)
    luminance = sum(weight * channel for weight, channel in zip(LUMA, (red, green, blue)))
    opponents = (rr - 2 * rb + bb) + (4 * gg + rr + bb - 4 * rg - 4 * gb + 2 * rb) / 3  # red - blue, and green against both
    return {"warmth": red - blue, "darkness": -torch.as_tensor(luminance), "vividness": opponents.clamp_min(0).sqrt()}


def _directions(codes: Tensor) -> tuple[dict[str, Tensor], dict[str, float]]:
    """How codes change with one standard deviation of each attribute while the others stay, `[265]`, and these deviations.

    It is their regression on all attributes at once: vivid paintings are warm more often than cold.
    """
    found = attributes(codes[:, -TONES:])
    deviations = {name: max(float(values.std(correction=0)), 1e-9) for name, values in found.items()}
    apart = torch.stack([(values - values.mean()) / deviations[name] for name, values in found.items()], 1)
    slopes = torch.linalg.lstsq(apart.double(), (codes - codes.mean(0)).double(), driver="gelsd").solution.float()
    return dict(zip(found, slopes)), deviations
