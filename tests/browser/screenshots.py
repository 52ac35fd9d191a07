"""The pictures of the page in docs/, taken again: `python -m tests.browser.screenshots` (needs Chromium)."""

import io
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.common import VGG19
from studio.examples import SAMPLES, examples
from studio.first_picture import before_and_after
from tests.browser.steering import FLAGS, chromium_here, open_tab, ready
from tests.serving import ROOT, app

_DOCS = ROOT / "docs"
_TABS = ("stylize", "paint", "dream", "imagine", "film")
_WINDOW, _PHONE = {"width": 1440, "height": 960}, {"width": 390, "height": 844}
_OURS = sum(path.parent == SAMPLES for path in examples().values())  # they come first
_ONLY_OURS = "(count) => [...document.querySelectorAll('#stylize-examples .tile')].slice(count).forEach((tile) => tile.remove())"
_LOADED = "[...document.images].every((image) => image.complete || image.loading === 'lazy')"


def main() -> None:
    with TemporaryDirectory() as home, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium_here(), args=list(FLAGS))
        finest = {"STYLE_CORE_VGG19": str(VGG19.resolve())} if VGG19.is_file() else {}
        with app(**finest, HF_HOME=f"{home}/hf", HF_HUB_OFFLINE="1", GRADIO_TEMP_DIR=f"{home}/gradio") as address:
            take(browser, address)
        browser.close()


def take(browser: Browser, address: str) -> None:
    """Write every picture."""
    page = opened(browser, address)
    save("stylize.jpg", seen(page).resize((1200, 800)))
    light = tabs(page)
    save("tabs-light.jpg", grid([picture.resize((600, 400)) for picture in light], 2))
    open_tab(page, "Paint", "paint")
    page.click("#paint-run")
    page.locator("#paint-status").filter(has_text="Done:").wait_for(timeout=600_000)
    save("paint.jpg", seen(page).resize((1200, 800)))
    for name, language, theme in (("dark-spanish", "es-ES", "dark"), ("chinese", "zh-CN", "light")):
        pictures = tabs(opened(browser, f"{address}/?__theme={theme}", locale=language))
        save(f"tabs-{name}.jpg", grid([picture.resize((600, 400)) for picture in pictures], 2))
    phone = opened(browser, address, viewport=_PHONE, device_scale_factor=1.5, has_touch=True, is_mobile=True)
    save("phone.jpg", seen(phone))
    save("tabs-phone.jpg", grid([picture.resize((240, 519)) for picture in tabs(phone)], 5))
    save("painted.jpg", halves(*before_and_after()))


def opened(browser: Browser, address: str, **how) -> Page:
    """A fresh visitor's page."""
    page = browser.new_context(**{"viewport": _WINDOW, "locale": "en-US", **how}).new_page()
    page.goto(address)
    ready(page)
    return page


def tabs(page: Page) -> list[Image.Image]:
    """What each tab but About shows at first."""
    pictures = []
    for index, name in enumerate(_TABS):
        page.get_by_role("tab").nth(index).click()
        page.wait_for_selector(f"#{name}-run", state="visible")
        pictures.append(seen(page))
    return pictures


def seen(page: Page) -> Image.Image:
    """The window, when everything in it is loaded and still; without the photos that come with Gradio, which aren't ours."""
    page.evaluate(_ONLY_OURS, _OURS)
    page.wait_for_function(_LOADED)
    page.wait_for_timeout(1500)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def grid(pictures: list[Image.Image], across: int) -> Image.Image:
    """Pictures of one size in rows."""
    width, height = pictures[0].size
    sheet = Image.new("RGB", (across * width, -(-len(pictures) // across) * height), pictures[0].getpixel((4, height - 4)))
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (index % across * width, index // across * height))
    return sheet


def halves(before: str | Path, after: str | Path) -> Image.Image:
    """The left half of one picture beside the right half of the other, between them a white line."""
    one, two = (Image.open(path).convert("RGB").resize((1200, 800)) for path in (before, after))
    one.paste(two.crop((600, 0, 1200, 800)), (600, 0))
    one.paste((255, 255, 255), (599, 0, 601, 800))
    return one.crop((0, 60, 1200, 740))


def save(name: str, picture: Image.Image) -> None:
    picture.save(_DOCS / name, quality=82, optimize=True)


if __name__ == "__main__":
    main()
