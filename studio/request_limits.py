"""Limits on HTTP requests before they reach Gradio: sizes, totals, wrong passwords, malformed calls."""

import asyncio
import json
import os
import time
from collections import deque
from http.cookies import CookieError, SimpleCookie

from gradio.utils import get_upload_folder
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio import files

MEGABYTE = 2**20
MOST_JSON = MEGABYTE
MOST_REQUEST = 200 * MEGABYTE  # of uploads in one request
MOST_VISITOR = 600 * MEGABYTE  # of uploads of one address in an hour
_HOUR = 3600.0
_WRONG_TRIES, _WRONG_SECONDS = 5, 60.0  # wrong passwords per address before it must wait, and for how long
_WRONG_ALL = 60  # wrong passwords of all addresses in the same time
_MOST_KNOWN = 10_000  # addresses remembered

_UPLOADS = ("/upload", "/component_server", "/process_recording")
_CALLS = ("/call/", "/run/", "/api/", "/queue/join")
_OPEN_OTHERWISE = ("/cancel", "/reset")  # Gradio's endpoints that don't require a login


class _TooMuch(Exception):
    """A request is larger than allowed."""


class Recent:
    """Amounts per client over the last `seconds`."""

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._amounts: dict[str, deque[tuple[float, float]]] = {}  # by client: times and amounts, oldest first

    def add(self, who: str, amount: float = 1) -> None:
        if who not in self._amounts and len(self._amounts) >= _MOST_KNOWN:
            del self._amounts[next(iter(self._amounts))]
        self._amounts.setdefault(who, deque()).append((time.monotonic(), amount))

    def total(self, who: str) -> float:
        amounts = self._amounts.get(who)
        while amounts and time.monotonic() - amounts[0][0] > self._seconds:
            amounts.popleft()
        return sum(amount for _, amount in amounts or ())


