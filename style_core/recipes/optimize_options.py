"""Options of `optimize`, and the weights of layers and terms that follow from them."""

from dataclasses import dataclass, replace

from style_core.errors import RequestError
from style_core.media.color import PAINTING_COLORS
from style_core.networks.backbones import BACKBONES, EXTRACTORS
from style_core.networks.extractor import POOLINGS, layer_name
from style_core.optimization.deepdream import Term
from style_core.optimization.descent import OPTIMIZERS
from style_core.optimization.objective import STYLE_LOSSES, Balance
from style_core.options import Options, Range, option
from style_core.recipes.dream import parse_terms

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

# Style strength s weighs content by 1 - s and style by s times this. Chosen with benchmarks/optimize.py, so that the default
# strength gives a painting with recognizable content.
STYLE_GAIN = 15.0
# Further factors by style loss, chosen with benchmarks/losses.py, so that all losses keep as much of the photo at the same
# strength.
LOSS_GAINS = {"gram": 1.0, "covariance": 1.0, "nearest": 0.4, "transport": 0.2, "sliced": 4.0}
_MOST_WEIGHT = 1e9  # of a layer relative to the others


@dataclass(frozen=True)
class OptimizeOptions(Options):
    """Optimize a picture against VGG features (Gatys, Ecker, Bethge 2016)."""

    size: int = option(512, "Long side of the result.", Range(64, 12288, 32, "px"))
    iterations: int = option(200, "Optimizer steps; you can stop at any step and keep the picture.", Range(1, 3000, 1))
    strength: float = option(0.5, "0 keeps the photo, 1 keeps only the style.", Range(0, 1, 0.01))
    color: str = option(
        "style",
        "Colors of the style, of the photo, of the style matched to the photo, or exactly the style's palette.",
        PAINTING_COLORS,
    )
    style_scale: float = option(1.0, "Size of the strokes: 1 uses the style picture at the size of the result.", Range(0.25, 4, 0.05))
    extractor: str = option(
        "auto",
        "Feature network: vgg19 is the reference, lite the compact one that ships; auto uses vgg19 if it is available.",
        EXTRACTORS,
    )
    preset: str = option("gatys-2016", "Layer weights; portrait preserves faces, by optimal transport.", tuple(PRESETS), expert=True)
    optimizer: str = option("lbfgs", "L-BFGS needs fewer steps, Adam less memory.", OPTIMIZERS, expert=True)
    init: str = option("content", "What the picture starts from.", INITS, expert=True)
    pyramid: bool = option(True, "Paint at small sizes first: large strokes form early and quickly.", expert=True)
    seed: int = option(0, "Random seed of the noise, if the picture starts from noise.", Range(0, 2**31 - 1, 1), expert=True)
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


def balance_of(options: OptimizeOptions) -> Balance:
    """The weights from options; if the extractor is left open, for networks with VGG-19's layers.

    Raises:
        RequestError: for unknown layers or invalid weights.
    """
    preset, backbone = PRESETS[options.preset], BACKBONES["vgg19" if options.extractor == "auto" else options.extractor]
    content, style = {preset.content or backbone.content_layer: 1.0}, dict(zip(backbone.style_layers, preset.style, strict=True))
    content = parse_layers(options.content_layers) if options.content_layers else content
    style = parse_layers(options.style_layers) if options.style_layers else style
    if options.alpha or options.beta:
        alpha, beta = options.alpha, options.beta
    else:
        alpha, beta = 1 - options.strength, STYLE_GAIN * LOSS_GAINS[options.loss] * options.strength
    return Balance(_scaled(content, alpha), _scaled(style, beta), options.tv_weight, _dream_terms(options))


def _dream_terms(options: OptimizeOptions) -> tuple[Term, ...]:
    """The dream's terms, with weights that sum to the dream's weight."""
    if not options.dream or not options.dream_weight:
        return ()
    terms = parse_terms(options.dream)
    total = sum(term.weight for term in terms)
    return tuple(replace(term, weight=options.dream_weight * term.weight / total) for term in terms)


def for_network(balance: Balance, name: str, options: OptimizeOptions) -> Balance:
    """A balance made for VGG-19, corrected for the network `name`; weights given as alpha and beta are not changed."""
    if name not in BACKBONES or options.alpha or options.beta:
        return balance
    own = BACKBONES[name]
    style = {layer: own.style_gain * weight for layer, weight in balance.style.items()}
    return replace(balance, style=style, tv=balance.tv + own.smoothness)


def parse_layers(text: str) -> dict[str, float]:
    """`relu3_2:0.3 relu4_2` -> weights by layer; a layer without a weight has 1.

    Raises:
        RequestError: for an unknown layer, a weight that is not positive, or no layer at all.
    """
    layers = {}
    for item in text.replace(",", " ").split():
        name, _, weight = item.partition(":")
        try:
            value = float(weight or 1)
        except ValueError:
            value = float("nan")
        if not 0 < value <= _MOST_WEIGHT:
            raise RequestError("The weight in {item} must be positive; write it like {layer}:0.5.", item=item[:60], layer=name[:60])
        layers[layer_name(name)] = value
    if not layers:
        raise RequestError("No layer is given; write them like relu3_1 relu4_1:0.5.")
    return layers


def _scaled(weights: dict[str, float], total: float) -> dict[str, float]:
    """Weights that sum to `total`; layers with weight 0 are left out and not computed."""
    return {layer: total * weight / sum(weights.values()) for layer, weight in weights.items() if total}
