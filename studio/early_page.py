"""What a browser shows in the seconds in which Gradio builds the page: the picture that the studio opens with, and its styles.

Gradio's page is empty until its scripts have made every component. A few lines of HTML are added to it. In them a visitor can choose a
photo and a style already; both are handed to the real page as soon as that is ready, and the lines disappear.
"""

import json
import re
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio import first_picture, i18n, theme

_PLACE = re.compile(rb"<body[^>]*>")
_TEXTS = json.dumps(i18n.in_all_languages(("CHOOSE_PHOTO", "EARLY_CHOSEN")))
_EARLY = theme.EARLY.replace("TEXTS_BY_LANGUAGE", _TEXTS).encode()
_LOGIN = re.compile(rb'"auth_required":\s*true')


class EarlyPage:
    """ASGI middleware that adds the early picture to the page's HTML."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"].removeprefix(scope.get("root_path", "")) not in ("", "/"):
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Page(send).send)


class _Page:
    """Collects a page, and sends it on with the early picture; passes on everything else unchanged."""

    def __init__(self, send: Send):
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and Headers(raw=message["headers"]).get("content-type", "").startswith("text/html"):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                page = with_early_picture(self._body)
                MutableHeaders(raw=self._start["headers"])["content-length"] = str(len(page))
                await self._send(self._start)
                await self._send({"type": "http.response.body", "body": page})


def with_early_picture(page: bytes) -> bytes:
    """The page's HTML with the early picture added; unchanged if the page doesn't show that picture, as a login page."""
    place, photo, painted = _PLACE.search(page), *(_address_in(page, file) for file in first_picture.before_and_after())
    if place is None or not photo or not painted or _LOGIN.search(page):
        return page
    early = _EARLY.replace(b"PHOTO_ADDRESS", photo).replace(b"PAINTED_ADDRESS", painted)
    return page[: place.end()] + early + page[place.end() :]


def _address_in(page: bytes, file: str) -> bytes:
    """The address of a picture in the page's configuration; empty if it isn't there."""
    found = re.search(rb'"url":\s*"([^"]*/' + re.escape(Path(file).name.encode()) + rb')"', page)
    return found[1] if found else b""
