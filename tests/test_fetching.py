"""Pictures named by their web address, from a server of the test's own: what is fetched, and what is refused before it fills the memory."""

import asyncio
import gzip
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gradio as gr
import httpx
import pytest
from gradio import processing_utils

from studio import fetching

SMALL, MOST = b"a picture" * 100, 200_000


class Host(BaseHTTPRequestHandler):
    """Answers with the file that a path names."""

    sent = 0  # bytes of the endless file

    def do_GET(self) -> None:
        if self.path.startswith("/moved"):
            self.answer(b"", 302, Location="small.png" if self.path == "/moved" else self.path)
        elif self.path == "/packed.png":
            self.answer(gzip.compress(bytes(50 * MOST)), **{"Content-Encoding": "gzip"})
        elif self.path == "/missing.png":
            self.answer(b"nothing here", 404)
        elif self.path == "/endless.png":
            self.send_response(200)
            self.end_headers()
            try:
                while Host.sent < 100 * MOST:
                    Host.sent += self.wfile.write(bytes(MOST // 10))
            except OSError:
                pass  # the other side has had enough
        else:
            self.answer(SMALL)

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *given) -> None:
        pass


@pytest.fixture(scope="module")
def host():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def fetch(address: str, folder: Path) -> str:
    """By the name under which Gradio calls it; in a thread, because a browser's driver leaves its loop running in this one."""
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(asyncio.run, processing_utils.async_ssrf_protected_download(address, str(folder))).result()


@pytest.fixture
def public(monkeypatch):
    """Counts this machine among the public hosts, which it isn't otherwise."""

    async def transport(url):
        return httpx.AsyncHTTPTransport()

    monkeypatch.setattr(fetching, "_transport", transport)
    monkeypatch.setattr(fetching, "MOST_FETCHED", MOST)


def test_a_host_that_is_not_public_is_not_asked(host, tmp_path):
    with pytest.raises(gr.Error, match="must be public"):
        fetch(f"{host}/small.png", tmp_path)


@pytest.mark.parametrize(
    "address", ["100.100.100.200", "100.64.0.1", "[2002:a9fe:a9fe::1]", "[64:ff9b::a9fe:a9fe]", "[fec0::1]", "169.254.169.254", "[::1]"]
)
def test_addresses_that_networks_share_among_themselves_are_not_public(address):
    with ThreadPoolExecutor(1) as beside, pytest.raises(ValueError):
        beside.submit(asyncio.run, fetching._transport(f"http://{address}/latest/meta-data/")).result()


@pytest.mark.parametrize("address", ["93.184.216.34", "[2606:2800:220:1::1]"])
def test_other_addresses_are_public(address):
    with ThreadPoolExecutor(1) as beside:
        assert isinstance(beside.submit(asyncio.run, fetching._transport(f"http://{address}/a.png")).result(), httpx.AsyncBaseTransport)


@pytest.mark.parametrize("path", ["small.png", "moved"])
def test_a_picture_is_fetched_once(public, host, tmp_path, path):
    first = Path(fetch(f"{host}/{path}", tmp_path))
    assert first.read_bytes() == SMALL and first.is_relative_to(tmp_path)
    written = first.stat().st_ino
    assert Path(fetch(f"{host}/{path}", tmp_path)).stat().st_ino == written


def test_what_is_fetched_in_an_hour_is_limited(public, host, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "_recent", fetching.Recent(3600))
    monkeypatch.setattr(fetching, "_MOST_IN_AN_HOUR", 2 * len(SMALL))
    for name in ("small.png?1", "small.png?2"):
        fetch(f"{host}/{name}", tmp_path)
    with pytest.raises(gr.Error, match="Too many files"):
        fetch(f"{host}/small.png?3", tmp_path)
    assert Path(fetch(f"{host}/small.png?1", tmp_path)).read_bytes() == SMALL, "it is there already"


@pytest.mark.parametrize("path", ["endless.png", "packed.png", "missing.png", "moved/for/ever"])
def test_what_is_too_large_or_missing_is_refused_and_leaves_nothing(public, host, tmp_path, path):
    with pytest.raises(gr.Error, match="could not be fetched"):
        fetch(f"{host}/{path}", tmp_path)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]
    assert Host.sent < 50 * MOST, "reading goes on after the limit"
