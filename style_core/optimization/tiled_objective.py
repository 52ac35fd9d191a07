"""`Objective` computed tile by tile: the same loss and gradient for pictures whose features don't fit into memory.

These style losses depend on the picture only through sums over positions: Gram matrices and means. A first pass without gradients
adds up the sums over all tiles. The chain rule then gives the loss's gradient with respect to features, `dL/dF = dL/dG dG/dF`,
from the totals and the tile's own features, and a second pass propagates it back to the pixels. Accumulating statistics over
blocks is the idea of SPST (Texler et al. 2022, "Scale Space Style Transfer"); halos as wide as the receptive field make it exact.
The extra cost is one forward pass and the halos.
"""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from style_core.media.images import row_strips
from style_core.networks.extractor import FeatureExtractor, in_metric
from style_core.networks.moments import channel_sums, gram_sum
from style_core.networks.vgg19 import stride_of
from style_core.optimization.dream_term import DreamTerm, term_layers
from style_core.optimization.losses import StyleTarget, guide_at
from style_core.optimization.objective import GAMUT_WEIGHT, MOMENT_LOSSES, LossWeights, Region
from style_core.optimization.tiles import Tile, tiles_of

_LARGEST_HALF = 6e4  # largest feature that fits into float16
_EPSILON = 1e-12


class _Given(torch.autograd.Function):
    """A loss with a precomputed gradient."""

    @staticmethod
    def forward(ctx, picture: Tensor, loss: Tensor, gradient: Tensor) -> Tensor:
        ctx.gradient = gradient
        return loss.clone()

    @staticmethod
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, None, None]:
        return ctx.gradient.mul_(upstream), None, None


