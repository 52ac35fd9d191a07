"""The picture in the page's HTML before Gradio's scripts run: where it is added, and that everything else passes unchanged."""

import pytest
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.testclient import TestClient

from studio import first_picture
from studio.early_page import EarlyPage

PHOTO, PAINTED = (f"http://here/file=/tmp/{at}/{path.rpartition('/')[2]}" for at, path in enumerate(first_picture.before_and_after()))
CONFIG = f'{{"a": {{"url": "{PHOTO}"}}, "b": {{"url": "{PAINTED}"}}}}'
PAGE = f"<html><head><script>config = {CONFIG}</script></head><body class='x'><gradio-app></gradio-app></body></html>"


def answer(response: Response, path: str = "/", method: str = "GET") -> str:
    return TestClient(EarlyPage(response)).request(method, path).text


def test_the_page_shows_its_two_pictures_first():
    page = answer(HTMLResponse(PAGE))
    added = page[page.index("<body class='x'>") : page.index("<gradio-app>")]
    assert f'src="{PHOTO}"' in added and f'src="{PAINTED}"' in added
    assert page.replace(added, "<body class='x'>") == PAGE


@pytest.mark.parametrize(
    ("response", "path"),
    [
        (HTMLResponse(PAGE), "/other"),
        (JSONResponse({"body": PAGE}), "/"),
        (HTMLResponse(PAGE.replace(PAINTED, "")), "/"),
        (HTMLResponse(PAGE.replace('{"a"', '{"auth_required": true, "a"')), "/"),
        (HTMLResponse("x" * 70000, 500), "/"),
    ],
    ids=["another page", "no page", "without the picture", "login", "error"],
)
def test_everything_else_passes_unchanged(response, path):
    assert answer(response, path) == response.body.decode()
