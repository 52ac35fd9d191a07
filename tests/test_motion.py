"""Motion between frames, and paint that moves along with it."""

from itertools import pairwise

import numpy
import pytest
import torch
from frames import crossing, smooth
from networks import FP32, made_up_code

from benchmarks.film import paintings
from style_core import StylizeOptions
from style_core.media.motion import Motion, carried_along, motion_between
from style_core.media.motion_layers import affine_layers
from style_core.progress import returned
from style_core.recipes.key_frames import FilmOptions
from style_core.recipes.steady_paint import SteadyPaint
from style_core.recipes.stylize_clip import FramePainter, LivePainter
from style_core.weights.open import open_generator


def test_a_pan_is_measured_and_followed():
    wide = smooth(96, 200)
    before, now = wide[:, :, 10:170], wide[:, :, 13:173]  # what was at x + 3 is at x
    motion = motion_between(before, now)
    inner = motion.flow[16:-16, 16:-16]
    assert abs(inner[..., 0] - 3).max() < 0.05 and abs(inner[..., 1]).max() < 0.05
    assert motion.confidence[16:-16, 16:-16].mean() > 0.9 and not motion.cut
    moved = carried_along(before, motion)
    assert float((moved - now)[:, 16:-16, 16:-16].abs().mean()) < 0.002


def test_the_motions_of_an_object_and_of_the_ground_are_told_apart():
    ground, ball = smooth(144, 200, seed=1), smooth(144, 200, seed=2)
    motion = motion_between(crossing(60, ground, ball), crossing(67, ground, ball))
    assert abs(motion.flow[34:58, 71:95, 0] + 7).max() < 0.2 and abs(motion.flow[34:58, 71:95, 1]).max() < 0.2
    assert motion.confidence[34:58, 71:95].min() > 0.9 and not motion.ground[34:58, 71:95].any()
    assert abs(motion.flow[:, 120:]).max() == 0 and motion.ground[:, 120:].all()


def test_a_motion_that_the_frames_do_not_bear_out_is_none():
    old = (smooth()[0] * 50).to(torch.uint8).numpy()
    new, flow = 255 - old, numpy.zeros((*old.shape, 2), numpy.float32)  # the light goes on
    flow[24:72, 40:100] = (-6, 2)
    assert len(affine_layers(old, new, flow)) == 1


def test_what_was_hidden_or_outside_is_not_trusted():
    ground, ball = smooth(seed=1), smooth(seed=2)
    confidence = motion_between(crossing(40, ground, ball), crossing(52, ground, ball)).confidence
    assert confidence[32:60, 42:50].mean() < 0.1  # behind the square until now
    assert confidence[5:25, 90:150].mean() > 0.9
    wide = smooth(96, 200)
    assert motion_between(wide[:, :, :160], wide[:, :, 20:180]).confidence[20:-20, -12:].mean() < 0.1  # came in from the right


def test_where_nothing_can_be_seen_to_move_nothing_does():
    blank, drift = numpy.full((96, 160), 3, numpy.uint8), numpy.full((96, 160, 2), 2.5, numpy.float32)
    (layer,) = affine_layers(blank, blank, drift)
    assert numpy.array_equal(layer, numpy.eye(2, 3))


def test_the_motion_of_something_small_that_is_not_rigid_is_followed():
    ground, cloth = smooth(144, 200, seed=1), smooth(144, 200, seed=2)
    rows, columns = torch.meshgrid(torch.arange(144.0), torch.arange(200.0), indexing="ij")
    bent = 3 * torch.sin(rows / 5)  # a flag in the wind, 24 x 40 px

    def frame(share):
        grid = torch.stack([2 * (columns + share * bent) / 199 - 1, 2 * rows / 143 - 1], -1)[None]
        moved = torch.nn.functional.grid_sample(cloth[None], grid, mode="bicubic", align_corners=True)[0]
        return torch.where((abs(rows - 72) < 20) & (abs(columns - 100) < 12), moved, ground)

    motion = motion_between(frame(0.0), frame(1.0))
    inner = (slice(58, 87), slice(95, 106))
    assert abs(motion.flow[inner][..., 0] - bent[inner].numpy()).mean() < 0.5 and abs(motion.flow[inner][..., 1]).mean() < 0.5
    assert motion.confidence[inner].mean() > 0.8


@pytest.mark.parametrize("size", [(16, 100), (24, 200), (29, 512), (64, 4000), (90, 1600), (16, 16)])
def test_flat_frames_have_a_motion_too(size):
    wide = smooth(max(size[0], 96), size[1] + 12)[:, : size[0]]
    motion = motion_between(wide[:, :, : size[1]], wide[:, :, 3 : 3 + size[1]])
    assert numpy.isfinite(motion.flow).all() and numpy.isfinite(motion.confidence).all()


def test_a_new_scene_is_a_cut():
    assert motion_between(smooth(seed=3), smooth(seed=4)).cut
    assert not motion_between(smooth(seed=3), smooth(seed=3)).cut


