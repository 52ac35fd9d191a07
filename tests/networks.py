"""Small networks with random weights, for tests of what must hold for any weights."""

from collections.abc import Callable, Iterator

import torch

from style_core.devices import Compute
from style_core.media.tones import tones_of
from style_core.networks import resnet
from style_core.networks.extractor import FeatureExtractor, vgg_layers

FP32 = Compute.choose("cpu", "fp32")


def made_up_code() -> torch.Tensor:
    """The code `[1, 265]` of a style that no picture has, with the colors of a smooth one."""
    return torch.cat([torch.linspace(-1, 1, 256), tones_of(picture(64, 64, seed=9))])[None]


def random_extractor(compute: Compute = FP32, pooling: str = "max", width: int = 8) -> FeatureExtractor:
    """A VGG-shaped network `width` channels wide, the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        trunk = vgg_layers([width] * 5)
        for layer in trunk:
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return FeatureExtractor("random", trunk, compute, pooling)


def opener_of(extractor: FeatureExtractor) -> Callable[..., Iterator[str]]:
    """Stands for `open_extractor`: opens this network, whatever is asked for."""

    def opened(choice, layers, compute, pooling="max"):
        yield from ()
        return extractor, ""

    return opened


def drawn_vgg(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights of a VGG network of any depth, after He et al. (2015)."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(shape, generator=generator) * (2 / (9 * shape[1])) ** 0.5 if len(shape) == 4 else torch.zeros(shape)
        for name, shape in shapes.items()
    }


def drawn_resnet(deepest: str = "relu5_2", seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights of a trained network's sizes: He's for convolutions, means and variances as of activations."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in resnet.tensor_shapes(deepest).items():
        if len(shape) == 4:
            fan_in = shape[1] * shape[2] * shape[3]
            tensors[name] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
        elif name.endswith("running_var"):
            tensors[name] = 0.5 + torch.rand(shape, generator=generator)
        elif name.endswith("weight"):
            tensors[name] = 0.5 + 0.5 * torch.rand(shape, generator=generator)
        else:
            tensors[name] = 0.1 * torch.randn(shape, generator=generator)
    return tensors


def picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """A smooth random image `[3, H, W]`: blobs of color rather than noise."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 6, 6, generator=generator)
    fine = torch.rand(1, 3, height, width, generator=generator)
    blobs = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False)
    return (0.85 * blobs + 0.15 * fine)[0].clamp(0, 1)
