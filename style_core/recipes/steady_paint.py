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
from torch import Tensor

from style_core.media.motion import Motion, carried_pixels, image_of, padded_to, pixels_of

_ALIKE, _UNLIKE = 0.03, 0.18  # changes of a photo's color at which its paint begins to fade, and is gone
_MOVING = 0.5  # px per frame from which paint counts as moving
_BESIDE, _SETTLING = 9, 0.98  # px, width of the area around new paint that settles, and how slowly it does so
_JOINED = 6  # px, Gaussian over which fresh colors join those of old paint beside them
_JOINING = 0.6  # how far they do; all the way, the network's errors at a frame's edge would add up in a long pan
_GAP = 2.0  # px, Gaussian over which colors fill the borders of objects that no frame shows
_DETAIL = 0.8  # px, Gaussian that separates the strokes' detail, which warping and averaging blur
_AROUND = 8  # px, Gaussian over which the detail's contrast is measured
_GAIN, _MOST_SHARPENED = 1.3, 1 / 255  # limits per frame of the detail's gain, and of a color's change by it
_COARSE = 16  # by which a frame is reduced, to fill what no paint is near with the colors around it
_REDUCED = 4  # by which frames are reduced where only wide averages are needed


@dataclass(frozen=True)
class Renewal:
    """How fast fresh paint replaces old.

    Attributes:
        share: of fresh paint per frame that is let in.
        most: limit per frame of a moving color's change by it.
    """

    share: float
    most: float


SLOW = Renewal(0.03, 0.5 / 255)  # for fresh paint that knows nothing of the old
BRISK = Renewal(0.3, 4 / 255)  # for fresh paint that was made from the old


@dataclass(frozen=True)
class _Past:
    """A painted frame and what is known of each pixel's paint.

    Attributes:
        paint: `[H, W, 3]`.
        history: `[H, W, 4]`: the photo that the paint was made from, and from 1 where paint is new or beside what is, slowly falling
            to 0.
    """

    paint: numpy.ndarray
    history: numpy.ndarray


