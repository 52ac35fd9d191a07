"""The loaded generator: encodes photos and styles, and paints, in tiles where a picture is large.

A photo is encoded once (`Generator.encode_content`); changing strength, weights or masks after that runs the decoder alone.
Tiles are normalized by the whole picture's statistics, as in URST (Chen et al. 2022), but measured at full size rather than
on a thumbnail, so that tiles match the untiled result exactly.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.files import sha256_of
from style_core.media.boxes import Box
from style_core.media.images import fit_short
from style_core.media.tones import toned, tones_of
from style_core.networks.cache import Cache, digest_of
from style_core.networks.generator_net import CODE_SIZE, CORRECTIONS, LEVELS, STRIDE, GeneratorNet, StyleModulation
from style_core.networks.guides import divided
from style_core.networks.moments import Moments, relative_distance, style_shares
from style_core.networks.style_picture import style_at_scale, true_share

_TILE = 1024  # px, side of a tile
_ENCODE_HALO = 96  # px around a tile within the deepest level's receptive field
_FINE_HALO = 16  # px around a tile within the fine stages' receptive field
_COARSE_LEVELS = LEVELS[2:]
FADE = 0.25  # strength below which the result is blended with the photo
_REMEMBERED_BYTES = 2**28  # of cached photos; a photo of 1,024 x 768 px takes about 80 MB in float32
_LARGEST_REMEMBERED = 2**29  # bytes of a photo that is cached, if need be alone
_REMEMBERED_STYLES = 64
_TONED = 0.5  # share of the way to the style's colors that results are moved after the network; chosen on other pairs than the card's
FIRST_SIDE = 256  # px, short side of the first result by which a code is adjusted
_MOST_ADJUSTED = 0.3  # limit of the adjustment, as a share of the distance between the photo's code and the style's
# Distances of a first result from the photo, at the level, from which its code is adjusted less, and not at all: asking for more style
# where little of the photo is left loses the rest. Chosen on 24 pairs of training pictures.
_FEEDBACK_FADES, _FEEDBACK_ENDS, _FEEDBACK_LEVEL = 0.45, 0.6, "relu4_1"
_REMEMBERED_ADJUSTMENTS = 256
_SOFT_EDGE = 0.01  # of the long side: softness of mask edges


@dataclass(frozen=True)
class EncodedPhoto:
    """A photo encoded by the generator, from which results are painted.

    Attributes:
        photo: `[3, H, W]`.
        padded: `[1, 3, H', W']`, sides multiples of the encoder's stride.
        features: by level, `[1, C, h, w]`; only the coarse levels if the picture is painted in tiles.
        moments: of the whole picture.
        code: the photo's own style, `[1, 265]`.
    """

    photo: Tensor
    padded: Tensor
    features: dict[str, Tensor]
    moments: Moments
    code: Tensor

    @property
    def tiled(self) -> bool:
        return LEVELS[0] not in self.features

    @property
    def tones(self) -> Tensor:
        """The photo's tones, `[9]`."""
        return self.code[0, CODE_SIZE:]

    @property
    def bytes(self) -> int:
        """Memory it takes."""
        return sum(tensor.numel() * tensor.element_size() for tensor in (self.photo, self.padded, *self.features.values()))