def test_old_paint_stays_where_it_is_trusted_and_what_is_new_is_fresh():
    photo, old, fresh = smooth(64, 64), torch.full((3, 64, 64), 0.5), torch.full((3, 64, 64), 0.4)
    confidence = numpy.ones((64, 64), numpy.float32)
    confidence[:, 24:] = 0
    still = Motion(numpy.zeros((64, 64, 2), numpy.float32), confidence, numpy.ones((64, 64), bool))

    def next_frame(steadiness, now=photo):
        paint = SteadyPaint(steadiness)
        paint.start(photo, old)
        return paint.onto(now, fresh, still)

    result = next_frame(1.0)
    torch.testing.assert_close(result[:, :, :23], old[:, :, :23], atol=0.001, rtol=0)
    torch.testing.assert_close(result[:, :, 23], old[:, :, 23], atol=1 / 255, rtol=0)  # beside the new paint, where contrast rises
    torch.testing.assert_close(result[:, :, 60:], fresh[:, :, 60:], atol=1 / 255, rtol=0)
    torch.testing.assert_close(next_frame(0.0), fresh)
    torch.testing.assert_close(next_frame(1.0, now=1 - photo.round()), fresh, atol=0.11, rtol=0)


def test_paint_whose_photo_has_changed_is_dropped_even_if_each_change_was_small():
    paint, still = (
        SteadyPaint(1.0),
        Motion(numpy.zeros((48, 48, 2), numpy.float32), numpy.ones((48, 48), numpy.float32), numpy.ones((48, 48), bool)),
    )
    paint.start(torch.zeros(3, 48, 48), torch.zeros(3, 48, 48))
    for brightness in torch.linspace(0, 1, 21)[1:]:
        photo = brightness.expand(3, 48, 48)
        painted = paint.onto(photo, photo, still)
    assert float((painted - 1).abs().max()) < 0.2


def test_the_paint_of_a_still_ground_stays_while_an_object_crosses_and_leaves_no_trail():
    ground, ball = smooth(144, 200, seed=1), smooth(144, 200, seed=2)
    fresh = torch.Generator().manual_seed(0)
    paint, frames, last = SteadyPaint(1.0), [], None
    for left in range(20, 120, 10):
        photo = crossing(left, ground, ball)
        flicker = 0.1 * torch.rand((3, 1, 1), generator=fresh)
        motion = motion_between(last, photo) if last is not None else None
        last = photo
        frames.append(paint.onto(photo, photo * 0.7 + flicker, motion))
    for before, now in zip(frames, frames[1:]):
        assert float((before - now)[:, 100:].abs().max()) < 1 / 255
    uncovered = (frames[-1] - ground * 0.7)[:, 34:58, 24:90]  # flicker adds 0 to 0.1
    assert -0.03 < float(uncovered.min()) and float(uncovered.max()) < 0.13


@pytest.mark.parametrize("shift", [0.2, 0.3, 0.8])
def test_what_is_warped_again_and_again_keeps_up_with_the_motion(shift):
    x = torch.arange(120.0)
    wave = (0.5 + 0.3 * torch.sin(x / 3)).expand(3, 40, 120).contiguous()
    flow = numpy.zeros((40, 120, 2), numpy.float32)
    flow[..., 0] = shift
    moved = wave
    for _ in range(20):
        moved = carried_along(moved, Motion(flow, numpy.ones((40, 120), numpy.float32), numpy.ones((40, 120), bool)))
    there = 0.5 + 0.3 * torch.sin((x + 20 * shift) / 3)
    assert float((moved[0, 20] - there)[30:90].abs().max()) < 0.03  # 0.3 px


def test_paint_stands_still_where_only_noise_moves_and_starts_anew_at_a_cut():
    generator = open_generator(FP32)
    code = made_up_code()
    photo, other = smooth(64, 96), smooth(64, 96, seed=7)
    noise = torch.Generator().manual_seed(0)
    frames = [(photo + 0.03 * torch.randn(photo.shape, generator=noise)).clamp(0, 1) for _ in range(4)] + [other]

    def painted(steadiness):
        return paintings(FramePainter(generator, [], [code], [1.0], StylizeOptions(), FilmOptions(steadiness)), frames)

    plain, steady = painted(0.0), painted(1.0)

    def flicker(images):
        return sum(float((a - b).abs().mean()) for a, b in zip(images[:4], images[1:4]))

    assert flicker(steady) < 0.1 * flicker(plain)
    assert torch.equal(steady[-1], painted(0.0)[-1]) or float((steady[-1] - plain[-1]).abs().mean()) < 0.02


def test_what_a_long_pan_brings_in_does_not_drift_away_in_color():
    wide, paint, last = smooth(64, 260), SteadyPaint(1.0), None
    for left in range(0, 120, 4):
        photo = wide[:, :, left : left + 120]
        fresh = 0.2 + 0.6 * photo
        fresh[:, :, -12:] += 0.03  # as a network errs at a frame's edge
        motion = motion_between(last, photo) if last is not None else None
        painted, last = paint.onto(photo, fresh, motion), photo
    assert float((painted - fresh)[:, :, -30:].abs().mean()) < 0.08


