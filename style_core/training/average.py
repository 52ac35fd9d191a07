"""The running average of a network's weights, which is what ships (Polyak and Juditsky 1992)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

_Tensors = tuple[Tensor, ...] | list[Tensor]


def running_average(net: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of a network's weights; `module` holds it, `update_parameters(net)` averages them in.

    Args:
        net: the network to average.
        decay: share of the average that is kept at each update, in `[0, 1)`.
    """
    return AveragedModel(net, multi_avg_fn=_growing_ema(decay))


def _growing_ema(decay: float) -> Callable[[_Tensors, _Tensors, Tensor | int], None]:
    """Like `swa_utils.get_ema_multi_avg_fn`, but averaging over few steps at first, so that the initial weights are forgotten."""

    @torch.no_grad()
    def update(averages: _Tensors, weights: _Tensors, updates: Tensor | int) -> None:
        kept = min(decay, float(updates) / (float(updates) + 10))
        for average, weight in zip(averages, weights, strict=True):
            average.lerp_(weight, 1 - kept)

    return update
