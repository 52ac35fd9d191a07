"""Handlers of the tabs without a page: what they show, step by step."""

import threading
from types import SimpleNamespace

import gradio as gr
import pytest
from networks import FP32, picture
from PIL import Image

from studio import live, newest, painted_masks, stage, tab_imagine, tab_stylize, webcam
from style_core import ImagineOptions, RequestError, Step, read_image, read_settings, write_image
from style_core.media.clip import Clip
from style_core.media.settings import settings_of
from style_core.recipes.recorded_inputs import request_of

PLACE = tab_imagine._Place(*tab_imagine._Place.__dataclass_fields__)  # names stand for components


@pytest.fixture
def stop(monkeypatch) -> threading.Event:
    event = threading.Event()
    monkeypatch.setattr(tab_imagine.jobs, "stopping", lambda: event)  # the module is the same for all tabs
    return event


def imagined(monkeypatch, pictures: int) -> list[dict]:
    steps = [Step(0, 3), *(Step(number, 3, image=picture(16, 16, seed=number)) for number in range(1, pictures + 1))]
    monkeypatch.setattr(tab_imagine.gpu, "steps", lambda *given, **more: (step for step in steps))
    return tab_imagine._imagined(FP32, PLACE, None, ImagineOptions(size=128, seed=7, count=3).as_dict(), None)


def test_a_stopped_run_of_imagine_keeps_its_pictures_and_a_click_chooses_among_them(monkeypatch, stop):
    updates = imagined(monkeypatch, 3)
    next(updates)
    for number in (1, 2):
        shown = next(updates)
        assert len(shown["paths"]) == number and [path for path, _ in shown["wall"]] == shown["paths"]
        if number == 1:
            assert shown["result"] == shown["download"] == shown["paths"][0], "in place of what was chosen of the last run"
        else:
            assert not {"result", "download"} & shown.keys(), "which may have been another one meanwhile"
    stop.set()
    *_, last = updates
    assert [read_settings(path)["options"]["seed"] for path in shown["paths"]] == [7, 8]
    assert last["status"].startswith("Stopped") and not {"paths", "wall", "result", "download"} & last.keys()


def test_a_run_of_imagine_that_is_stopped_or_refused_before_it_begins_leaves_the_pictures_of_the_last_one(monkeypatch, stop):
    updates = imagined(monkeypatch, 3)
    shown = next(updates)
    stop.set()
    (last,) = updates
    assert not {"wall", "paths", "result", "download"} & (shown.keys() | last.keys())
    refused = tab_imagine._imagined(FP32, PLACE, None, ImagineOptions().as_dict() | {"size": 5}, None)
    with pytest.raises(gr.Error, match="size is 5"):
        for shown in refused:
            assert not {"wall", "paths", "result", "download"} & shown.keys()


def test_a_painting_is_encoded_once_and_not_at_every_frame_of_the_webcam(monkeypatch, tmp_path):
    write_image(tmp_path / "painting.png", picture(16, 16))
    calls = []
    monkeypatch.setattr(webcam.gpu, "call", lambda work, *given: calls.append(work) or SimpleNamespace())
    codes = [webcam._code_of(FP32, "", str(tmp_path / "painting.png")) for _ in range(3)]
    assert calls == [webcam._encoded] and codes[0] is codes[1] is codes[2]


def test_a_stopped_morph_is_a_film_of_its_frames_so_far(monkeypatch, stop):
    steps = [Step(0, 9), *(Step(number, 9, image=picture(64, 64, seed=number), seconds=0.1) for number in range(1, 9))]
    monkeypatch.setattr(tab_imagine.gpu, "steps", lambda *given, **more: (step for step in steps))
    updates = tab_imagine._morphed(FP32, PLACE, [], ImagineOptions(size=128).as_dict(), None)
    shown = [next(updates) for _ in range(4)]  # the beginning, Step 0, two frames
    stop.set()
    (last,) = updates
    assert "2" in last["status"] and Clip.open(last["film"]["value"]).frames == 2 and len(shown) == 4
    stop.set()
    assert [*tab_imagine._morphed(FP32, PLACE, [], ImagineOptions(size=128).as_dict(), None)][-1]["film"]["visible"] is False


