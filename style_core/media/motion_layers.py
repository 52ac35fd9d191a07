"""Rigid motions within a dense flow: those of the camera and of objects, each affine, and which of them each pixel follows.

An affine motion that fits is more precise than dense flow, also at borders, where dense flow mixes two motions. The motions are
found one after the other among the samples that none explains yet (as in Wang and Adelson 1994, "Representing Moving Images with
Layers"), by RANSAC on the flow, and are then aligned on the frames themselves.
"""

import cv2
import numpy

_MOST = 5  # layers
_STEP = 4  # px between samples of the flow
_AGREEING = (0.5, 1.0)  # px, allowed distance from the flow, for the first layer and for the others
_FIRST_SHARE = 0.3  # share of the samples that must agree with the first layer
_FEWEST = 40  # samples of each layer
_POINTS = 8000  # pixels that are aligned
_OUTLIERS = (40, 20, 10, 10)  # levels of 255 beyond which a pixel loses its influence, in each step of the alignment
_REACH = 7  # samples, width of the area around a layer's samples in which it is sought
_STILL = 0.05  # px; less motion than this is none
_NO_BETTER = 1.05  # ratio of the differences without and with motion up to which there is none
_LATER, _DENSE = 0.004, 0.01  # how much better than the first layer the others, and dense flow, must fit
_WIDE, _NEAR, _TOGETHER, _ROUNDS = 17, 13, 0.02, 3  # px, px, weight and number of votes by which neighbors choose the same motion