class TiledObjective:
    """`Objective` in tiles: picture `[1, 3, H, W]` -> (loss to minimize, its relative parts by name).

    The photo's features are kept in half precision, at the layers of the content term alone.

    Args:
        extractor: the feature network.
        photo: `[1, 3, H, W]`, of the same size as the pictures to evaluate.
        regions, loss_weights: as in `Objective`.
        style_loss: one of `MOMENT_LOSSES`.
        side: of a tile's core, px.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        photo: Tensor,
        regions: Sequence[Region],
        loss_weights: LossWeights,
        style_loss: str = "gram",
        *,
        side: int,
    ):
        if style_loss not in MOMENT_LOSSES:
            raise ValueError(f"The style loss {style_loss} is not a function of moments and can't be computed in tiles.")
        self.extractor = extractor
        self.regions = regions
        self.loss_weights = loss_weights
        self.style_loss = style_loss
        self._style_layers = [layer for layer, weight in loss_weights.style.items() if weight > 0]
        self._content_layers = [layer for layer, weight in loss_weights.content.items() if weight > 0]
        height, width = photo.shape[-2:]
        self._dream_layers = term_layers(loss_weights.dream)
        self._all_layers = {*self._style_layers, *self._content_layers, *self._dream_layers}
        self.tiles = tiles_of(height, width, side, self._all_layers)
        self._guides = [_guides_of(region.guide, self._style_layers, height, width) for region in regions]
        self._counts = [_counts_of(guides, height, width) for guides in self._guides]
        self._content, self._content_energy = self._measure(photo)
        self._dream = None
        if loss_weights.dream:
            cores = (features for _, features in _features(extractor, photo, self._dream_layers, self.tiles))
            self._dream = DreamTerm(extractor, loss_weights.dream, cores)

    def __call__(self, picture: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.no_grad():
            sums, dreamt = self._sums(picture)
            loss, parts, slopes = self._style_loss(sums)
            dream_slope = None
            if self._dream is not None:
                dream_loss, dream_slope, found = _dream_loss(self._dream, dreamt)
                loss, parts = loss + dream_loss, parts | found
            gradient = torch.zeros_like(picture)
            distances = {layer: picture.new_zeros(()) for layer in self._content_layers}
            for index, tile in enumerate(self.tiles):
                self._backpropagate_tile(picture, index, tile, slopes, dream_slope, distances, gradient)
            for layer, distance in distances.items():
                loss = loss + self.loss_weights.content[layer] * distance
                parts[f"content {layer}"] = distance
            loss = loss + GAMUT_WEIGHT * add_out_of_gamut(picture, GAMUT_WEIGHT, gradient)
            if self.loss_weights.tv:
                variation = add_total_variation(picture, self.loss_weights.tv, gradient)
                loss = loss + self.loss_weights.tv * variation
                parts["total variation"] = variation
        return _Given.apply(picture, loss, gradient), parts

    def _measure(self, photo: Tensor) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """The photo's features in their metric, by tile and layer, and the sum of their squares by layer."""
        kept, energy = [], {layer: photo.new_zeros(()) for layer in self._content_layers}
        for _, features in _features(self.extractor, photo, self._content_layers, self.tiles):
            found = {layer: in_metric(feature, self.extractor.metrics.get(layer)) for layer, feature in features.items()}
            for layer, feature in found.items():
                energy[layer] += feature.float().square().sum()
            kept.append({layer: _halved(feature) for layer, feature in found.items()})
        return kept, {layer: value.clamp_min(_EPSILON) for layer, value in energy.items()}

    def _sums(self, picture: Tensor) -> tuple[list["_Sums"], Tensor]:
        """The first pass: sums for each region's moments, and the dream's responses."""
        sums, dreamt = [_Sums(self.style_loss != "gram") for _ in self.regions], picture.new_zeros(len(self.loss_weights.dream))
        for tile, features in _features(self.extractor, picture, {*self._style_layers, *self._dream_layers}, self.tiles):
            for layer in self._style_layers:
                for region, guides in zip(sums, self._guides):
                    region.add(layer, features[layer], _part(guides[layer], tile, layer))
            if self._dream is not None:
                dreamt += self._dream.sums(features)
        return sums, dreamt

    def _style_loss(self, sums: Sequence["_Sums"]) -> tuple[Tensor, dict[str, Tensor], list[dict[str, Sequence[Tensor]]]]:
        """The style loss, its parts, and its gradient with respect to each sum, by region and layer."""
        loss = torch.zeros((), device=self.extractor.compute.device)
        parts: dict[str, Tensor] = {}
        slopes: list[dict[str, Sequence[Tensor]]] = []
        for region, own, counts in zip(self.regions, sums, self._counts):
            slopes.append({})
            for layer in self._style_layers:
                assert isinstance(region.target, StyleTarget)  # the style loss is one of MOMENT_LOSSES
                leaves = [total.requires_grad_() for total in own.of(layer)]
                with torch.enable_grad():
                    gram, *means = (leaf / counts[layer] for leaf in leaves)
                    guided = region.guide is not None
                    distance = region.target.distance(layer, gram, means[0] if means else None, self.style_loss, guided=guided)
                    term = self.loss_weights.style[layer] * region.share * distance
                slopes[-1][layer] = torch.autograd.grad(term, leaves)
                loss = loss + term.detach()
                name = f"style {layer}"
                parts[name] = parts.get(name, 0) + region.share * distance.detach()
        return loss, parts, slopes

    def _backpropagate_tile(
        self,
        picture: Tensor,
        index: int,
        tile: Tile,
        style_slopes: Sequence[dict],
        dream_slope: Tensor | None,
        distances: dict[str, Tensor],
        gradient: Tensor,
    ) -> None:
        """The second pass: add a tile's contribution to the content distances and the gradient."""
        rows, columns = tile.crop
        crop = picture[..., rows, columns].detach().requires_grad_()
        with torch.enable_grad():
            features = self.extractor.extract(crop, self._all_layers, measured=False)
        cores = {layer: _core(feature.detach(), tile, layer) for layer, feature in features.items()}
        dreamt = (
            {}
            if self._dream is None or dream_slope is None
            else _dream_slopes(self._dream, {layer: cores[layer] for layer in self._dream_layers}, dream_slope)
        )
        slopes = []
        for layer, feature in features.items():
            core = cores[layer]
            slope = torch.zeros_like(feature)
            into = _core(slope, tile, layer)
            if layer in self._content_layers:
                into += self._content_slope(core, index, layer, distances)
            if layer in self._style_layers:
                for guides, by_layer in zip(self._guides, style_slopes):
                    into += _style_slope(core, _part(guides[layer], tile, layer), *by_layer[layer])
            if layer in dreamt:
                into += dreamt[layer]
            slopes.append(slope)
        (found,) = torch.autograd.grad(list(features.values()), crop, slopes)
        gradient[..., rows, columns] += found

    def _content_slope(self, core: Tensor, index: int, layer: str, distances: dict[str, Tensor]) -> Tensor:
        metric, energy = self.extractor.metrics.get(layer), self._content_energy[layer]
        difference = in_metric(core, metric).float() - self._content[index][layer].float()
        distances[layer] += difference.square().sum() / energy
        # The metric is symmetric, so it serves for gradients as well.
        return in_metric((difference * (2 * self.loss_weights.content[layer] / energy)).to(core.dtype), metric)


