"""The real app in its own process, offline, on shipped weights, and a real Chromium that looks at it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 120


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in Path(item.fspath).parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def address(tmp_path_factory) -> str:
    """Address of a running app that no hub helps."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = tmp_path_factory.mktemp("home")
    environment = {**os.environ, "HF_HOME": str(home / "hf"), "HF_HUB_OFFLINE": "1", "GRADIO_TEMP_DIR": str(home / "gradio")}
    environment.pop("STYLE_CORE_VGG19", None)
    log = (home / "app.log").open("wb")
    app = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and app.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=1).close()
            break
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    else:
        pytest.fail(f"The app did not start:\n{(home / 'app.log').read_text()}")
    yield address
    app.terminate()
    app.wait(timeout=20)
    log.close()


@pytest.fixture(scope="session")
def chromium():
    """A real browser; tests that need it are skipped where there is none."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("needs Chromium, which is not installed here (make test installs it on Debian)")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, from requirements-dev.txt")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, address):
    """A fresh visitor on the app's page, whose requests to other hosts are noted in `page.strangers`."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True, locale="en-US")
    page = context.new_page()
    page.set_default_timeout(90_000)  # a busy machine is no failure
    page.strangers = []
    own = (address, "data:", "blob:", address.replace("http", "ws", 1))
    page.on("request", lambda request: None if request.url.startswith(own) else page.strangers.append(request.url))
    page.goto(address)
    page.wait_for_selector("#stylize-run")
    yield page
    context.close()
