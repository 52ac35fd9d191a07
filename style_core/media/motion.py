"""Motion between frames: dense optical flow, the rigid motions in it, their confidence, and warping.

Flow is computed by dense inverse search (DIS; Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse Search"). It is trusted
where forward and backward flow are consistent and the frames match, as in Ruder et al. (2016), "Artistic Style Transfer for
Videos", section 5. Where a rigid motion fits as well (see `motion_layers`), that is used instead, because it is more precise.
"""

from dataclasses import dataclass

import cv2
import numpy
import torch
from torch import Tensor
from torch.nn import functional

from style_core.media.motion_layers import affine_layers, flow_of, followed

_SIDE = 512  # px, largest long side at which flow is computed; it is enlarged afterwards
_SMOOTHED = 0.8  # px, Gaussian that removes sensor noise, which would be mistaken for motion
_SLACK, _SLACK_SHARE = 0.5, 0.01  # allowed forward-backward error: squared px, plus a fraction of the squared flow
_EDGE, _EDGE_SHARE = 0.002, 0.01  # allowed squared gradient of the flow, likewise; it is steep at motion boundaries
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
    height, width = now.shape[-2:]
    shrunk = min(1.0, _SIDE / max(height, width))
    size = (max(16, round(width * shrunk)), max(16, round(height * shrunk))) if shrunk < 1 else (width, height)
    old, new = _pixels(before, size), _pixels(now, size)
    was, gray = cv2.cvtColor(old, cv2.COLOR_RGB2GRAY), cv2.cvtColor(new, cv2.COLOR_RGB2GRAY)
    back, forth = flow_between(gray, was), flow_between(was, gray)
    layers = affine_layers(was, gray, back)
    flow, choice, difference = _chosen(old, new, [*(flow_of(layer, gray.shape) for layer in layers), back], forth)
    confidence = numpy.where(choice == len(layers), _returning(back, forth), 1)
    if len(layers) > 1:
        returns = [flow_of(cv2.invertAffineTransform(layer), gray.shape) for layer in layers]
        confidence = confidence * _seen_before(flow, _chosen(new, old, [*returns, forth], back)[0], choice == 0)
    confidence = confidence * numpy.clip((_ODD - difference) / (_ODD - _EVEN), 0, 1) * _inside(flow)
    ground = choice == 0
    if shrunk < 1:
        scale = numpy.array([width / size[0], height / size[1]], numpy.float32)
        flow, confidence = (cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR) for values in (flow * scale, confidence))
        ground = cv2.resize(ground.astype(numpy.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return Motion(flow, confidence.astype(numpy.float32), ground)


def _chosen(
    old: numpy.ndarray, new: numpy.ndarray, flows: list[numpy.ndarray], other_way: numpy.ndarray
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """The best of several flows at each pixel: the flow, its index, and how far the frames differ by it.

    The last flow is the dense one, and `other_way` is the dense flow from the old frame to the new.
    """
    unlike = [_unlike(old, new, flow) for flow in flows]
    choice = followed([*unlike[:-1], unlike[-1] + _UNSURE * (1 - _returning(flows[-1], other_way))])
    best, difference = flows[-1].copy(), unlike[-1]
    for index, flow in enumerate(flows[:-1]):
        mask = (choice == index).astype(numpy.uint8)
        cv2.copyTo(flow, mask, best)
        cv2.copyTo(unlike[index], mask, difference)
    return best, choice, difference


def _seen_before(back: numpy.ndarray, forth: numpy.ndarray, ground: numpy.ndarray) -> numpy.ndarray:
    """1 where the motion back and forth leads, within a pixel, to where it began, else 0: elsewhere another object was in front.

    Where the ground was hidden, that area is grown by the object's blurred border, which would stay behind as a line.
    """
    hidden = (_squares(back + _moved(forth, back, cv2.INTER_NEAREST)) >= 1).astype(numpy.uint8)
    within = cv2.erode(hidden, numpy.ones((3, 3), numpy.uint8))  # without single pixels and lines, which are errors of the choice
    areas, grown = (cv2.dilate(within, numpy.ones((size, size), numpy.uint8)) for size in (3, _BORDER))
    return 1 - numpy.where(ground, grown, areas).astype(numpy.float32)


def flow_between(one: numpy.ndarray, two: numpy.ndarray) -> numpy.ndarray:
    """Flow `[H, W, 2]` from one gray frame (uint8) to another: `p` in the first corresponds to `p + flow[p]` in the second."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    return search.calc(one, two, numpy.zeros((*one.shape, 2), numpy.float32))


def _unlike(old: numpy.ndarray, new: numpy.ndarray, flow: numpy.ndarray) -> numpy.ndarray:
    """Locally averaged largest difference of the colors, in `[0, 1]`, between a frame and the warped frame before."""
    red, green, blue = cv2.split(cv2.absdiff(_moved(old, flow, cv2.INTER_LINEAR), new))
    return cv2.GaussianBlur(cv2.max(cv2.max(red, green), blue).astype(numpy.float32), (0, 0), 1.0) / 255


def _returning(back: numpy.ndarray, forth: numpy.ndarray) -> numpy.ndarray:
    """1 where forward and backward flow are consistent and not at a motion boundary, else 0 (Ruder et al. 2016, eq. 5, 6)."""
    there = _moved(forth, back, cv2.INTER_LINEAR)
    squares = _squares(back)
    off = _squares(back + there) / (_SLACK_SHARE * (squares + _squares(there)) + _SLACK)
    steep = sum(_squares(cv2.Sobel(back, -1, x, 1 - x, ksize=3, scale=1 / 8)) for x in (0, 1)) / (_EDGE_SHARE * squares + _EDGE)
    return numpy.clip(2 - off, 0, 1) * numpy.clip(2 - steep, 0, 1)


def _squares(flow: numpy.ndarray) -> numpy.ndarray:
    """Squared length `[H, W]` of a flow."""
    return flow[..., 0] ** 2 + flow[..., 1] ** 2


def carried_along(image: Tensor, motion: Motion, *, smooth: bool = False) -> Tensor:
    """The frame before, `[3, H, W]`, warped to the current one; bicubic, because sharper kernels ring, or bilinear if `smooth`."""
    pixels = image.permute(1, 2, 0).contiguous().numpy()
    moved = _moved(pixels, motion.flow, cv2.INTER_LINEAR if smooth else cv2.INTER_CUBIC).reshape(pixels.shape)
    return torch.from_numpy(moved).permute(2, 0, 1).clamp(0, 1)


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
    phase = position % 1
    return position - phase * (1 - phase) * (0.5 - phase) / (1.5 - 3 * phase * (1 - phase))


def _source(flow: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Where each pixel comes from, x and y, `[H, W]`."""
    height, width = flow.shape[:2]
    columns, rows = numpy.arange(width, dtype=numpy.float32), numpy.arange(height, dtype=numpy.float32)
    return flow[..., 0] + columns, flow[..., 1] + rows[:, None]


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
