"""Clips painted: stopped, gone on from, and never at the cost of a file that was there."""

from itertools import islice, pairwise

import pytest
import torch
from frames import collected, crossing, smooth
from huggingface_hub import constants
from networks import FP32, drawn_vgg, made_up_code, picture
from safetensors.torch import save_file

from benchmarks.film import paintings
from style_core import OptimizeOptions, RequestError, StylizeOptions, finish
from style_core.cli.main import main
from style_core.media.clip import Clip
from style_core.media.images import write_image
from style_core.media.video import FrameWriter
from style_core.networks.backbones import BACKBONES
from style_core.optimization.temporal import TemporalTarget
from style_core.progress import Step
from style_core.recipes import film as films
from style_core.recipes import optimize_clip as optimize_clip_module
from style_core.recipes.optimize import optimize
from style_core.recipes.optimize_clip import FrameOptimizer, OptimizedFilmOptions, optimize_clip
from style_core.recipes.stylize_clip import stylize_clip
from style_core.weights import registry as weights

OPTIONS = StylizeOptions(size=64)
CODE = made_up_code()


def moving(path, frames=6):
    """A clip of a picture that moves to the left."""
    wide = picture(48, 128)
    with FrameWriter(path, 10) as writer:
        for index in range(frames):
            writer.add(wide[:, :, 2 * index : 2 * index + 64])
    return path


def painting(source, out, options=OPTIONS, **more):
    return stylize_clip(source, out, [], options, codes=[CODE], compute=FP32, **more)


def stop_after(steps, frames):
    for step in steps:
        if step.iteration == frames:
            break
    steps.close()


def test_length_and_size_are_reported_before_anything_else(tmp_path):
    steps = painting(moving(tmp_path / "in.mp4"), tmp_path / "out.mp4")
    assert next(steps).note == "in.mp4 is 0.6 s long: 6 frames of 64 x 48 px, painted at 64 x 48 px."
    steps.close()
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_a_clip_is_not_painted_onto_itself(tmp_path):
    source = moving(tmp_path / "in.mp4")
    before = source.read_bytes()
    (tmp_path / "same.mp4").symlink_to(source)
    for out in (source, tmp_path / "same.mp4"):
        with pytest.raises(RequestError, match="is the clip itself; give the film another name."):
            finish(painting(source, out))
    assert source.read_bytes() == before


def test_a_failure_leaves_the_film_that_was_there(tmp_path):
    film = moving(tmp_path / "film.mp4", frames=2)
    before = film.read_bytes()
    (tmp_path / "broken.mp4").write_bytes(moving(tmp_path / "in.mp4").read_bytes()[:900])
    for name, said in (("broken.mp4", "is not a readable video"), ("missing.mp4", "There is no file missing.mp4")):
        with pytest.raises(RequestError, match=said):
            finish(painting(tmp_path / name, film))
    with pytest.raises(ZeroDivisionError), FrameWriter(film, 10) as writer:
        writer.add(picture(32, 32))
        raise ZeroDivisionError
    assert film.read_bytes() == before


