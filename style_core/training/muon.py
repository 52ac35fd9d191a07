"""Muon: orthogonalized momentum for matrices, Adam for the rest (Jordan et al. 2024, "Muon: an optimizer for hidden layers")."""

from collections.abc import Iterable

import torch
from torch import Tensor

_QUINTIC = (3.4445, -4.7750, 2.0315)  # of the Newton-Schulz iteration: steep at 0, and within 0.3 of 1 for larger values
_ROUNDS = 5
_ADAM_SIZE = 0.2  # typical root mean square of Adam's moves, to which Muon's are scaled (Liu et al. 2025)


class Muon(torch.optim.Optimizer):
    """Moves each matrix along its orthogonalized momentum, so that all directions learn at the same rate.

    A kernel counts as the matrix `[O, I * k * k]`. Parameters with fewer than two dimensions are moved by Adam (Kingma and Ba
    2015). This is our own code because torch.optim.Muon doesn't support kernels.

    Args:
        parameters: parameters to optimize.
        lr: learning rate, comparable to Adam's.
        momentum: of the matrices.
        betas: of Adam's two averages.
        dtype: of the products of the orthogonalization; bfloat16 is enough.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "betas": betas})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no closure is called
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    move = self._orthogonal if parameter.ndim >= 2 else self._adam
                    parameter.add_(move(parameter, parameter.grad, group), alpha=-group["lr"])

    def _orthogonal(self, parameter: Tensor, gradient: Tensor, group: dict) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(gradient, 1 - group["momentum"])
        ahead = gradient.lerp(state["momentum"], group["momentum"])  # Nesterov's
        matrix = orthogonalized(ahead.flatten(1).to(self.dtype))
        return (matrix * (_ADAM_SIZE * max(matrix.shape) ** 0.5)).view_as(parameter).to(parameter.dtype)

    def _adam(self, parameter: Tensor, gradient: Tensor, group: dict) -> Tensor:
        state = self.state[parameter]
        if not state:
            state |= {"steps": 0, "first": torch.zeros_like(parameter), "second": torch.zeros_like(parameter)}
        state["steps"] += 1
        one, two = group["betas"]
        state["first"].lerp_(gradient, 1 - one)
        state["second"].lerp_(gradient.square(), 1 - two)
        first, second = state["first"] / (1 - one ** state["steps"]), state["second"] / (1 - two ** state["steps"])
        return first / (second.sqrt() + 1e-8)


def orthogonalized(matrix: Tensor) -> Tensor:
    """Approximately `U V^T` of `matrix = U S V^T`, `[R, C]`: singular values above 0.01 of the norm become 0.7 to 1.2."""
    wide = matrix if len(matrix) <= matrix.shape[1] else matrix.mT
    wide = wide / (wide.norm() + 1e-7)
    a, b, c = _QUINTIC
    for _ in range(_ROUNDS):
        square = wide @ wide.mT
        wide = a * wide + (b * square + c * square @ square) @ wide
    return wide if len(matrix) <= matrix.shape[1] else wide.mT
