"""The main subject of a photo, found without labels: the region that differs from the borders.

Graph-based manifold ranking (Yang, Zhang, Lu, Ruan and Yang, CVPR 2013) on the cells of a feature map instead of superpixels,
linked by similarity of features and color; then a guided filter (He, Sun and Tang 2010), which aligns the mask's edges with the
photo's. It assumes that the borders cut off little of the subject. In a landscape without a subject it finds whatever is in the
middle.
"""

import torch
from torch import Tensor
from torch.nn import functional

from style_core.media.images import fit, resize
from style_core.networks.extractor import FeatureExtractor

LAYERS = ("relu3_1", "relu4_1", "relu5_1")
_SIDE = 256  # px, long side at which the photo is analyzed; cells are 8 px
_STRIDE = 16  # px: sides are multiples of the deepest layer's stride
_FEATURE_SCALE, _COLOR_SCALE = 0.5, 0.12  # distances at which a link is weakened to 1 / e
_SIMILAR, _FAR_LINK = 12, 0.3  # distant cells that each is linked to, and the strength of these links relative to neighbors
_REACH, _LAST_REACH = 0.99, 0.97  # alpha of the rankings: closer to 1 reaches further
_MIDDLE = 0.6  # of half a side: standard deviation of the prior for the center
_FINE_SIDE, _RADIUS, _SMOOTH = 512, 8, 1e-3  # of the guided filter: px, px, squared color


def subject_mask(extractor: FeatureExtractor, photo: Tensor) -> Tensor:
    """A mask of a photo's main subject.

    Args:
        extractor: its features tell cells apart; `lite` is enough.
        photo: `[3, H, W]`, sRGB in `[0, 1]`.
    Returns:
        `[1, H, W]` in `[0, 1]`, on the CPU, near 1 on the subject.
    """
    saliency = _saliency(extractor, photo.cpu())
    shown = fit(photo.cpu(), _FINE_SIDE)
    size = tuple(shown.shape[-2:])
    coarse = functional.interpolate(saliency[None, None], size=size, mode="bilinear", align_corners=False)[0]
    # A slope instead of a step lets the filter move the edge to the photo's edge.
    threshold = otsu(saliency)
    soft = ((coarse - threshold) / max(threshold, 1e-3) + 0.5).clamp(0, 1)
    fine = guided_filter(shown.mean(0, keepdim=True), soft, _RADIUS, _SMOOTH)
    sharp = (2 * fine - 0.5).clamp(0, 1)
    return resize(sharp, tuple(photo.shape[-2:])).clamp(0, 1)


def otsu(values: Tensor) -> float:
    """The threshold that maximizes the variance between two classes (Otsu 1979): the largest value of the lower class."""
    ordered = values.flatten().sort().values.double()
    sums, count = ordered.cumsum(0), len(ordered)
    low = torch.arange(1, count)
    between = low * (count - low) * (sums[:-1] / low - (sums[-1] - sums[:-1]) / (count - low)).square()
    return float(ordered[between.argmax()])


def guided_filter(guide: Tensor, values: Tensor, radius: int, epsilon: float) -> Tensor:
    """Smooth `values` `[1, H, W]`, except across edges of `guide` `[1, H, W]` (He et al. 2010, eq. 5, 6 and 8).

    Args:
        radius: of the square window, px.
        epsilon: variance of the guide below which it counts as flat.
    """

    def mean(image: Tensor) -> Tensor:
        return functional.avg_pool2d(image[None], 2 * radius + 1, 1, radius, count_include_pad=False)[0]

    guide_mean, values_mean = mean(guide), mean(values)
    slope = (mean(guide * values) - guide_mean * values_mean) / (mean(guide * guide) - guide_mean.square() + epsilon)
    return mean(slope) * guide + mean(values_mean - slope * guide_mean)


