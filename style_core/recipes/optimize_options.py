"""Options of `optimize`."""

from dataclasses import dataclass

from style_core.media.color import painting_color_option
from style_core.media.reading import LARGEST_SIDE
from style_core.networks.backbones import extractor_option
from style_core.networks.extractor import POOLINGS
from style_core.optimization.descent import OPTIMIZERS
from style_core.optimization.objective import STYLE_LOSSES
from style_core.options import SEEDS, Options, Range, option

INITS = ("content", "style", "noise", "generator")


@dataclass(frozen=True)
class Preset:
    """Weights of layers; only their ratios matter.

    Attributes:
        style: weights of the network's five style layers, from fine to coarse.
        content: the layer at which the photo is compared; None is the network's default.
        loss: the style loss, if options leave it to the preset.
    """

    style: tuple[float, float, float, float, float]
    content: str | None = None
    loss: str = "gram"


PRESETS = {
    "gatys-2016": Preset((1, 1, 1, 1, 1)),
    "coarse-to-fine": Preset((1.0, 0.75, 0.2, 0.2, 0.2)),
    "shallow-heavy": Preset((256, 64, 16, 4, 1)),  # as in Crowson's style-transfer-pytorch
    "deep-content": Preset((1, 1, 1, 1, 1), "relu5_2"),
    "portrait": Preset((1, 1, 1, 1, 1), loss="transport"),  # keeps faces best: benchmarks/losses.md
}


@dataclass(frozen=True)
class OptimizeOptions(Options):
    """Optimize a picture against VGG features (Gatys, Ecker, Bethge 2016)."""

    size: int = option(512, "Long side of the result.", Range(64, LARGEST_SIDE, 32, "px"))
    iterations: int = option(200, "Optimizer steps; you can stop at any step and keep the picture.", Range(1, 3000, 1))
    strength: float = option(0.5, "0 keeps the photo, 1 keeps only the style.", Range(0, 1, 0.01))
    color: str = painting_color_option()
    outside: float = option(0.0, "Strength outside the painted areas; 0 keeps the photo there.", Range(0, 1, 0.01))
    style_scale: float = option(1.0, "Size of the strokes: 1 uses the style picture at the size of the result.", Range(0.25, 4, 0.05))
    extractor: str = extractor_option()
    preset: str = option("gatys-2016", "Layer weights; portrait preserves faces, by optimal transport.", tuple(PRESETS), expert=True)
    optimizer: str = option("lbfgs", "L-BFGS needs fewer steps, Adam less memory.", OPTIMIZERS, expert=True)
    init: str = option("content", "What the picture starts from.", INITS, expert=True)
    pyramid: bool = option(True, "Paint at small sizes first: large strokes form early and quickly.", expert=True)
    seed: int = option(0, "Random seed of the noise, if the picture starts from noise.", SEEDS, expert=True)
    style_loss: str = option(
        "preset",
        "How styles are compared: as the preset says, by Gram matrices, by mean and covariance (Wasserstein-2 between Gaussians), by "
        "nearest neighbors (NNST), by relaxed optimal transport (STROTSS), or by sliced optimal transport.",
        ("preset", *STYLE_LOSSES),
        expert=True,
    )
    pooling: str = option("max", "Pooling of VGG networks; lite always averages.", POOLINGS, expert=True)
    tv_weight: float = option(0.0, "Weight of total variation: higher is smoother.", Range(0, 100, 0.1), expert=True)
    averaging: float = option(
        0.0, "Decay of the running average of the iterates; 0 uses the best iterate.", Range(0, 0.999, 0.001), expert=True
    )
    learning_rate: float = option(0.02, "Adam's step, in pixel values from 0 to 1.", Range(0.001, 0.5, 0.001), expert=True)
    content_layers: str = option("", "Layers and weights instead of the preset's, such as relu4_2 or relu3_2:0.3 relu4_2:1.", expert=True)
    style_layers: str = option("", "Layers and weights instead of the preset's, such as relu1_1:1 relu2_1:0.75.", expert=True)
    dream: str = option("", "Layers and channels to dream of while painting, such as relu4_2 or relu4_2[12,40].", expert=True)
    dream_weight: float = option(10.0, "Weight of the dream relative to content and style.", Range(0, 100, 0.1), expert=True)
    alpha: float = option(0.0, "Weight of the content term; alpha and beta together replace strength.", Range(0, 1e6, 0.1), expert=True)
    beta: float = option(0.0, "Weight of the style term; alpha and beta together replace strength.", Range(0, 1e6, 0.1), expert=True)

    @property
    def loss(self) -> str:
        """The style loss, one of `STYLE_LOSSES`."""
        return PRESETS[self.preset].loss if self.style_loss == "preset" else self.style_loss
