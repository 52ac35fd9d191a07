"""A visit: what follows a run, the strip of pictures, settings that come back, regions, comparisons, languages, a phone."""

from pathlib import Path

import pytest
from networks import picture
from PIL import Image, ImageDraw
from steering import downloaded, fill, open_tab, paint_small, press, ready, shown, tile, unfold, upload, wait_for_another

from style_core import gallery, read_image, read_settings, write_image
from style_core.media.clip import Clip


@pytest.fixture
def painted(page):
    """The page after a short run of Paint."""
    open_tab(page, "Paint", "paint")
    fill(page, "Steps", "30")
    fill(page, "Exact size (px)", "256")
    page.click("#paint-run")
    page.locator("#paint-status").filter(has_text="Done: 256 x 171 px").wait_for()
    return page


def test_a_result_is_rewound_filmed_downloaded_in_another_type_and_repainted_larger(painted, tmp_path):
    whole = read_image(downloaded(painted, "paint", tmp_path))
    unfold(painted, "Adjust the result")
    for steer, position in [
        (lambda: fill(painted, "Rewind", "0.3"), 0.3),
        (lambda: press(painted, "Rewind", "ArrowLeft"), 0.29),
    ]:
        before = shown(painted, "paint")
        steer()
        wait_for_another(painted, "paint", before)
        back = downloaded(painted, "paint", tmp_path)
        assert read_settings(back)["after"]["position"] == pytest.approx(position)
    assert (read_image(back) - whole).abs().mean() > 0.01
    painted.click("#paint-kind input")
    painted.get_by_role("option", name="WEBP").click()
    webp = downloaded(painted, "paint", tmp_path)
    while webp.suffix != ".webp":  # until the converted file is at the button; the page's own limit ends it
        painted.wait_for_timeout(300)
        webp = downloaded(painted, "paint", tmp_path)
    assert webp.suffix == ".webp" and read_settings(webp)["recipe"] == "optimize"
    painted.click("#paint-film-run")
    painted.wait_for_selector("#paint-film video", state="attached")
    source = painted.locator("#paint-film video").get_attribute("src")
    (tmp_path / "film.mp4").write_bytes(painted.request.get(source).body())
    assert Clip.open(tmp_path / "film.mp4").frames > 3
    painted.click("#paint-larger")
    painted.locator("#paint-status").filter(has_text="Done: 384 x 256 px").wait_for()


def test_a_visit_s_pictures_survive_a_reload_and_stay_in_their_browser(painted, chromium, address):
    painted.wait_for_selector("#history-strip img")
    painted.reload()
    painted.wait_for_selector("#history-strip img")
    assert painted.locator("#history-strip button.thumbnail-item").count() == 1
    stranger = chromium.new_context()
    other = stranger.new_page()
    other.goto(address)
    ready(other)
    other.wait_for_timeout(1500)
    assert other.locator("#history-strip img").count() == 0
    stranger.close()
    painted.click("#history-open")
    painted.locator("#history-strip button.thumbnail-item").first.click()
    painted.locator("#history-about").filter(has_text="Paint, 256 x 171 px").wait_for()
    painted.wait_for_selector("#history-large img")
    with painted.expect_download() as download:
        painted.click("#history-download")
    assert download.value.suggested_filename.startswith("pentimento-optimize")
    unfold(painted, "For the terminal", "#history-terminal")
    assert "style_core optimize CONTENT STYLE -o OUT.png --size=256 --iterations=30" in painted.inner_text("#history-command code")
    painted.click("#history-restore")
    painted.locator("#history-status").filter(has_text="are restored").wait_for()
    painted.wait_for_selector("#paint-run", state="visible")
    unfold(painted, "More", "#paint-more")
    assert painted.get_by_label("number input for Steps").locator("visible=true").input_value() == "30"
    painted.click("#history-forget")
    painted.wait_for_selector("#history-strip img", state="detached")
    painted.wait_for_selector("#history-large", state="hidden")
    painted.reload()
    painted.click("#history-open")
    painted.locator("#history-status").filter(has_text="Removed").wait_for()
    painted.click("#history-undo")
    painted.wait_for_selector("#history-strip img")
    painted.wait_for_selector("#history-undo", state="hidden")


