"""What a person does on the page, in words."""


def fill(page, label: str, value: str) -> None:
    """Type a number beside a slider."""
    box = page.get_by_label(f"number input for {label}").locator("visible=true")
    box.fill(value)
    box.press("Tab")


def open_tab(page, name: str, run_id: str) -> None:
    """Open a tab by its name, and wait for the button that runs it."""
    page.get_by_role("tab", name=name, exact=True).click()
    page.wait_for_selector(f"#{run_id}-run", state="visible")


def upload(page, box: str, path) -> None:
    """Give a picture input another file."""
    if page.locator(f"#{box} button[aria-label='Remove Image']").count():
        page.locator(f"#{box} button[aria-label='Remove Image']").click()
    page.locator(f"#{box} input[type=file]").set_input_files(str(path))
