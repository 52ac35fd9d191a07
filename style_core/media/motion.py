"""Motion between frames: dense optical flow, the rigid motions in it, their confidence, and warping.

Flow is computed by dense inverse search (DIS; Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse Search"). It is trusted
where forward and backward flow are consistent and the frames match, as in Ruder et al. (2016), "Artistic Style Transfer for
Videos", section 5. Where a rigid motion fits as well (see `motion_layers`), that is used instead, because it is more precise;
where none does, as on people who walk, flow is computed again at a finer scale.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy
import torch
from torch import Tensor
from torch.nn import functional

from style_core.media.boxes import Box, share_of
from style_core.media.marked import boxes_around
from style_core.media.motion_layers import affine_layers, flow_of, followed

_SIDE = 512  # px, largest long side at which flow is computed; it is enlarged afterwards
_SMOOTHED = 0.8  # px, Gaussian that removes sensor noise, which would be mistaken for motion
_SLACK, _SLACK_SHARE = 0.5, 0.01  # allowed forward-backward error: squared px, plus a fraction of the squared flow
_DOUBTED, _DOUBTED_WIDTH = 0.03, 9  # mean difference of color, over px, beyond which no rigid motion fits
_LEAST_SIDE = 16  # px, shortest side of frames whose flow is computed at half resolution; each further halving needs twice that
_FINE_MARGIN = 24  # px around what is doubted, from which its motion may come
_FINE_SHARE = 0.5  # share of the picture up to which dense flow is computed at the size of the reduced photos, else at half of it
_EVEN, _ODD = 0.03, 0.09  # differences of color at which confidence begins to fall, and reaches 0
_UNSURE = 0.1  # added to the difference of dense flow that is not consistent
_BORDER = 5  # px, by half of which the area that an object uncovers is grown
_CUT = 0.3  # share of a frame that must be trusted; otherwise it begins a new scene


@dataclass(frozen=True)
class Motion:
    """Backward motion: the position of each pixel in the frame before.

    Attributes:
        flow: `[H, W, 2]`, px, x then y: the content at `p` was at `p + flow[p]` in the frame before.
        confidence: `[H, W]` in `[0, 1]`; 0 at pixels that the frame before doesn't show.
        ground: `[H, W]`, true where pixels follow the main motion, that of the camera; everywhere if none was found.
    """

    flow: numpy.ndarray
    confidence: numpy.ndarray
    ground: numpy.ndarray

    @property
    def cut(self) -> bool:
        """Whether the frame begins a new scene."""
        return float(self.confidence.mean()) < _CUT


def motion_between(before: Tensor, now: Tensor) -> Motion:
    """Motion from one photo `[3, H, W]` to the next, of the same size."""
    there, back = _ways_between(before, now)
    return _motion(there, back, *now.shape[-2:])


def motions_between(before: Tensor, now: Tensor) -> tuple[Motion, Motion]:
    """Motion from one photo to the next, as `motion_between`, and from the next one back to the first."""
    there, back = _ways_between(before, now)
    return _motion(there, back, *now.shape[-2:]), _motion(back, there, *now.shape[-2:])


def onward(motion: Motion, further: Motion) -> Motion:
    """The motion over two steps: `motion` leads to a frame, and `further` from there to another; trusted where both are."""
    x, y = _source(motion.flow)
    values = cv2.merge([further.flow, further.confidence])
    there = cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Motion(motion.flow + there[..., :2], motion.confidence * there[..., 2], motion.ground)


@dataclass(frozen=True)
class _Way:
    """One direction between two photos.

    Attributes:
        old, new: the photos `[h, w, 3]`, uint8; the motion is sought for each pixel of the new one.
        rigid: flows `[h, w, 2]` of the rigid motions.
        unlike: how far the photos differ by each of these, `[h, w]`.
        dense, other_way: dense flow, and the one from the old photo to the new.
    """

    old: numpy.ndarray
    new: numpy.ndarray
    rigid: list[numpy.ndarray]
    unlike: list[numpy.ndarray]
    dense: numpy.ndarray
    other_way: numpy.ndarray

    @cached_property
    def followed(self) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
        """The best of the flows at each pixel, its index (the dense one is last), and how far the photos differ by it."""
        best, difference = self.dense.copy(), _unlike(self.old, self.new, self.dense)
        choice = followed([*self.unlike, difference + _UNSURE * (1 - self.returning)])
        for index, (flow, unlike) in enumerate(zip(self.rigid, self.unlike)):
            mask = (choice == index).astype(numpy.uint8)
            cv2.copyTo(flow, mask, best)
            cv2.copyTo(unlike, mask, difference)
        return best, choice, difference

    @cached_property
    def returning(self) -> numpy.ndarray:
        return _returning(self.dense, self.other_way)


def _ways_between(before: Tensor, now: Tensor) -> tuple[_Way, _Way]:
    """Both directions, at a reduced size: from the photo before to the present one, and back."""
    height, width = now.shape[-2:]
    shrunk = min(1.0, _SIDE / max(height, width))
    size = (max(16, round(width * shrunk)), max(16, round(height * shrunk))) if shrunk < 1 else (width, height)
    old, new = _pixels(before, size), _pixels(now, size)
    was, gray = cv2.cvtColor(old, cv2.COLOR_RGB2GRAY), cv2.cvtColor(new, cv2.COLOR_RGB2GRAY)
    back, forth = flow_between(gray, was), flow_between(was, gray)
    layers = affine_layers(was, gray, back)
    flows, returns = ([flow_of(layer, gray.shape) for layer in way] for way in (layers, map(cv2.invertAffineTransform, layers)))
    unlike, unlike_back = [_unlike(old, new, flow) for flow in flows], [_unlike(new, old, flow) for flow in returns]
    doubted = boxes_around(_doubted(flows, unlike, gray.shape) | _doubted(returns, unlike_back, gray.shape), _FINE_MARGIN)
    back, forth = _finer(gray, was, back, doubted), _finer(was, gray, forth, doubted)
    return _Way(old, new, flows, unlike, back, forth), _Way(new, old, returns, unlike_back, forth, back)


def _doubted(flows: Sequence[numpy.ndarray], unlike: Sequence[numpy.ndarray], size: tuple[int, ...]) -> numpy.ndarray:
    """`[h, w]`, true where none of the rigid flows fits, by the differences that they leave, though the other photo shows it."""
    if not flows:
        return numpy.ones(size, bool)
    differences = [numpy.where(_inside(flow), difference, 0) for flow, difference in zip(flows, unlike)]
    return cv2.blur(functools.reduce(cv2.min, differences), (_DOUBTED_WIDTH, _DOUBTED_WIDTH)) > _DOUBTED


def _finer(one: numpy.ndarray, two: numpy.ndarray, flow: numpy.ndarray, boxes: Sequence[Box]) -> numpy.ndarray:
    """The flow from one gray frame to another, in boxes computed again at a finer scale."""
    scale = 0 if share_of(boxes, one.shape) <= _FINE_SHARE else 1
    fine = flow.copy()
    for box in boxes:
        part = box.slices()
        fine[part] = flow_between(one[part].copy(), two[part].copy(), flow[part].copy(), scale)
    return fine


def _motion(way: _Way, other: _Way, height: int, width: int) -> Motion:
    """The motion along one of two opposite ways, at a size."""
    flow, choice, difference = way.followed
    confidence = numpy.where(choice == len(way.rigid), way.returning, 1)
    if len(way.rigid) > 1:
        confidence = confidence * _seen_before(flow, other.followed[0], choice == 0)
    confidence = (confidence * numpy.clip((_ODD - difference) / (_ODD - _EVEN), 0, 1) * _inside(flow)).astype(numpy.float32)
    ground = choice == 0
    if flow.shape[:2] != (height, width):
        scale = numpy.array([width / flow.shape[1], height / flow.shape[0]], numpy.float32)
        flow, confidence = (cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR) for values in (flow * scale, confidence))
        ground = cv2.resize(ground.astype(numpy.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return Motion(flow, confidence, ground)


def _seen_before(back: numpy.ndarray, forth: numpy.ndarray, ground: numpy.ndarray) -> numpy.ndarray:
    """1 where the motion back and forth leads, within a pixel, to where it began, else 0: elsewhere another object was in front.

    Where the ground was hidden, that area is grown by the object's blurred border, which would stay behind as a line.
    """
    hidden = (_squares(back + _moved(forth, back, cv2.INTER_NEAREST)) >= 1).astype(numpy.uint8)
    within = cv2.erode(hidden, numpy.ones((3, 3), numpy.uint8))  # without single pixels and lines, which are errors of the choice
    areas, grown = (cv2.dilate(within, numpy.ones((size, size), numpy.uint8)) for size in (3, _BORDER))
    return 1 - numpy.where(ground, grown, areas).astype(numpy.float32)


def flow_between(one: numpy.ndarray, two: numpy.ndarray, begin: numpy.ndarray | None = None, scale: int = 2) -> numpy.ndarray:
    """Flow `[H, W, 2]` from one gray frame (uint8) to another: `p` in the first corresponds to `p + flow[p]` in the second.

    Args:
        begin: a flow to start from; None starts from none.
        scale: the finest one at which it is computed; 0 is the frames' own, each further one halves it and takes a quarter of the time. On
            small frames a finer one is used.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    # DIS reads beyond frames that are too low for its scale.
    search.setFinestScale(next((finest for finest in range(scale, 0, -1) if min(one.shape) >= _LEAST_SIDE << (finest - 1)), 0))
    return search.calc(one, two, numpy.zeros((*one.shape, 2), numpy.float32) if begin is None else begin)


