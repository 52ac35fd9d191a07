"""The first minute: what the page opens with, and that the newest choice wins, on every way that a choice is made."""

import pytest
from networks import picture
from steering import downloaded, fill, open_tab, paint_small, ready, shown, tile, unfold, upload, wait_for_another

from style_core import read_image, read_settings, write_image

# A file that a person drops on the page, or has copied.
_GIVEN = """async ([how, target, bytes]) => {
  const file = new File([new Uint8Array(bytes)], 'given.png', { type: 'image/png' }), data = new DataTransfer();
  data.items.add(file);
  const what = how === 'drop' ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
    : new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
  document.querySelector(target).dispatchEvent(what);
}"""


def give(page, how: str, target: str, path) -> None:
    page.evaluate(_GIVEN, [how, target, list(path.read_bytes())])


@pytest.fixture
def pictures(tmp_path):
    """Two photos and two paintings as files, small and each unlike the others."""
    made = []
    for seed, (height, width) in enumerate([(120, 200), (160, 120), (100, 100), (90, 130)]):
        made.append(tmp_path / f"picture-{seed}.png")
        write_image(made[-1], picture(height, width, seed=seed))
    return made


def done(page, size: str) -> None:
    page.locator("#stylize-status").filter(has_text=f"Done: {size}").wait_for()


def test_the_page_opens_on_a_picture_that_is_painted_already_and_can_be_taken(page, tmp_path):
    before, after = (image.get_attribute("src") for image in page.locator("#stylize-slider img").all())
    assert before != after
    assert page.locator("#stylize-gallery .tile-pick[aria-pressed=true]").count() == 1
    settings = read_settings(downloaded(page, "stylize", tmp_path))
    assert settings["recipe"] == "stylize" and settings["gallery"]
    assert page.locator("#history-strip img").count() == 0  # nobody made it
    page.click("#history-open")
    page.wait_for_selector("#history-drop", state="visible")
    assert not page.locator("#history .uses").is_visible(), "there is nothing to use"


def test_styles_are_found_by_painter_and_museum_which_a_tile_tells(page):
    search, wall = page.locator("#stylize-gallery .tile-search"), page.locator("#stylize-gallery .tile-pick")
    everything = wall.count()
    for words, told in (("gogh", "Vincent van Gogh"), ("musée d'orsay", "Musée d'Orsay, Paris")):
        search.fill(words)
        assert 0 < wall.count() < everything
        assert all(told in title for title in wall.evaluate_all("(tiles) => tiles.map((tile) => tile.title || tile.innerText)"))
    search.fill("")
    assert wall.count() == everything


def test_the_painted_picture_is_there_before_gradio_s_scripts_and_gives_way_to_the_page(chromium, address):
    page = chromium.new_page()
    page.route("**/assets/index-*.js", lambda route: route.abort())
    page.goto(address)
    page.wait_for_function(
        "[...document.querySelectorAll('#early img')].filter((img) => img.complete && img.naturalWidth > 500).length === 2"
    )
    page.unroute("**/assets/index-*.js")
    page.reload()
    ready(page)
    page.wait_for_selector("#early", state="detached")
    page.get_by_role("tab", name="About", exact=True).click()
    page.wait_for_function("localStorage.getItem('pentimento-tab') !== null")
    page.wait_for_timeout(500)
    page.reload()
    page.wait_for_selector("#early", state="detached", timeout=30_000)
    assert page.get_by_role("tab", name="About", exact=True).get_attribute("aria-selected") == "true"
    page.close()


@pytest.mark.parametrize("how", ["chosen", "drop", "paste"])
def test_what_is_chosen_before_gradio_s_scripts_is_painted_when_the_page_is_built(chromium, address, pictures, how):
    page = chromium.new_page()
    page.set_default_timeout(90_000)
    held = []
    page.route("**/assets/index-*.js", lambda route: held.append(route))
    page.goto(address, wait_until="commit")
    page.locator("#early [aria-pressed]").nth(4).click()
    style = page.evaluate("[...document.querySelectorAll('#early [aria-pressed]')].findIndex((one) => one.ariaPressed === 'true')")
    assert style == 4
    chosen = page.locator("#early [aria-pressed=true]").inner_text()
    if how == "chosen":
        page.locator("#early input[type=file]").set_input_files(str(pictures[0]))
    else:
        give(page, how, "#early figure", pictures[0])
    page.locator("#early p").filter(has_text="painted as soon as the page is ready").wait_for()
    assert page.locator("#early figure img").first.get_attribute("src").startswith("blob:")
    page.unroute("**/assets/index-*.js")  # lets the held ones go on
    assert held
    page.wait_for_selector("#early", state="detached")
    done(page, "768 x 461 px")
    assert page.locator("#stylize-gallery .tile-pick[aria-pressed=true] .tile-title").all_inner_texts() == [chosen]
    page.close()


def test_the_pictures_of_the_page_weigh_at_most_a_megabyte_at_the_start(chromium, address):
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page, sizes = context.new_page(), []
    page.on(
        "response", lambda one: sizes.append(int(one.headers["content-length"])) if "image" in one.headers.get("content-type", "") else None
    )
    page.goto(address)
    ready(page)
    page.wait_for_timeout(2000)
    assert len(sizes) > 10 and sum(sizes) <= 1e6
    context.close()


