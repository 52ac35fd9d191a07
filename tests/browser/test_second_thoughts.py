"""What was done before stays where it belongs: areas with their photo, choices over a reload, keys with what they are meant for."""

import re

from networks import picture
from steering import downloaded, fill, open_tab, paint_small, shown, tile, unfold, upload, wait_for_another

from style_core import read_settings, write_image


def test_painted_areas_go_with_their_photo_and_the_same_photo_or_example_may_come_again(page, tmp_path):
    paint_small(page)
    unfold(page, "Different styles in different places", "#stylize-regions")
    before = shown(page, "stylize")
    page.click("#stylize-regions-subject")
    wait_for_another(page, "stylize", before)
    assert read_settings(downloaded(page, "stylize", tmp_path))["request"]["mask"]
    write_image(tmp_path / "other.png", picture(200, 320, seed=8))
    done = page.locator("#stylize-status").filter(has_text="Done: 256 x 160 px")
    upload(page, "stylize-content", tmp_path / "other.png")
    done.wait_for()
    request = read_settings(downloaded(page, "stylize", tmp_path))["request"]
    assert request["content"]["file"] == "other.png" and "mask" not in request
    upload(page, "stylize-content", tmp_path / "other.png")
    for _ in range(20):
        page.wait_for_timeout(100)
        assert done.count(), "nothing changes, so nothing is painted"
    example = page.locator("#stylize-status").filter(has_text="Done: 256 x 171 px")
    tile(page, "Still life", "stylize-examples").click()
    example.wait_for()
    upload(page, "stylize-content", tmp_path / "other.png")
    done.wait_for()
    tile(page, "Still life", "stylize-examples").click()
    example.wait_for()


def test_an_editor_is_ready_to_paint_keeps_its_strokes_when_folded_and_a_reload_asks_before_it_loses_them(page, tmp_path):
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    paint_small(page)
    unfold(page, "Different styles in different places", "#stylize-regions")
    canvas = page.locator("#stylize-regions-editor canvas").first
    canvas.wait_for()
    page.wait_for_timeout(2500)  # the editor draws its picture without telling
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"], steps=8)
    page.mouse.up()
    page.wait_for_timeout(1000)
    for _ in range(2):
        unfold(page, "Different styles in different places", "#stylize-regions")
    page.wait_for_timeout(2500)
    before = shown(page, "stylize")
    page.click("#stylize-run")
    wait_for_another(page, "stylize", before)
    assert read_settings(downloaded(page, "stylize", tmp_path))["request"]["mask"]
    page.reload()
    assert asked == ["beforeunload"]


def test_a_reload_keeps_ones_own_painting_and_one_that_was_clicked(page, tmp_path):
    paint_small(page)
    write_image(tmp_path / "own.png", picture(120, 100, seed=4))
    upload(page, "stylize-style", tmp_path / "own.png")
    page.locator("#stylize-status").filter(has_text="Done").wait_for()
    open_tab(page, "Paint", "paint")
    tile(page, 3, "paint-examples").click()
    clicked = tile(page, 3, "paint-examples").get_attribute("data-name")
    page.wait_for_function("name => document.querySelector('#paint-style img')?.src.includes(name)", arg=clicked)
    # What is kept can't be read here, so a change that is kept after it is waited for.
    stored = "localStorage.getItem('pentimento-settings')"
    before = page.evaluate(stored)
    fill(page, "Steps", "77")
    page.wait_for_function(f"before => {stored} !== before", arg=before)
    page.reload()
    page.wait_for_selector("#paint-run", state="visible")
    page.wait_for_function("name => document.querySelector('#paint-style img')?.src.includes(name)", arg=clicked)
    open_tab(page, "Stylize", "stylize")
    page.locator("#stylize-status").filter(has_text="Done").wait_for()
    assert read_settings(downloaded(page, "stylize", tmp_path))["request"]["styles"][0]["file"] == "own.png"


def test_a_compared_style_is_used_alone(page, tmp_path):
    paint_small(page)
    write_image(tmp_path / "own.png", picture(120, 100, seed=4))
    upload(page, "stylize-style", tmp_path / "own.png")
    page.locator("#stylize-status").filter(has_text="Done").wait_for()
    unfold(page, "Compare styles")
    page.click("#compare-run")
    page.locator("#compare-grid button.thumbnail-item").nth(1).wait_for()
    before = shown(page, "stylize")
    page.locator("#compare-grid button.thumbnail-item").nth(1).click()
    wait_for_another(page, "stylize", before)
    (style,) = read_settings(downloaded(page, "stylize", tmp_path))["request"]["styles"]
    assert style.startswith("gallery:")


def test_a_second_click_on_a_tile_takes_back_the_first_and_settings_that_come_back_are_painted_at_once(page, tmp_path):
    paint_small(page)
    write_image(tmp_path / "own.png", picture(120, 100, seed=4))
    before = shown(page, "stylize")
    upload(page, "stylize-style", tmp_path / "own.png")
    page.locator("#stylize-use-own input:checked").wait_for()
    wait_for_another(page, "stylize", before)

    def wait_for_settings(wanted) -> None:
        for _ in range(40):
            if wanted(read_settings(downloaded(page, "stylize", tmp_path))):
                return
            page.wait_for_timeout(500)
        raise AssertionError("no such picture came")

    tile(page, 5).dblclick()
    page.wait_for_timeout(2000)  # what the first click began is over by then
    page.locator("#stylize-use-own input:checked").wait_for()
    wait_for_settings(lambda settings: settings["request"]["styles"][0]["file"] == "own.png")
    fill(page, "Brush size", "1.5")
    wait_for_settings(lambda settings: settings["options"]["style_scale"] == 1.5)
    page.click("#history-open")
    page.locator("#history-strip button.thumbnail-item").nth(1).click()
    page.locator("#history-about").filter(has_text="256 x 171 px").wait_for()
    page.click("#history-restore")
    wait_for_settings(lambda settings: settings["options"]["style_scale"] == 1)


def test_escape_closes_a_large_picture_before_it_stops_a_run(page):
    open_tab(page, "Paint", "paint")
    fill(page, "Steps", "3000")
    page.click("#paint-run")
    running = page.locator("#paint-status").filter(has_text=re.compile(r"\b[1-9]\d* of 3000"))
    running.wait_for()
    page.locator("#paint-preview [aria-label=Fullscreen]").first.click()
    page.wait_for_selector(".fullscreen")
    page.keyboard.press("Escape")
    page.wait_for_selector(".fullscreen", state="detached")
    page.wait_for_timeout(1500)
    assert running.count() and page.locator("#paint-status progress").count(), "it goes on"
    page.keyboard.press("Escape")
    page.locator("#paint-status").filter(has_text="The picture so far is kept").wait_for()