def _unlike(old: numpy.ndarray, new: numpy.ndarray, flow: numpy.ndarray) -> numpy.ndarray:
    """Locally averaged largest difference of the colors, in `[0, 1]`, between a frame and the warped frame before."""
    red, green, blue = cv2.split(cv2.absdiff(_moved(old, flow, cv2.INTER_LINEAR), new))
    return cv2.GaussianBlur(cv2.max(cv2.max(red, green), blue).astype(numpy.float32), (0, 0), 1.0) / 255


def _returning(back: numpy.ndarray, forth: numpy.ndarray) -> numpy.ndarray:
    """1 where forward and backward flow are consistent, else 0 (Ruder et al. 2016, eq. 5).

    Their condition at motion boundaries (eq. 6) is left out: it would exclude whole people who walk in the distance, and flow that
    is wrong at a boundary is found by the colors.
    """
    there = _moved(forth, back, cv2.INTER_LINEAR)
    off = _squares(back + there) / (_SLACK_SHARE * (_squares(back) + _squares(there)) + _SLACK)
    return numpy.clip(2 - off, 0, 1)


def _squares(flow: numpy.ndarray) -> numpy.ndarray:
    """Squared length `[H, W]` of a flow."""
    x, y = cv2.split(flow)
    return x * x + y * y


