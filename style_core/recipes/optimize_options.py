"""What `optimize` can be asked for, and the weights of layers and terms that follow from it."""

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
    """A weighting of layers, of which only the ratios count.

    Attributes:
        style: for the network's five style layers, from fine to coarse.
        content: the layer that is compared with the photo; None is the network's own.
        loss: how styles are compared where options leave that to the preset.
    """

    style: tuple[float, float, float, float, float]
    content: str | None = None
    loss: str = "gram"


PRESETS = {
    "gatys-2016": Preset((1, 1, 1, 1, 1)),
    "coarse-to-fine": Preset((1.0, 0.75, 0.2, 0.2, 0.2)),
    "shallow-heavy": Preset((256, 64, 16, 4, 1)),  # as Crowson's style-transfer-pytorch
    "deep-content": Preset((1, 1, 1, 1, 1), "relu5_2"),
    "portrait": Preset((1, 1, 1, 1, 1), loss="transport"),  # keeps faces best: benchmarks/losses.md
}

# Style strength s weighs content by 1 - s and style by s times this. Measured by benchmarks/optimize.py: at the default
# strength both evaluated distances are where a painting is wanted.
STYLE_GAIN = 15.0
# What that times a style loss's own gain is: those other than Gram matrices keep as much of the photo at the same strength, as
# measured by benchmarks/losses.py.
LOSS_GAINS = {"gram": 1.0, "covariance": 1.0, "nearest": 0.4, "transport": 0.2, "sliced": 4.0}
_MOST_WEIGHT = 1e9  # of a layer beside the others


@dataclass(frozen=True)
class OptimizeOptions(Options):
    """Optimize a picture against VGG features (Gatys, Ecker, Bethge 2016)."""

    size: int = option(512, "Long side of the result.", Range(64, 12288, 32, "px"))
    iterations: int = option(200, "Optimizer steps; the picture can be stopped at any of them.", Range(1, 3000, 1))
    strength: float = option(0.5, "0 keeps the photo, 1 keeps only the style.", Range(0, 1, 0.01))
    color: str = option(
        "style",
        "Colors of the style, the photo's own, the style's matched to the photo's, or exactly the style's palette.",
        PAINTING_COLORS,
    )
    style_scale: float = option(1.0, "Size of the strokes: 1 shows the style picture as large as the result.", Range(0.25, 4, 0.05))
    extractor: str = option(
        "auto",
        "Feature network: vgg19 is the reference, lite the compact one that ships; auto takes vgg19 where it can be had.",
        EXTRACTORS,
    )
    preset: str = option("gatys-2016", "Weights of the layers; portrait keeps faces by optimal transport.", tuple(PRESETS), expert=True)
    optimizer: str = option("lbfgs", "L-BFGS needs fewer steps, Adam less memory.", OPTIMIZERS, expert=True)
    init: str = option("content", "Where the picture starts from.", INITS, expert=True)
    pyramid: bool = option(True, "Paint small first, then larger: big strokes form early and cheaply.", expert=True)
    seed: int = option(0, "Of the noise that the picture may start from.", Range(0, 2**31 - 1, 1), expert=True)
    style_loss: str = option(
        "preset",
        "How styles are compared: as the preset has it, by Gram matrices, mean and covariance (Wasserstein-2 between Gaussians), each "
        "place with its nearest one (NNST), relaxed optimal transport (STROTSS), or sliced optimal transport.",
        ("preset", *STYLE_LOSSES),
        expert=True,
    )
    pooling: str = option("max", "Pooling of VGG networks; lite averages in any case.", POOLINGS, expert=True)
    tv_weight: float = option(0.0, "Weight of total variation: higher is smoother.", Range(0, 100, 0.1), expert=True)
    averaging: float = option(0.0, "Decay of the average over the iterates; 0 takes the best one.", Range(0, 0.999, 0.001), expert=True)
    learning_rate: float = option(0.02, "Adam's step, in pixel values from 0 to 1.", Range(0.001, 0.5, 0.001), expert=True)
    content_layers: str = option("", "Layers and weights instead of the preset's, such as relu4_2 or relu3_2:0.3 relu4_2:1.", expert=True)
    style_layers: str = option("", "Layers and weights instead of the preset's, such as relu1_1:1 relu2_1:0.75.", expert=True)
    dream: str = option("", "What to dream of while painting: layers and channels, such as relu4_2 or relu4_2[12,40].", expert=True)
    dream_weight: float = option(10.0, "Weight of the dream beside content and style.", Range(0, 100, 0.1), expert=True)
    alpha: float = option(0.0, "Weight of the content term; with beta, instead of strength.", Range(0, 1e6, 0.1), expert=True)
    beta: float = option(0.0, "Weight of the style term; with alpha, instead of strength.", Range(0, 1e6, 0.1), expert=True)

    @property
    def loss(self) -> str:
        """The style loss, one of `STYLE_LOSSES`."""
        return PRESETS[self.preset].loss if self.style_loss == "preset" else self.style_loss


def balance_of(options: OptimizeOptions) -> Balance:
    """The weights that options ask for; with the extractor left open, for networks that have VGG-19's layers.

    Raises:
        RequestError: for unknown layers or weights that are no numbers.
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
    """What to dream of, in weights that sum to the dream's own."""
    if not options.dream or not options.dream_weight:
        return ()
    terms = parse_terms(options.dream)
    total = sum(term.weight for term in terms)
    return tuple(replace(term, weight=options.dream_weight * term.weight / total) for term in terms)


def for_network(balance: Balance, name: str, options: OptimizeOptions) -> Balance:
    """A balance made for VGG-19, as the network `name` needs it; weights given as alpha and beta are left alone."""
    if name not in BACKBONES or options.alpha or options.beta:
        return balance
    own = BACKBONES[name]
    style = {layer: own.style_gain * weight for layer, weight in balance.style.items()}
    return replace(balance, style=style, tv=balance.tv + own.smoothness)


def parse_layers(text: str) -> dict[str, float]:
    """`relu3_2:0.3 relu4_2` -> weights by layer; a layer without a weight has 1.

    Raises:
        RequestError: for an unknown layer, a weight that is no positive number, or no layer at all.
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
    """Weights that sum to `total`; a layer that weighs nothing is left out, and not computed."""
    return {layer: total * weight / sum(weights.values()) for layer, weight in weights.items() if total}
