"""The app on the network: behind a proxy's prefix, and with nobody outside."""

import http.client
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from networks import picture
from serving import app

from style_core import read_image, write_image

PREFIX = "/studio"

# Notes whom the process calls and whom it asks the way to.
WATCHER = """
import os, sys

def watch(event, given):
    if event == "socket.connect" and isinstance(given[1], tuple):
        note(given[1][0])
    elif event == "socket.getaddrinfo" and given[0]:
        note(given[0])

def note(host):
    with open(os.environ["WATCHED"], "a") as file:
        file.write((host.decode() if isinstance(host, bytes) else str(host)) + "\\n")

sys.addaudithook(watch)
"""


@contextmanager
def proxy(address: str) -> Iterator[str]:
    """A reverse proxy that serves `address` under a prefix, which it strips, and answers 404 to anything else."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *details: object) -> None:
            pass

        def forward(self) -> None:
            if not self.path.startswith(PREFIX):
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            host = address.removeprefix("http://")
            behind = http.client.HTTPConnection(host, timeout=120)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            behind.request(self.command, self.path.removeprefix(PREFIX) or "/", body or None, {**headers, "Host": self.headers["Host"]})
            answer = behind.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.end_headers()
            try:
                while chunk := answer.read1(65536):  # as it comes: progress is a stream
                    self.wfile.write(chunk)
                    self.wfile.flush()
            except ConnectionError:  # the visitor has left
                self.close_connection = True
            finally:
                behind.close()

        do_GET = do_POST = do_HEAD = forward

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
    finally:
        server.shutdown()
        server.server_close()


def stylized(address: str, folder: Path) -> Path:
    write_image(folder / "photo.png", picture(96, 128))
    client = Client(address, verbose=False)
    photo = handle_file(str(folder / "photo.png"))
    *_, painted, _ = client.predict(content=photo, gallery_style="red-fuji", size=128, api_name="/stylize")
    return Path(painted)


@pytest.mark.app
def test_behind_a_proxy_s_prefix_the_page_and_the_api_work(tmp_path):
    with app("--root-path", PREFIX, HF_HUB_OFFLINE="1") as behind, proxy(behind) as address:
        with urllib.request.urlopen(f"{address}/config") as answer:
            assert json.load(answer)["root"].endswith(PREFIX)
        assert read_image(stylized(address, tmp_path)).shape == (3, 96, 128)


@pytest.mark.app
def test_the_process_calls_nobody_outside(tmp_path):
    """Not at the start, not for a page, not for a picture; Paint and Dream do ask the hub, as they say."""
    (tmp_path / "sitecustomize.py").write_text(WATCHER)
    watched = tmp_path / "hosts"
    watched.touch()
    with app(PYTHONPATH=str(tmp_path), WATCHED=str(watched)) as address:
        stylized(address, tmp_path)
    assert set(watched.read_text().split()) <= {"127.0.0.1", "localhost", "::1", "0.0.0.0"}
    assert watched.read_text(), "the watcher saw the app's own address at least"
