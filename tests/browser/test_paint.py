"""Painting in the browser: start, watch, stop, download; and pictures that can't be painted."""

import json
import struct
import zlib

import pytest
from networks import picture
from PIL import Image
from steering import fill, open_tab, unfold, upload

from style_core import read_settings, write_image


@pytest.fixture
def paint(page):
    open_tab(page, "Paint", "paint")
    return page


def test_a_picture_forms_before_the_eyes_is_stopped_kept_and_downloaded_with_its_settings(paint, tmp_path):
    for name, seed in (("content", 1), ("style", 2)):
        write_image(tmp_path / f"{name}.png", picture(400, 512, seed=seed))
        upload(paint, f"paint-{name}", tmp_path / f"{name}.png")
        paint.wait_for_selector(f"#paint-{name} img")
    fill(paint, "Steps", "3000")
    paint.click("#paint-run")
    seen = set()
    image = paint.locator("#paint-preview img")
    while len(seen) < 3:  # the first and two changes
        image.wait_for()
        seen.add(image.get_attribute("src"))
        paint.wait_for_timeout(200)
    paint.click("#paint-stop")
    paint.wait_for_selector("#paint-slider img")
    assert "The picture so far is kept" in paint.inner_text("#paint-status")
    with paint.expect_download() as download:
        paint.click("#paint-download")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    settings = read_settings(path)
    assert settings["recipe"] == "optimize" and settings["options"]["iterations"] == 3000
    assert list(settings["weights"]) == ["lite"]
    with Image.open(path) as result:
        assert result.size == (512, 400)
    assert paint.is_enabled("#paint-run")
    unfold(paint, "Details of the run")
    paint.locator("#paint-plot .mark-line path, #paint-plot canvas").first.wait_for()
    assert paint.strangers == []


def test_what_a_run_says_and_offers_moves_no_button(paint):
    # From the stage's top, because the page may still be scrolling to what was unfolded.
    where = """['run', 'hold', 'details'].map((name) => document.querySelector(`#paint-${name}`)).map((button) =>
        Math.round(button.getBoundingClientRect().top - button.closest('.stage').getBoundingClientRect().top))"""
    before = paint.evaluate(where)
    fill(paint, "Steps", "3000")
    paint.click("#paint-run")
    paint.locator("#paint-status").filter(has_text="of 3000").wait_for()
    assert paint.evaluate(where) == before
    paint.click("#paint-stop")
    paint.wait_for_selector("#paint-continue", state="visible")
    paint.locator("#paint-status").filter(has_text="The picture so far is kept").wait_for()
    paint.wait_for_function(f"JSON.stringify({where}) === '{json.dumps(before, separators=(',', ':'))}'")


def bomb(path) -> None:
    """A PNG whose header promises 40,000 x 40,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b""))


def cut_off(path) -> None:
    write_image(path, picture(64, 64))
    path.write_bytes(path.read_bytes()[:400])


BAD = {
    "cut.png": (cut_off, "damaged or cut off"),
    "text.jpg": (lambda path: path.write_text("This is no picture."), "is not a readable picture"),
    "dot.png": (lambda path: Image.new("RGB", (1, 1)).save(path), "it must be at least"),
    "vast.png": (bomb, "more than 100 megapixels"),
}


def test_pictures_that_cannot_be_painted_each_get_their_sentence_and_the_app_goes_on(paint, tmp_path):
    for name, (make, words) in BAD.items():
        make(tmp_path / name)
        upload(paint, "paint-content", tmp_path / name)
        notice = paint.locator("#paint-content-notice")
        notice.filter(has_text=words).wait_for()
        paint.click("#paint-run")
        paint.get_by_test_id("toast-body").filter(has_text=words).first.wait_for()
        paint.locator("#paint-run:not([disabled])").wait_for()
    write_image(tmp_path / "good.png", picture(64, 64))
    upload(paint, "paint-content", tmp_path / "good.png")
    fill(paint, "Exact size (px)", "64")
    fill(paint, "Steps", "3")
    paint.locator("#paint-content-notice").filter(has_text="it must").wait_for(state="hidden")
    paint.click("#paint-run")
    paint.locator("#paint-status").filter(has_text="Done: 64 x 64 px").wait_for()


def test_a_second_person_waits_in_a_queue_they_can_see_until_the_first_stops(paint, chromium, address):
    fill(paint, "Steps", "3000")
    fill(paint, "Exact size (px)", "256")
    paint.click("#paint-run")
    paint.locator("#paint-status").filter(has_text="of 3000").wait_for()
    other = chromium.new_context().new_page()
    other.set_default_timeout(90_000)
    other.goto(address)
    open_tab(other, "Paint", "paint")
    fill(other, "Steps", "2")
    fill(other, "Exact size (px)", "64")
    other.click("#paint-run")
    other.locator("#paint-status").filter(has_text="queue").wait_for()
    paint.click("#paint-stop")
    other.locator("#paint-status").filter(has_text="Done").wait_for()
    other.context.close()
