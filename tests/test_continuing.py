"""Paintings that were stopped, or finished, and go on: at the size that they had reached, whatever is asked for now."""

import json
from argparse import Namespace
from contextlib import closing
from dataclasses import replace

import pytest
import torch
from networks import FP32, picture

from style_core import OptimizeOptions, optimize, write_image
from style_core.cli.continuing import to_continue
from style_core.errors import RequestError
from style_core.media.settings import done_of, settings_of
from style_core.progress import Level, Step, finish
from style_core.recipes import optimize as optimizing
from style_core.recipes.pyramid import level_reached, levels_left, levels_of
from style_core.recipes.recorded_inputs import request_of

SIDE = 256  # px, the smallest that is painted at 128 px first


def stopped(photo, style, options: OptimizeOptions, level: int, after: int) -> Step:
    """The Step of a run so many iterations after it has begun the size `level`."""
    begun = None
    with closing(optimize(photo, [style], options, compute=FP32, preview_every=0)) as steps:
        for step in steps:
            if step.level and step.level.side == level:
                begun = step.iteration if begun is None else begun
                if step.iteration == begun + after:
                    return step
    raise AssertionError("the run ended before")


def detail(image: torch.Tensor) -> float:
    """How much of an image is finer than 2 px."""
    return float(image.diff(dim=-1).square().mean())


def test_a_picture_whose_small_size_ended_early_goes_on_at_the_size_that_it_had_reached(monkeypatch):
    monkeypatch.setattr(optimizing, "_STALL_WINDOW", 4)
    monkeypatch.setattr(optimizing, "_STALL_GAIN", 1.0)  # every size ends when the window is full
    photo, style, options = picture(SIDE, 192), picture(96, 96, seed=1), OptimizeOptions(size=SIDE, iterations=20, extractor="lite")
    half = stopped(photo, style, options, level=SIDE, after=2)
    assert half.iteration == 6 and half.level == Level(SIDE, skipped=4)
    settings = settings_of("optimize", options.as_dict(), **done_of(half, half))
    reached = level_reached(json.loads(json.dumps(settings)), (SIDE, 192))
    last = half
    for step in optimize(photo, [style], options, continue_from=half.result, done=6, reached=reached, compute=FP32):
        assert not step.level or step.level == half.level
        last = step
    assert last.iteration == 10


@pytest.mark.parametrize("recorded", [True, False], ids=["now", "by an earlier version"])
@pytest.mark.parametrize("finished", [True, False])
def test_more_iterations_than_before_take_no_detail_away(tmp_path, recorded, finished):
    files = [str(tmp_path / f"{name}.png") for name in ("photo", "painting")]
    photo, painting = picture(SIDE, 192), picture(96, 96, seed=1)
    for path, image in zip(files, (photo, painting)):
        write_image(path, image)
    options = OptimizeOptions(size=SIDE, iterations=20, extractor="lite")  # 8 of them at 128 px
    last = stopped(photo, painting, options, level=SIDE, after=12 if finished else 6)
    done = {} if finished else done_of(last, last) if recorded else {"done": last.iteration}
    request = request_of({"content": files[0], "styles": files[1:]})
    settings = settings_of("optimize", options.as_dict(), request=request, **done)
    write_image(tmp_path / "begun.png", last.result, settings=settings)
    given = Namespace(continue_from=str(tmp_path / "begun.png"), style_weights=None, mask=None)
    before, _ = to_continue(given, {"content": files[:1], "styles": files[1:]})
    more = replace(options, iterations=60)
    with closing(optimize(photo, [painting], more, **before, compute=FP32, preview_every=0)) as steps:
        first = next(step for step in steps if step.image is not None)
    assert first.level == Level(SIDE) and first.iteration == last.iteration + 1
    assert detail(first.result) > 0.8 * detail(last.result)


def test_the_iterations_of_sizes_below_the_reached_one_are_made_at_that_one():
    plan = levels_of((256, 256), OptimizeOptions(iterations=600))
    assert levels_left(plan, 200, Level(256)) == [(256, 256, 400)]
    larger = levels_of((512, 512), OptimizeOptions(iterations=600))
    assert [level[0] for level in larger] == [128, 256, 512]
    assert levels_left(larger, 100, Level(256, 10)) == [(256, 256, 600 - 110 - 360), (512, 512, 360)]
    assert levels_left(larger, 100, Level(1024)) == [(512, 512, 500)], "a smaller size than before has no such level"
    assert levels_left(larger, 130) == [(256, 256, 110), (512, 512, 360)]


def test_continuing_a_picture_with_damaged_settings_is_refused():
    settings = {"options": {"size": 256}, "done": 3, "level": {"side": "large"}}
    with pytest.raises(RequestError, match="are damaged, so it can't be continued"):
        level_reached(settings, (256, 256))


def test_a_finished_picture_gets_as_many_iterations_again():
    photo, painting = picture(64, 96), picture(64, 64, seed=1)
    options = OptimizeOptions(size=96, iterations=3, extractor="lite")
    last = finish(optimize(photo, [painting], options, compute=FP32))
    assert last.level == Level(96) and not done_of(last, last)
    again = finish(optimize(photo, [painting], options, continue_from=last.result, done=3, reached=Level(96), compute=FP32))
    assert again.iteration == 3 and (again.result - last.result).abs().max() > 0
