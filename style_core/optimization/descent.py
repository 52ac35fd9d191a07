"""Gradient descent on a picture, one evaluation at a time, which goes back to the best picture if it diverges."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from style_core.errors import RunFailed
from style_core.optimization.adam import AdamMoments
from style_core.optimization.lbfgs import LBFGSHistory

OPTIMIZERS = ("lbfgs", "adam")
_FIRST_MOVE = 0.005  # of L-BFGS: root mean square in pixel values
_LONGEST_MOVE = 0.05  # likewise: a trust region for the curvature estimate
_DIVERGED_FACTOR = 10.0  # a loss above the first and above this multiple of the best one counts as divergence


@dataclass(frozen=True)
class History:
    """What an optimizer remembers of earlier steps.

    Attributes:
        pairs: number of L-BFGS's curvature pairs; without a line search, more than ten gain nothing. 0 means Adam.
        dtype: of the pairs. With Adam, bfloat16 means that the best picture is kept in float16, which is invisible.
    """

    pairs: int = 10
    dtype: torch.dtype = torch.float32

    @property
    def is_adam(self) -> bool:
        return not self.pairs

    @property
    def pictures(self) -> float:
        """Memory it takes, in units of a float32 picture."""
        each = self.dtype.itemsize / 4
        return 2 + each if self.is_adam else 2 * self.pairs * each


class Diverged(RunFailed):
    """The optimizer diverged twice; `image` is the last good picture, `[3, H, W]`."""

    def __init__(self, image: Tensor):
        super().__init__(
            "The optimization diverged twice and was stopped; the last good picture is kept. "
            "Use the adam optimizer, a lower learning rate, or a lower strength."
        )
        self.image = image


class Descent:
    """Minimize `objective` over a picture by L-BFGS or Adam.

    L-BFGS takes one evaluation per step; its moves are bounded instead of searched along a line. Only Adam clamps the picture,
    because clamping would falsify L-BFGS's curvature pairs.

    Args:
        picture: `[1, 3, H, W]`, the start.
        objective: picture -> (loss, parts by name).
        history: what to remember; also selects L-BFGS or Adam.
        learning_rate: of Adam, in pixel values.
        averaging: decay of the exponential moving average of the iterates, in `[0, 1)`; 0 turns averaging off.
        slope: preconditions L-BFGS's moves by `f^-slope` over spatial frequency `f`, so that colors and large shapes change from
            the first step (Olah et al. 2017, "Feature Visualization"); natural pictures have a slope of about 1 (Field 1987).
            0 turns it off, for starts that already have the right colors and shapes.
    """

    def __init__(
        self,
        picture: Tensor,
        objective: Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]],
        history: History = History(),
        learning_rate: float = 0.02,
        averaging: float = 0.0,
        slope: float = 0.0,
    ):
        self.picture = picture.detach().clone(memory_format=torch.contiguous_format)
        self.objective = objective
        self.history = history
        self.learning_rate = learning_rate
        self.averaging = averaging
        self.restarted = False
        self._gains = (
            falling_spectrum(picture.shape[-2], picture.shape[-1], slope).to(picture.device) if slope and not history.is_adam else None
        )
        self._best: Tensor | None = None
        self._best_loss = self._first_loss = float("inf")
        self._average = torch.zeros_like(self.picture) if averaging else None
        self._steps = 0
        self._begin()

    def step(self) -> dict[str, float]:
        """One evaluation and one move.

        Returns:
            The relative losses before the move, by name, and `total`, their weighted sum.
        Raises:
            Diverged: when the loss becomes infinite, NaN or far too large for the second time.
        """
        picture = self.picture.detach().requires_grad_()
        with torch.enable_grad():
            objective, parts = self.objective(picture)
        (gradient,) = torch.autograd.grad(objective, picture)
        loss = float(objective.detach())
        del objective, picture
        if not loss <= max(_DIVERGED_FACTOR * self._best_loss, self._first_loss) or loss == float("inf"):
            self._recover()
        else:
            if loss < self._best_loss:
                self._keep_best(loss)
            self.picture = self._adam_moved(gradient) if self.history.is_adam else self._lbfgs_moved(gradient)
        if self._average is not None:
            self._average.lerp_(self.picture, 1 - self.averaging)
        self._steps += 1
        return {"total": loss, **{name: float(value) for name, value in parts.items()}}

    def image(self) -> Tensor:
        """The current picture, `[3, H, W]` in `[0, 1]`, on the CPU; the average when averaging."""
        return self.current().clamp(0, 1).float().cpu()  # clamped, it is a copy

    def current(self) -> Tensor:
        """Like `image`, but neither clamped nor copied: valid until the next step."""
        if self._average is not None and self._steps:
            return (self._average / (1 - self.averaging**self._steps))[0]
        return self.picture[0]

    def result(self) -> Tensor:
        """The best iterate so far, or the average when averaging; `[3, H, W]` in `[0, 1]`, on the CPU."""
        return self.image() if self.averaging else self._best_image()

    def _best_image(self) -> Tensor:
        best = self.picture if self._best is None else self._best
        return torch.empty(best.shape[1:]).copy_(best[0]).clamp_(0, 1)  # one copy: at a print's size it takes a gigabyte

    def _spread(self, white: Tensor) -> Tensor:
        """Preconditioned coordinates to pixels. The map is self-adjoint, so it serves for gradients as well."""
        if self._gains is None:
            return white
        return torch.fft.irfft2(torch.fft.rfft2(white) * self._gains, s=white.shape[-2:])

    def _lbfgs_moved(self, gradient: Tensor) -> Tensor:
        direction = self._curvature.direction(self._spread(gradient))
        move = self._spread(direction)
        length = float(torch.linalg.vector_norm(move)) / move.numel() ** 0.5
        # Without curvature, the length of the direction means nothing.
        wanted = min(length, _LONGEST_MOVE) if self._curvature.known else _FIRST_MOVE
        share = wanted / length if 0 < length < float("inf") else 1.0
        self._curvature.moved(direction, share)
        return self.picture.add(move, alpha=share)

    def _adam_moved(self, gradient: Tensor) -> Tensor:
        return self._moments.move(self.picture, gradient).clamp_(0, 1)

    def _keep_best(self, loss: float) -> None:
        self._best_loss = loss
        self._first_loss = loss if self._first_loss == float("inf") else self._first_loss
        if not self.history.is_adam:
            self._best = self.picture  # which L-BFGS never changes in place
        elif self._best is None:
            self._best = self.picture.to(torch.float32 if self.history.dtype == torch.float32 else torch.float16, copy=True)
        else:
            self._best.copy_(self.picture)

    def _recover(self) -> None:
        if self.restarted:
            raise Diverged(self._best_image())
        self.restarted = True
        if self._best is not None:
            self.picture = self._best.float().clone()
        self.learning_rate /= 2
        self._begin()

    def _begin(self) -> None:
        """Start a fresh optimizer at the current picture."""
        if self.history.is_adam:
            self._moments = AdamMoments(self.picture, self.learning_rate)
        else:
            self._curvature = LBFGSHistory(self.picture, self.history.pairs, self.history.dtype)


def falling_spectrum(height: int, width: int, slope: float) -> Tensor:
    """`f^-slope` at the frequencies of `rfft2`, `[H, W // 2 + 1]`, scaled to a root mean square of 1.

    Frequency 0 gets the value of the lowest other frequency.
    """
    frequency = (torch.fft.fftfreq(height)[:, None].square() + torch.fft.rfftfreq(width)[None].square()).sqrt()
    gains = frequency.clamp_min(1 / max(height, width)) ** -slope
    return gains / gains.square().mean().sqrt()
