"""Style pictures measured tile by tile for losses that compare positions: of a picture's features, only a sample is kept."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from style_core.networks.extractor import FeatureExtractor
from style_core.networks.vgg19 import stride_of
from style_core.optimization.hypercolumns import MOST_POSITIONS, StyleColumns, columns_of, grid_size, grid_stride, spread
from style_core.optimization.losses import StyleTarget
from style_core.optimization.nearest import NearestTarget
from style_core.optimization.sliced import SlicedTarget
from style_core.optimization.tiled_objective import measured_in_tiles
from style_core.optimization.tiles import tiles_of

_ALIGNED = "relu3_1"  # a layer with the stride of the grid, to which tiles must be aligned even if all layers in use are finer

Target = StyleTarget | NearestTarget | SlicedTarget


def target_in_tiles(kind: type[Target], extractor: FeatureExtractor, picture: Tensor, weights: Mapping[str, float], *, side: int) -> Target:
    """`kind.of` of a style picture `[1, 3, H, W]` whose features don't fit into memory.

    Args:
        kind: one of the types in `STYLE_TARGETS`.
        weights: of the layers.
        side: of a tile's core, px.
    """
    if issubclass(kind, StyleTarget):
        return measured_in_tiles(extractor, picture, weights, side=side)
    if issubclass(kind, SlicedTarget):
        return kind.in_tiles(extractor, picture, weights, side=side)
    layers = [layer for layer, weight in weights.items() if weight > 0]
    finer = [layer for layer in layers if stride_of(layer) < grid_stride(layers)]
    columns = columns_in_tiles(extractor, picture, layers, side=side)
    return kind(columns, weights, measured_in_tiles(extractor, picture, finer, side=side) if finer else None)


@torch.no_grad()
def columns_in_tiles(extractor: FeatureExtractor, picture: Tensor, layers: Sequence[str], *, side: int) -> StyleColumns:
    """`StyleColumns.of`, with the same positions in another order.

    Coarse layers are interpolated within each tile, so that columns may differ slightly from the whole picture's.
    """
    (height, width), stride = picture.shape[-2:], grid_stride(layers)
    rows, columns = height // stride, width // stride
    wanted = torch.zeros(rows * columns, dtype=torch.bool, device=picture.device)
    wanted[spread(len(wanted), MOST_POSITIONS, picture.device)] = True
    wanted = wanted.view(rows, columns)
    kept: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    sums: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    for tile in tiles_of(height, width, side, [*layers, _ALIGNED]):
        down, across = tile.crop
        features = extractor.extract(picture[..., down, across], layers, measured=False)
        for layer, found in columns_of(features, layers, extractor.metrics).items():
            core = found.unflatten(0, grid_size(features, layers))[tile.within(stride)]  # [h, w, C]
            kept[layer].append(core[wanted[tile.whole(stride)]])
            sums[layer].append(core.sum((0, 1)))
    means = {layer: torch.stack(found).sum(0) / (rows * columns) for layer, found in sums.items()}
    return StyleColumns(extractor.name, {layer: torch.cat(found) for layer, found in kept.items()}, means, extractor.metrics)
