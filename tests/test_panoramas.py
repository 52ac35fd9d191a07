"""Pictures many times as wide as high: painted at sizes that the network can see, or refused at once with a size that is enough."""

import pytest
from networks import FP32, picture

from style_core import OptimizeOptions, RequestError, optimize
from style_core.progress import finish
from style_core.recipes import optimize as optimizing
from style_core.recipes.estimate import estimate
from style_core.recipes.pyramid import levels_of


def test_a_panorama_is_painted_at_no_size_that_is_too_narrow_for_the_network():
    options = OptimizeOptions(size=384, iterations=6, extractor="lite")
    assert [level[:2] for level in levels_of((48, 384), options)] == [(48, 384)]
    painted = finish(optimize(picture(64, 512), [picture(64, 64, seed=1)], options, compute=FP32)).result
    assert painted.shape == (3, 48, 384)


@pytest.mark.parametrize("size", [(118, 768), (236, 1536), (63, 512), (125, 1024), (16, 512)])
def test_no_level_is_narrower_than_32_px_unless_the_picture_is(size):
    levels = levels_of(size, OptimizeOptions(size=max(size)))
    assert levels[-1][:2] == size and all(min(level[:2]) >= 32 for level in levels[:-1])


@pytest.mark.parametrize("ratio", [1, 4 / 3, 3 / 2, 16 / 9, 2, 3])
def test_pictures_of_ordinary_shapes_begin_as_small_as_before(ratio):
    for side, smallest in ((256, 128), (384, 96), (512, 128), (768, 96), (1024, 128), (1536, 96)):
        assert max(levels_of((round(side / ratio), side), OptimizeOptions(size=side))[0][:2]) == smallest


def test_a_picture_that_is_too_narrow_is_refused_before_any_work_and_by_its_estimate(monkeypatch):
    monkeypatch.setattr(optimizing, "open_extractor", lambda *_: pytest.fail("work began"))
    options = OptimizeOptions(size=256, extractor="lite")
    for refused in (
        lambda: finish(optimize(picture(32, 640), [picture(64, 64)], options, compute=FP32)),
        lambda: estimate(options, (32, 640), FP32),
    ):
        with pytest.raises(RequestError) as caught:
            refused()
        assert str(caught.value) == (
            "At 256 px the picture is only 13 px on its short side, and 16 are needed; choose a size of at least 320 px, or crop it."
        )
    assert estimate(OptimizeOptions(size=320), (32, 640), FP32).seconds > 0