class Generator:
    """The loaded generator: encodes photos and styles, and paints.

    Args:
        net: the network, on the device and in the precision of `compute`.
        sha256: of its file.
        tile: px, side above which pictures are handled in tiles.
    """

    name = "generator"

    def __init__(self, net: GeneratorNet, compute: Compute, sha256: str = "", tile: int = _TILE):
        self.net, self.compute, self.sha256, self.tile = net, compute, sha256, tile
        self._photos, self._styles = Cache(_REMEMBERED_BYTES, _LARGEST_REMEMBERED), Cache(_REMEMBERED_STYLES, 1)
        self._adjusted = Cache(_REMEMBERED_ADJUSTMENTS, 1)

    @classmethod
    def load(cls, path: str | Path, compute: Compute, tile: int = _TILE) -> "Generator":
        """Load from a safetensors file made by `style_core.training.generator`.

        Raises:
            RequestError: when the file's tensors are not the generator's.
        """
        state = load_file(path)
        net = GeneratorNet(compute, len({name.split(".")[1] for name in state if name.startswith("deep.")}))
        trunk = {name.removeprefix("encoder.features."): t for name, t in state.items() if name.startswith("encoder.")}
        rest = {name: tensor for name, tensor in state.items() if not name.startswith("encoder.")}
        try:
            net.encoder.trunk.load_state_dict(trunk)
            missing = net.load_state_dict(rest, strict=False)
        except RuntimeError as error:
            raise RequestError("{file} does not contain the generator: {reason}", file=Path(path).name, reason=str(error)) from error
        unfilled = [name for name in missing.missing_keys if not name.startswith(("encoder.", *CORRECTIONS))]
        if unfilled or missing.unexpected_keys:
            wrong = (unfilled + missing.unexpected_keys)[0]
            raise RequestError("{file} does not contain the generator: {wrong} is missing or unknown.", file=Path(path).name, wrong=wrong)
        net.requires_grad_(False).eval()
        net.style.to(compute.device, torch.float32)
        for part in (net.stages, net.deep, net.picture, net.out):
            compute.place(part)
        return cls(net, compute, sha256_of(Path(path)), tile)

    def encode_style(self, style: Tensor, scale: float = 1.0) -> Tensor:
        """The code of a style picture `[3, h, w]`: `[1, 265]`, float32, on the CPU. Codes are cached.

        The first 256 numbers are for the network, the last 9 the picture's tones (`style_core.media.tones`). A picture that is
        enlarged for this, or was before, is read almost as if it had been larger (`StyleNet.sharpened`).
        """
        sized, share = style_at_scale(style, scale), true_share(style, scale)

        def encode() -> Tensor:
            code = self.code_of(self._encode(sized)[2], tones_of(sized))
            return torch.cat([self._sharpened(code[:, :CODE_SIZE], share), code[:, CODE_SIZE:]], 1)

        return self._styles.get((digest_of(sized), share), encode)

    def encode_content(self, photo: Tensor, *, remember: bool = True) -> EncodedPhoto:
        """Encode a photo `[3, H, W]`, both sides at least 16 px.

        Args:
            remember: cache the encoding; not for frames of a film, which don't come back.
        """

        def encode() -> EncodedPhoto:
            padded, features, moments = self._encode(photo)
            return EncodedPhoto(photo, padded, features, moments, self.code_of(moments, tones_of(photo)))

        return self._photos.get((digest_of(photo), photo.shape), encode, lambda encoded: encoded.bytes) if remember else encode()

    def cached(self, photo: Tensor) -> EncodedPhoto | None:
        """The encoding of a photo `[3, H, W]` if it is cached."""
        return self._photos.find((digest_of(photo), photo.shape))

    def adjusted(self, photo: Tensor, codes: Sequence[Tensor], *, remember: bool = True) -> list[Tensor]:
        """Styles' codes `[1, 265]`, each moved by what a first, small result on the photo `[3, H, W]` misses of it.

        The first result is encoded like a style picture; where its code falls short of the style's, more is asked for. So the
        network sees its own result before it paints the one that counts; less so where the photo would be lost. Adjustments are cached.

        Args:
            remember: as in `encode_content`.
        """
        if not float(self.net.style.feedback):
            return list(codes)
        small = reduced(photo)
        return [self._adjusted.get((digest_of(small), digest_of(code)), lambda: self._closer(small, code, remember)) for code in codes]

    def _closer(self, small: Tensor, code: Tensor, remember: bool) -> Tensor:
        encoded = self.encode_content(small, remember=remember)
        *_, (_, _, first) = self.paint(encoded, [code])
        assert first is not None  # the last one is the whole picture
        seen = self.encode_content(first, remember=False)
        lost = float(relative_distance(seen.features[_FEEDBACK_LEVEL], encoded.features[_FEEDBACK_LEVEL]))
        share = float(self.net.style.feedback) * min(1.0, max(0.0, (_FEEDBACK_ENDS - lost) / (_FEEDBACK_ENDS - _FEEDBACK_FADES)))
        missed = share * (code - seen.code)[:, :CODE_SIZE]
        limit = _MOST_ADJUSTED * (code - encoded.code)[:, :CODE_SIZE].norm()
        moved = code.clone()
        moved[:, :CODE_SIZE] += missed * (limit / missed.norm().clamp_min(1e-9)).clamp_max(1)
        return moved

    @torch.no_grad()
    def _sharpened(self, code: Tensor, true_share: float) -> Tensor:
        return self.net.style.sharpened(code.to(self.compute.device), true_share).cpu()

    @torch.no_grad()
    def code_of(self, moments: Moments, tones: Tensor) -> Tensor:
        """The code of a picture whose features have these moments, and whose colors these tones `[9]`: `[1, 265]`, on the CPU."""
        return torch.cat([self.net.style.encode(moments).cpu(), tones[None]], 1)

    @torch.no_grad()
    def paint(
        self, encoded: EncodedPhoto, codes: Sequence[Tensor], shares: Sequence[float] | None = None, strength: float = 1.0,
        masks: Sequence[Tensor | None] | None = None, carry: Callable[[Tensor], Tensor] | None = None, outside: float = 0.0,
    ) -> Iterator[tuple[int, int, Tensor | None]]:  # fmt: skip
        """Paint an encoded photo; yields tiles done, tiles in all, and at the end the result `[3, H, W]`, on the CPU.

        Args:
            codes: `[1, 265]` each.
            shares: weights of the codes; None weighs them equally.
            strength: 0 returns the photo, bit for bit; 1 is the style; more extrapolates beyond it.
            masks: for each code the region it covers, `[1, h, w]`, or None for the area outside all masks. A code without a share covers
                nothing, and where masks overlap, codes are mixed by their shares.
            carry: given the tones of what the network painted, returns those to go by; for the frames of a film.
            outside: strength outside all masks if every code has one, of all codes mixed.
        """
        if strength == 0 and outside == 0:
            yield 1, 1, encoded.photo.clone()
            return
        values, strengths, regions = self._modulated(encoded, codes, style_shares(shares, len(codes)), (strength, outside), masks)
        modulation = StyleModulation(self.net.style(values[:, :CODE_SIZE].to(self.compute.device)), regions)
        pieces = (
            self._tiled(encoded, modulation)
            if encoded.tiled
            else iter([(1, 1, self.net(encoded.padded, encoded.features, encoded.moments, modulation))])
        )
        for done, total, painted in pieces:
            if painted is None:
                yield done, total, None
        assert painted is not None  # the last yield carries the whole picture
        height, width = encoded.photo.shape[-2:]
        result = painted[0, :, :height, :width].float().cpu()
        areas = None if regions is None else regions[:, :, :height, :width].cpu()
        result = _in_tones(result, values[:, CODE_SIZE:], areas, carry or (lambda tones: tones))
        faded = [min(1.0, each / FADE) for each in strengths]
        shown = faded[0] if areas is None else sum((area * share for area, share in zip(areas, faded)), torch.zeros_like(areas[0]))
        yield total, total, torch.lerp(encoded.photo, result, torch.as_tensor(shown, dtype=torch.float32)).clamp(0, 1)

    @torch.no_grad()
    def _encode(self, image: Tensor) -> tuple[Tensor, dict[str, Tensor], Moments]:
        height, width = image.shape[-2:]
        if min(height, width) < STRIDE:
            raise RequestError(
                "{file} is {width} x {height} px; it must be at least {least} px on each side.",
                file="The picture",
                width=width,
                height=height,
                least=STRIDE,
            )
        # The deepest level needs two positions to be padded by reflection.
        right, below = (max(-side % STRIDE, 2 * STRIDE - side) for side in (width, height))
        mode = "reflect" if right < width and below < height else "replicate"
        padded = functional.pad(image[None].float(), (0, right, 0, below), mode=mode).to(self.compute.device)
        if max(padded.shape[-2:]) <= self.tile:
            features = self.net.encode(padded)
            return padded, features, Moments.of(features)
        return padded, *self._encode_tiled(padded)

    def _encode_tiled(self, padded: Tensor) -> tuple[dict[str, Tensor], Moments]:
        """Coarse features of the whole picture and moments of all levels, computed tile by tile."""
        means: dict[str, Tensor] = {}
        grams: dict[str, Tensor] = {}
        whole: dict[str, Tensor] = {}
        count = padded.shape[-2] * padded.shape[-1]
        for core in _tiles(padded.shape[-2:], self.tile):
            outer = core.grown(_ENCODE_HALO, padded.shape[-2:])
            features = self.net.encode(outer.of(padded))
            share = core.height * core.width / count
            for index, level in enumerate(LEVELS):
                stride = 2**index
                inner = core.within(outer).of(features[level], stride)
                mean, gram = Moments.of_one(inner)
                means[level] = means.get(level, 0) + share * mean
                grams[level] = grams.get(level, 0) + share * gram
                if level in _COARSE_LEVELS:
                    if level not in whole:
                        size = [side // stride for side in padded.shape[-2:]]
                        whole[level] = inner.new_empty(1, inner.shape[1], *size).to(memory_format=self.compute.memory_format)
                    core.of(whole[level], stride).copy_(inner)
        return whole, Moments(means, grams)

    def _tiled(self, encoded: EncodedPhoto, modulation: StyleModulation) -> Iterator[tuple[int, int, Tensor | None]]:
        size = encoded.padded.shape[-2:]
        coarse = self.net.coarse(encoded.features, encoded.moments, modulation)
        tiles = list(_tiles(size, self.tile))
        canvas = torch.empty(1, 3, *size)
        for index, core in enumerate(tiles):
            yield index, len(tiles), None
            outer = core.grown(_FINE_HALO, size)
            batch = outer.of(encoded.padded)
            features = self.net.encode(batch, LEVELS[:2])
            local = modulation.crop(*outer.slices())
            painted = self.net.fine(outer.of(coarse, 4), features, batch, encoded.moments, local)
            core.of(canvas).copy_(core.within(outer).of(painted))
        yield len(tiles), len(tiles), canvas

    def _modulated(
        self,
        encoded: EncodedPhoto,
        codes: Sequence[Tensor],
        shares: Sequence[float],
        strengths: tuple[float, float],
        masks: Sequence[Tensor | None] | None,
    ) -> tuple[Tensor, list[float], Tensor | None]:
        """Codes at their strengths, `[S, 265]`, these, and the area of each, `[S, 1, H, W]`, or None for the whole picture.

        Args:
            strengths: of the codes, and outside all masks if every code has one.
        """
        masks = masks or [None] * len(codes)
        claimed = [(index, mask) for index, mask in enumerate(masks) if mask is not None and shares[index]]
        # The area outside all masks has the codes without one; if there are none, all of them at the other strength.
        free = [index for index, mask in enumerate(masks) if mask is None and shares[index]]
        strength, outside = strengths if not free else (strengths[0], strengths[0])
        rest = free or [index for index, _ in claimed]
        mixed = torch.stack([shares[index] * codes[index] for index in rest]).sum(0) / sum(shares[index] for index in rest)
        if not claimed:
            return _at_strength(encoded.code, mixed, strength), [strength], None
        each = [outside] + [strength] * len(claimed)
        values = [_at_strength(encoded.code, code, share) for code, share in zip([mixed, *(codes[index] for index, _ in claimed)], each)]
        guides = [self._guide(mask, encoded) for _, mask in claimed]
        total = torch.stack(guides).sum(0)
        parts = divided(guides, [shares[index] for index, _ in claimed])
        return torch.cat(values), each, torch.cat([(1 - total).clamp_min(0), *parts])

    def _guide(self, mask: Tensor, encoded: EncodedPhoto) -> Tensor:
        """A mask at the padded picture's size, with softened edges, `[1, 1, H, W]`."""
        height, width = encoded.photo.shape[-2:]
        sized = functional.interpolate(mask[None].float(), (height, width), mode="bilinear", antialias=True, align_corners=False)
        reach = max(1, round(_SOFT_EDGE * max(height, width)))
        soft = functional.avg_pool2d(functional.pad(sized, (reach,) * 4, mode="replicate"), 2 * reach + 1, stride=1)
        padded_height, padded_width = encoded.padded.shape[-2:]
        return (
            functional.pad(soft, (0, padded_width - width, 0, padded_height - height), mode="replicate").clamp(0, 1).to(self.compute.device)
        )


def reduced(image: Tensor) -> Tensor:
    """An image `[3, H, W]` at the size of first results, or as it is if it is smaller."""
    return fit_short(image, FIRST_SIDE) if min(image.shape[-2:]) > FIRST_SIDE else image


def _at_strength(own: Tensor, code: Tensor, strength: float) -> Tensor:
    """A code between the photo's and the style's. Beyond 1 it is extrapolated, except its tones: no picture has those."""
    network, tones = code[:, :CODE_SIZE], code[:, CODE_SIZE:]
    between = torch.lerp(own[:, CODE_SIZE:], tones, min(1.0, strength))
    return torch.cat([torch.lerp(own[:, :CODE_SIZE], network, strength), between], 1)


def _in_tones(image: Tensor, wanted: Tensor, areas: Tensor | None, carry: Callable[[Tensor], Tensor]) -> Tensor:
    """What the network has painted, `[3, H, W]`, moved toward the tones `[S, 9]` of its styles, each in its area `[S, 1, H, W]`."""
    if areas is None:
        return toned(image, carry(tones_of(image)), wanted[0], _TONED)
    return sum((area * toned(image, tones_of(image, area), tones, _TONED) for tones, area in zip(wanted, areas)), torch.zeros_like(image))


def _tiles(size: Sequence[int], side: int) -> Iterator[Box]:
    height, width = size
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield Box(top, left, min(side, height - top), min(side, width - left))
