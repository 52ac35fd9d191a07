"""A dream inside a painting: a loss term that falls as chosen layers or channels respond more strongly than to the photo."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from style_core.networks.extractor import FeatureExtractor, in_metric
from style_core.networks.vgg19 import layer_name
from style_core.optimization.deepdream import DreamObjective, Term

_FAINTEST = 0.01  # of a layer's mean response: the least that a channel's response to the photo counts as
_EPSILON = 1e-12


class DreamTerm:
    """`sum_t w_t 2 a_t / (a_t + A_t)`, with a term's mean response `A_t` (see `DreamObjective`) and `a_t`, that to the photo.

    It is `sum_t w_t` for the photo and falls toward 0 as the dream grows. The logarithm that Dream uses is unbounded and would
    outgrow the content and style terms.

    Args:
        extractor: the network.
        terms: what to amplify, with weights.
        cores: the photo's features in parts, each `[1, C, h, w]` by layer, in the extractor's own channels and unsmoothed.
    Raises:
        RequestError: for a layer or channel that the network doesn't have.
    """

    def __init__(self, extractor: FeatureExtractor, terms: Sequence[Term], cores: Iterable[Mapping[str, Tensor]]):
        DreamObjective(extractor, terms)  # which checks them
        self.terms = tuple(terms)
        self._metrics = extractor.metrics
        device = extractor.compute.device
        self._weights = torch.tensor([term.weight for term in terms], device=device)
        plain, whole = (torch.zeros(len(terms), device=device) for _ in range(2))
        for features in cores:
            plain += self.sums(features)
            whole += torch.stack([self._response(features, Term(term.layer)) for term in terms])
        self._plain = torch.maximum(plain, _FAINTEST * whole).clamp_min(_EPSILON)

    @classmethod
    def of(cls, extractor: FeatureExtractor, photo: Tensor, terms: Sequence[Term]) -> "DreamTerm":
        """Measure a whole photo `[1, 3, H, W]`."""
        with torch.no_grad():
            return cls(extractor, terms, [extractor.unsmoothed(photo, term_layers(terms), measured=False)])

    def sums(self, features: Mapping[str, Tensor]) -> Tensor:
        """Responses `[T]` summed over the positions of feature maps such as `cores`, differentiable."""
        return torch.stack([self._response(features, term) for term in self.terms])

    def distance(self, sums: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The term from the sums `[T]` of a whole picture, and its parts by name, unweighted."""
        distances = 2 * self._plain / (self._plain + sums)
        parts = {f"dream {term.name}": distance.detach() for term, distance in zip(self.terms, distances)}
        return self._weights @ distances, parts

    def _response(self, features: Mapping[str, Tensor], term: Term) -> Tensor:
        layer = layer_name(term.layer)
        feature = in_metric(features[layer], self._metrics.get(layer))
        chosen = feature[:, list(term.channels)] if term.channels else feature
        return chosen.float().square().mean(1).sum()


def term_layers(terms: Iterable[Term]) -> list[str]:
    """The layers that terms use: canonical names, without repetition."""
    return sorted({layer_name(term.layer) for term in terms})
