"""Motion between frames: dense optical flow, its confidence, and warping.

Flow is computed by dense inverse search (DIS; Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse Search"). It is trusted
where forward and backward flow are consistent and the frames match, as in Ruder et al. (2016), "Artistic Style Transfer for
Videos", section 5. An affine motion of the camera is fitted as well, because it is more precise than dense flow.
"""

from dataclasses import dataclass

import cv2
import numpy
import torch
from torch import Tensor
from torch.nn import functional

_SIDE = 512  # px, largest long side at which flow is computed; it is enlarged afterwards
_SMOOTHED = 0.8  # px, Gaussian that removes sensor noise, which would be mistaken for motion
_SLACK, _SLACK_SHARE = 0.5, 0.01  # allowed forward-backward error: squared px, plus a fraction of the squared flow
_EDGE, _EDGE_SHARE = 0.002, 0.01  # allowed squared gradient of the flow, likewise; it is steep at motion boundaries
_EVEN, _ODD = 0.03, 0.12  # differences of brightness at which confidence begins to fall, and reaches 0
_MARGIN = 0.01  # how much worse than dense flow the camera's motion may fit and still be preferred
_GRID, _AGREEING, _MAJORITY = 8, 0.5, 0.3  # px between samples of the flow, allowed error in px, share that must agree
_CUT = 0.3  # share of a frame that must be trusted; otherwise it begins a new scene


@dataclass(frozen=True)
class Motion:
    """Backward motion: the position of each pixel in the frame before.

    Attributes:
        flow: `[H, W, 2]`, px, x then y: the content at `p` was at `p + flow[p]` in the frame before.
        confidence: `[H, W]` in `[0, 1]`; 0 at pixels that the frame before doesn't show.
    """

    flow: numpy.ndarray
    confidence: numpy.ndarray

    @property
    def cut(self) -> bool:
        """Whether the frame begins a new scene."""
        return float(self.confidence.mean()) < _CUT


def motion_between(before: Tensor, now: Tensor) -> Motion:
    """Motion from one photo `[3, H, W]` to the next, of the same size."""
    height, width = now.shape[-2:]
    old, new = _gray(before), _gray(now)
    shrunk = min(1.0, _SIDE / max(height, width))
    if shrunk < 1:
        size = (max(16, round(width * shrunk)), max(16, round(height * shrunk)))
        old, new = (cv2.resize(gray, size, interpolation=cv2.INTER_AREA) for gray in (old, new))
    old, new = (cv2.GaussianBlur(gray, (0, 0), _SMOOTHED) for gray in (old, new))
    back, forth = flow_between(new, old), flow_between(old, new)
    unlike = _unlike(old, new, back)
    confidence = _returning(back, forth) * numpy.clip((_ODD - unlike) / (_ODD - _EVEN), 0, 1)
    camera = camera_motion(back)
    if camera is not None:
        # It is exact where it fits, also next to moving objects, which distort dense flow around them.
        left = _unlike(old, new, camera)
        holds = left <= unlike + _MARGIN
        back = numpy.where(holds[..., None], camera, back)
        confidence = numpy.where(holds, numpy.clip((_ODD - left) / (_ODD - _EVEN), 0, 1), confidence)
    # Borders of occluded areas are uncertain by a pixel or two: grow the areas and soften their edges.
    confidence = cv2.GaussianBlur(cv2.erode(confidence * _inside(back), numpy.ones((3, 3))), (0, 0), 1.0)
    if shrunk < 1:
        scale = numpy.array([width / back.shape[1], height / back.shape[0]], numpy.float32)
        back, confidence = (cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR) for values in (back * scale, confidence))
    return Motion(back, confidence)


