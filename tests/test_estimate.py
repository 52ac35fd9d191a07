"""Estimates: from the work alone, and from the runs that this machine has seen."""

import json
import time
from dataclasses import replace

import pytest
import torch
from networks import FP32, picture

from style_core import RECIPES, DreamOptions, ImagineOptions, OptimizeOptions, StylizeOptions, optimize, stylize
from style_core.errors import RequestError
from style_core.media.clip import Clip
from style_core.media.video import FrameWriter
from style_core.progress import finish
from style_core.recipes import estimate as estimates
from style_core.recipes import run_history
from style_core.recipes.estimate import estimate, film_estimate, larger_than_photo
from style_core.recipes.key_frames import FilmOptions
from style_core.recipes.optimize import largest_generated
from style_core.recipes.optimize_clip import OptimizedFilmOptions
from style_core.recipes.run_history import Estimate, Watch, corrected

PHOTO = (480, 640)


@pytest.mark.parametrize("options", [recipe.options for recipe in RECIPES.values() if recipe.cost])
def test_every_recipe_has_an_estimate_and_larger_pictures_take_more(options):
    small, large = (estimate(options(size=size), PHOTO, FP32) for size in (256, 1024))
    assert 0 < small.seconds < large.seconds and 0 < small.bytes < large.bytes


def test_more_work_takes_longer():
    least = estimate(OptimizeOptions(size=256), PHOTO, FP32).seconds
    assert estimate(OptimizeOptions(size=256, iterations=400), PHOTO, FP32).seconds > 1.5 * least
    assert estimate(OptimizeOptions(size=256, extractor="vgg19"), PHOTO, FP32).seconds > 2 * least
    assert estimate(ImagineOptions(count=8), None, FP32).seconds > 4 * estimate(ImagineOptions(), None, FP32).seconds
    assert estimate(DreamOptions(start="noise"), None, FP32).seconds > 0


@pytest.mark.parametrize("options", [OptimizeOptions(size=8192, extractor="vgg19"), StylizeOptions(size=8192), DreamOptions(size=4096)])
def test_a_size_that_does_not_fit_is_refused_with_one_that_would(options, monkeypatch):
    monkeypatch.setattr(estimates, "budget", lambda compute: 0.6e9)
    monkeypatch.setattr("style_core.recipes.memory_plan.budget", lambda compute: 0.6e9)
    with pytest.raises(RequestError, match="GB can be used here; choose a size of at most"):
        estimate(options, PHOTO, FP32)


def test_a_picture_that_does_not_fit_is_not_begun(monkeypatch):
    monkeypatch.setattr("style_core.recipes.stylize.budget", lambda compute: 2e9)
    running = stylize(picture(48, 64), [picture(48, 48)], StylizeOptions(size=8192), compute=FP32)
    with pytest.raises(RequestError, match="GB can be used here; choose a size of at most [0-9]{4} px"):
        next(running)


def test_a_run_within_little_memory_starts_from_a_smaller_picture_of_the_generator():
    assert largest_generated((4677, 7016), FP32, 6e9) < 6000 < largest_generated((4677, 7016), FP32, 20e9) == 7016


def test_films_have_estimates(tmp_path):
    with FrameWriter(tmp_path / "clip.mp4", 10) as writer:
        for _ in range(4):
            writer.add(picture(64, 96))
    clip = Clip.open(tmp_path / "clip.mp4")
    least = film_estimate(clip, StylizeOptions(), FilmOptions(), FP32)
    each = film_estimate(clip, StylizeOptions(), FilmOptions(key_every=1), FP32)
    finer = film_estimate(clip, OptimizeOptions(), OptimizedFilmOptions(), FP32)
    finest = film_estimate(clip, OptimizeOptions(), OptimizedFilmOptions(frame_iterations=80), FP32)
    assert 0 < least.seconds < each.seconds < finer.seconds < finest.seconds
    assert film_estimate(clip, OptimizeOptions(preset="portrait"), OptimizedFilmOptions(), FP32).seconds > finer.seconds
    longer = film_estimate(replace(clip, frames=8), StylizeOptions(), FilmOptions(), FP32)
    assert longer.seconds == pytest.approx(2 * least.seconds)


def test_the_size_control_says_when_it_goes_beyond_the_photo():
    assert "2 times as large as the photo (640 x 480 px)" in larger_than_photo(StylizeOptions(size=1280), PHOTO)
    assert larger_than_photo(StylizeOptions(size=640), PHOTO) == ""


def busy(seconds: float) -> None:
    """Work on all cores."""
    matrix, started = torch.rand(1500, 1500), time.monotonic()
    while time.monotonic() - started < seconds:
        matrix @ matrix


def test_estimates_learn_from_runs_and_not_from_those_that_shared_the_machine(monkeypatch, runs_file):
    predicted = Estimate(0.1, 1e9)
    monkeypatch.setattr(run_history, "_BUSY", 0.0)
    watch = Watch("paint", FP32, predicted)
    busy(0.3)
    watch.finish()
    assert corrected("paint", FP32, predicted).seconds > 0.25
    assert corrected("another", FP32, predicted) == predicted
    monkeypatch.setattr(run_history, "_BUSY", 0.9)
    watch = Watch("another", FP32, predicted)
    time.sleep(0.3)
    watch.finish()
    assert corrected("another", FP32, predicted) == predicted


