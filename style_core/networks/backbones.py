"""BACKBONES: the table of feature networks. Options, weights, estimates, the studio and the shell walk it.

A network is one entry here, and one in `models/registry.toml`, which says where its file comes from.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from style_core.devices import Compute
from style_core.networks import resnet, vgg19
from style_core.networks.costs import Shape, VggShape
from style_core.networks.extractor import FeatureExtractor, vgg_extractor
from style_core.networks.resnet import ResNetShape, resnet_extractor
from style_core.networks.vgg19 import CONTENT_LAYER, LITE_WIDTHS, STYLE_LAYERS, VGG16_DEPTHS, VGG19_WIDTHS, layers_of, pooling_of
from style_core.options import option


@dataclass(frozen=True)
class Backbone:
    """A feature network.

    Attributes:
        name: as options, settings and the registry have it.
        title: as people write it.
        layers: the layers it has, under VGG-19's names.
        shape: computes its cost.
        tensors: `tensors(deepest)`: names and shapes of the tensors up to a layer, as the hub's file has them.
        build: `build(tensors, compute, pooling, own_pooling)`: the extractor, as deep as the tensors go.
        style_layers: five layers from fine to coarse, whose weights the presets set.
        content_layer: the layer at which presets compare with the photo.
        style_gain, smoothness: corrections that make it paint as VGG-19 does: the style weights are multiplied by the first,
            and the second is added to the weight of total variation.
    """

    name: str
    title: str
    layers: tuple[str, ...]
    shape: Shape
    tensors: Callable[[str], dict[str, tuple[int, ...]]]
    build: Callable[[Mapping[str, Tensor], Compute, str, str], FeatureExtractor]
    style_layers: tuple[str, ...] = STYLE_LAYERS
    content_layer: str = CONTENT_LAYER
    style_gain: float = 1.0
    smoothness: float = 0.0

    def load(self, path: Path, compute: Compute, pooling: str = "max") -> FeatureExtractor:
        """The extractor of a safetensors file.

        Raises:
            RequestError: when the file's tensors are not such a network.
        """
        return self.build(load_file(path), compute, pooling, pooling_of(path))


def _vgg(
    name: str,
    title: str,
    *,
    widths: tuple[int, ...] = VGG19_WIDTHS,
    depths: tuple[int, ...] = vgg19.BLOCK_DEPTHS,
    style_gain: float = 1.0,
    smoothness: float = 0.0,
) -> Backbone:
    def build(tensors: Mapping[str, Tensor], compute: Compute, pooling: str, own_pooling: str) -> FeatureExtractor:
        return vgg_extractor(name, tensors, compute, pooling, own_pooling=own_pooling, depths=depths)

    tensors = partial(vgg19.tensor_shapes, depths=depths)
    return Backbone(name, title, layers_of(depths), VggShape(widths, depths), tensors, build, style_gain=style_gain, smoothness=smoothness)


BACKBONES = {
    backbone.name: backbone
    for backbone in (
        _vgg("vgg19", "VGG-19"),
        # lite responds weakly to fine grain. models/lite.md says how these were chosen.
        _vgg("lite", "lite", widths=LITE_WIDTHS, style_gain=1.6, smoothness=2.0),
        _vgg("vgg16", "VGG-16", depths=VGG16_DEPTHS),
        Backbone(
            "resnet50",
            "ResNet-50",
            tuple(resnet.BLOCK_OF),
            ResNetShape(),
            resnet.tensor_shapes,
            lambda tensors, compute, pooling, own_pooling: resnet_extractor(tensors, compute),
            style_layers=resnet.STYLE_LAYERS,
        ),
    )
}
EXTRACTORS = ("auto", *BACKBONES)


def extractor_option() -> Any:
    """The option `extractor` of recipes that optimize a picture."""
    return option(
        "auto",
        "Feature network: vgg19 is the reference, lite the smaller built-in one; auto uses vgg19 if it is available.",
        EXTRACTORS,
    )