def flow_between(one: numpy.ndarray, two: numpy.ndarray) -> numpy.ndarray:
    """Flow `[H, W, 2]` from one gray frame (uint8) to another: `p` in the first corresponds to `p + flow[p]` in the second."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    return search.calc(one, two, numpy.zeros((*one.shape, 2), numpy.float32))


def camera_motion(flow: numpy.ndarray) -> numpy.ndarray | None:
    """The affine motion that most of a flow `[H, W, 2]` follows, as a flow; None if there is none."""
    height, width = flow.shape[:2]
    rows, columns = numpy.mgrid[_GRID // 2 : height : _GRID, _GRID // 2 : width : _GRID].reshape(2, -1)
    places = numpy.stack([columns, rows], 1).astype(numpy.float32)
    matrix, agreeing = cv2.estimateAffine2D(
        places, places + flow[rows, columns], method=cv2.RANSAC, ransacReprojThreshold=_AGREEING, maxIters=500
    )
    if matrix is None or agreeing.mean() < _MAJORITY:
        return None
    every = numpy.indices((height, width), dtype=numpy.float32)[::-1].transpose(1, 2, 0)
    return (every @ matrix[:, :2].T + matrix[:, 2] - every).astype(numpy.float32)


def _unlike(old: numpy.ndarray, new: numpy.ndarray, flow: numpy.ndarray) -> numpy.ndarray:
    """Locally averaged difference of brightness, in `[0, 1]`, between a frame and the warped frame before."""
    seen = _moved(old.astype(numpy.float32), flow, cv2.INTER_LINEAR)
    return cv2.GaussianBlur(numpy.abs(seen - new), (0, 0), 1.5) / 255


def _returning(back: numpy.ndarray, forth: numpy.ndarray) -> numpy.ndarray:
    """1 where forward and backward flow are consistent and not at a motion boundary, else 0 (Ruder et al. 2016, eq. 5, 6)."""
    squares, there = (back**2).sum(2), _moved(forth, back, cv2.INTER_LINEAR)
    off = ((back + there) ** 2).sum(2) / (_SLACK_SHARE * (squares + (there**2).sum(2)) + _SLACK)
    steep = sum((cv2.Sobel(back, -1, x, 1 - x, ksize=3, scale=1 / 8) ** 2).sum(2) for x in (0, 1)) / (_EDGE_SHARE * squares + _EDGE)
    return numpy.clip(2 - off, 0, 1) * numpy.clip(2 - steep, 0, 1)


def carried_along(image: Tensor, motion: Motion) -> Tensor:
    """The frame before, `[3, H, W]`, warped to the current one; bicubic, because sharper kernels ring."""
    pixels = image.permute(1, 2, 0).contiguous().numpy()
    return torch.from_numpy(_moved(pixels, motion.flow, cv2.INTER_CUBIC)).permute(2, 0, 1).clamp(0, 1)


def padded_to(image: Tensor, other: Tensor) -> Tensor:
    """An image `[3, h, w]` padded to the slightly larger size of another, `[3, H, W]`, by repeating its edge."""
    below, right = (large - small for large, small in zip(other.shape[-2:], image.shape[-2:]))
    return functional.pad(image[None], (0, right, 0, below), mode="replicate")[0]


def blurred(image: Tensor, sigma: float) -> Tensor:
    """An image `[C, H, W]` or `[H, W]` blurred by a Gaussian of `sigma` px."""
    pixels = image.permute(1, 2, 0) if image.dim() == 3 else image
    smooth = torch.from_numpy(cv2.GaussianBlur(pixels.contiguous().numpy(), (0, 0), sigma))
    return smooth.permute(2, 0, 1) if image.dim() == 3 else smooth


def _moved(values: numpy.ndarray, flow: numpy.ndarray, how: int) -> numpy.ndarray:
    rows, columns = numpy.indices(flow.shape[:2], dtype=numpy.float32)
    return cv2.remap(values, columns + flow[..., 0], rows + flow[..., 1], how, borderMode=cv2.BORDER_REFLECT_101)


def _inside(flow: numpy.ndarray) -> numpy.ndarray:
    """1 where a pixel comes from within the frame."""
    height, width = flow.shape[:2]
    rows, columns = numpy.indices((height, width), dtype=numpy.float32)
    x, y = columns + flow[..., 0], rows + flow[..., 1]
    return ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).astype(numpy.float32)


def _gray(image: Tensor) -> numpy.ndarray:
    pixels = (image.permute(1, 2, 0).clamp(0, 1) * 255).to(torch.uint8).contiguous().numpy()
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