class _Sums:
    """Sums over positions by layer, added up tile by tile: `[1, C, C]` of products, and optionally `[1, C]` of features."""

    def __init__(self, with_means: bool):
        self._with_means = with_means
        self._totals: dict[str, list[Tensor]] = {}

    def add(self, layer: str, feature: Tensor, guide: Tensor | None) -> None:
        # Summed exactly: errors of bfloat16 sums average out within one map, but not over tiles.
        found = [gram_sum(feature, guide), *([channel_sums(feature, guide)] if self._with_means else [])]
        for total, share in zip(self._totals.setdefault(layer, [torch.zeros_like(each) for each in found]), found):
            total += share

    def of(self, layer: str) -> list[Tensor]:
        return self._totals[layer]


def measured_in_tiles(
    extractor: FeatureExtractor, picture: Tensor, layers: Iterable[str], guide: Tensor | None = None, *, side: int
) -> StyleTarget:
    """`StyleTarget.of` of a style picture `[1, 3, H, W]` whose features don't fit into memory."""
    layers, size = list(layers), (picture.shape[-2], picture.shape[-1])
    guides, sums = _guides_of(guide, layers, *size), _Sums(with_means=True)
    for tile, features in _features(extractor, picture, layers, tiles_of(*size, side, layers)):
        for layer, feature in features.items():
            sums.add(layer, feature, _part(guides[layer], tile, layer))
    grams, means = {}, {}
    for layer, count in _counts_of(guides, *size).items():
        gram, mean = (total / count for total in sums.of(layer))
        metric = extractor.metrics.get(layer)
        grams[layer] = gram if metric is None else metric @ gram @ metric
        means[layer] = mean if metric is None else mean @ metric
    return StyleTarget(extractor.name, grams, means, extractor.metrics)


def add_out_of_gamut(picture: Tensor, weight: float, gradient: Tensor) -> Tensor:
    """`out_of_gamut` by strips, its gradient times `weight` added to `gradient`."""
    total = picture.new_zeros(())
    for rows in row_strips(picture):
        strip = picture[..., rows, :]
        excess = strip - strip.clamp(0, 1)
        total += excess.square().sum()
        gradient[..., rows, :].add_(excess, alpha=2 * weight / picture.numel())
    return total / picture.numel()


def add_total_variation(picture: Tensor, weight: float, gradient: Tensor) -> Tensor:
    """`total_variation` by strips, its gradient times `weight` added to `gradient`."""
    *lead, height, width = picture.shape
    lines = picture.numel() // (height * width)
    across, down = max(1, lines * height * (width - 1)), max(1, lines * (height - 1) * width)
    total = picture.new_zeros(())
    for rows in row_strips(picture):
        difference = picture[..., rows, :].diff(dim=-1)
        total += difference.square().sum() / across
        gradient[..., rows, 1:].add_(difference, alpha=2 * weight / across)
        gradient[..., rows, :-1].sub_(difference, alpha=2 * weight / across)
        upper = slice(rows.start, min(rows.stop, height - 1))  # all rows but the picture's last
        lower = slice(upper.start + 1, upper.stop + 1)
        difference = picture[..., lower, :] - picture[..., upper, :]
        total += difference.square().sum() / down
        gradient[..., lower, :].add_(difference, alpha=2 * weight / down)
        gradient[..., upper, :].sub_(difference, alpha=2 * weight / down)
    return total


