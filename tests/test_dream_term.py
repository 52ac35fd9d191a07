"""A dream inside a painting: the term's closed form, its gradient in tiles, and what it does to a run."""

import pytest
import torch
from networks import FP32, opener_of, picture, random_extractor

from style_core.errors import RequestError
from style_core.optimization.deepdream import DreamObjective, Term
from style_core.optimization.dream_term import DreamTerm
from style_core.optimization.losses import ContentTarget, StyleTarget
from style_core.optimization.objective import LossWeights, Objective, Region
from style_core.optimization.tiled_objective import TiledObjective
from style_core.progress import finish
from style_core.recipes import optimize as optimizing
from style_core.recipes.loss_weights import loss_weights_of
from style_core.recipes.optimize import optimize
from style_core.recipes.optimize_options import OptimizeOptions

SMALL = {"size": 64, "iterations": 20, "extractor": "lite", "pyramid": False}


@pytest.fixture
def network(monkeypatch):
    extractor = random_extractor()
    monkeypatch.setattr(optimizing, "open_extractor", opener_of(extractor))
    return extractor


def response(extractor, image: torch.Tensor, term: Term) -> float:
    sums, counts = DreamObjective(extractor, [term]).responses(image[None])
    return float(sums / counts)


def test_the_term_is_its_weight_for_the_photo_and_half_of_it_if_the_response_is_three_times_as_strong():
    extractor, photo = random_extractor(), picture(48, 48)[None]
    terms = [Term("relu3_1", 2.0), Term("relu2_1", 1.0, (3, 5))]
    dream = DreamTerm.of(extractor, photo, terms)
    sums = dream.sums(extractor.extract(photo, ["relu3_1", "relu2_1"], measured=False))
    torch.testing.assert_close(dream.distance(sums)[0], torch.tensor(3.0))
    loss, parts = dream.distance(3 * sums)
    torch.testing.assert_close(loss, torch.tensor(1.5))
    assert parts.keys() == {"dream relu3_1", "dream relu2_1[3,5]"}


@pytest.mark.parametrize("dream", ["relu3_1", "relu3_2[2,4]:2 relu2_2"])
def test_a_painting_dreams_what_the_same_run_without_does_not(network, dream):
    content, style = picture(64, 64), picture(64, 64, seed=1)

    def painted(**given):
        return list(optimize(content, [style], OptimizeOptions(**SMALL, **given), compute=FP32))

    without, steps = painted(), painted(dream=dream, dream_weight=3.0)
    for term in loss_weights_of(OptimizeOptions(dream=dream)).dream:
        assert response(network, steps[-1].image, term) > 1.3 * response(network, without[-1].image, term)
    losses = [step.losses["total"] for step in steps if step.losses]
    assert losses[-1] < 0.8 * losses[0]


def test_terms_share_the_dream_s_weight():
    terms = loss_weights_of(OptimizeOptions(dream="relu3_1:3 relu4_1", dream_weight=2.0)).dream
    assert [term.weight for term in terms] == [1.5, 0.5]
    assert loss_weights_of(OptimizeOptions(dream="relu3_1", dream_weight=0.0)).dream == loss_weights_of(OptimizeOptions()).dream == ()


def test_in_tiles_the_loss_and_its_gradient_are_those_of_the_whole():
    extractor, photo, style = random_extractor(), picture(96, 160)[None], picture(96, 96, seed=1)[None]
    loss_weights = LossWeights({"relu4_2": 0.5}, {"relu2_1": 3.0}, 0.1, (Term("relu3_3", 2.0), Term("relu3_1", 1.0, (1, 6))))
    regions = [Region(StyleTarget.of(extractor, style, ["relu2_1"]), 1.0)]
    content, dream = ContentTarget.of(extractor, photo, ["relu4_2"]), DreamTerm.of(extractor, photo, loss_weights.dream)
    found = []
    for objective in (
        Objective(extractor, content, regions, loss_weights, dream=dream),
        TiledObjective(extractor, photo, regions, loss_weights, side=64),
    ):
        canvas = picture(96, 160, seed=2)[None].requires_grad_()
        loss, parts = objective(canvas)
        loss.backward()
        found.append((loss.detach(), canvas.grad, parts))
    (whole, slope, parts), (tiled, tiled_slope, tiled_parts) = found
    torch.testing.assert_close(tiled, whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(tiled_slope, slope, rtol=1e-3, atol=1e-3 * float(slope.abs().max()))
    assert tiled_parts.keys() == parts.keys()
    for name, value in parts.items():
        torch.testing.assert_close(tiled_parts[name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("dream", "message"),
    [
        ("relu3_1[99]", "relu3_1 of random has no channel 99; its channels are 0 to 7."),
        ("relu9_1", "There is no layer relu9_1"),
        ("relu3_1:0", "The weight of relu3_1 is 0; it must be above 0 and at most 1,000,000,000."),
    ],
)
def test_an_invalid_dream_term_is_refused_in_words(network, dream, message):
    with pytest.raises(RequestError) as caught:
        finish(optimize(picture(64, 64), [picture(64, 64)], OptimizeOptions(**SMALL, dream=dream), compute=FP32))
    assert str(caught.value).startswith(message)