def test_what_is_removed_on_one_page_is_gone_from_the_visitor_s_other_pages(page, address):
    tile(page, 0).click()
    page.wait_for_selector("#history-strip img", state="attached")
    other = page.context.new_page()
    other.goto(address)
    ready(other)
    other.wait_for_selector("#history-strip img", state="attached")
    page.click("#history-open")
    page.click("#history-forget")
    page.wait_for_selector("#history-undo", state="visible")
    other.click("#history-open")
    other.wait_for_selector("#history-strip img", state="detached")


def test_settings_come_back_from_a_dropped_picture_and_others_are_refused_in_words(page, tmp_path):
    options = {"size": 320, "strength": 0.7}
    write_image(tmp_path / "made.png", picture(40, 40), settings={"recipe": "stylize", "options": options, "gallery": "red-fuji"})
    write_image(tmp_path / "plain.png", picture(40, 40))
    page.click("#history-open")
    page.locator("#history-drop input[type=file]").set_input_files(str(tmp_path / "plain.png"))
    page.get_by_text("contains no settings").first.wait_for()
    page.get_by_label("Remove Image").or_(page.get_by_label("Clear")).locator("visible=true").last.click()
    page.locator("#history-drop input[type=file]").set_input_files(str(tmp_path / "made.png"))
    page.locator("#history-status").filter(has_text="are restored").wait_for()
    assert page.get_by_label("number input for Style strength").locator("visible=true").input_value() == "0.7"
    page.locator("#stylize-status").filter(has_text="Done: 320 x").wait_for()


def test_painted_strokes_limit_where_the_style_goes(page, tmp_path):
    paint_small(page)
    whole = read_image(downloaded(page, "stylize", tmp_path))
    unfold(page, "Different styles", "#stylize-regions")
    page.wait_for_selector("#stylize-regions-editor canvas")
    page.get_by_text("draw tool").wait_for(state="detached")
    page.wait_for_timeout(2500)  # the editor draws its picture without telling
    page.locator("#stylize-regions-editor").scroll_into_view_if_needed()
    box = page.locator("#stylize-regions-editor canvas").first.bounding_box()
    page.mouse.move(box["x"] + 0.35 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.52 * box["height"], steps=8)
    page.mouse.up()
    page.wait_for_timeout(1000)
    before = shown(page, "stylize")
    page.click("#stylize-run")
    wait_for_another(page, "stylize", before)
    part = read_image(downloaded(page, "stylize", tmp_path))
    photo = read_image("studio/samples/mountain-lake.jpg")
    small = [image[:, ::8, ::8] for image in (part, whole)]
    like_photo = (read_image_like(photo, part) - part).abs().mean(0) < 0.02
    assert 0.5 < float(like_photo.float().mean()) < 0.99 and (small[0] - small[1]).abs().mean() > 0.02


def test_the_main_subject_is_painted_over_with_one_click(page, tmp_path):
    photo = picture_with_subject(tmp_path / "subject.png")
    paint_small(page)
    upload(page, "stylize-content", tmp_path / "subject.png")
    page.locator("#stylize-status").filter(has_text="Done: 256 x 171").wait_for()
    unfold(page, "Different styles", "#stylize-regions")
    for button, inside in (("subject", True), ("around", False)):
        before = shown(page, "stylize")
        page.click(f"#stylize-regions-{button}")
        wait_for_another(page, "stylize", before)
        changed = (read_image_like(read_image(downloaded(page, "stylize", tmp_path)), photo) - photo).abs().mean(0)
        middle, corner = changed[140:180, 210:270].mean(), changed[:60, :100].mean()
        assert middle > 5 * corner if inside else corner > 5 * middle, (button, middle, corner)