def test_frames_come_in_order_and_what_is_uncovered_between_key_frames_has_the_later_ones_paint():
    generator, code = open_generator(FP32), made_up_code()
    ground, ball = smooth(144, 200, seed=1), smooth(144, 200, seed=2)
    photos = [crossing(20 + 8 * index, ground, ball) for index in range(6)]
    painter = FramePainter(generator, [], [code], [1.0], StylizeOptions(), FilmOptions(key_every=4))
    counts, film = [], []
    for photo in photos:
        done = returned(painter.paint_next(photo))
        counts.append(len(done))
        film += done
    assert counts == [1, 0, 0, 0, 4, 0]
    film += returned(painter.paint_rest())
    assert len(film) == 6 and not returned(painter.paint_rest())
    alone = paintings(FramePainter(generator, [], [code], [1.0], StylizeOptions(), FilmOptions(0.0)), photos)
    for index in (1, 2, 3):  # between the first frame and the next key frame, the fifth
        behind = (slice(None), slice(34, 58), slice(22, 20 + 8 * index - 4))  # uncovered by now
        off = (film[index] - film[4])[behind].abs().mean()
        assert off < 0.02 and off < 0.5 * (alone[index] - alone[4])[behind].abs().mean()
        square = (slice(None), slice(36, 56), slice(26 + 8 * index, 46 + 8 * index))
        first = (slice(None), slice(36, 56), slice(26, 46))
        assert (film[index][square] - film[0][first]).abs().mean() < 0.03, "paint moves along with the square"


def test_what_no_motion_explains_is_painted_for_itself_between_key_frames():
    generator, code = open_generator(FP32), made_up_code()
    ground = smooth(144, 200, seed=1)
    photos = [crossing(60, ground, smooth(144, 200, seed=10 + index)) for index in range(6)]  # something else in each frame
    film = paintings(FramePainter(generator, [], [code], [1.0], StylizeOptions(), FilmOptions(key_every=5)), photos)
    alone = paintings(FramePainter(generator, [], [code], [1.0], StylizeOptions(), FilmOptions(0.0)), photos)
    square, beside = (slice(None), slice(34, 58), slice(64, 88)), (slice(None), slice(80, 140), slice(120, 190))
    for index in range(1, 5):
        others = [float((film[index] - other)[square].abs().mean()) for other in alone]
        assert others[index] == min(others) and others[index] < 0.5 * sorted(others)[1], "it shows its own frame"
        assert float((film[index] - film[0])[beside].abs().max()) < 0.02, "the rest stays as it was painted"
    unchanged = paintings(FramePainter(generator, [], [code], [1.0], StylizeOptions(strength=0), FilmOptions(key_every=5)), photos)
    assert all(float((after - before).abs().mean()) < 0.01 for after, before in zip(unchanged, photos)), "at strength 0"


def test_a_cut_between_key_frames_starts_anew():
    generator, code = open_generator(FP32), made_up_code()
    photos = [smooth(64, 96)] * 3 + [smooth(64, 96, seed=7)] * 2
    film = paintings(FramePainter(generator, [], [code], [1.0], StylizeOptions(), FilmOptions(key_every=8)), photos)
    alone = paintings(FramePainter(generator, [], [code], [1.0], StylizeOptions(), FilmOptions(0.0)), photos[3:])
    assert len(film) == 5 and torch.equal(film[3], alone[0])


def test_a_camera_s_frames_are_painted_at_once_and_by_the_network_only_at_key_frames(monkeypatch):
    generator, code = open_generator(FP32), made_up_code()
    wide = smooth(96, 200, seed=1)
    photos = [wide[:, :, 3 * index : 3 * index + 144] for index in range(9)] + [smooth(96, 144, seed=7), smooth(64, 96, seed=7)]
    painter = LivePainter(generator, [], [code], [1.0], StylizeOptions(), FilmOptions(key_every=4))
    fresh, by_network, made = painter._fresh, [], []
    monkeypatch.setattr(painter, "_fresh", lambda photo, *frames: by_network.append(len(made)) or fresh(photo, *frames))
    for photo in photos:
        made.append(painter.paint(photo))
    assert by_network[0] == 0 and by_network[-2:] == [9, 10], "the first, a new scene, another size"
    assert len(by_network) <= 6 and all(1 < after - before <= 4 for before, after in pairwise(by_network[:-2]))
    assert all(painting.shape == photo.shape for painting, photo in zip(made, photos))
    for before, after in zip(made[:8], made[1:9]):
        assert float((after[:, 8:-8, 8:-16] - before[:, 8:-8, 11:-13]).abs().mean()) < 0.02, "paint moves along"
    alone = paintings(FramePainter(generator, [], [code], [1.0], StylizeOptions(), FilmOptions(0.0)), photos[9:10])
    assert float((made[9] - alone[0]).abs().mean()) < 0.05, "nothing is left of the scene before but how codes were adjusted"
    for painting in made[:9]:
        edge, beside = painting[:, :, -8:].mean((1, 2)), painting[:, :, -32:-8].mean((1, 2))
        assert float((edge - beside).abs().max()) < 0.15, "what comes into view takes the colors beside it"
