"""A run outlives its page: it is found again after a reload, stopped from there, and its picture downloaded."""

import re

import pytest
from steering import downloaded, fill, open_tab, unfold

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


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("tab", "name", "steps", "done"), [("Paint", "paint", 120, "120"), ("Dream", "dream", 150, "300")])
def test_a_stopped_run_continues_where_it_was(page, tmp_path, tab, name, steps, done):
    open_tab(page, tab, name)
    fill(page, "Exact size (px)", "128")
    fill(page, "Steps", str(steps))
    if name == "dream":
        unfold(page, "Advanced", "#dream-more")
        fill(page, "Octaves", "2")
    page.click(f"#{name}-run")
    page.locator(f"#{name}-status").filter(has_text=re.compile(rf"\b[1-9]\d* of {done}")).wait_for()
    page.click(f"#{name}-stop")
    page.locator(f"#{name}-status").filter(has_text="The picture so far is kept").wait_for()
    first = read_settings(downloaded(page, name, tmp_path))
    page.click(f"#{name}-continue")
    page.locator(f"#{name}-status").filter(has_text="Done: 128").wait_for()
    second = read_settings(downloaded(page, name, tmp_path))
    assert 0 < first["done"] < int(done) and "done" not in second
    assert second["request"]["continue_from"]["sha256"] and second["options"] == first["options"]
