"""The real app in its own process, offline, on shipped weights, and a real Chromium that looks at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import app
from steering import FLAGS, chromium_here, ready, said_by

_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")  # a moving test picture


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in Path(item.fspath).parents:
            item.add_marker(pytest.mark.browser)
            # Machines that others share can stand still for minutes. The summary counts what was tried again.
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Add to the report of a test that failed what its page said at that moment."""
    outcome = yield
    report = outcome.get_result()
    page = getattr(item, "funcargs", {}).get("page")
    if report.when == "call" and report.failed and page is not None:
        report.sections.append(("page", said_by(page)))


@pytest.fixture(scope="session")
def address(tmp_path_factory) -> Iterator[str]:
    """Address of a running app that no hub helps."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("STYLE_CORE_VGG19", raising=False)
        with app(HF_HOME=str(home / "hf"), HF_HUB_OFFLINE="1", GRADIO_TEMP_DIR=str(home / "gradio")) as address:
            yield address


@pytest.fixture(scope="session")
def chromium():
    """A real browser; tests that need it are skipped where there is none."""
    path = chromium_here()
    if path is None:
        pytest.skip("needs Chromium, which is not installed here (make test installs it on Debian)")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, from requirements-dev.txt")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=[*FLAGS, *_CAMERA])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, address):
    """A fresh visitor on the app's page, whose requests to other hosts are noted in `page.strangers`."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True, locale="en-US")
    page = context.new_page()
    page.set_default_timeout(90_000)  # a busy machine is no failure
    page.strangers, page.console = [], []
    page.on("console", lambda message: page.console.append(message.text))
    own = (address, "data:", "blob:", address.replace("http", "ws", 1))
    page.on("request", lambda request: None if request.url.startswith(own) else page.strangers.append(request.url))
    page.goto(address)
    ready(page)
    yield page
    context.close()
