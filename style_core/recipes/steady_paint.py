"""Paint that moves along with a film's picture, so that it doesn't flicker.

The last painted frame is warped by the motion of the photos (as in Ruder et al. 2016, section 3) and kept wherever it still belongs:
where the motion is trusted, and where the photo looks as it did when that paint was new. The latter is known because each pixel's
photo is carried along with its paint; it stops objects from leaving trails, and lets paint follow changes of light.

What is kept is renewed more slowly than the eye notices. On what stands still, paint stays as it is, unless something has just passed
there: fresh paint beside a moving object is tinged by it.
"""

from dataclasses import dataclass

import cv2
import numpy
import torch
from torch import Tensor

from style_core.media.motion import Motion, carried_along, motion_between, padded_to

_ALIKE, _UNLIKE = 0.03, 0.18  # changes of a photo's color at which its paint begins to fade, and is gone
_FRESH = 0.03  # share of fresh paint per frame that is let in
_MOST_RENEWED = 0.5 / 255  # limit per frame of a moving color's change by fresh paint
_MOVING = 0.5  # px per frame from which paint counts as moving
_BESIDE, _SETTLING = 9, 0.98  # px, width of the area around new paint that settles, and how slowly it does so
_JOINED = 6  # px, Gaussian over which fresh colors join those of old paint beside them
_DETAIL = 0.8  # px, Gaussian that separates the strokes' detail, which warping and averaging blur
_AROUND = 8  # px, Gaussian over which the detail's contrast is measured
_GAIN, _MOST_SHARPENED = 1.3, 1 / 255  # limits per frame of the detail's gain, and of a color's change by it
_REDUCED = 4  # by which frames are reduced where only wide averages are needed


@dataclass(frozen=True)
class _Past:
    """A painted frame and what is known of each pixel's paint.

    Attributes:
        photo, paint: `[3, H, W]`.
        origin: `[3, H, W]`, the photo that the paint was made from.
        new: `[1, H, W]`, from 1 where paint is new or beside what is, slowly falling to 0.
    """

    photo: Tensor
    paint: Tensor
    origin: Tensor
    new: Tensor


class SteadyPaint:
    """The paint of a film's last frame, carried to the next ones.

    Args:
        steadiness: in `[0, 1]`, how much of it is kept.
    """

    def __init__(self, steadiness: float):
        self._steadiness = steadiness
        self._past: _Past | None = None

    def start(self, photo: Tensor, painted: Tensor) -> None:
        """Begin with a painted frame, both `[3, H, W]`; the painting may lack an odd row and column."""
        self._past = _Past(photo, padded_to(painted, photo), photo, torch.zeros_like(photo[:1]))

    def motion_to(self, photo: Tensor) -> Motion | None:
        """Motion from the last frame; None if there is no such frame, or if no paint is to be kept."""
        return motion_between(self._past.photo, photo) if self._steadiness and self._past is not None else None

    def onto(self, photo: Tensor, fresh: Tensor, motion: Motion | None) -> Tensor:
        """The fresh painting of a photo with the paint of the frame before where that belongs, `[3, H, W]`."""
        if motion is None or motion.cut or self._past is None:
            self.start(photo, fresh)
            return fresh
        moved, origin = carried_along(self._past.paint, motion), carried_along(self._past.origin, motion, smooth=True)
        new = _SETTLING * carried_along(self._past.new, motion, smooth=True)
        trust = (self._steadiness * motion.confidence * _unchanged(photo, origin)).astype(numpy.float32)
        moving = numpy.minimum(cv2.magnitude(*cv2.split(motion.flow)) / _MOVING, 1)
        shares = BlendShares(trust, moving, new[0].numpy(), motion.ground)
        painted = blended(fresh, moved, shares)
        beside = cv2.dilate(1 - trust * motion.ground, numpy.ones((_BESIDE, _BESIDE), numpy.uint8))
        kept = torch.from_numpy(trust * (1 - _FRESH * moving))
        self._past = _Past(photo, painted, torch.lerp(photo, origin, kept), torch.maximum(new, torch.from_numpy(beside)[None]))
        return painted


