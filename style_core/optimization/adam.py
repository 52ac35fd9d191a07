"""Adam (Kingma and Ba 2015), in place and in pieces, so that it needs no memory beyond its two moments."""

import torch
from torch import Tensor

_BETAS = (0.9, 0.99)
_EPSILON = 1e-8
_PIECE = 2**21  # values moved at a time, which keeps temporary tensors small


class AdamMoments:
    """Running first and second moments of the gradients of an optimized tensor.

    Args:
        like: a tensor of the same shape and device.
        learning_rate: size of a move, in the tensor's units.
    """

    def __init__(self, like: Tensor, learning_rate: float):
        self.learning_rate = learning_rate
        self._first = torch.zeros(like.numel(), device=like.device)
        self._second = torch.zeros_like(self._first)
        self._steps = 0

    def move(self, values: Tensor, gradient: Tensor) -> Tensor:
        """Move contiguous `values` in place and return them (Kingma and Ba 2015, algorithm 1)."""
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
