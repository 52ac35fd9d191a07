"""Convolution and rectifier as one pass over memory, where oneDNN computes them: on CPUs, with frozen weights.

A separate rectifier is bound by memory and takes a quarter of a feature network's forward pass. torch has a fused operator for
its compiler, without a gradient; this module adds the gradient with respect to the features.
"""

import functools
import logging

import torch
from torch import Tensor, nn
from torch.nn import functional

_LOG = logging.getLogger(__name__)


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
    if dtype != torch.float32 and not (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return False
    return _agrees_with_the_plain_one(dtype)


def _agrees_with_the_plain_one(dtype: torch.dtype) -> bool:
    """Whether the operator, which is private to torch and may change, matches the plain convolution, forward and backward."""
    draw = torch.Generator().manual_seed(0)
    features, weight, bias, gradient = (
        torch.randn(shape, generator=draw).to(dtype) for shape in ((1, 4, 9, 7), (5, 4, 3, 3), (5,), (1, 5, 9, 7))
    )
    try:
        with torch.enable_grad():
            one, other = features.clone().requires_grad_(), features.clone().requires_grad_()
            fused = _Fused.apply(one, weight, bias, ((1, 1), (1, 1), (1, 1), 1))
            plain = functional.conv2d(other, weight, bias, padding=1).relu()
            fused.backward(gradient)
            plain.backward(gradient)
    except (RuntimeError, TypeError) as error:
        _LOG.warning("This torch's fused convolution can't be used (%s); feature networks run without it, more slowly.", error)
        return False
    assert one.grad is not None and other.grad is not None
    tolerance = 0.05 if dtype == torch.bfloat16 else 1e-3
    alike = torch.allclose(fused, plain, rtol=tolerance, atol=tolerance) and torch.allclose(
        one.grad, other.grad, rtol=tolerance, atol=4 * tolerance
    )
    if not alike:
        _LOG.warning("This torch's fused convolution differs from the plain one; feature networks run without it, more slowly.")
    return alike
