import pytest
import torch
from torch.nn import functional

from style_core.optimization.descent import Descent, Diverged, History, falling_spectrum

HISTORIES = [History(), History(3, torch.bfloat16), History(0), History(0, torch.bfloat16)]


def valley(picture):
    """A smooth loss whose minimum is a picture of 0.25."""
    loss = (picture - 0.25).square().sum()
    return loss, {"distance": loss.detach()}


@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_descent_finds_the_minimum(history):
    descent = Descent(torch.full((1, 3, 4, 4), 0.75), valley, history, learning_rate=0.05)
    losses = [descent.step()["total"] for _ in range(60)]
    assert losses[-1] < 0.01 * losses[0]
    assert (descent.result() - 0.25).abs().max() < 0.05


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 12), (12, 5), (1, 9), (1, 1)])
def test_the_spectrum_falls_as_it_should_and_leaves_the_size_of_moves(height, width):
    gains = falling_spectrum(height, width, 0.5)
    assert gains.shape == (height, width // 2 + 1) and gains.isfinite().all()
    assert gains.square().mean() == pytest.approx(1, rel=1e-5)
    if height == width == 8:
        assert gains[0, 1] / gains[0, 4] == pytest.approx(2.0) and gains[2, 0] == gains[0, 2] and gains[0, 0] == gains[0, 1]


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (5, 12)])
def test_a_preconditioned_descent_finds_the_minimum_for_odd_and_even_sides(size):
    goal = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    descent = Descent(torch.full((1, 3, *size), 0.5), lambda picture: ((picture - goal).square().sum(), {}), slope=0.5)
    for _ in range(60):
        descent.step()
    assert (descent.result() - goal[0]).abs().max() < 0.02


def test_preconditioning_forms_large_shapes_sooner():
    """A loss that answers to edges, as features do: large shapes, whose edges are soft, hardly weigh in it."""
    coarse = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    goal = functional.interpolate(coarse, (64, 64), mode="bilinear", align_corners=False)

    def edges(picture):
        rest = picture - goal
        return rest.diff(dim=2).square().sum() + rest.diff(dim=3).square().sum() + 1e-3 * rest.square().sum(), {}

    left = {}
    for slope in (0.0, 0.5):
        descent = Descent(torch.full((1, 3, 64, 64), 0.5), edges, slope=slope)
        for _ in range(25):
            left[slope] = descent.step()["total"]
    assert left[0.5] < 0.7 * left[0.0], left


def test_steps_are_never_longer_than_the_trusted_length():
    descent = Descent(torch.full((1, 3, 4, 4), 0.75), valley)  # whose bottom is one move away, for whoever trusts it
    pictures = [descent.picture.detach().clone()]
    for _ in range(20):
        descent.step()
        pictures.append(descent.picture.detach().clone())
    moves = [float((new - old).square().mean().sqrt()) for old, new in zip(pictures, pictures[1:])]
    assert max(moves) <= 0.05 + 1e-6
    assert (descent.result() - 0.25).abs().max() < 0.01


def test_each_step_evaluates_the_loss_once():
    evaluations = []

    def counted(picture):
        evaluations.append(1)
        return valley(picture)

    descent = Descent(torch.full((1, 3, 4, 4), 0.75), counted)
    for _ in range(5):
        descent.step()
    assert len(evaluations) == 5


def test_the_average_lags_behind_the_picture_and_starts_unbiased():
    descent = Descent(torch.full((1, 3, 4, 4), 0.75), valley, History(0), learning_rate=0.05, averaging=0.9)
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


def test_a_loss_that_is_not_a_number_restarts_once_from_the_best_picture():
    descent = Descent(torch.full((1, 3, 4, 4), 0.75), exploding([3]))
    for _ in range(30):
        descent.step()
    assert descent.restarted
    assert torch.isfinite(descent.result()).all() and (descent.result() - 0.25).abs().max() < 0.05


def test_diverging_twice_ends_the_run_with_the_last_good_picture():
    descent = Descent(torch.full((1, 3, 4, 4), 0.75), exploding([3, 6]))
    with pytest.raises(Diverged, match="last good picture is kept") as caught:
        for _ in range(30):
            descent.step()
    assert torch.isfinite(caught.value.image).all()
    assert (caught.value.image - 0.25).abs().max() < 0.5


def test_adam_s_steps_equal_torch_s():
    start = torch.rand(1, 3, 900, 900, generator=torch.Generator().manual_seed(0))  # more than one piece
    theirs = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([theirs], lr=0.01, betas=(0.9, 0.99))
    descent = Descent(start, valley, History(0), learning_rate=0.01)
    for _ in range(4):
        (theirs.grad,) = torch.autograd.grad(valley(theirs)[0], theirs)
        optimizer.step()
        theirs.data.clamp_(0, 1)
        descent.step()
        torch.testing.assert_close(descent.picture, theirs.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("history", HISTORIES, ids=str)
def test_the_optimizer_s_memory_is_as_large_as_stated(history):
    descent = Descent(torch.rand(1, 3, 256, 256), valley, history)
    descent.step()
    kept = [descent._moments._first, descent._moments._second, descent._best] if history.is_adam else [descent._curvature._pairs]
    bytes_kept = sum(tensor.numel() * tensor.element_size() for tensor in kept)
    assert bytes_kept == pytest.approx(history.pictures * 4 * descent.picture.numel(), rel=0.05)