def test_a_run_that_is_refused_after_its_first_words_clears_nothing_and_one_that_goes_on_does(monkeypatch, stop):
    board = stage.Board(*stage.Board.__dataclass_fields__)  # names stand for components
    board.losses = "LOSSES"
    cleared = {"preview", "slider", "plot", "download", "result", "original"}

    def refused():
        yield Step(0, 3, note="Starting.")
        raise RequestError("It does not fit.")

    shown = []
    with pytest.raises(gr.Error, match="does not fit"):
        for update in live.run("optimize", refused, board, lambda: None, {}, None):
            shown.append(update)
    assert len(shown) == 3 and not any(cleared & update.keys() for update in shown)
    assert shown[-1]["status"] == "It does not fit." and shown[-1]["run"]["interactive"]

    steps = iter([Step(0, 3, note="Starting."), Step(1, 3, image=picture(16, 16), losses={"style": 1.0})])
    updates = list(live.run("optimize", lambda: (step for step in steps), board, lambda: None, {}, None))
    assert not cleared & updates[1].keys() and cleared <= updates[2].keys() and updates[2]["plot"]["y_title"] == "distance"


def test_a_picture_is_kept_when_its_photo_is_swept_away_meanwhile_and_a_full_disk_is_told(monkeypatch, stop):
    board = stage.Board(*stage.Board.__dataclass_fields__)
    board.losses = "LOSSES"

    def steps():
        yield Step(1, 1, image=picture(16, 16))

    def gone():
        raise RequestError("There is no file mine.jpg.")

    *_, last = live.run("optimize", steps, board, gone, {}, None, looks_like=gone)
    assert read_image(last["result"]).shape == (3, 16, 16) and last["slider"]["visible"] is False and last["run"]["interactive"]

    def full(*given, **more):
        raise RequestError("The disk is full.")

    monkeypatch.setattr(live.files, "save", full)
    shown = []
    with pytest.raises(gr.Error, match="disk is full"):
        for update in live.run("optimize", steps, board, gone, {}, None):
            shown.append(update)
    assert shown[-1]["status"] == "The disk is full." and shown[-1]["run"]["interactive"]


def test_a_picture_that_a_newer_one_has_overtaken_is_not_shown():
    one, other = (SimpleNamespace(session_hash=name) for name in ("overtaken", "alone"))
    newest.note(one)
    first = newest.count(one)
    newest.note(one)
    assert newest.shows(one, newest.count(one)) and not newest.shows(one, first)
    assert newest.shows(one, newest.count(one)) and newest.shows(other, newest.count(other)) and newest.shows(None, 0)


def test_the_subject_is_proposed_in_the_color_of_the_style_that_is_used(tmp_path):
    write_image(tmp_path / "photo.png", picture(96, 128))
    for given, color in ((("red-fuji", None, True), 0), (("", "painting.png", True), 1), (("red-fuji", "painting.png", True), 0)):
        editor = painted_masks._proposed(FP32, str(tmp_path / "photo.png"), *given, inverted=False, first=tab_stylize._color_in_use)
        layers = [Image.open(path) for path in editor["layers"]]
        masks = painted_masks.masks_of({"layers": layers}, len(painted_masks.COLORS))
        assert [index for index, mask in enumerate(masks) if mask is not None] == [color]
    assert painted_masks._proposed(FP32, None, "", None, True, inverted=False, first=tab_stylize._color_in_use) is None


def test_a_result_continues_only_on_the_photo_that_it_was_made_from(tmp_path):
    for name, seed in (("photo", 1), ("other", 2)):
        write_image(tmp_path / f"{name}.png", picture(16, 16, seed=seed))
    photo, other, result = (str(tmp_path / f"{name}.png") for name in ("photo", "other", "result"))
    for request, continues in (({"image": photo}, False), ({"content": photo}, False), ({}, True)):
        settings = settings_of("dream", {}, request=request_of(request))
        write_image(result, picture(16, 16), settings=settings)
        assert stage._made_from(result, photo) and stage._made_from(result, other) == continues