def test_from_the_address_to_ones_own_photo_in_ones_own_painting_are_three_actions(chromium, address, pictures):
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(90_000)
    page.goto(address)  # one
    page.locator("#stylize-content input[type=file]").set_input_files(str(pictures[0]))  # two
    page.locator("#stylize-style input[type=file]").set_input_files(str(pictures[2]))  # three
    page.locator("#stylize-status").filter(has_text="Done: 768 x 461 px").wait_for()
    page.wait_for_function("() => !document.querySelector('#stylize-gallery .tile-pick[aria-pressed=true]')")
    context.close()


def test_the_newest_choice_wins(page, pictures, tmp_path):
    paint_small(page)
    upload(page, "stylize-content", pictures[0])
    done(page, "256 x 154")
    tile(page, 0).click()
    page.locator("#stylize-status").filter(has_text=tile(page, 0).locator(".tile-title").inner_text()).wait_for()
    in_gallery = read_image(downloaded(page, "stylize", tmp_path))
    # A painting that is uploaded lets go of the tile ...
    before = shown(page, "stylize")
    upload(page, "stylize-style", pictures[2])
    wait_for_another(page, "stylize", before)
    assert page.locator("#stylize-gallery .tile-pick[aria-pressed=true]").count() == 0
    own = downloaded(page, "stylize", tmp_path)
    assert not read_settings(own)["gallery"] and (read_image(own) - in_gallery).abs().mean() > 0.02
    # ... a tile sets the painting aside, where everybody sees it ...
    before = shown(page, "stylize")
    tile(page, 1).click()
    wait_for_another(page, "stylize", before)
    use_own = page.locator("#stylize-use-own input")
    assert not use_own.is_checked() and not page.locator("#stylize-mix").is_visible()
    assert read_settings(downloaded(page, "stylize", tmp_path))["gallery"]
    # ... and both are used only when that is asked for, half and half.
    before = shown(page, "stylize")
    use_own.check()
    page.locator("#stylize-mix").wait_for()
    wait_for_another(page, "stylize", before)
    assert page.get_by_label("number input for Balance").locator("visible=true").input_value() == "0.5"
    # A tile that is clicked again is let go of.
    before = shown(page, "stylize")
    tile(page, 1).click()
    wait_for_another(page, "stylize", before)
    assert page.locator("#stylize-gallery .tile-pick[aria-pressed=true]").count() == 0 and use_own.is_checked()
    assert not page.locator("#stylize-mix").is_visible()


def test_an_imagined_picture_that_is_to_be_a_style_wins_over_the_gallery(page, tmp_path):
    paint_small(page)
    first = shown(page, "stylize")
    open_tab(page, "Imagine", "imagine")
    fill(page, "Exact size (px)", "128")
    page.click("#imagine-run")
    page.locator("#imagine-status").filter(has_text="Pictures made: 6").wait_for()
    unfold(page, "Use this picture", "[role=tabpanel]:visible")
    page.click("#imagine-to-stylize-style")
    page.wait_for_selector("#stylize-run", state="visible")
    wait_for_another(page, "stylize", first)
    assert not read_settings(downloaded(page, "stylize", tmp_path))["gallery"]


def test_the_studio_has_one_photo_and_a_reload_finds_it_with_the_tab_the_style_and_the_settings(page, pictures):
    paint_small(page)
    upload(page, "stylize-content", pictures[0])
    done(page, "256 x 154")
    tile(page, 2).click()
    page.locator("#stylize-status").filter(has_text=tile(page, 2).locator(".tile-title").inner_text()).wait_for()
    before = shown(page, "stylize")
    fill(page, "Style strength", "0.6")
    wait_for_another(page, "stylize", before)
    open_tab(page, "Paint", "paint")
    page.wait_for_function("document.querySelector('#paint-content img')?.src.includes('picture-0')")
    upload(page, "paint-content", pictures[1])
    page.wait_for_function(
        "document.querySelector('#paint-preview img')?.src && document.querySelector('#paint-content img')?.src.includes('picture-1')"
    )
    fill(page, "Steps", "7")
    page.wait_for_timeout(1500)
    page.reload()
    page.wait_for_selector("#paint-run", state="visible")
    unfold(page, "More", "#paint-more")
    assert page.get_by_label("number input for Steps").input_value() == "7"
    page.get_by_role("tab", name="Stylize", exact=True).click()
    page.wait_for_function("document.querySelector('#stylize-content img')?.src.includes('picture-1')")
    page.wait_for_function("document.querySelectorAll('#stylize-gallery .tile-pick')[2]?.getAttribute('aria-pressed') === 'true'")
    assert page.get_by_label("number input for Style strength").locator("visible=true").input_value() == "0.6"


def test_a_picture_that_is_dropped_anywhere_or_pasted_becomes_the_photo(page, pictures):
    paint_small(page)
    for how, path, size in (("drop", pictures[0], "256 x 154"), ("paste", pictures[1], "192 x 256")):
        give(page, how, "#header", path)
        done(page, size)
        page.wait_for_function("document.querySelector('#stylize-content img')?.src.includes('given')")


def test_a_picture_of_before_is_never_offered_as_one_of_a_photo_that_could_not_be_read(page, pictures, tmp_path):
    upload(page, "stylize-content", pictures[0])
    done(page, "768 x 461")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    upload(page, "stylize-content", tmp_path / "broken.png")
    page.locator("#stylize-status").filter(has_text="broken.png").wait_for()
    page.wait_for_function("() => !document.querySelector('#stylize-slider img')")
    page.click("#stylize-download")
    page.get_by_test_id("toast-body").filter(has_text="There is no picture yet").wait_for()