def picture_with_subject(path: Path):
    """A plate on a cloth, 480 x 320 px."""
    image = Image.new("RGB", (480, 320), "#3f6f9f")
    ImageDraw.Draw(image).ellipse((160, 90, 320, 230), fill="#e8c33c")
    image.save(path)
    return read_image(path)


def read_image_like(photo, result):
    from style_core.media.images import resize

    return resize(photo, tuple(result.shape[-2:]))


def test_compared_styles_and_strengths_are_chosen_by_a_click(page):
    paint_small(page)
    tile(page, 0).click()
    page.locator("#stylize-status").filter(has_text="Done").wait_for()
    unfold(page, "Compare", "#compare")
    page.wait_for_function("document.querySelector('#compare').getBoundingClientRect().bottom <= innerHeight")
    page.click("#compare-run")
    first_of_each = {entry.category: entry for entry in reversed(gallery().values())}
    compared = page.locator("#compare-grid button.thumbnail-item")
    count = "count => document.querySelectorAll('#compare-grid button.thumbnail-item').length === count"
    page.wait_for_function(count, arg=len(first_of_each))
    other = compared.nth(2).inner_text().split(" · ")[0]
    assert other in {entry.title for entry in first_of_each.values()}
    compared.nth(2).click()
    page.locator("#stylize-status").filter(has_text=f"{other} · ").wait_for()
    assert tile(page, other).get_attribute("aria-pressed") == "true"
    page.get_by_text("several strengths").click()
    page.click("#compare-run")
    page.wait_for_function("document.querySelectorAll('#compare-grid button.thumbnail-item').length === 6")
    page.locator("#compare-grid button.thumbnail-item").nth(0).click()
    page.wait_for_function("document.querySelector('input[aria-label=\"number input for Style strength\"]').value === '0.25'")


def test_imagined_pictures_are_chosen_and_walked_between(page, tmp_path):
    open_tab(page, "Imagine", "imagine")
    page.locator("#imagine-wall button.thumbnail-item").nth(2).click()  # one of those that it opens with
    page.locator("#imagine-download[href], #imagine-download:not([disabled])").first.wait_for()
    page.wait_for_timeout(800)
    opened = downloaded(page, "imagine", tmp_path)
    assert read_settings(opened)["options"]["seed"] == 2 and page.locator("#history-strip img").count() == 0
    fill(page, "Exact size (px)", "128")
    page.click("#imagine-run")
    page.locator("#imagine-status").filter(has_text="Pictures made: 6").wait_for()
    page.locator("#imagine-wall button.thumbnail-item").nth(3).click()
    page.wait_for_timeout(800)
    assert read_settings(downloaded(page, "imagine", tmp_path))["options"]["seed"] == 3
    page.click("#imagine-walk")
    page.locator("#imagine-status").filter(has_text="Frames: 72").wait_for(timeout=300_000)
    page.wait_for_function("""() => {
      const { top, bottom } = document.querySelector('#imagine-film').getBoundingClientRect();
      return top >= 0 && top < bottom && bottom <= innerHeight;
    }""")


def test_a_dream_grows_and_is_stopped(page):
    open_tab(page, "Dream", "dream")
    fill(page, "Exact size (px)", "256")
    fill(page, "Steps", "200")
    page.click("#dream-run")
    page.locator("#dream-status progress").wait_for()
    page.wait_for_timeout(3000)  # until there is a picture to keep
    page.click("#dream-stop")
    page.locator("#dream-status").filter(has_text="Stopped after").wait_for()
    page.wait_for_selector("#dream-slider img")
    assert page.strangers == []


@pytest.fixture
def visitor(chromium, address):
    """Visitors with a language and a screen of their own."""
    contexts = []

    def visit(**how):
        context = chromium.new_context(**how)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(90_000)
        page.goto(address)
        ready(page)
        return page

    yield visit
    for context in contexts:
        context.close()


