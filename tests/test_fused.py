"""Convolution and rectifier in one against torch's own, one after the other."""

import pytest
import torch
from torch import nn

from style_core.networks import fused as convolution
from style_core.networks.fused import rectified


def layer(dtype=torch.float32, **settings):
    torch.manual_seed(0)
    return nn.Conv2d(5, 7, 3, padding=1, **settings).to(dtype, memory_format=torch.channels_last).requires_grad_(False)


def both_ways(function, dtype):
    """What a function answers and the gradient that it hands back."""
    torch.manual_seed(1)
    features = torch.randn(2, 5, 18, 23).to(dtype, memory_format=torch.channels_last).requires_grad_()
    found = function(features)
    (gradient,) = torch.autograd.grad(found, features, torch.randn(found.shape).to(dtype))
    return found, gradient


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("settings", [{}, {"stride": 2}, {"padding_mode": "reflect"}])
def test_the_fused_operator_equals_a_convolution_and_a_rectifier(dtype, settings):
    convolve = layer(dtype, **settings)
    fused, plain = both_ways(lambda x: rectified(x, convolve), dtype), both_ways(lambda x: convolve(x).relu(), dtype)
    for one, other in zip(fused, plain):
        torch.testing.assert_close(one, other, rtol=0.02 if dtype == torch.bfloat16 else 1e-4, atol=1e-5)


@pytest.mark.parametrize("fault", ["other numbers", "gone"])
def test_an_operator_that_changed_is_not_used_and_it_is_logged(monkeypatch, caplog, fault):
    def changed(features, *given):
        if fault == "gone":
            raise RuntimeError("no such operator")
        return features.new_ones(1, 5, 9, 7)

    monkeypatch.setattr(torch.ops.mkldnn, "_convolution_pointwise", changed, raising=False)
    assert not convolution._agrees_with_the_plain_one(torch.float32)
    assert "fused convolution" in caplog.text and "more slowly" in caplog.text


@pytest.mark.skipif(not convolution._onednn_computes(torch.float32), reason="this torch has no oneDNN")
def test_only_frozen_weights_use_the_fused_operator():
    assert "_Fused" in type(rectified(torch.rand(1, 5, 8, 8).requires_grad_(), layer()).grad_fn).__name__
    trained = layer().requires_grad_()
    rectified(torch.rand(1, 5, 8, 8), trained).sum().backward()
    assert trained.weight.grad.abs().sum() > 0 and trained.bias.grad.abs().sum() > 0
