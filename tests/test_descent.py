import pytest
import torch

from style_core.descent import OPTIMIZERS, Descent, Diverged


def valley(picture):
    """A smooth loss whose minimum is a picture of 0.25."""
    loss = (picture - 0.25).square().sum()
    return loss, {"distance": loss.detach()}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_descent_finds_the_bottom_of_a_valley(kind):
    descent = Descent(torch.full((1, 3, 4, 4), 0.75), valley, kind, learning_rate=0.05)
    losses = [descent.step()["total"] for _ in range(60)]
    assert losses[-1] < 0.01 * losses[0]
    assert (descent.result() - 0.25).abs().max() < 0.05


def test_no_move_is_longer_than_curvature_is_trusted():
    descent = Descent(torch.full((1, 3, 4, 4), 0.75), valley)      # whose bottom is one move away, for whoever trusts it
    pictures = [descent.picture.detach().clone()]
    for _ in range(20):
        descent.step()
        pictures.append(descent.picture.detach().clone())
    moves = [float((new - old).square().mean().sqrt()) for old, new in zip(pictures, pictures[1:])]
    assert max(moves) <= 0.05 + 1e-6
    assert (descent.result() - 0.25).abs().max() < 0.01


def test_a_step_is_one_evaluation():
    evaluations = []

    def counted(picture):
        evaluations.append(1)
        return valley(picture)

    descent = Descent(torch.full((1, 3, 4, 4), 0.75), counted)
    for _ in range(5):
        descent.step()
    assert len(evaluations) == 5


def test_the_average_lags_behind_the_picture_and_starts_unbiased():
    descent = Descent(torch.full((1, 3, 4, 4), 0.75), valley, "adam", learning_rate=0.05, averaging=0.9)
    descent.step()
    assert torch.allclose(descent.image(), descent.picture.detach()[0])
    for _ in range(5):
        descent.step()
    assert (descent.image() > descent.picture.detach()[0]).all()


def exploding(times: list[int]):
    """A valley whose loss is not a number at the given evaluations."""
    count = iter(range(10_000))

    def objective(picture):
        loss, parts = valley(picture)
        return loss * (float("nan") if next(count) in times else 1.0), parts

    return objective


def test_a_loss_that_is_no_number_restarts_once_from_the_best_picture():
    descent = Descent(torch.full((1, 3, 4, 4), 0.75), exploding([3]))
    for _ in range(30):
        descent.step()
    assert descent.restarted
    assert torch.isfinite(descent.result()).all() and (descent.result() - 0.25).abs().max() < 0.05


def test_the_second_time_it_gives_up_in_words_and_keeps_the_last_good_picture():
    descent = Descent(torch.full((1, 3, 4, 4), 0.75), exploding([3, 6]))
    with pytest.raises(Diverged, match="last good picture is kept") as caught:
        for _ in range(30):
            descent.step()
    assert torch.isfinite(caught.value.image).all()
    assert (caught.value.image - 0.25).abs().max() < 0.5
