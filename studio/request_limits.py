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
MOST_MCP = 16 * MEGABYTE  # calls of tools, which may contain pictures
MOST_REQUEST = 200 * MEGABYTE  # of uploads in one request
MOST_VISITOR = 600 * MEGABYTE  # of uploads of one address in an hour
_SWEPT_EACH = 0.01  # share of the folder's limit: whenever so much has come, old uploads make room
_HOUR = 3600.0
_WRONG_TRIES, _WRONG_SECONDS = 5, 60.0  # wrong passwords per address before it must wait, and for how long
_WRONG_ALL = 60  # wrong passwords of all addresses in the same time
_MOST_KNOWN = 10_000  # addresses remembered

# Routes of Gradio's API.
_API = "/gradio_api/"
_UPLOADS = ("upload", "component_server", "process_recording")
_CALLS = ("call/", "run/", "api/", "queue/join")
_JOIN, _CALL_BY_NAME, _MCP = "queue/join", "call/v2/", "mcp"
_OPEN_OTHERWISE = ("cancel", "reset")  # these don't require a login
_RELAY = ("file=http", "file/http")  # fetch any address for anyone


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
        self._under_way: dict[str, float] = {}  # by client, bytes of its running uploads: announced ones, or more if more have come

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route, who = _route(scope), sender(scope)
        if scope["method"] != "POST":
            if route.startswith(_RELAY):
                await _refuse(scope, receive, send, 403, "Only files of this app are served here.")
            else:
                await self._app(scope, receive, send)
        elif not route and scope["path"].rstrip("/").endswith("/login"):
            await self._login(scope, receive, send, who)
        elif route in _OPEN_OTHERWISE and not _logged_in(scope):
            await _refuse(scope, receive, send, 401, "Log in first.")
        elif route in _UPLOADS:
            await self._upload(scope, receive, send, who)
        elif route == _MCP or route.startswith(f"{_MCP}/"):
            await self._streamed(scope, receive, send, MOST_MCP, f"The request is larger than {MOST_MCP // MEGABYTE} MB.")
        else:
            await self._small(scope, receive, send, route)

    async def _small(self, scope: Scope, receive: Receive, send: Send, route: str) -> None:
        """A small request, whose whole body is read."""
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
        if route.startswith(_CALLS) and (wrong := _what_is_wrong(scope, route, body)):
            await _refuse(scope, receive, send, *wrong)
            return
        await self._app(scope, _replayed(body, receive), send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send, who: str) -> None:
        folder = get_upload_folder()
        room = min(MOST_REQUEST, MOST_VISITOR - self._uploaded.total(who) - self._under_way.get(who, 0.0))
        length = _declared(scope)
        most = f"{MOST_REQUEST // MEGABYTE} MB in one request and {MOST_VISITOR // MEGABYTE} MB in an hour can be uploaded."
        if length > room or room <= 0:
            await _refuse(scope, receive, send, 413, f"This is too much at once; {most}")
            return
        # What is announced counts for its sender at once, so that simultaneous uploads count too; for the folder, only what comes.
        counted, came, fresh = float(length), 0, 0
        self._under_way[who] = self._under_way.get(who, 0.0) + counted

        async def counting() -> Message:
            nonlocal counted, came, fresh
            message = await receive()
            came, fresh = came + len(message.get("body", b"")), fresh + len(message.get("body", b""))
            if came > counted:
                self._under_way[who] += came - counted
                counted = came
                if self._uploaded.total(who) + self._under_way[who] > MOST_VISITOR:
                    raise _TooMuch
            if fresh > _SWEPT_EACH * files.MOST_UPLOADS:
                fresh = 0
                await asyncio.to_thread(files.sweep_uploads, folder, files.permanent)
            return message

        async def swept(message: Message) -> None:
            # Once more when all of it has come: simultaneous uploads have made room without knowing of each other.
            if message["type"] == "http.response.start":
                await asyncio.to_thread(files.sweep_uploads, folder, files.permanent)
            await send(message)

        try:
            await asyncio.to_thread(files.sweep_uploads, folder, files.permanent, length)
            await self._streamed(scope, counting, swept, MOST_REQUEST, f"This is too much at once; {most}")
        finally:
            self._under_way[who] -= counted
            if not self._under_way[who]:
                del self._under_way[who]
            self._uploaded.add(who, came)

    async def _streamed(self, scope: Scope, receive: Receive, send: Send, most: float, sentence: str) -> None:
        """A request whose body the app reads itself; refused with a sentence if it is larger than `most` bytes."""
        began = False

        async def sending(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._app(scope, _counted(scope, receive, most), sending)
        except _TooMuch:
            if not began:
                await _refuse(scope, receive, send, 413, sentence)

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

        await self._small(scope, receive, watched, "")
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


def _route(scope: Scope) -> str:
    """The request's route in Gradio's API, such as `call/stylize`; empty for pages and other files."""
    return scope["path"].partition(_API)[2].rstrip("/")


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


def _what_is_wrong(scope: Scope, route: str, body: bytes) -> tuple[int, str] | None:
    """Status and message for a call with an unknown endpoint or wrong values; None for a valid call."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return 400, "The body must be a JSON object."
    if not isinstance(asked, dict):
        return 400, "The body must be a JSON object."
    name = route.rsplit("/", 1)[1]
    if route.startswith(_CALL_BY_NAME):
        return None if name in _names(scope) else (404, _no_endpoint(scope))
    data, index = asked.get("data"), asked.get("fn_index")
    if not isinstance(data, list):
        return 422, "The body must hold a list called data."
    handlers = scope["app"].get_blocks().fns
    if index is None and route != _JOIN:
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


def sender(scope: Scope) -> str:
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
