"""Motion between frames, and paint that moves along with it."""

import numpy
import torch
from networks import FP32, made_up_code

from style_core import StylizeOptions
from style_core.media.motion import Motion, carried_along, motion_between
from style_core.recipes.stylize_clip import FramePainter, steadied
from style_core.weights.open import open_generator


def smooth(height=96, width=160, seed=0):
    """A texture that flow can be measured on."""
    coarse = torch.rand(1, 3, height // 6, width // 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)[0].clamp(0, 1)


def test_a_pan_is_measured_and_followed():
    wide = smooth(96, 200)
    before, now = wide[:, :, 10:170], wide[:, :, 13:173]  # what was at x + 3 is at x
    motion = motion_between(before, now)
    inner = motion.flow[16:-16, 16:-16]
    assert abs(inner[..., 0].mean() - 3) < 0.2 and abs(inner[..., 1].mean()) < 0.2
    assert motion.confidence[16:-16, 16:-16].mean() > 0.9 and not motion.cut
    moved = carried_along(before, motion)
    assert float((moved - now)[:, 16:-16, 16:-16].abs().mean()) < 0.01


def test_what_was_hidden_or_outside_is_not_trusted():
    ground, ball = smooth(seed=1), smooth(seed=2)
    before, now = ground.clone(), ground.clone()
    before[:, 30:60, 40:70] = ball[:, 30:60, 40:70]
    now[:, 30:60, 52:82] = ball[:, 30:60, 40:70]
    confidence = motion_between(before, now).confidence
    assert confidence[32:58, 42:50].mean() < 0.1  # behind the square until now
    assert confidence[5:25, 90:150].mean() > 0.9
    wide = smooth(96, 200)
    assert motion_between(wide[:, :, :160], wide[:, :, 20:180]).confidence[20:-20, -12:].mean() < 0.1  # came in from the right


def test_a_new_scene_is_a_cut():
    assert motion_between(smooth(seed=3), smooth(seed=4)).cut
    assert not motion_between(smooth(seed=3), smooth(seed=3)).cut


def test_old_paint_stays_where_it_is_trusted_and_goes_where_it_is_far_off():
    fresh, moved = torch.full((3, 64, 64), 0.4), torch.full((3, 64, 64), 0.5)
    still, confidence = numpy.zeros((64, 64, 2), numpy.float32), numpy.ones((64, 64), numpy.float32)
    confidence[:, 32:] = 0
    result = steadied(fresh, moved, Motion(still, confidence), 1.0)
    assert float(result[:, :, :16].mean()) > 0.49 and torch.allclose(result[:, :, 48:], fresh[:, :, 48:])
    assert torch.allclose(steadied(fresh, moved, Motion(still, confidence), 0.0), fresh)
    assert torch.allclose(steadied(fresh, torch.ones(3, 64, 64), Motion(still, confidence), 1.0), fresh)


def test_paint_stands_still_where_only_noise_moves_and_starts_anew_at_a_cut():
    generator = open_generator(FP32)
    code = made_up_code()
    photo, other = smooth(64, 96), smooth(64, 96, seed=7)
    noise = torch.Generator().manual_seed(0)
    frames = [(photo + 0.03 * torch.randn(photo.shape, generator=noise)).clamp(0, 1) for _ in range(4)] + [other]

    def painted(steadiness):
        painter = FramePainter(generator, [], [code], [1.0], StylizeOptions(), steadiness)
        return [painter.paint(frame) for frame in frames]

    plain, steady = painted(0.0), painted(1.0)

    def flicker(images):
        return sum(float((a - b).abs().mean()) for a, b in zip(images[:4], images[1:4]))

    assert flicker(steady) < 0.4 * flicker(plain)
    assert float((steady[-1] - plain[-1]).abs().mean()) < 0.02