def test_memory_that_the_process_holds_besides_is_not_taken_for_the_run_s(monkeypatch, runs_file):
    monkeypatch.setattr(run_history, "_BUSY", 0.0)
    predicted = Estimate(0.1, 1e9)

    def run(kind, megabytes):
        watch = Watch(kind, FP32, predicted)
        picture = torch.ones(megabytes * 250_000)
        busy(0.25)
        watch.finish()
        return picture

    monkeypatch.setattr(run_history, "BASE_BYTES", run_history._status("VmRSS"))
    run("alone", 900)
    assert corrected("alone", FP32, predicted).bytes > 0.9e9
    ballast = torch.ones(600 * 250_000)
    run("beside", 100)
    assert corrected("beside", FP32, predicted).bytes == predicted.bytes and ballast.any()


def test_what_others_compute_between_the_steps_of_a_run_is_left_out(monkeypatch, runs_file):
    monkeypatch.setattr(run_history, "_BUSY", 0.0)
    watch = Watch("paint", FP32, Estimate(1.0, 1e9))

    def steps():
        for step in range(3):
            busy(0.1)
            yield step
        busy(0.1)
        return "painted"

    def run():
        result = yield from watch.over(steps())
        watch.finish()
        return result

    running = run()
    for _ in running:
        time.sleep(1.0)
    assert 0.4 <= corrected("paint", FP32, Estimate(1.0, 1e9)).seconds < 2.0, "three seconds of others"


def test_style_losses_have_estimates_of_their_own_and_learn_apart(monkeypatch, runs_file):
    def seconds(loss):
        return estimate(OptimizeOptions(size=384, extractor="lite", style_loss=loss), PHOTO, FP32).seconds

    gram, covariance, nearest, transport, sliced = map(seconds, ("gram", "covariance", "nearest", "transport", "sliced"))
    assert gram < covariance < nearest < transport and gram < sliced
    assert estimate(OptimizeOptions(size=384, extractor="lite", preset="portrait"), PHOTO, FP32).seconds == transport
    runs_file.parent.mkdir(parents=True, exist_ok=True)
    runs_file.write_text(json.dumps({run_history._key("optimize lite", FP32): [[40.0, 30.0]] * 9}))  # of all losses, as once
    assert (seconds("gram"), seconds("sliced")) == (gram, sliced)
    monkeypatch.setattr(run_history, "_BUSY", 0.0)
    monkeypatch.setattr(run_history, "_SHORTEST", 0.0)
    options = OptimizeOptions(size=96, iterations=2, extractor="lite", style_loss="sliced")
    finish(optimize(picture(64, 96), [picture(64, 64, seed=1)], options, compute=FP32))
    assert seconds("gram") == gram and seconds("nearest") == nearest and seconds("sliced") != sliced


def test_only_the_last_runs_count_and_one_odd_one_does_not(runs_file):
    runs_file.parent.mkdir(parents=True)
    runs_file.write_text(json.dumps({run_history._key("paint", FP32): [[2.0, None]] * 5 + [[50.0, None]]}))
    assert corrected("paint", FP32, Estimate(1.0, 1e9)) == Estimate(2.0, 1e9)
    runs_file.write_text("{damaged")
    assert corrected("paint", FP32, Estimate(1.0, 1e9)) == Estimate(1.0, 1e9)


def test_runs_that_were_predicted_from_a_much_lower_speed_are_forgotten(monkeypatch, runs_file):
    monkeypatch.setattr(run_history.os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    assert run_history.best_seen("operations a second", FP32, lambda: 10.0) == 10.0
    run_history._keep(run_history._key("paint", FP32), [3.0, None])
    assert run_history.best_seen("operations a second", FP32, lambda: 11.0) == 11.0
    assert corrected("paint", FP32, Estimate(1.0, 1e9)).seconds == 3.0, "about as fast as was known"
    assert run_history.best_seen("bytes a second", FP32, lambda: 5.0) == 5.0
    run_history._keep(run_history._key("paint", FP32), [3.0, None])
    assert run_history.best_seen("operations a second", FP32, lambda: 20.0) == 20.0
    assert corrected("paint", FP32, Estimate(1.0, 1e9)).seconds == 1.0
    assert run_history.best_seen("bytes a second", FP32, lambda: 4.0) == 5.0, "speeds stay"


def test_a_run_is_remembered_where_its_cache_can_be_written(monkeypatch, runs_file):
    monkeypatch.setattr(run_history, "_BUSY", 0.0)
    monkeypatch.setattr(run_history, "_SHORTEST", 0.0)

    def run(seed, **options):
        finish(stylize(picture(64, 72, seed), [picture(64, 64, seed=1)], StylizeOptions(size=96, **options), compute=FP32))

    def remembered():
        return [len(runs) for key, runs in json.loads(runs_file.read_text()).items() if key.startswith("stylize")]

    run(101)
    assert remembered() == [1]
    run(101, strength=0.5)
    run(102, strength=0)
    assert remembered() == [1], "a photo that is encoded already, and one that isn't painted, take less"
    run(103)
    assert remembered() == [2]
    monkeypatch.setattr(run_history, "_file", lambda: runs_file / "inside" / "a file")
    run(104)
