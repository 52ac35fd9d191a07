"""L-BFGS's memory against torch's own L-BFGS, which walks the two loops over every vector."""

import pytest
import torch

from style_core.optimization.lbfgs import LBFGSHistory


def rosenbrock(x):
    """A curved valley in many dimensions: what L-BFGS is measured with."""
    return (100 * (x[1:] - x[:-1].square()).square() + (1 - x[:-1]).square()).sum()


def gradient_of(x):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(rosenbrock(x), x)[0]


@pytest.mark.parametrize("count", [6, 8192, 20_001])
def test_steps_equal_those_of_torch_s_lbfgs(count):
    start = torch.linspace(-1, 1, count) ** 3
    theirs = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([theirs], lr=0.5, max_iter=1, history_size=4, tolerance_grad=0, tolerance_change=0)

    def evaluate():
        optimizer.zero_grad()
        loss = rosenbrock(theirs)
        loss.backward()
        return loss

    own, curvature = start.clone(), LBFGSHistory(start, 4)
    for step in range(10):
        optimizer.step(evaluate)
        gradient = gradient_of(own)
        direction = curvature.direction(gradient)
        move = 0.5 * direction * (min(1.0, 1 / float(gradient.abs().sum())) if step == 0 else 1.0)
        own = own + move
        curvature.moved(move)
        assert (own - theirs).norm() < 2e-3 * (own - start).norm(), step


def test_pairs_without_positive_curvature_are_skipped():
    x = torch.ones(8)
    curvature = LBFGSHistory(x, 4)
    assert torch.equal(curvature.direction(x), -x)
    curvature.moved(-0.1 * x)
    assert torch.equal(curvature.direction(1.2 * x), -1.2 * x)  # against the move the gradient grew: uphill curvature


@pytest.mark.parametrize("count", [6, 600_001])
def test_pairs_in_bfloat16_lead_almost_as_far_down(count):
    ends = {}
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.linspace(-1, 1, count) ** 3
        curvature = LBFGSHistory(x, 4, dtype)
        for step in range(30):
            gradient = gradient_of(x)
            direction = curvature.direction(gradient)
            share = 0.5 * (min(1.0, 1 / float(gradient.abs().sum())) if step == 0 else 1.0)
            x = x + share * direction
            curvature.moved(direction, share)
        ends[dtype] = float(rosenbrock(x))
    assert ends[torch.bfloat16] < 1.2 * ends[torch.float32] < 0.5 * float(rosenbrock(torch.linspace(-1, 1, count) ** 3))


def test_a_quadratic_is_solved_in_as_many_dimensions_as_pairs_are_kept():
    scales = torch.tensor([1.0, 4.0, 9.0, 16.0])
    x = torch.tensor([1.0, -1.0, 0.5, 2.0])
    curvature = LBFGSHistory(x, 8)
    for _ in range(30):
        gradient = scales * x
        move = curvature.direction(gradient)
        x = x + move
        curvature.moved(move)
    assert x.abs().max() < 1e-4
