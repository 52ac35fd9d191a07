"""Descent: a picture moved downhill, one evaluation at a time, and brought back when it goes astray."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from style_core.errors import RequestError
from style_core.optimization.adam import AdamMoments
from style_core.optimization.lbfgs import LBFGSHistory

OPTIMIZERS = ("lbfgs", "adam")
_FIRST_MOVE = 0.005  # of L-BFGS, root mean square in pixel values
_LONGEST_MOVE = 0.05  # likewise: curvature learned so far is trusted no further
_ASTRAY = 10.0  # a loss this many times the best one, and above the first, is divergence


@dataclass(frozen=True)
class Past:
    """What an optimizer keeps of its past.

    Attributes:
        pairs: of L-BFGS's curvature; more than ten cost memory traffic and, without a line search, gain nothing. 0 is Adam.
        dtype: of the pairs. Of Adam, bfloat16 means that the best picture is kept in float16, whose steps can't be seen.
    """

    pairs: int = 10
    dtype: torch.dtype = torch.float32

    @property
    def is_adam(self) -> bool:
        return not self.pairs

    @property
    def pictures(self) -> float:
        """How many pictures in float32 take as much memory."""
        each = self.dtype.itemsize / 4
        return 2 + each if self.is_adam else 2 * self.pairs * each


class Diverged(RequestError):
    """The optimizer left the road twice; `image` is the last good picture, `[3, H, W]`."""

    def __init__(self, image: Tensor):
        super().__init__(
            "The optimization diverged twice and was stopped; the last good picture is kept. "
            "Use the adam optimizer, a lower learning rate, or a lower strength."
        )
        self.image = image


class Descent:
    """Minimize `objective` over a picture by L-BFGS or Adam.

    L-BFGS takes one evaluation a step, so that a step is a step; in place of a line search its moves are bounded. It isn't
    clamped, which would spoil its curvature pairs, while Adam is.

    Args:
        picture: `[1, 3, H, W]`, where to start.
        objective: picture -> (loss, parts by name).
        past: what is kept, and so whether it is L-BFGS or Adam that moves.
        learning_rate: of Adam, in pixel values.
        averaging: decay of the exponential moving average of the iterates, in `[0, 1)`; 0 is none.
        slope: L-BFGS's moves shrink with frequency as `f^-slope`, those of pictures with a slope of about 1 (Field 1987), so
            that colors and large shapes take part from the first step (preconditioning; Olah et al. 2017, "Feature
            Visualization"); 0 is none, and right where those stand already.
    """

    def __init__(
        self,
        picture: Tensor,
        objective: Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]],
        past: Past = Past(),
        learning_rate: float = 0.02,
        averaging: float = 0.0,
        slope: float = 0.0,
    ):
        self.picture = picture.detach().clone(memory_format=torch.contiguous_format)
        self.objective = objective
        self.past = past
        self.learning_rate = learning_rate
        self.averaging = averaging
        self.restarted = False
        self._gains = (
            falling_spectrum(picture.shape[-2], picture.shape[-1], slope).to(picture.device) if slope and not past.is_adam else None
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
            Diverged: when the loss stops being finite, or explodes, for the second time.
        """
        picture = self.picture.detach().requires_grad_()
        with torch.enable_grad():
            objective, parts = self.objective(picture)
        (gradient,) = torch.autograd.grad(objective, picture)
        loss = float(objective.detach())
        del objective, picture
        if not loss <= max(_ASTRAY * self._best_loss, self._first_loss) or loss == float("inf"):
            self._recover()
        else:
            if loss < self._best_loss:
                self._keep_best(loss)
            self.picture = self._adam_moved(gradient) if self.past.is_adam else self._lbfgs_moved(gradient)
        if self._average is not None:
            self._average.lerp_(self.picture, 1 - self.averaging)
        self._steps += 1
        return {"total": loss, **{name: float(value) for name, value in parts.items()}}

    def image(self) -> Tensor:
        """The picture so far as `[3, H, W]` in `[0, 1]`, on the CPU: the average when averaging."""
        current = self.picture
        if self._average is not None and self._steps:
            current = self._average / (1 - self.averaging**self._steps)
        return current[0].clamp(0, 1).float().cpu()  # clamped, it is a copy

    def result(self) -> Tensor:
        """Like `image`, but the best iterate that was evaluated where no average is kept."""
        return self.image() if self.averaging else self._best_image()

    def _best_image(self) -> Tensor:
        best = self.picture if self._best is None else self._best
        return best[0].float().clamp(0, 1).cpu()

    def _spread(self, white: Tensor) -> Tensor:
        """What the optimizer sees, as a picture sees it; its own adjoint, so that it takes gradients back as well."""
        if self._gains is None:
            return white
        return torch.fft.irfft2(torch.fft.rfft2(white) * self._gains, s=white.shape[-2:])

    def _lbfgs_moved(self, gradient: Tensor) -> Tensor:
        direction = self._curvature.direction(self._spread(gradient))
        move = self._spread(direction)
        length = float(torch.linalg.vector_norm(move)) / move.numel() ** 0.5
        # Without curvature a direction says nothing of how far to go.
        wanted = min(length, _LONGEST_MOVE) if self._curvature.known else _FIRST_MOVE
        share = wanted / length if 0 < length < float("inf") else 1.0
        self._curvature.moved(direction, share)
        return self.picture.add(move, alpha=share)

    def _adam_moved(self, gradient: Tensor) -> Tensor:
        return self._moments.move(self.picture, gradient).clamp_(0, 1)

    def _keep_best(self, loss: float) -> None:
        self._best_loss = loss
        self._first_loss = loss if self._first_loss == float("inf") else self._first_loss
        if not self.past.is_adam:
            self._best = self.picture  # which L-BFGS never changes in place
        elif self._best is None:
            self._best = self.picture.to(torch.float32 if self.past.dtype == torch.float32 else torch.float16, copy=True)
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
        """A fresh optimizer at the present picture."""
        if self.past.is_adam:
            self._moments = AdamMoments(self.picture, self.learning_rate)
        else:
            self._curvature = LBFGSHistory(self.picture, self.past.pairs, self.past.dtype)


def falling_spectrum(height: int, width: int, slope: float) -> Tensor:
    """`f^-slope` for each frequency of `rfft2`, `[H, W // 2 + 1]`, its root mean square 1; the mean's is the lowest other's."""
    frequency = (torch.fft.fftfreq(height)[:, None].square() + torch.fft.rfftfreq(width)[None].square()).sqrt()
    gains = frequency.clamp_min(1 / max(height, width)) ** -slope
    return gains / gains.square().mean().sqrt()