class SteadyPaint:
    """The paint of a film's last frame, carried to the next ones.

    Args:
        steadiness: in `[0, 1]`, how much of it is kept.
        renewal: of what is kept.
    """

    def __init__(self, steadiness: float, renewal: Renewal = SLOW):
        self._steadiness, self._renewal = steadiness, renewal
        self._past: _Past | None = None

    def start(self, photo: Tensor, painted: Tensor) -> None:
        """Begin with a painted frame, both `[3, H, W]`; the painting may lack an odd row and column."""
        seen = pixels_of(photo)
        self._past = _Past(pixels_of(padded_to(painted, photo)), cv2.merge([seen, numpy.zeros(seen.shape[:2], numpy.float32)]))

    def moved(self, motion: Motion) -> Tensor:
        """The paint of the last frame, warped to a later one, `[3, H, W]`. There must be one."""
        assert self._past is not None
        return image_of(carried_pixels(self._past.paint, motion))

    def onto(self, photo: Tensor, fresh: Tensor, motion: Motion | None, shown: numpy.ndarray | None = None) -> Tensor:
        """The fresh painting of a photo with the paint of the frame before where that belongs, `[3, H, W]`.

        Args:
            shown: `[H, W]` in `[0, 1]`, how far the fresh painting shows what the photo shows; None if it does everywhere. Where it
                doesn't, there is no other paint than that of the frame before.
        """
        if motion is None or motion.cut or self._past is None:
            self.start(photo, fresh)
            return fresh
        seen, paint = pixels_of(photo), pixels_of(fresh)
        moved, history = carried_pixels(self._past.paint, motion), carried_pixels(self._past.history, motion, smooth=True)
        origin, new = numpy.ascontiguousarray(history[..., :3]), _SETTLING * history[..., 3]
        known = motion.confidence * _unchanged(seen, origin)
        if shown is not None:  # where there is no other paint, that of the frame before serves at any steadiness
            paint = _completed(paint, shown, moved, known)
        trust = self._steadiness * known
        moving = numpy.minimum(cv2.magnitude(*cv2.split(motion.flow)) / _MOVING, 1)
        painted = blended(paint, moved, BlendShares(trust, moving, new, motion.ground), self._renewal)
        beside = cv2.dilate(1 - trust * motion.ground, numpy.ones((_BESIDE, _BESIDE), numpy.uint8))
        kept = _thrice(trust * (1 - self._renewal.share * moving))
        self._past = _Past(painted, cv2.merge([seen + kept * (origin - seen), numpy.maximum(new, beside)]))
        return image_of(painted)

    def along(self, photo: Tensor, motion: Motion) -> Tensor:
        """The paint of the frame before where it belongs, and the colors around it elsewhere, `[3, H, W]`. There must be one."""
        assert self._past is not None
        height, width = photo.shape[-2:]
        small = cv2.resize(self._past.paint, (max(1, width // _COARSE), max(1, height // _COARSE)), interpolation=cv2.INTER_AREA)
        around = cv2.resize(cv2.GaussianBlur(small, (0, 0), 1.0), (width, height), interpolation=cv2.INTER_LINEAR)
        return self.onto(photo, image_of(around), motion, numpy.zeros((height, width), numpy.float32))


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


def blended(new: numpy.ndarray, old: numpy.ndarray, shares: BlendShares, renewal: Renewal = SLOW) -> numpy.ndarray:
    """Fresh paint and the frame before's, moved along, `[H, W, 3]`.

    The strokes' contrast is raised to that of fresh ones, because repeated warping and averaging blurs them.
    """
    trust, apart = shares.trust, new - old
    renewed = numpy.clip(_thrice(renewal.share * shares.moving) * apart, -renewal.most, renewal.most)
    kept = old + renewed + _thrice(renewal.share * shares.new * (1 - shares.moving)) * apart
    mixed = new - _JOINING * _beside(apart, numpy.maximum(2 * trust - 1, 0) * shares.ground)
    mixed += _thrice(trust) * (kept - mixed)
    detail = mixed - cv2.GaussianBlur(mixed, (0, 0), _DETAIL)
    before, now, wanted = (_contrast(image) for image in (old, mixed, new))
    sought = before + numpy.maximum(shares.moving, 1 - trust) * (wanted - before)
    gain = numpy.clip(numpy.sqrt((sought + 1e-5) / (now + 1e-5)), 1 / _GAIN, _GAIN)
    limit = _thrice(_MOST_SHARPENED + 0.1 * (1 - trust))
    detail *= _thrice(gain - 1)
    mixed += numpy.clip(detail, -limit, limit, out=detail)
    return numpy.clip(mixed, 0, 1, out=mixed)


def _completed(new: numpy.ndarray, shown: numpy.ndarray, old: numpy.ndarray, belongs: numpy.ndarray) -> numpy.ndarray:
    """Fresh paint where `shown`; elsewhere old paint where it belongs; elsewhere the colors around. `[H, W, 3]`."""
    known = shown + (1 - shown) * belongs
    paint = _thrice(shown) * new + _thrice(known - shown) * old
    around, weight = (cv2.GaussianBlur(values, (0, 0), _GAP) for values in (paint, known))
    return paint + _thrice((1 - known) / (weight + 1e-3)) * (around + 1e-3 * new)


def _unchanged(photo: numpy.ndarray, origin: numpy.ndarray) -> numpy.ndarray:
    """`[H, W]` in `[0, 1]`: whether a photo `[H, W, 3]` looks as it did when its paint was new."""
    red, green, blue = cv2.split(numpy.abs(cv2.GaussianBlur(photo - origin, (0, 0), 1.5)))
    return numpy.clip((_UNLIKE - cv2.max(cv2.max(red, green), blue)) / (_UNLIKE - _ALIKE), 0, 1)


def _beside(apart: numpy.ndarray, trust: numpy.ndarray) -> numpy.ndarray:
    """What to add to fresh colors, `[H, W, 3]`, so that they join those of trusted old paint beside them."""
    height, width = trust.shape
    small = cv2.resize(cv2.merge([apart * _thrice(trust), trust]), _reduced(width, height), interpolation=cv2.INTER_AREA)
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


def _thrice(weights: numpy.ndarray) -> numpy.ndarray:
    """`[H, W]` as `[H, W, 3]`; NumPy broadcasts along a last axis of 3 ten times slower."""
    return cv2.merge([weights, weights, weights])