def test_a_chinese_browser_gets_a_chinese_page(visitor, tmp_path):
    page = visitor(locale="zh-CN")
    page.get_by_role("tab", name="绘制").wait_for()
    assert page.inner_text("#stylize-run").strip() == "生成"
    tile(page, 0).click()
    page.locator("#stylize-status").filter(has_text="完成：768 x 512 像素").wait_for()
    english = [word for word in ("Style strength", "Brush size", "Download", "Gallery") if word in page.inner_text("body")]
    assert english == []
    page.locator("#compare > button").click()
    page.locator("#compare-which").filter(has_text="撑阳伞的女人").wait_for()
    (tmp_path / "broken.png").write_bytes(b"no picture")
    upload(page, "stylize-content", tmp_path / "broken.png")
    page.locator("#stylize-content-notice").filter(has_text="broken.png 不是可读取的图片").wait_for()


def test_a_language_that_is_chosen_is_spoken_by_page_and_server_and_remembered(visitor, address):
    page = visitor(locale="en-US")
    page.get_by_label("Language").select_option("Español")
    page.get_by_role("tab", name="Pintar", exact=True).wait_for()
    page.goto(address)
    ready(page)
    assert page.get_by_label("Idioma").input_value() == "es"
    tile(page, "Los girasoles").click()
    page.locator("#stylize-status").filter(has_text="Listo").wait_for()
    page.goto(f"{address}/?lang=xx")  # which the page doesn't speak
    page.get_by_role("tab", name="Pintar", exact=True).wait_for()
    page.goto(f"{address}/?lang=en")
    page.get_by_role("tab", name="Paint", exact=True).wait_for()


def test_traditional_chinese_browsers_get_it_too(visitor):
    visitor(locale="zh-TW").get_by_role("tab", name="绘制").wait_for()


def test_a_phone_paints_without_scrolling_sideways(visitor):
    page = visitor(viewport={"width": 390, "height": 844}, device_scale_factor=1, is_mobile=True, has_touch=True)
    style = tile(page, 8)
    style.evaluate("node => node.scrollIntoView({ block: 'center' })")
    style.tap()
    page.locator("#stylize-status").filter(has_text="Done").wait_for()
    # A phone zooms out from a page that is too wide, so that its window says nothing; and the picture must still be in sight.
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.locator("#stylize-slider").bounding_box()
    assert box["y"] >= -1 and box["y"] + box["height"] <= 844
    assert page.locator("#stylize-kind").is_visible()
    too_long = (
        "[...document.querySelectorAll('.actions button')].filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.innerText)"
    )
    assert page.evaluate(too_long) == [], "words reach beyond their button"


def test_a_phone_shows_the_whole_editor_of_areas_above_its_buttons(visitor):
    page = visitor(viewport={"width": 390, "height": 844}, device_scale_factor=1, is_mobile=True, has_touch=True)
    whole = """(shown) => {
      const { top, bottom } = document.querySelector(shown)?.getBoundingClientRect() ?? {};
      const buttons = [...document.querySelectorAll('.actions')].find((row) => row.checkVisibility());
      return top >= 0 && top < bottom && bottom <= buttons.getBoundingClientRect().top;
    }"""
    unfold(page, "More", "#stylize-more")
    unfold(page, "Different styles", "#stylize-regions")
    page.wait_for_function(whole, arg="#stylize-regions-editor")
    gone = "document.querySelector('#stylize-slider').getBoundingClientRect().bottom <= 0"
    assert page.evaluate(gone), "the picture lies on the editor"


def test_every_size_has_its_forecast_beside_it(page):
    for tab, name in (("Stylize", "stylize"), ("Paint", "paint"), ("Dream", "dream"), ("Imagine", "imagine")):
        page.get_by_role("tab", name=tab, exact=True).click()
        forecast = page.locator(f"#{name}-forecast").filter(has_text="Takes about")
        forecast.wait_for()
        standard = forecast.inner_text()
        page.locator(f"#{name}-run").locator("visible=true").wait_for()
        page.get_by_role("radio", name="Print").locator("visible=true").check()
        page.wait_for_function(f"before => document.querySelector('#{name}-forecast').innerText !== before", arg=standard)
