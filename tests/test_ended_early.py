"""Large pictures whose run ends early are kept at full size, although only reduced previews of them were shown."""

import gc
import json
import pickle
import threading
import weakref
from contextlib import closing

import pytest
from networks import FP32, picture

from studio import jobs, live, stage
from style_core import OptimizeOptions, Step, optimize, read_image, read_settings, write_image
from style_core.cli import main as cli
from style_core.cli import run
from style_core.media.images import resize
from style_core.optimization.descent import Descent
from style_core.progress import whole_picture
from style_core.recipes import optimize as optimizing

OPTIONS = OptimizeOptions(size=128, iterations=40, extractor="lite", pyramid=False)


@pytest.fixture(autouse=True)
def small_previews(monkeypatch):
    """As if a picture of 128 px were a print: its previews have 32 px."""
    monkeypatch.setattr(optimizing, "_LARGEST_PREVIEW", 32 * 24)


@pytest.fixture
def files(tmp_path) -> list[str]:
    paths = [str(tmp_path / f"{name}.png") for name in ("photo", "painting")]
    write_image(paths[0], picture(96, 128))
    write_image(paths[1], picture(64, 64, seed=1))
    return paths


def running(options: OptimizeOptions = OPTIONS):
    return optimize(picture(96, 128), [picture(64, 64, seed=1)], options, compute=FP32, preview_every=0)


def interrupted_by(work, after: int):
    """`work`, but Ctrl-C arrives in the call after so many."""
    calls = []

    def called(*given):
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return work(*given)

    return called


@pytest.mark.parametrize("during", ["a step", "the time between two steps"])
def test_ctrl_c_saves_a_large_picture_at_full_size(files, tmp_path, capsys, monkeypatch, during):
    owner, name = (Descent, "step") if during == "a step" else (run.Follower, "_show")
    monkeypatch.setattr(owner, name, interrupted_by(getattr(owner, name), 6))
    out = tmp_path / "out.png"
    flags = ["--size=128", "--iterations=40", "--extractor=lite", "--no-pyramid", "--json", "--device=cpu"]
    assert cli.main(["optimize", *files, "-o", str(out), *flags]) == 130
    said = capsys.readouterr()
    assert read_image(out).shape == (3, 96, 128) and json.loads(said.out)["width"] == 128 and "reduced" not in said.err
    assert 0 < read_settings(out)["done"] < 8
    assert (read_image(out) - read_image(files[0])).abs().mean() > 0.01, "it is the painting"


def test_the_picture_at_full_size_is_the_one_that_the_preview_shows():
    with closing(running()) as steps:
        for step in steps:
            if step.iteration == 5:
                break
        assert step.image.shape == (3, 24, 32)
        whole = whole_picture(step)
    assert whole.shape == (3, 96, 128)
    assert (resize(whole, (24, 32)) - step.image).abs().mean() < 1e-3  # not its clamped edges
    assert list(running())[-1].full is None, "the result is whole"


def test_stop_in_the_app_keeps_a_large_picture_at_full_size_or_says_that_it_can_not(monkeypatch):
    event = threading.Event()
    monkeypatch.setattr(jobs, "stopping", lambda: event)
    board = stage.Board(*stage.Board.__dataclass_fields__)  # names stand for components
    board.losses = "LOSSES"
    for sent in (lambda step: step, lambda step: pickle.loads(pickle.dumps(step))):  # as from a worker elsewhere
        event.clear()

        def steps():
            for step in running():
                yield sent(step)
                if step.iteration == 4:
                    event.set()

        *_, last = live.run("optimize", steps, board, lambda: None, OPTIONS.as_dict(), None)
        whole = sent(Step(0, 0, full=lambda: picture(8, 8))).full is not None
        assert read_image(last["result"]).shape == ((3, 96, 128) if whole else (3, 24, 32))
        assert ("Only a reduced picture of 32 x 24 px could be kept" in last["status"]) is not whole
        assert read_settings(last["result"])["done"] == 5


def test_without_the_memory_for_it_the_preview_is_kept_and_said(files, tmp_path, capsys, monkeypatch):
    def without_memory(descent):
        raise MemoryError

    monkeypatch.setattr(Descent, "step", interrupted_by(Descent.step, 6))
    monkeypatch.setattr(Descent, "image", without_memory)
    out = tmp_path / "out.png"
    flags = ["--size=128", "--iterations=40", "--extractor=lite", "--no-pyramid", "--device=cpu"]
    assert cli.main(["optimize", *files, "-o", str(out), *flags]) == 130
    assert read_image(out).shape == (3, 24, 32)
    assert "Only a reduced picture of 32 x 24 px could be kept; let the run end to get all 128 px." in capsys.readouterr().err


def test_a_canceled_run_is_not_kept_in_memory_by_its_last_step():
    steps = running()
    step = next(step for step in steps if step.iteration == 2)
    assert step.full is not None
    descent = weakref.ref(next(thing for thing in gc.get_objects() if isinstance(thing, Descent)))
    steps.close()
    gc.collect()
    assert descent() is None and step.image is not None