def _saliency(extractor: FeatureExtractor, photo: Tensor) -> Tensor:
    """How much each cell belongs to the subject, `[h, w]` in `[0, 1]`."""
    small = fit(photo, _SIDE)
    height, width = (max(2 * _STRIDE, side // _STRIDE * _STRIDE) for side in small.shape[-2:])
    small = resize(small, (height, width))
    rows, colors, size = _cells(extractor, small)
    links, similarity = _links(rows, colors, size)
    middle = _middle(size)
    # Cells that resemble the borders are background; the lower border, where subjects often stand, counts half.
    found = torch.ones(len(rows))
    sides = _sides(size)
    border = torch.stack(sides).any(0)
    typical = similarity[:, border].mean(1) / similarity[border][:, border].mean(1).max()
    for side, weight in zip(sides, (1.0, 0.5, 1.0, 1.0)):
        ranks = _ranked(links, torch.where(side, typical, 0.0), _REACH)
        found = found * (1 - weight * (ranks / ranks.max()).clamp(0, 1))
    found = _stretched(found * (0.4 + 0.6 * middle))
    # Cells that resemble the most salient ones are the subject.
    ranks = _ranked(links, torch.where(found > otsu(found), found, 0.0), _LAST_REACH)
    return _stretched(ranks * (0.5 + 0.5 * middle)).view(size)


@torch.no_grad()
def _cells(extractor: FeatureExtractor, small: Tensor) -> tuple[Tensor, Tensor, tuple[int, int]]:
    """Features `[N, C]` at unit length and colors `[N, 3]` of the cells of relu4_1, and the grid's height and width."""
    features = extractor.extract(small[None].to(extractor.compute.device), LAYERS)
    size = (features["relu4_1"].shape[-2], features["relu4_1"].shape[-1])
    parts = []
    for layer in LAYERS:
        feature = features[layer].float().cpu()
        finer = feature.shape[-2] > size[0]
        feature = functional.interpolate(feature, size=size, mode="area" if finer else "bilinear")
        rows = feature[0].flatten(1).T
        parts.append(functional.normalize(rows - rows.mean(0), dim=1))
    colors = functional.interpolate(small[None], size=size, mode="area")[0].flatten(1).T
    return functional.normalize(torch.cat(parts, 1), dim=1), colors, size


def _links(rows: Tensor, colors: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Weights `[N, N]` of the graph's links (neighbors and the most similar cells anywhere), and the similarity of all pairs."""
    similarity = torch.exp(-(1 - rows @ rows.T).clamp_min(0) / _FEATURE_SCALE - torch.cdist(colors, colors) / _COLOR_SCALE)
    down, across = torch.meshgrid(*(torch.arange(side).float() for side in size), indexing="ij")
    places = torch.stack([down.flatten(), across.flatten()], 1)
    apart = torch.cdist(places, places)
    beside = (apart < 1.8) & (apart > 0)
    most_similar = similarity.topk(min(_SIMILAR, len(rows)), 1).indices
    linked = torch.zeros_like(similarity).scatter_(1, most_similar, 1.0)
    linked = torch.maximum(linked, linked.T).fill_diagonal_(0)
    return similarity * (beside + _FAR_LINK * linked), similarity


def _ranked(links: Tensor, seeds: Tensor, reach: float) -> Tensor:
    """Closeness of each cell to the seeds along the links: `(D - a W)^-1 y`, divided by the same for seeds everywhere."""
    system = torch.diag(links.sum(1) + 1e-6) - reach * links
    found = torch.linalg.solve(system, torch.stack([seeds, torch.ones_like(seeds)], 1))
    return found[:, 0] / found[:, 1].clamp_min(1e-12)


def _sides(size: tuple[int, int]) -> list[Tensor]:
    """Masks of the cells at the top, bottom, left and right border, `[N]` each."""
    sides = []
    for rows, columns in ((0, slice(None)), (-1, slice(None)), (slice(None), 0), (slice(None), -1)):
        at = torch.zeros(size, dtype=torch.bool)
        at[rows, columns] = True
        sides.append(at.flatten())
    return sides


def _middle(size: tuple[int, int]) -> Tensor:
    """A weight of 1 in the middle, falling toward the borders, `[N]`."""
    down, across = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in size), indexing="ij")
    return torch.exp(-(down.square() + across.square()) / (2 * _MIDDLE**2)).flatten()


def _stretched(values: Tensor) -> Tensor:
    return (values - values.min()) / (values.max() - values.min()).clamp_min(1e-12)