def affine_layers(old: numpy.ndarray, new: numpy.ndarray, flow: numpy.ndarray) -> list[numpy.ndarray]:
    """The affine motions `[2, 3]` that parts of a flow follow, the camera's first.

    Args:
        old, new: gray frames `[H, W]`, uint8.
        flow: `[H, W, 2]`, px: `p` in the new frame corresponds to `p + flow[p]` in the old one.
    """
    height, width = new.shape
    rows, columns = numpy.mgrid[_STEP // 2 : height : _STEP, _STEP // 2 : width : _STEP]
    samples = numpy.stack([columns, rows], -1).astype(numpy.float32)
    seen = flow[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP]
    left = numpy.ones(seen.shape[:2], bool)
    layers: list[numpy.ndarray] = []
    while len(layers) < _MOST and left.sum() >= _FEWEST:
        places, agreeing = samples[left], _AGREEING[min(1, len(layers))]
        matrix, inliers = cv2.estimateAffine2D(places, places + seen[left], method=cv2.RANSAC, ransacReprojThreshold=agreeing, maxIters=500)
        if matrix is None or inliers.sum() < max(_FEWEST, 0 if layers else _FIRST_SHARE * left.size):
            break
        chosen = numpy.zeros_like(left)
        chosen[left] = inliers[:, 0] > 0
        left &= ~chosen
        matrix = _aligned(old, new, matrix, chosen)
        if layers:
            # Dense flow agrees with a small object's motion only in its middle.
            fitting = _fitting(old, new, matrix, samples, chosen)
            if not fitting.any():  # the frames don't bear the motion out
                continue
            matrix = _aligned(old, new, matrix, fitting)
        moved = samples @ matrix[:, :2].T + matrix[:, 2]
        if not layers and (numpy.abs(moved - samples).max() < _STILL or _as_good_unmoved(old, new, moved)):
            matrix, moved = numpy.eye(2, 3), samples
        layers.append(matrix)
        left &= numpy.linalg.norm(moved - samples - seen, axis=2) > _AGREEING[1]
    return layers


def _as_good_unmoved(old: numpy.ndarray, new: numpy.ndarray, moved: numpy.ndarray) -> bool:
    """Whether the frames differ no more where they are than as moved: where there is no texture, any motion fits."""
    wanted = new[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP]
    where = moved.astype(numpy.float32)
    by_motion = cv2.absdiff(cv2.remap(old, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), wanted)
    return bool(cv2.absdiff(old[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP], wanted).mean() <= _NO_BETTER * by_motion.mean())


def _fitting(old: numpy.ndarray, new: numpy.ndarray, matrix: numpy.ndarray, samples: numpy.ndarray, near: numpy.ndarray) -> numpy.ndarray:
    """The samples that look alike in both frames by an affine motion, in and around those given."""
    moved = (samples @ matrix[:, :2].T + matrix[:, 2]).astype(numpy.float32)
    apart = cv2.absdiff(cv2.remap(old, moved[..., 0], moved[..., 1], cv2.INTER_LINEAR), new[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP])
    around = cv2.dilate(near.astype(numpy.uint8), numpy.ones((_REACH, _REACH), numpy.uint8)) > 0
    return around & (apart < _OUTLIERS[-1])


def flow_of(matrix: numpy.ndarray, size: tuple[int, int]) -> numpy.ndarray:
    """An affine motion `[2, 3]` as a flow `[H, W, 2]`."""
    height, width = size
    x, y = numpy.arange(width, dtype=numpy.float32), numpy.arange(height, dtype=numpy.float32)[:, None]
    (a, b, c), (d, e, f) = matrix.tolist()
    return cv2.merge([(a - 1) * x + (b * y + c), d * x + ((e - 1) * y + f)])


def _aligned(old: numpy.ndarray, new: numpy.ndarray, matrix: numpy.ndarray, chosen: numpy.ndarray) -> numpy.ndarray:
    """The affine motion `[2, 3]` refined until the frames match around the chosen samples, up to gain and bias of brightness.

    Gauss-Newton with Geman-McClure weights: minimizes `sum rho(gain * old(A p) + bias - new(p))`.
    """
    height, width = new.shape
    scale = max(height, width)
    rows, columns = numpy.nonzero(numpy.repeat(numpy.repeat(chosen, _STEP // 2, 0), _STEP // 2, 1))
    every = max(1, len(rows) // _POINTS)
    points = numpy.stack([columns, rows], 1)[::every].astype(numpy.float32) * 2
    points = points[(points[:, 0] < width) & (points[:, 1] < height)]
    middle = numpy.array([width, height], numpy.float32) / 2
    u = (points - middle) / scale
    wanted = new[points[:, 1].astype(int), points[:, 0].astype(int)].astype(numpy.float32)
    layers = [old.astype(numpy.float32), *(cv2.Sobel(old, cv2.CV_32F, x, 1 - x, scale=1 / 8) for x in (1, 0))]
    matrix, gain, bias = matrix.astype(numpy.float64), 1.0, 0.0
    for outlier in _OUTLIERS:
        where = (points @ matrix[:, :2].T + matrix[:, 2]).astype(numpy.float32)
        value, across, down = (cv2.remap(layer, where[:, :1], where[:, 1:], cv2.INTER_LINEAR)[:, 0] for layer in layers)
        off = gain * value + bias - wanted
        inside = ((where >= 1) & (where <= (width - 2, height - 2))).all(1)
        weight = inside / (1 + (off / outlier) ** 2) ** 2
        slopes = numpy.stack(
            [across * u[:, 0], across * u[:, 1], across, down * u[:, 0], down * u[:, 1], down, value / 255, numpy.ones_like(value)], 1
        )  # [N, 8]
        weighted = slopes * weight[:, None]
        step = numpy.linalg.solve((weighted.T @ slopes).astype(numpy.float64) + 1e-3 * numpy.eye(8), -(weighted.T @ off))
        turned = step[[0, 1, 3, 4]].reshape(2, 2) / scale
        matrix[:, :2] += turned / gain
        matrix[:, 2] += (step[[2, 5]] - turned @ middle) / gain
        gain, bias = gain + step[6] / 255, bias + step[7]
    return matrix


def followed(differences: list[numpy.ndarray]) -> numpy.ndarray:
    """Which motion each pixel follows: indices `[H, W]` into a list of layers that ends with dense flow.

    The one that fits best, where neighbors prefer to follow the same; earlier ones are preferred if they fit about as well.

    Args:
        differences: for each motion, `[H, W]` in `[0, 1]`, how far the frame is from the frame before, moved.
    """
    last = len(differences) - 1
    costs = [off + (_DENSE if index == last else _LATER * (index > 0)) for index, off in enumerate(differences)]
    choice = _smallest([cv2.blur(cost, (_WIDE, _WIDE)) for cost in costs])
    for _ in range(_ROUNDS):
        votes = [cv2.blur((choice == index).astype(numpy.float32), (_NEAR, _NEAR)) for index in range(last + 1)]
        choice = _smallest([cost - _TOGETHER * vote for cost, vote in zip(costs, votes)])
    return choice


def _smallest(costs: list[numpy.ndarray]) -> numpy.ndarray:
    """For each pixel, the index of the smallest cost, uint8."""
    least, choice = costs[0], numpy.zeros(costs[0].shape, numpy.uint8)
    for index, cost in enumerate(costs[1:], 1):
        choice[cost < least] = index
        least = cv2.min(least, cost)
    return choice
