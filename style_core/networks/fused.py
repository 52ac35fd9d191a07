"""Convolution and rectifier as one pass over memory, where oneDNN computes them: on CPUs, with frozen weights.

There a rectifier of its own costs a quarter of a feature network's forward pass, all of it waiting for memory. torch has the
fused operator for its compiler's sake and gives it no gradient; the gradient here is that of the picture alone.
"""

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx, features: Tensor, weight: Tensor, bias: Tensor, geometry: tuple) -> Tensor:
        padding, stride, dilation, groups = geometry
        found = torch.ops.mkldnn._convolution_pointwise(features, weight, bias, padding, stride, dilation, groups, "relu", [], "")
        ctx.save_for_backward(features, weight, found)
        ctx.geometry = geometry
        return found

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        features, weight, found = ctx.saved_tensors
        padding, stride, dilation, groups = ctx.geometry
        before = torch.ops.aten.threshold_backward(gradient, found, 0)
        back, _, _ = torch.ops.aten.convolution_backward(
            before, features, weight, None, stride, padding, dilation, False, [0, 0], groups, [True, False, False]
        )
        return back, None, None, None


def rectified(features: Tensor, layer: nn.Conv2d) -> Tensor:
    """`relu(layer(features))`, `[B, C, H, W]` -> `[B, C', H', W']`."""
    if _is_fusible(features, layer):
        return _Fused.apply(features, layer.weight, layer.bias, (layer.padding, layer.stride, layer.dilation, layer.groups))
    return functional.relu_(layer(features))


def _is_fusible(features: Tensor, layer: nn.Conv2d) -> bool:
    frozen = not any(parameter.requires_grad for parameter in layer.parameters())
    plain = layer.padding_mode == "zeros" and features.dtype == layer.weight.dtype
    return features.device.type == "cpu" and frozen and plain and _onednn_computes(features.dtype)


@functools.cache
def _onednn_computes(dtype: torch.dtype) -> bool:
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_convolution_pointwise"):
        return False
    return dtype == torch.float32 or dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
