"""Stylizing in the browser: one click paints, controls act live, and the result goes on to Paint."""

import pytest
from inks import ink_profile
from networks import picture
from PIL import Image
from steering import fill, press, shown, tile, unfold, upload, wait_for_another

from style_core import read_settings, write_image


@pytest.fixture
def painted(page):
    """The page after the newcomer's one click."""
    tile(page, "Fine Wind").click()
    page.locator("#stylize-status").filter(has_text="Done: 768 x 512 px").wait_for()
    return page


def test_one_click_paints_and_every_control_acts_live(painted):
    assert "Katsushika Hokusai" in painted.inner_text("#stylize-status")
    for act in (
        lambda: fill(painted, "Style strength", "0.4"),
        lambda: press(painted, "Style strength", "ArrowLeft"),
        lambda: painted.get_by_text("the photo's", exact=True).locator("visible=true").click(),
    ):
        before = shown(painted, "stylize")
        act()
        wait_for_another(painted, "stylize", before)
    assert painted.strangers == []


def test_a_picture_is_shown_before_it_is_refined_and_a_newer_choice_does_not_wait(painted, tmp_path):
    status = painted.locator("#stylize-status")
    unfold(painted, "More", "#stylize-more")
    fill(painted, "Steps after the network", "30")
    status.filter(has_text="refining").wait_for()
    fill(painted, "Style strength", "0.4")
    status.filter(has_text="Done").wait_for()
    with painted.expect_download() as download:
        painted.click("#stylize-download")
    download.value.save_as(tmp_path / "result.png")
    options = read_settings(tmp_path / "result.png")["options"]
    assert (options["strength"], options["refine"]) == (0.4, 30)
    # A second click on the button starts nothing, and stops nothing.
    painted.click("#stylize-run")
    status.filter(has_text="refining").wait_for()
    painted.click("#stylize-run")
    status.filter(has_text="Done").wait_for()


def test_what_is_asked_of_a_picture_while_it_is_refined_follows_when_it_is_done(painted, tmp_path):
    status, told = painted.locator("#stylize-status"), painted.get_by_text("still being painted").first
    tile(painted, "Poppies").click()
    status.filter(has_text="refining").wait_for()
    with painted.expect_download() as download:
        painted.click("#stylize-download")
        told.wait_for()
    download.value.save_as(tmp_path / "result.png")
    assert read_settings(tmp_path / "result.png")["gallery"] == "poppies" and status.filter(has_text="Done").count()
    assert not painted.get_by_text("There is no picture yet").count()
    tile(painted, "Fine Wind").click()
    status.filter(has_text="refining").wait_for()
    painted.click("#stylize-refine")
    painted.locator("#paint-status progress").wait_for()
    painted.click("#paint-stop")


def test_a_painting_of_ones_own_is_taken_and_the_picture_downloads_with_its_settings(page, tmp_path):
    write_image(tmp_path / "own.png", picture(120, 100, seed=4))
    page.locator("#stylize-style input[type=file]").set_input_files(str(tmp_path / "own.png"))
    page.locator("#stylize-status").filter(has_text="Done").wait_for()
    with page.expect_download() as download:
        page.click("#stylize-download")
    download.value.save_as(tmp_path / "result.png")
    settings = read_settings(tmp_path / "result.png")
    assert settings["recipe"] == "stylize" and list(settings["weights"]) == ["generator", "lite", "sharpening"]


def test_a_second_painting_mixes_with_a_gallery_style(painted, tmp_path):
    first = shown(painted, "stylize")
    write_image(tmp_path / "second.png", picture(120, 100, seed=4))
    unfold(painted, "More", "#stylize-more")
    unfold(painted, "More paintings", "#stylize-more-styles")
    upload(painted, "stylize-style-2", tmp_path / "second.png")
    wait_for_another(painted, "stylize", first)
    assert "Katsushika Hokusai" in painted.inner_text("#stylize-status")


def test_a_result_becomes_a_painting_in_another_tab_with_one_click(painted):
    unfold(painted, "Use this picture", "[role=tabpanel]")
    painted.click("#stylize-to-paint-style")
    painted.wait_for_selector("#paint-run", state="visible")
    painted.wait_for_function("document.querySelector('#paint-style img')?.src.includes('pentimento-stylize')")


def test_a_result_is_painted_finer_in_one_click(painted, tmp_path):
    painted.click("#stylize-refine")
    painted.get_by_text("The gallery holds only the style").wait_for()
    painted.wait_for_selector("#paint-run", state="visible")
    painted.wait_for_selector("#paint-preview img")
    painted.locator("#paint-status progress").wait_for()
    painted.click("#paint-stop")
    painted.locator("#paint-status").filter(has_text="The picture so far is kept").wait_for()
    with painted.expect_download() as download:
        painted.click("#paint-download")
    download.value.save_as(tmp_path / "finer.png")
    with Image.open(tmp_path / "finer.png") as finer:
        assert finer.size == (768, 512), "no smaller than it was"
    assert read_settings(tmp_path / "finer.png")["options"]["size"] == 768


def test_a_result_is_shown_as_it_prints_and_downloads_in_inks(painted, tmp_path):
    unfold(painted, "Print in ink", "#stylize-print")
    painted.click("#stylize-proof-run")
    painted.get_by_text("Choose the color profile").wait_for()
    (tmp_path / "press.icc").write_bytes(ink_profile())
    painted.locator("#stylize-profile input[type=file]").set_input_files(str(tmp_path / "press.icc"))
    painted.locator("#stylize-profile").filter(has_text="press.icc").wait_for()
    before = shown(painted, "stylize")
    painted.click("#stylize-proof-run")
    wait_for_another(painted, "stylize", before)
    assert "printed with Three formulas" in painted.inner_text("#stylize-proof-said")
    painted.click("#stylize-cmyk-run")
    painted.wait_for_selector("#stylize-cmyk", state="visible")
    with painted.expect_download() as download:
        painted.click("#stylize-cmyk")
    download.value.save_as(tmp_path / "print.tif")
    with Image.open(tmp_path / "print.tif") as file:
        assert file.mode == "CMYK" and file.size == (768, 512)
    unfold(painted, "Print in ink", "#stylize-print")  # closed, it shows the photo and the result again
    painted.wait_for_function("src => [...document.querySelectorAll('#stylize-slider img')].at(-1).src === src", arg=before)
    fill(painted, "Style strength", "0.6")  # another result, which has not been printed yet
    painted.wait_for_selector("#stylize-cmyk", state="hidden")
