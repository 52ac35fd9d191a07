"""What is shown belongs where it stands: frames around what was chosen, starts with their photo, marks on what is in use."""

import re

from networks import picture
from steering import downloaded, fill, open_tab, paint_small, tile, unfold, upload

from style_core import read_settings, write_image
from style_core.media.images import to_pil


def test_more_like_a_picture_replaces_the_pictures_and_leaves_the_buttons_alone(page):
    open_tab(page, "Imagine", "imagine")
    unfold(page, "More", "#imagine-more")
    fill(page, "How many", "2")
    status, first = page.locator("#imagine-status"), page.locator("#imagine-wall img").first
    page.click("#imagine-run")
    status.filter(has_text="Pictures made: 2").wait_for()
    before = first.get_attribute("src")
    page.locator("#imagine-wall button.thumbnail-item").nth(1).click()
    page.get_by_role("button", name="More like this").click()
    page.wait_for_function("before => document.querySelector('#imagine-wall img')?.src !== before", arg=before)
    status.filter(has_text="Pictures made: 2").wait_for()
    assert page.inner_text("#imagine-stop") == "Stop and keep"
    assert page.locator("#imagine-kind input").input_value() == "PNG"
    assert not [line for line in page.console if "TypeError" in line]


def test_a_start_that_a_button_gave_goes_with_its_photo(page, tmp_path):
    page.click("#stylize-refine")
    page.wait_for_selector("#paint-run", state="visible")
    page.locator("#paint-status progress").wait_for()
    page.click("#paint-stop")
    page.locator("#paint-status").filter(has_text="“Continue” goes on from here").wait_for()
    fill(page, "Exact size (px)", "128")
    fill(page, "Steps", "4")
    write_image(tmp_path / "other.png", picture(128, 96, seed=8))
    upload(page, "paint-content", tmp_path / "other.png")
    page.locator("#paint-status").filter(has_text=re.compile("Choose|Press|painting")).wait_for()
    page.click("#paint-run")
    page.locator("#paint-status").filter(has_text="Done: 96 x 128 px").wait_for()
    request = read_settings(downloaded(page, "paint", tmp_path))["request"]
    assert request["content"]["file"] == "other.png" and "init_image" not in request


def test_an_example_is_marked_while_it_is_the_photo(page, tmp_path):
    marked = page.locator("#stylize-examples .tile-pick[aria-pressed=true]")
    marked.wait_for()
    write_image(tmp_path / "other.png", picture(96, 128, seed=8))
    upload(page, "stylize-content", tmp_path / "other.png")
    marked.wait_for(state="detached")
    tile(page, "Still life", "stylize-examples").click()
    marked.wait_for()


def test_a_photo_that_browsers_cannot_show_is_painted_and_no_broken_picture_is_seen(page, tmp_path):
    paint_small(page)
    to_pil(picture(96, 128, seed=8)).save(tmp_path / "phone.heic")
    upload(page, "stylize-content", tmp_path / "phone.heic")
    page.wait_for_selector("#stylize-content img.unseen")
    page.locator("#stylize-status").filter(has_text="Done: 256 x 192 px").wait_for()
    tile(page, "Still life", "stylize-examples").click()
    page.wait_for_selector("#stylize-content img:not(.unseen)")


def test_the_frame_in_the_drawer_stays_with_the_chosen_picture(page):
    status = page.locator("#stylize-status")
    tile(page, "Sunflowers").click()
    status.filter(has_text="Sunflowers").filter(has_text="Done").wait_for()
    page.click("#history-open")
    page.locator("#history-strip button.thumbnail-item").first.click()
    page.locator("#history-about").filter(has_text="Sunflowers").wait_for()
    chosen = page.locator("#history-strip button.thumbnail-item.selected img")
    chosen.wait_for()
    source = chosen.get_attribute("src")
    tile(page, "Fine Wind, Clear Morning").click()
    page.wait_for_function("document.querySelectorAll('#history-strip button.thumbnail-item').length === 2")
    page.wait_for_function("source => document.querySelector('#history-strip .thumbnail-item.selected img')?.src === source", arg=source)


def test_imagine_says_what_to_do_in_sight_on_a_low_screen(page):
    page.set_viewport_size({"width": 1280, "height": 800})
    open_tab(page, "Imagine", "imagine")
    page.evaluate("scrollTo(0, 0)")
    box = page.locator("#imagine-status p").bounding_box()
    assert box["y"] + box["height"] <= 800


def test_a_long_caption_in_the_drawer_is_not_cut_and_is_said_in_full(page):
    tile(page, "Tahitian Women").click()
    page.locator("#stylize-status").filter(has_text="Tahitian Women on the Beach").filter(has_text="Done").wait_for()
    page.click("#history-open")
    page.locator("#history-strip [title='Tahitian Women on the Beach · Stylize']").wait_for()
    caption = page.locator("#history-strip .caption-label").first
    assert caption.evaluate("(node) => node.scrollWidth <= node.clientWidth && node.scrollHeight <= node.clientHeight")


def test_the_chosen_style_painting_and_picture_are_ringed_in_sight_and_counted_from_one(page):
    in_sight = """wall => {
      const around = document.querySelector(wall).getBoundingClientRect();
      const there = document.querySelector(`${wall} .tile-pick[aria-pressed=true] img`)?.getBoundingClientRect();
      return there && there.top >= around.top && there.bottom <= around.bottom;
    }"""
    page.wait_for_function(in_sight, arg="#stylize-gallery .tile-wall")
    page.wait_for_function("document.querySelector('#stylize-gallery [aria-pressed=true] img').naturalWidth > 0")
    open_tab(page, "Video", "film")
    page.wait_for_function(in_sight, arg="#film-styles .tile-wall")
    open_tab(page, "Paint", "paint")
    marked = page.locator("#paint-examples .tile-pick[aria-pressed=true]")
    marked.filter(has_text="Night wind").wait_for()
    tile(page, "Mosaic", "paint-examples").click()
    marked.filter(has_text="Mosaic").wait_for()
    open_tab(page, "Imagine", "imagine")
    page.locator("#imagine-wall button.thumbnail-item").nth(1).click()
    page.locator("#imagine-status").filter(has_text="Picture 2 chosen").filter(has_text="to 1.").wait_for()