class RequestLimits:
    """ASGI middleware around the whole app; refuses with a message and a 4xx status."""

    def __init__(self, app: ASGIApp):
        self._app = app
        self._uploaded, self._wrong = Recent(_HOUR), Recent(_WRONG_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        path, who = scope["path"].rstrip("/"), _sender(scope)
        if path.endswith("/login"):
            await self._login(scope, receive, send, who)
        elif path.endswith(_OPEN_OTHERWISE) and not _logged_in(scope):
            await _refuse(scope, receive, send, 401, "Log in first.")
        elif path.endswith(_UPLOADS):
            await self._upload(scope, receive, send, who)
        else:
            await self._small(scope, receive, send, path)

    async def _small(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        """A small request, whose whole body is read."""
        if "/mcp" in path:
            await self._app(scope, receive, send)
            return
        body = b""
        try:
            counted = _counted(scope, receive, MOST_JSON)
            while True:
                message = await counted()
                body += message.get("body", b"")
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    break
        except _TooMuch:
            await _refuse(scope, receive, send, 413, "The request is larger than 1 MB; upload files first, and send their paths.")
            return
        if any(part in path for part in _CALLS) and (wrong := _what_is_wrong(scope, path, body)):
            await _refuse(scope, receive, send, *wrong)
            return
        await self._app(scope, _replayed(body, receive), send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send, who: str) -> None:
        room = min(MOST_REQUEST, MOST_VISITOR - self._uploaded.total(who))
        began, came = False, 0

        async def counting() -> Message:
            nonlocal came
            message = await counted()
            came += len(message.get("body", b""))
            return message

        async def sending(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            counted = _counted(scope, receive, room)
            await asyncio.to_thread(files.sweep_uploads, get_upload_folder(), _kept(scope), _declared(scope))
            await self._app(scope, counting, sending)
        except _TooMuch:
            if not began:
                most = f"{MOST_REQUEST // MEGABYTE} MB in one request and {MOST_VISITOR // MEGABYTE} MB in an hour can be uploaded."
                await _refuse(scope, receive, send, 413, f"This is too much at once; {most}")
        finally:
            self._uploaded.add(who, came)

    async def _login(self, scope: Scope, receive: Receive, send: Send, who: str) -> None:
        if self._wrong.total(who) >= _WRONG_TRIES or self._wrong.total("") >= _WRONG_ALL:
            await _refuse(scope, receive, send, 429, "There were too many wrong passwords; wait a minute.")
            return
        # Counted before it is known to be wrong, so that simultaneous tries count too.
        self._wrong.add(who)
        self._wrong.add("")
        right = False

        async def watched(message: Message) -> None:
            nonlocal right
            if message["type"] == "http.response.start":
                right = message["status"] < 400
                if not right:
                    await asyncio.sleep(0.5 * self._wrong.total(who))
            await send(message)

        await self._small(scope, receive, watched, "/login")
        if right:
            self._wrong.add(who, -self._wrong.total(who))
            self._wrong.add("", -1)


def _counted(scope: Scope, receive: Receive, most: float) -> Receive:
    """A `receive` that raises as soon as more than `most` bytes are announced or received.

    Raises:
        _TooMuch: at once, if the announced length is too large.
    """
    if _declared(scope) > most:
        raise _TooMuch
    came = 0

    async def counting() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > most:
            raise _TooMuch
        return message

    return counting


def _declared(scope: Scope) -> int:
    length = _header(scope, b"content-length")
    return int(length) if length.isdigit() else 0


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that replays a body that was read already, and then continues."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _what_is_wrong(scope: Scope, path: str, body: bytes) -> tuple[int, str] | None:
    """Status and message for a call with an unknown endpoint or wrong values; None for a valid call."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return 400, "The body must be a JSON object."
    if not isinstance(asked, dict):
        return 400, "The body must be a JSON object."
    if "/call/v2/" in path:
        name = path.rsplit("/", 1)[1]
        return None if name in _names(scope) else (404, _no_endpoint(scope))
    data, index = asked.get("data"), asked.get("fn_index")
    if not isinstance(data, list):
        return 422, "The body must hold a list called data."
    handlers = scope["app"].get_blocks().fns
    if index is None and not path.endswith("/queue/join"):
        name = path.rsplit("/", 1)[1]
        handler = next((handler for handler in handlers.values() if handler.api_name == name), None)
    else:
        handler = handlers.get(index) if isinstance(index, int) else None
    if handler is None:
        return 404, _no_endpoint(scope)
    most = len(handler.inputs)
    if len(data) > most and not handler.cancels:
        return 422, f"data holds {len(data)} values; this endpoint takes {most}."
    return None


def _names(scope: Scope) -> list[str]:
    return [
        handler.api_name for handler in scope["app"].get_blocks().fns.values()
        if handler.api_visibility == "public" and isinstance(handler.api_name, str)
    ]  # fmt: skip


def _no_endpoint(scope: Scope) -> str:
    return f"There is no such endpoint; there are {', '.join(f'/{name}' for name in _names(scope))}."


def _logged_in(scope: Scope) -> bool:
    """Whether the client is logged in, according to Gradio; always true without --auth."""
    app = scope["app"]
    if app.auth is None and app.auth_dependency is None:
        return True
    try:
        cookies = SimpleCookie(_header(scope, b"cookie").decode("latin-1"))
    except CookieError:
        return False
    tokens = (cookies.get(f"access-token-{kind}{app.cookie_id}") for kind in ("", "unsecure-"))
    return any(token is not None and token.value in app.tokens for token in tokens)


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


def _kept(scope: Scope) -> set[str]:
    """Static files of the page, which are public."""
    kept: set[str] = set()
    for block in scope["app"].get_blocks().blocks.values():
        kept |= getattr(block, "keep_in_cache", set())
    return kept


def _sender(scope: Scope) -> str:
    """The client's address. A Space's visitors all come through its proxy, which adds theirs to the end of a header."""
    if os.environ.get("SPACE_ID"):
        forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
        if last := forwarded.rsplit(",", 1)[-1].strip():
            return last
    return (scope.get("client") or ("nobody", 0))[0]


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, sentence: str) -> None:
    # The page shows answers to uploads and logins verbatim; programs get JSON, as from Gradio.
    plain = scope["path"].rstrip("/").endswith("/upload")
    answer = PlainTextResponse(sentence, status) if plain else JSONResponse({"detail": sentence, "error": sentence}, status)
    await answer(scope, receive, send)
