"""Adam (Kingma and Ba 2015) in place and in pieces: its two moments are all that it takes of memory."""

import torch
from torch import Tensor

_BETAS = (0.9, 0.99)
_EPSILON = 1e-8
_PIECE = 2**21  # values that are moved at a time, so that what comes between stays small


class AdamMoments:
    """The running first and second moments of the gradients of what is optimized.

    Args:
        like: a tensor of the shape and device of what is optimized.
        learning_rate: of a move, in its units.
    """

    def __init__(self, like: Tensor, learning_rate: float):
        self.learning_rate = learning_rate
        self._first = torch.zeros(like.numel(), device=like.device)
        self._second = torch.zeros_like(self._first)
        self._steps = 0

    def move(self, values: Tensor, gradient: Tensor) -> Tensor:
        """Move contiguous `values` in place, and return them: Kingma and Ba (2015), algorithm 1."""
        self._steps += 1
        first_bias, second_bias = (1 - beta**self._steps for beta in _BETAS)
        flat, slope = values.view(-1), gradient.reshape(-1)
        for start in range(0, flat.numel(), _PIECE):
            piece = slice(start, start + _PIECE)
            part = slope[piece]
            first = self._first[piece].lerp_(part, 1 - _BETAS[0])
            second = self._second[piece].mul_(_BETAS[1]).addcmul_(part, part, value=1 - _BETAS[1])
            flat[piece].addcdiv_(first, (second / second_bias).sqrt_().add_(_EPSILON), value=-self.learning_rate / first_bias)
        return values
