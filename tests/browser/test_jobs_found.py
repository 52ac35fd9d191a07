"""A run outlives its page: it is found again after a reload, stopped from there, and its picture downloaded."""

import pytest
from steering import downloaded, fill, open_tab

from style_core import read_settings


@pytest.mark.timeout(900)
def test_a_reload_in_mid_run_asks_first_and_finds_the_run_again(page, chromium, address, tmp_path):
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    open_tab(page, "Paint", "paint")
    fill(page, "Exact size (px)", "256")
    fill(page, "Steps", "3000")
    page.click("#paint-run")
    page.locator("#paint-status").filter(has_text="of 3000").wait_for()
    page.reload()
    assert "beforeunload" in asked
    page.locator("#paint-status").filter(has_text="of 3000").wait_for()
    page.locator("#paint-preview img").wait_for()
    page.locator("#paint-run[disabled]").wait_for()
    assert page.locator("#paint-status progress").count() == 1
    stranger = chromium.new_context()
    other = stranger.new_page()
    other.goto(address)
    open_tab(other, "Paint", "paint")
    assert "of 3000" not in other.inner_text("#paint-status")
    stranger.close()
    page.click("#paint-stop")
    page.locator("#paint-status").filter(has_text="Stopped after").wait_for()
    page.locator("#paint-slider img").first.wait_for()
    settings = read_settings(downloaded(page, "paint", tmp_path))
    assert settings["recipe"] == "optimize" and settings["options"]["iterations"] == 3000
    page.reload()
    page.locator("#paint-status").filter(has_text="Stopped after").wait_for()
    page.locator("#paint-slider img").first.wait_for()
    page.wait_for_timeout(1500)  # what else comes back with the page must not take it away again
    assert page.is_enabled("#paint-run") and page.is_disabled("#paint-stop")
    assert read_settings(downloaded(page, "paint", tmp_path)) == settings
    assert page.strangers == []
