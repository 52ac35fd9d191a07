"""Benchmark clips: their flow is true, their masks leave out what the last frame did not show."""

import pytest
import torch

from benchmarks.clips import CHANGING, HEIGHT, WIDTH, clips, warping_error

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["fast-pan", "zoom-in", "turn", "two-crossing", "cuts"])
def test_the_frame_before_moved_along_the_flow_is_the_frame(name):
    assert name not in CHANGING
    clip = clips(name)[name]
    assert len(clip.frames) == len(clip.flow) == len(clip.valid) == 24
    assert clip.frames[0].shape == (3, HEIGHT, WIDTH) and clip.frames[0].dtype == torch.uint8
    assert max(warping_error(clip)) < 4.0
    share = [valid.float().mean().item() for t, valid in enumerate(clip.valid) if t and t not in clip.cuts]
    assert min(share) > 0.75


def test_nothing_is_valid_across_a_cut_and_frames_do_move():
    clip = clips("cut")["cut"]
    assert clip.cuts == (12,)
    assert not clip.valid[0].any() and not clip.valid[12].any()
    off = (clip.frames[5].float() - clip.frames[4].float())[:, clip.valid[5]].square().mean().sqrt()
    assert off > 2 * list(warping_error(clip))[4]


def test_what_an_object_uncovers_is_not_valid():
    clip = clips("crossing")["crossing"]
    still = clip.flow[8].abs().amax(0) < 1e-3
    assert 0.7 < still.float().mean() < 0.99, "the background stands still, the object does not"
    uncovered = still & ~clip.valid[8]
    changed = (clip.frames[8].float() - clip.frames[7].float()).abs().amax(0)
    assert uncovered.float().mean() > 0.005
    assert changed[still & clip.valid[8]].max() <= 1
    assert changed[uncovered].mean() > 10
