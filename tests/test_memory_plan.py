"""How a picture is optimized in the memory there is."""

import pytest
import torch
from networks import FP32

from style_core.errors import RequestError
from style_core.networks.backbones import BACKBONES
from style_core.networks.moments import channel_means, gram_matrix
from style_core.networks.vgg19 import STYLE_LAYERS
from style_core.optimization.descent import History
from style_core.recipes.memory_plan import Network, plan_for

LITE = Network(BACKBONES["lite"].shape, STYLE_LAYERS, ("relu4_2",))
VGG19 = Network(BACKBONES["vgg19"].shape, STYLE_LAYERS, ("relu4_2",))
A1 = (7016, 9933)


def test_less_memory_means_a_shorter_history_then_tiles_then_adam_then_a_refusal():
    plans, free = [], 100e9
    while True:
        try:
            plans.append(plan_for((3000, 4000), LITE, FP32, free=free))
        except RequestError:
            break
        assert plans[-1].bytes <= free
        free *= 0.97
    assert plans[0].side is None and plans[0].history.dtype == torch.float32 and not plans[0].sentence()
    tiled = [plan.side is not None for plan in plans]
    assert tiled == sorted(tiled) and plans[-1].history.is_adam
    assert "in tiles of 256 px with Adam" in plans[-1].sentence()
    assert plans[-1].bytes < 3 * 2**30  # 12 megapixels


def test_a1_fits_into_six_gibibytes_with_the_compact_network():
    assert plan_for(A1, LITE, FP32, free=6 * 2**30).side is not None


def test_adam_is_used_where_it_was_asked_for_and_what_cannot_be_tiled_is_painted_whole():
    assert plan_for((512, 512), VGG19, FP32, "adam", free=50e9).history.is_adam
    assert plan_for((3000, 4000), LITE, FP32, free=30e9, tileable=False).side is None
    assert not plan_for((512, 512), VGG19, FP32, "adam", free=50e9).sentence()
    with pytest.raises(RequestError, match="choose a size of at most"):
        plan_for((3000, 4000), LITE, FP32, free=3e9, tileable=False)


def test_a_wider_network_and_more_regions_need_more():
    least = plan_for((1024, 1024), LITE, FP32, free=100e9).bytes
    assert plan_for((1024, 1024), VGG19, FP32, free=100e9).bytes > 2 * least
    assert plan_for((1024, 1024), Network(BACKBONES["lite"].shape, STYLE_LAYERS, ("relu4_2",), 3), FP32, free=100e9).bytes > least


def test_adam_in_the_place_of_l_bfgs_is_reported_and_tiles_are_where_there_are_some():
    asked = plan_for((1024, 1024), LITE, FP32, "adam", free=50e9, tileable=False)
    taken = plan_for((1024, 1024), LITE, FP32, free=asked.bytes, tileable=False)
    assert taken.history == asked.history == History(0) and not asked.sentence()
    said = f"The picture of 1024 x 1024 px is painted with Adam, in about {asked.bytes / 1e9:.1f} GB of memory."
    assert taken.sentence() == f"{said} There is too little memory for L-BFGS."
    smaller = plan_for((1024, 1024), LITE, FP32, "adam", free=asked.bytes - 1, tileable=False)
    assert smaller.history.dtype == torch.bfloat16 and "painted with Adam, in about" in smaller.sentence()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_regions_keep_no_copies_of_the_features_for_the_backward_pass(dtype):
    features = torch.rand(1, 8, 40, 48, generator=torch.Generator().manual_seed(0)).to(dtype)
    features = features.contiguous(memory_format=torch.channels_last).requires_grad_()
    guides, kept = [torch.rand(1, 1, 40, 48) for _ in range(4)], []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        loss = sum(gram_matrix(features, guide).square().sum() + channel_means(features, guide).square().sum() for guide in guides)
    large = [tensor for tensor in kept if tensor.numel() >= features.numel()]
    assert large and all(tensor.data_ptr() == features.data_ptr() for tensor in large)
    (found,) = torch.autograd.grad(loss, features)
    plain = features.detach().double().requires_grad_()
    positions = plain[0].flatten(1).T
    wanted = 0
    for guide in guides:
        squared = guide.double().square().flatten()[:, None]
        gram, means = positions.T @ (squared * positions) / squared.sum(), (squared * positions).sum(0) / squared.sum()
        wanted = wanted + gram.square().sum() + means.square().sum()
    (expected,) = torch.autograd.grad(wanted, plain)
    torch.testing.assert_close(found.double(), expected, rtol=0.03 if dtype == torch.bfloat16 else 1e-4, atol=1e-5)