def _features(extractor: FeatureExtractor, picture: Tensor, layers: Iterable[str], tiles: Sequence[Tile]) -> Iterator[tuple]:
    """Each tile and the features of its core by layer, without gradients."""
    for tile in tiles:
        rows, columns = tile.crop
        with torch.no_grad():
            found = extractor.extract(picture[..., rows, columns], layers, measured=False)
        yield tile, {layer: _core(feature, tile, layer) for layer, feature in found.items()}


def _style_slope(core: Tensor, guide: Tensor | None, by_products: Tensor, by_features: Tensor | None = None) -> Tensor:
    """The gradient with respect to features `[1, C, h, w]`, from the gradients with respect to their second and first sums."""
    positions = core.permute(0, 2, 3, 1)  # [1, h, w, C]
    slope = positions @ (by_products + by_products.mT).to(core.dtype)
    if by_features is not None:
        slope = slope + by_features.to(core.dtype)
    slope = slope.permute(0, 3, 1, 2)
    return slope if guide is None else slope * guide.square().to(core.dtype)


def _dream_loss(dream: DreamTerm, sums: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """The dream's loss, its gradient with respect to the sums `[T]`, and its parts."""
    leaf = sums.requires_grad_()
    with torch.enable_grad():
        loss, parts = dream.distance(leaf)
    (slope,) = torch.autograd.grad(loss, leaf)
    return loss.detach(), slope, parts


def _dream_slopes(dream: DreamTerm, cores: dict[str, Tensor], slope: Tensor) -> dict[str, Tensor]:
    """The dream's gradient with respect to a tile's features by layer, from that with respect to the sums."""
    leaves = {layer: core.clone().requires_grad_() for layer, core in cores.items()}
    with torch.enable_grad():
        found = torch.autograd.grad(dream.sums(leaves) @ slope, list(leaves.values()))
    return dict(zip(leaves, found))


def _core(feature: Tensor, tile: Tile, layer: str) -> Tensor:
    """The part of a crop's feature map that belongs to the tile's core."""
    rows, columns = tile.within(stride_of(layer))
    return feature[..., rows, columns]


def _part(guide: Tensor | None, tile: Tile, layer: str) -> Tensor | None:
    """The part of a whole picture's guide at a layer that belongs to a tile's core."""
    if guide is None:
        return None
    rows, columns = tile.whole(stride_of(layer))
    return guide[..., rows, columns]


def _guides_of(guide: Tensor | None, layers: Iterable[str], height: int, width: int) -> dict[str, Tensor | None]:
    """A guide `[1, 1, H, W]` resampled to each layer; layers with the same stride share one."""
    by_stride: dict[int, Tensor | None] = {}
    for stride in map(stride_of, layers):
        if stride not in by_stride:
            by_stride[stride] = None if guide is None else guide_at(guide, guide.new_empty(()).expand(height // stride, width // stride))
    return {layer: by_stride[stride_of(layer)] for layer in layers}


def _counts_of(guides: dict[str, Tensor | None], height: int, width: int) -> dict[str, Tensor | int]:
    """Divisors of sums over the whole picture's positions by layer, as in `gram_matrix`."""
    return {
        layer: (height // stride_of(layer)) * (width // stride_of(layer)) if guide is None else guide.square().sum().clamp_min(_EPSILON)
        for layer, guide in guides.items()
    }


def _halved(feature: Tensor) -> Tensor:
    """Features in half the memory: float16, which is more precise than bfloat16, unless they overflow it."""
    if feature.dtype != torch.float32:
        return feature.clone()
    return feature.half() if float(feature.abs().max()) < _LARGEST_HALF else feature.bfloat16()
