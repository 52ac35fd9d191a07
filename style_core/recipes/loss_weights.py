"""From the options of `optimize` to the weights of its loss: strength, presets, layers."""

from dataclasses import replace

from style_core.errors import RequestError
from style_core.networks.backbones import BACKBONES
from style_core.optimization.deepdream import Term
from style_core.optimization.objective import LossWeights
from style_core.recipes.dream import parse_terms
from style_core.recipes.optimize_options import PRESETS, OptimizeOptions

# Style strength s weighs content by 1 - s and style by s times this. Chosen with benchmarks/optimize.py, so that the default
# strength gives a painting with recognizable content.
STYLE_GAIN = 15.0
# Further factors by style loss, chosen with benchmarks/losses.py, so that all losses keep as much of the photo at the same
# strength.
LOSS_GAINS = {"gram": 1.0, "covariance": 1.0, "nearest": 0.4, "transport": 0.2, "sliced": 4.0}
# With another strength outside the painted areas, the most that either counts: one content term holds both.
_MOST_BESIDE = 0.95


def loss_weights_of(options: OptimizeOptions) -> LossWeights:
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
        strength = min(_MOST_BESIDE, max(options.strength, options.outside)) if options.outside else options.strength
        alpha, beta = 1 - strength, STYLE_GAIN * LOSS_GAINS[options.loss] * strength
    return LossWeights(_scaled(content, alpha), _scaled(style, beta), options.tv_weight, _dream_terms(options))


def area_shares(options: OptimizeOptions) -> tuple[float, float]:
    """How much of the style's weight counts inside and outside the painted areas, in `[0, 1]`.

    A strength is the ratio of style to content. The content's weight is the same everywhere, so the larger of the two strengths makes
    the weights, and the other area gets a share of the style's. Where alpha and beta are given, their ratio stands for the strength
    inside, and outside the style counts at most as much.
    """
    if not options.outside:
        return 1.0, 0.0
    inside, outside = _ratio(options.strength), _ratio(options.outside)
    if options.alpha or options.beta:
        strongest = _ratio(_MOST_BESIDE)  # also without a content term
        inside = options.beta / options.alpha / (STYLE_GAIN * LOSS_GAINS[options.loss]) if options.alpha else strongest
        return 1.0, min(1.0, outside / inside) if inside else 0.0
    return inside / max(inside, outside), outside / max(inside, outside)


def _ratio(strength: float) -> float:
    strength = min(_MOST_BESIDE, strength)
    return strength / (1 - strength)


def _dream_terms(options: OptimizeOptions) -> tuple[Term, ...]:
    """The dream's terms, with weights that sum to the dream's weight."""
    if not options.dream or not options.dream_weight:
        return ()
    terms = parse_terms(options.dream)
    total = sum(term.weight for term in terms)
    return tuple(replace(term, weight=options.dream_weight * term.weight / total) for term in terms)


def for_network(loss_weights: LossWeights, name: str, options: OptimizeOptions) -> LossWeights:
    """Weights made for VGG-19, corrected for the network `name`; weights given as alpha and beta are not changed."""
    if name not in BACKBONES or options.alpha or options.beta:
        return loss_weights
    own = BACKBONES[name]
    style = {layer: own.style_gain * weight for layer, weight in loss_weights.style.items()}
    return replace(loss_weights, style=style, tv=loss_weights.tv + own.smoothness)


def parse_layers(text: str) -> dict[str, float]:
    """`relu3_2:0.3 relu4_2` -> weights by layer; a layer without a weight has 1.

    Raises:
        RequestError: as of `parse_terms`, and for channels, because layers are compared as a whole.
    """
    terms = parse_terms(text)
    for term in terms:
        if term.channels:
            raise RequestError("{layer} is compared as a whole; leave out its channels.", layer=term.layer)
    return {term.layer: term.weight for term in terms}


def _scaled(weights: dict[str, float], total: float) -> dict[str, float]:
    """Weights that sum to `total`; layers with weight 0 are left out and not computed."""
    return {layer: total * weight / sum(weights.values()) for layer, weight in weights.items() if total}