@dataclass(frozen=True)
class BlendShares:
    """How old paint is used, `[H, W]` each.

    Attributes:
        trust: in `[0, 1]`, share of old paint.
        moving: in `[0, 1]`, 0 on what stands still.
        new: in `[0, 1]`, whether old paint is itself new.
        ground: true in the background, whose colors fresh paint joins.
    """

    trust: numpy.ndarray
    moving: numpy.ndarray
    new: numpy.ndarray
    ground: numpy.ndarray


def blended(fresh: Tensor, moved: Tensor, shares: BlendShares) -> Tensor:
    """Fresh paint and the frame before's, `moved` along, `[3, H, W]`.

    The strokes' contrast is raised to that of fresh ones, because repeated warping and averaging blurs them.
    """
    new, old, trust = _rows(fresh), _rows(moved), shares.trust
    renewed = numpy.clip((_FRESH * shares.moving)[..., None] * (new - old), -_MOST_RENEWED, _MOST_RENEWED)
    kept = old + renewed + (_FRESH * shares.new * (1 - shares.moving))[..., None] * (new - old)
    joined = new + _beside(old - new, numpy.maximum(2 * trust - 1, 0) * shares.ground)
    mixed = joined + trust[..., None] * (kept - joined)
    detail = mixed - cv2.GaussianBlur(mixed, (0, 0), _DETAIL)
    before, now, wanted = (_contrast(image) for image in (old, mixed, new))
    sought = before + numpy.maximum(shares.moving, 1 - trust) * (wanted - before)
    gain = numpy.clip(numpy.sqrt((sought + 1e-5) / (now + 1e-5)), 1 / _GAIN, _GAIN)
    limit = (_MOST_SHARPENED + 0.1 * (1 - trust))[..., None]
    sharpened = mixed + numpy.clip((gain - 1)[..., None] * detail, -limit, limit)
    return torch.from_numpy(sharpened).permute(2, 0, 1).clamp(0, 1)


def _unchanged(photo: Tensor, origin: Tensor) -> numpy.ndarray:
    """`[H, W]` in `[0, 1]`: whether a photo looks as it did when its paint was new."""
    red, green, blue = cv2.split(numpy.abs(cv2.GaussianBlur(_rows(photo - origin), (0, 0), 1.5)))
    return numpy.clip((_UNLIKE - cv2.max(cv2.max(red, green), blue)) / (_UNLIKE - _ALIKE), 0, 1)


def _beside(apart: numpy.ndarray, trust: numpy.ndarray) -> numpy.ndarray:
    """What to add to fresh colors, `[H, W, 3]`, so that they join those of trusted old paint beside them."""
    height, width = trust.shape
    small = cv2.resize(cv2.merge([apart * trust[..., None], trust]), _reduced(width, height), interpolation=cv2.INTER_AREA)
    spread = cv2.GaussianBlur(small, (0, 0), _JOINED / _REDUCED)
    return cv2.resize(spread[..., :3] / numpy.maximum(spread[..., 3:], 0.5), (width, height), interpolation=cv2.INTER_LINEAR)


def _contrast(image: numpy.ndarray) -> numpy.ndarray:
    """Local mean square `[H, W]` of a painting's detail."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    squares = (gray - cv2.GaussianBlur(gray, (0, 0), _DETAIL)) ** 2
    height, width = gray.shape
    small = cv2.resize(squares, _reduced(width, height), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), _AROUND / _REDUCED), (width, height), interpolation=cv2.INTER_LINEAR)


def _reduced(width: int, height: int) -> tuple[int, int]:
    return max(1, width // _REDUCED), max(1, height // _REDUCED)


def _rows(image: Tensor) -> numpy.ndarray:
    """`[3, H, W]` as `[H, W, 3]`, contiguous."""
    return image.permute(1, 2, 0).contiguous().numpy()
