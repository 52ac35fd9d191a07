"""The main subject of a photo as a mask, and its use: kept as photographed, painted alone, or painted in its own style."""

from torch import Tensor

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.networks.subject import LAYERS, subject_mask
from style_core.progress import returned
from style_core.weights.open import open_extractor

SUBJECTS = ("keep", "only", "first")


def find_subject(photo: Tensor, compute: Compute) -> Tensor:
    """The mask of a photo's main subject, `[3, H, W]` -> `[1, H, W]` in `[0, 1]`. Uses `lite`, so that nothing is downloaded."""
    extractor, _ = returned(open_extractor("lite", LAYERS, compute))
    return subject_mask(extractor, photo)


def check_subject(how: str, styles: int) -> None:
    """Check a choice of what to do with the subject.

    Raises:
        RequestError: for a `how` that isn't in `SUBJECTS`, or `first` with a single style.
    """
    if how not in SUBJECTS:
        raise RequestError("{option} is {value}; it must be one of {allowed}.", option="subject", value=how, allowed=", ".join(SUBJECTS))
    if how == "first" and styles < 2:
        raise RequestError("A style for the subject and another around it needs two styles or more; give them, or choose keep or only.")


def masks_for(mask: Tensor, how: str, styles: int) -> list[Tensor | None]:
    """A mask for each of `styles` styles.

    Args:
        mask: the subject's mask, `[1, H, W]`.
        how: `keep` leaves the subject as photographed, `only` paints nothing else, `first` gives it the first style and its
            surroundings the others.
    Raises:
        RequestError: as `check_subject`.
    """
    check_subject(how, styles)
    if how == "first":
        return [mask, *[None] * (styles - 1)]
    return [mask if how == "only" else 1 - mask] * styles
