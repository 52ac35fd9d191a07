"""Dream in a browser: a layer chosen by eye, a dream, and a zoom into it that is stopped and kept."""

import re

import pytest
from inks import ink_profile
from steering import fill, open_tab, shown, unfold

from style_core.media.clip import Clip
from style_core.weights.layer_pictures import layer_pictures


@pytest.fixture
def dream_tab(page):
    open_tab(page, "Dream", "dream")
    fill(page, "Exact size (px)", "128")
    fill(page, "Steps", "3")
    unfold(page, "Advanced", "#dream-more")
    fill(page, "Octaves", "2")
    return page


def test_a_layer_is_chosen_by_eye_and_dreamt(dream_tab):
    page = dream_tab
    unfold(page, "Choose a pattern by eye")
    wanted = next(index for index, picture in enumerate(layer_pictures()) if picture.channel is not None)
    page.locator("#dream-layers button.thumbnail-item").nth(wanted).click()
    field = page.get_by_role("textbox", name=re.compile("^Layers"))
    page.wait_for_function("([field, term]) => field.value === term", arg=[field.element_handle(), layer_pictures()[wanted].term])
    page.click("#dream-run")
    page.locator("#dream-status").filter(has_text="Done: 128 x 85 px").wait_for()
    assert page.strangers == []


def test_a_dream_from_noise_is_shown_as_it_prints(dream_tab, tmp_path):
    page = dream_tab
    page.locator("#dream-content").get_by_label("Remove Image").or_(page.locator("#dream-content").get_by_label("Clear")).first.click()
    page.locator("#dream-content img").first.wait_for(state="detached")
    page.locator("#dream-more").get_by_text("noise", exact=True).click()
    page.click("#dream-run")
    page.locator("#dream-status").filter(has_text="Done: 128 x 128 px").wait_for()
    assert page.is_visible("#dream-preview") and not page.is_visible("#dream-slider")
    unfold(page, "Adjust the result", "#dream-after")
    unfold(page, "Print in ink", "#dream-print")
    (tmp_path / "press.icc").write_bytes(ink_profile())
    page.locator("#dream-profile input[type=file]").set_input_files(str(tmp_path / "press.icc"))
    page.locator("#dream-profile").filter(has_text="press.icc").wait_for()
    page.click("#dream-proof-run")
    page.locator("#dream-slider").wait_for(state="visible")
    assert "-proof" in shown(page, "dream") and not page.is_visible("#dream-preview")
    unfold(page, "Print in ink", "#dream-print")
    page.locator("#dream-preview").wait_for(state="visible")
    assert not page.is_visible("#dream-slider")


def test_a_stopped_dream_zoom_keeps_its_frames(dream_tab, tmp_path):
    page = dream_tab
    unfold(page, "Fly into the dream: a video")
    fill(page, "Frames", "2000")
    page.click("#zoom-run")
    # Three or more: a frame that takes no time is not always seen counted.
    page.locator("#zoom-status").filter(has_text=re.compile(r"\b([3-9]|\d{2,4}) of 2000")).wait_for()
    page.click("#zoom-stop")
    page.wait_for_selector("#zoom-film video", state="attached")
    page.locator("#zoom-status").filter(has_text="Stopped. Frames kept: ").wait_for()
    (tmp_path / "film.mp4").write_bytes(page.request.get(page.locator("#zoom-film video").get_attribute("src")).body())
    assert 3 <= Clip.open(tmp_path / "film.mp4").frames < 2000
