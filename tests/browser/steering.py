"""What a person does on the page, in words."""

import shutil

FLAGS = ("--no-sandbox", "--disable-dev-shm-usage")  # root has no sandbox, and containers little shared memory
# What is shown for the first time, in a tab or an accordion, Gradio sets once more a frame later: whoever was faster than
# that, as only a program is, finds it as it was.
_SETTLED = """async () => {
  for (let i = 0; i < 3; i++) {
    await new Promise((done) => requestAnimationFrame(() => requestIdleCallback(done)));
    await new Promise((done) => setTimeout(done, 100));
  }
}"""


def chromium_here() -> str | None:
    """The path of this machine's Chromium; None if there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def ready(page) -> None:
    """Wait until a page has taken up what its browser keeps, or else the example: then a style is chosen."""
    page.wait_for_selector("#stylize-run")
    page.wait_for_selector("#stylize-gallery .tile-pick[aria-pressed=true]", state="attached")


def fill(page, label: str, value: str) -> None:
    """Type a number beside a slider, which may be behind "More"."""
    box = page.get_by_label(f"number input for {label}").locator("visible=true")
    if not box.count():
        page.locator("[id$='-more'] > button.label-wrap").locator("visible=true").first.click()
        page.evaluate(_SETTLED)
    box.fill(value)
    box.press("Tab")


def paint_small(page) -> None:
    """Have Stylize paint pictures of 256 px from now on, which takes a sixth of the time."""
    fill(page, "Exact size (px)", "256")
    page.locator("#stylize-status").filter(has_text="Done: 256 x").wait_for()


def press(page, label: str, key: str) -> None:
    """Press a key on a slider."""
    page.get_by_label(f"range slider for {label}").locator("visible=true").press(key)


def shown(page, run_id: str) -> str:
    """The address of the result that a run's slider of before and after shows."""
    return page.locator(f"#{run_id}-slider img").last.get_attribute("src")


def wait_for_another(page, run_id: str, before: str) -> None:
    """Wait until that slider shows another result than `before`; a picture that is still refined is none."""
    another = "src => src !== before && src.includes('/pentimento-')"
    page.wait_for_function(f"before => [[...document.querySelectorAll('#{run_id}-slider img')].at(-1).src].some({another})", arg=before)


def open_tab(page, name: str, run_id: str) -> None:
    """Open a tab by its name, and wait for the button that runs it."""
    page.get_by_role("tab", name=name, exact=True).click()
    page.wait_for_selector(f"#{run_id}-run", state="visible")
    page.evaluate(_SETTLED)


def unfold(page, heading: str, within: str = "body") -> None:
    """Open an accordion by what stands on it."""
    page.locator(f"{within} button").filter(has_text=heading).locator("visible=true").first.click()
    page.evaluate(_SETTLED)


def tile(page, wanted: int | str, wall: str = "stylize-gallery"):
    """A tile of a wall, by its place or by a part of its title."""
    tiles = page.locator(f"#{wall} .tile-pick")
    return tiles.nth(wanted) if isinstance(wanted, int) else tiles.filter(has_text=wanted).first


def downloaded(page, run_id: str, folder):
    """The file that a run's download button gives; while a picture is still refined, it gives none."""
    from playwright.sync_api import TimeoutError

    for last in (False, False, False, True):
        try:
            with page.expect_download(timeout=90_000 if last else 15_000) as download:
                page.click(f"#{run_id}-download")
            break
        except TimeoutError:
            if last:
                raise
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def said_by(page) -> str:
    """What a page says, for the report of a test that failed: its first line of status, and the end of its console."""
    try:
        said = page.locator("[id$=-status]").locator("visible=true").first.inner_text(timeout=5000)
    except Exception as error:  # a page can have crashed in many ways; the report is to name the test's own failure
        said = f"The page does not answer: {error}"
    return "\n".join([said, *page.console[-10:]])


def upload(page, box: str, path) -> None:
    """Give a picture input another file."""
    page.locator(f"#{box} input[type=file]").set_input_files(str(path))