def carried_along(image: Tensor, motion: Motion) -> Tensor:
    """The frame before, `[3, H, W]`, warped to the current one; bicubic, because sharper kernels ring."""
    return image_of(carried_pixels(pixels_of(image), motion))


def carried_pixels(pixels: numpy.ndarray, motion: Motion, *, smooth: bool = False) -> numpy.ndarray:
    """The same for pixels `[H, W, C]` in `[0, 1]`; bilinear if `smooth`."""
    if smooth:
        return _moved(pixels, motion.flow, cv2.INTER_LINEAR)
    moved = _moved(pixels, motion.flow, cv2.INTER_CUBIC)
    return numpy.clip(moved, 0, 1, out=moved)


def pixels_of(image: Tensor) -> numpy.ndarray:
    """`[3, H, W]` as `[H, W, 3]`, as OpenCV wants it."""
    return image.permute(1, 2, 0).contiguous().numpy()


def image_of(pixels: numpy.ndarray) -> Tensor:
    """`[H, W, 3]` as `[3, H, W]`."""
    return torch.from_numpy(pixels).permute(2, 0, 1)


def padded_to(image: Tensor, other: Tensor) -> Tensor:
    """An image `[3, h, w]` padded to the slightly larger size of another, `[3, H, W]`, by repeating its edge."""
    below, right = (large - small for large, small in zip(other.shape[-2:], image.shape[-2:]))
    return functional.pad(image[None], (0, right, 0, below), mode="replicate")[0]


def _moved(values: numpy.ndarray, flow: numpy.ndarray, how: int) -> numpy.ndarray:
    x, y = _source(flow)
    if how == cv2.INTER_CUBIC:
        x, y = undisplaced(x), undisplaced(y)
    return cv2.remap(values, x, y, how, borderMode=cv2.BORDER_REFLECT_101)


def undisplaced(position):
    """Where to sample with a cubic kernel of `a = -0.75`, that of OpenCV and PyTorch, to get what is at `position`; array or Tensor.

    That kernel (Keys 1981, "Cubic Convolution Interpolation for Digital Image Processing") displaces a picture: its first moment at
    the phase `s` is `s + s (1 - s) (1/2 - s)`, off by up to 0.05 px, which would add up from frame to frame. Solved by a step of
    Newton's method, exact to 0.002 px.
    """
    phase = position - (position - 0.5).round()
    arc = phase * (1 - phase)
    return position - arc * (0.5 - phase) / (1.5 - 3 * arc)


def _source(flow: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Where each pixel comes from, x and y, `[H, W]`."""
    height, width = flow.shape[:2]
    columns, rows = numpy.arange(width, dtype=numpy.float32), numpy.arange(height, dtype=numpy.float32)
    x, y = cv2.split(flow)
    return x + columns, y + rows[:, None]


def _inside(flow: numpy.ndarray) -> numpy.ndarray:
    """True where a pixel comes from within the frame, up to half a pixel."""
    height, width = flow.shape[:2]
    x, y = _source(flow)
    return (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)


def _pixels(image: Tensor, size: tuple[int, int]) -> numpy.ndarray:
    """A photo as `[h, w, 3]` uint8 of a size (width, height), slightly smoothed."""
    pixels = (image.permute(1, 2, 0).clamp(0, 1) * 255).to(torch.uint8).contiguous().numpy()
    if pixels.shape[1::-1] != size:
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(pixels, (0, 0), _SMOOTHED)