def test_a_stopped_film_is_kept_and_continued(tmp_path):
    source, out = moving(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    stop_after(painting(source, out), 3)
    assert Clip.open(out).frames == 3
    kept = list(Clip.open(out).images())
    stop_after(painting(source, out, continue_from=out), 3)
    assert Clip.open(out).frames == 3, "stopped again before anything new: what there was stays"
    steps = list(painting(source, out, continue_from=out))
    assert any(step.note == "Continuing after frame 3." for step in steps) and steps[-1].iteration == 6
    whole = list(Clip.open(out).images())
    assert len(whole) == 6 and all(torch.equal(a, b) for a, b in zip(kept, whole)), "copied as they are stored"
    finish(painting(source, tmp_path / "straight.mp4"))
    straight = list(Clip.open(tmp_path / "straight.mp4").images())
    assert float((straight[-1] - whole[-1]).abs().mean()) < 0.02, "as if it had never been stopped"


def test_another_request_starts_anew(tmp_path):
    source, out = moving(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    stop_after(painting(source, out), 2)
    other = StylizeOptions(size=64, strength=0.5)
    before = out.read_bytes()
    stop_after(painting(source, out, other, continue_from=out), 1)
    assert out.read_bytes() == before, "stopped before it was as long as the film that was there"
    with pytest.raises(RequestError, match="painted with other settings or from another clip; set them as they were, or start anew"):
        finish(painting(source, tmp_path / "new.mp4", other, continue_from=out))
    assert out.read_bytes() == before and not (tmp_path / "new.mp4").exists()
    steps = list(painting(source, out, other, continue_from=out))
    assert not any("Continuing" in step.note for step in steps) and Clip.open(out).frames == 6


def test_a_film_keeps_the_clips_size_where_that_is_smaller_and_its_rate(tmp_path):
    finish(painting(moving(tmp_path / "in.mp4"), tmp_path / "out.mp4", StylizeOptions(size=256)))
    film = Clip.open(tmp_path / "out.mp4")
    assert (film.width, film.height, film.fps, film.frames) == (64, 48, 10, 6)


def test_the_temporal_term_acts_only_where_the_motion_is_trusted():
    confidence = torch.zeros(8, 8)
    confidence[:, :4] = 1
    objective = TemporalTarget(torch.full((3, 8, 8), 0.5), confidence, weight=10.0).beside(lambda picture: (picture.sum() * 0, {}))
    picture = torch.full((1, 3, 8, 8), 0.7, requires_grad=True)
    loss, parts = objective(picture)
    assert abs(float(loss.detach()) - 10 * 0.5 * 0.2**2) < 1e-5 and set(parts) == {"temporal"}
    (gradient,) = torch.autograd.grad(loss, picture)
    assert (gradient[..., :4] > 0).all() and not gradient[..., 4:].any()


def test_an_optimized_film_moves_with_its_clip_and_can_be_stopped_and_continued(tmp_path):
    source, out = moving(tmp_path / "in.mp4", frames=3), tmp_path / "out.mp4"
    options = OptimizeOptions(size=64, iterations=12, extractor="lite")

    def optimizing(film=OptimizedFilmOptions(frame_iterations=4), **more):
        return optimize_clip(source, more.pop("out", out), [picture(48, 48, seed=5)], options, film, compute=FP32, **more)

    stop_after(optimizing(), 2)
    stopped = list(Clip.open(out).images())
    assert len(stopped) == 2
    last = finish(optimizing(continue_from=out))
    assert last.iteration == 3 and "lite" in last.weights
    continued = list(Clip.open(out).images())
    assert len(continued) == 3 and all(torch.equal(one, two) for one, two in zip(stopped, continued)), "copied as they are stored"
    finish(optimizing(out=tmp_path / "whole.mp4"))
    film = list(Clip.open(tmp_path / "whole.mp4").images())
    finish(optimizing(OptimizedFilmOptions(frame_iterations=4, steadiness=0), out=tmp_path / "free.mp4"))
    free = list(Clip.open(tmp_path / "free.mp4").images())

    def flicker(images):  # the clip moves two px to the left each frame
        return sum(float((a[:, :, 8:-6] - b[:, :, 6:-8]).abs().mean()) for a, b in zip(images, images[1:]))

    assert flicker(film) < flicker(free)


def test_an_optimized_film_goes_on_with_the_network_that_it_was_begun_with(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("STYLE_CORE_VGG19", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    source, out = moving(tmp_path / "in.mp4", frames=4), tmp_path / "out.mp4"
    film = OptimizedFilmOptions(key_every=1, frame_iterations=1)

    def optimizing(out=out, **changed):
        options = OptimizeOptions(**{"size": 64, "iterations": 2} | changed)
        return optimize_clip(source, out, [picture(48, 48, seed=5)], options, film, compute=FP32, continue_from=tmp_path / "out.mp4")

    steps = optimizing()
    assert "4 frames" in next(steps).note, "before any network is opened"
    assert "Using the built-in network instead of VGG-19" in next(steps).note
    stop_after(steps, 1)
    stop_after(optimizing(), 2)
    stop_after(optimizing(extractor="lite"), 3)
    assert Clip.open(out).frames == 3, "with the same network, it continues"

    shapes = BACKBONES["vgg19"].tensors("relu5_1")
    save_file(drawn_vgg(shapes), tmp_path / "cache" / "vgg19.safetensors")  # as if it had been downloaded since
    with pytest.raises(RequestError, match="painted with other settings or from another clip; set them as they were, or start anew"):
        finish(optimizing(tmp_path / "new.mp4"))
    steps = optimizing()
    assert any("so this film starts anew" in step.note for step in islice(steps, 2))
    steps.close()
    steps = optimizing(extractor="lite")
    assert any("Continuing after frame 3." == step.note for step in islice(steps, 2))
    steps.close()


def test_an_optimized_film_fetches_no_network_that_it_does_not_use_or_have_memory_for(tmp_path, monkeypatch):
    monkeypatch.setattr(optimize_clip_module, "open_extractor", lambda *given: pytest.fail("a network was opened"))
    source = moving(tmp_path / "in.mp4", frames=2)

    def optimizing(**options):
        given = OptimizeOptions(size=64, **options), OptimizedFilmOptions()
        return optimize_clip(source, tmp_path / "out.mp4", [picture(48, 48, seed=5)], *given, compute=FP32)

    stop_after(optimizing(strength=0), 1)
    monkeypatch.setattr("style_core.recipes.memory_plan.budget", lambda compute: 1e6)
    with pytest.raises(RequestError, match="GB"):
        list(optimizing())


def test_only_key_frames_are_optimized_and_paint_stays_on_what_stands_still():
    ground, ball = smooth(144, 200, seed=1), smooth(144, 200, seed=2)
    photos = [crossing(20 + 3 * index, ground, ball) for index in range(6)]
    options, how = OptimizeOptions(iterations=8, extractor="lite"), OptimizedFilmOptions(key_every=4, frame_iterations=5)
    painter, optimized, done = FrameOptimizer([picture(48, 48, seed=5)], [1.0], options, how, FP32), set(), []
    for index, photo in enumerate([*photos, None]):
        working = painter.paint_rest() if photo is None else painter.paint_next(photo)
        steps, painted = collected(working)
        optimized |= {(index, step.total) for step in steps if step.iteration == step.total}
        done += painted
    assert optimized == {(0, 8), (4, 5), (6, 5)}, "the first frame, the fourth after it, and the last"
    assert len(done) == 6 and all(one.shape == photo.shape for one, photo in zip(done, photos))
    for before, after in pairwise(done):
        off = (before - after)[:, 90:].abs()  # below the square
        assert off.mean() < 0.1 / 255 and off.max() < 3 / 255, "paint stays on what stands still"
    squares = [painted[:, 36:56, 26 + 3 * index : 46 + 3 * index] for index, painted in enumerate(done)]
    assert all((before - after).abs().mean() < 0.02 for before, after in pairwise(squares)), "paint moves along with the square"


def test_a_clip_smaller_than_what_is_optimized_keeps_its_place():
    photos = [smooth(32, 48, seed=1)] * 2
    options, how = OptimizeOptions(strength=0, iterations=4, extractor="lite"), OptimizedFilmOptions(key_every=1, frame_iterations=4)
    painted = paintings(FrameOptimizer([picture(48, 48, seed=5)], [1.0], options, how, FP32), photos)
    assert all((painting - photo).abs().mean() < 0.04 for painting, photo in zip(painted, photos, strict=True))


def test_what_comes_into_view_starts_from_the_generator_s_picture_which_is_smaller_if_memory_is_short(monkeypatch, runs_file):
    wide = smooth(96, 200, seed=1)
    photos = [wide[:, :, :144], wide[:, :, 12:156]]
    options, how = OptimizeOptions(iterations=2, extractor="lite"), OptimizedFilmOptions(key_every=1, frame_iterations=1)
    begun = []

    def started(photo, styles, options, *, init_image, **more):
        begun.append(init_image)
        return optimize(photo, styles, options, init_image=init_image, **more)

    monkeypatch.setattr(optimize_clip_module, "optimize", started)
    for memory in (8e9, 0.452e9):
        monkeypatch.setattr(optimize_clip_module, "budget", lambda compute, memory=memory: memory)
        painter = FrameOptimizer([picture(48, 48, seed=5)], [1.0], options, how, FP32)
        assert len(paintings(painter, photos)) == 2 and set(painter.weights) == {"lite", "generator", "sharpening"}
    new = (slice(None), slice(None), slice(-10, None))  # what the second photo adds
    full, small = begun[1][new], begun[3][new]
    assert begun[0] is None and (full - photos[1][new]).abs().mean() > 0.05
    assert (small - full).abs().mean() > 0.02
    assert not runs_file.exists() or "stylize" not in runs_file.read_text(), "a start says nothing about Stylize's own time"


def test_the_shell_optimizes_clips(tmp_path, capsys):
    source, out = moving(tmp_path / "in.mp4", frames=2), tmp_path / "out.mp4"
    write_image(tmp_path / "style.png", picture(48, 48, seed=5))
    command = ["optimize", str(source), str(tmp_path / "style.png"), "-o", str(out), "--size", "64", "--extractor", "lite"]
    assert main([*command, "--mask", str(tmp_path / "style.png")]) == 2
    assert "--mask works only with a photo; CONTENT is a clip." in capsys.readouterr().err
    assert main([*command, "--iterations", "3", "--frame-iterations", "2"]) == 0
    assert Clip.open(out).frames == 2


def test_the_time_left_follows_from_the_frames_after_the_first(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(films.time, "monotonic", lambda: clock[0])

    class Slow:
        """Takes 60 s for the first frame and 2 s for each further one, and paints two at once."""

        weights: dict[str, str] = {}

        def __init__(self):
            self.waiting, self.first = [], True

        def paint_next(self, photo):
            yield Step(0, 1)
            clock[0] += 60 if self.first else 2
            self.waiting.append(photo)
            if len(self.waiting) < 2 and not self.first:
                return []
            self.first = False
            return (yield from self.paint_rest())

        def paint_rest(self):
            yield from ()
            done, self.waiting = self.waiting, []
            return done

    clip = Clip.open(moving(tmp_path / "in.mp4", frames=8))
    left = [(step.iteration, step.eta) for step in films.painted_film(clip, tmp_path / "out.mp4", Slow(), "", 64)]
    assert all(eta is None for done, eta in left if done < 2) and (3, 10.0) in left and (5, 6.0) in left and left[-1] == (8, 0.0)
