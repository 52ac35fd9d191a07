"""Descent: a picture moved downhill, one evaluation at a time, and brought back when it goes astray."""

from collections.abc import Callable

import torch
from torch import Tensor

from style_core.errors import RequestError

OPTIMIZERS = ("lbfgs", "adam")
_HISTORY = 20                # curvature pairs; more cost memory traffic and, without a line search, gain nothing
_FIRST_MOVE = 0.005          # of L-BFGS, root mean square in pixel values
_LONGEST_MOVE = 0.05         # likewise: curvature learned so far is trusted no further
_ASTRAY = 10.0               # a loss this many times the best one, and above the first, is divergence


class Diverged(RequestError):
    """The optimiser left the road twice; `image` is the last good picture, `[3, H, W]`."""

    def __init__(self, image: Tensor):
        super().__init__(
            "The optimisation diverged twice and was stopped; the last good picture is kept. "
            "Use the adam optimizer, a lower learning rate, or a lower strength."
        )
        self.image = image


class Descent:
    """Minimise `objective` over a picture by L-BFGS or Adam.

    L-BFGS takes one evaluation a step (`max_iter=1`), so that a step is a step; in place of a line search its moves are
    bounded. It isn't clamped, which would spoil its curvature pairs, while Adam is.

    Args:
        picture: `[1, 3, H, W]`, where to start.
        objective: picture -> (loss, parts by name).
        kind: `lbfgs` or `adam`.
        learning_rate: of Adam, in pixel values.
        averaging: decay of the exponential moving average of the iterates, in `[0, 1)`; 0 is none.
    """

    def __init__(
        self,
        picture: Tensor,
        objective: Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]],
        kind: str = "lbfgs",
        learning_rate: float = 0.02,
        averaging: float = 0.0,
    ):
        self.picture = picture.detach().clone().requires_grad_()
        self.objective = objective
        self.kind = kind
        self.learning_rate = learning_rate
        self.averaging = averaging
        self.restarted = False
        self._best = picture.detach().clone()
        self._best_loss = self._first_loss = float("inf")
        self._average = torch.zeros_like(self._best)
        self._steps = 0
        self._optimizer = self._make()

    def step(self) -> dict[str, float]:
        """One evaluation and one move.

        Returns:
            The relative losses before the move, by name, and `total`, their weighted sum.
        Raises:
            Diverged: when the loss stops being finite, or explodes, for the second time.
        """
        parts: dict[str, Tensor] = {}

        def evaluate() -> Tensor:
            self._optimizer.zero_grad()
            loss, found = self.objective(self.picture)
            parts.update(found)
            loss.backward()
            return loss

        with torch.enable_grad():
            before = self.picture.detach().clone()
            loss = float(self._optimizer.step(evaluate).detach())
        if self.kind == "lbfgs":
            self._bound_move(before)
        if not loss <= max(_ASTRAY * self._best_loss, self._first_loss) or loss == float("inf"):
            self._recover()
        elif loss < self._best_loss:
            self._best, self._best_loss = before, loss
            self._first_loss = loss if self._first_loss == float("inf") else self._first_loss
        self._after_move()
        return {"total": loss, **{name: float(value) for name, value in parts.items()}}

    def image(self) -> Tensor:
        """The picture so far as `[3, H, W]` in `[0, 1]`, on the CPU, free of gradients: the average when averaging."""
        if self.averaging and self._steps:
            current = self._average / (1 - self.averaging**self._steps)
        else:
            current = self.picture.detach()
        return current[0].clamp(0, 1).float().cpu().clone()

    def result(self) -> Tensor:
        """Like `image`, but the best iterate that was evaluated where no average is kept."""
        if self.averaging:
            return self.image()
        return self._best[0].clamp(0, 1).float().cpu()

    @torch.no_grad()
    def _bound_move(self, before: Tensor) -> None:
        state, move = self._optimizer.state[self.picture], self.picture - before
        length = float(move.square().mean().sqrt())
        # torch's first move, which knows no curvature yet, is a thousandth of a grey level; many more would go the same way.
        wanted = _FIRST_MOVE if state["n_iter"] == 1 else min(length, _LONGEST_MOVE)
        if wanted != length and 0 < length < float("inf"):
            self.picture.copy_(before + wanted / length * move)
            # The next curvature pair is made from direction times step length, so that has to be what was done.
            state["t"] *= wanted / length

    def _after_move(self) -> None:
        with torch.no_grad():
            if self.kind == "adam":
                self.picture.clamp_(0, 1)
            if self.averaging:
                self._average.lerp_(self.picture, 1 - self.averaging)
        self._steps += 1

    def _recover(self) -> None:
        if self.restarted:
            raise Diverged(self._best[0].clamp(0, 1).float().cpu())
        self.restarted = True
        with torch.no_grad():
            self.picture.copy_(self._best)
        self.learning_rate /= 2
        self._optimizer = self._make()

    def _make(self) -> torch.optim.Optimizer:
        if self.kind == "adam":
            return torch.optim.Adam([self.picture], lr=self.learning_rate, betas=(0.9, 0.99))
        # Tolerances of 0: stopping early is the recipe's decision, not the optimiser's.
        return torch.optim.LBFGS(
            [self.picture], max_iter=1, history_size=_HISTORY, tolerance_grad=0, tolerance_change=0
        )
