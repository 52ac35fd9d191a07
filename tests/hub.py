"""A hub server of our own on 127.0.0.1, speaking what `huggingface_hub` asks for, with faults to order."""

import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Forked where that is possible from a process that has imported torch, and nothing that reads the environment: some forty fresh
# imports would take minutes.
_CONTEXT = multiprocessing.get_context("forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn")
if _CONTEXT.get_start_method() == "forkserver":
    _CONTEXT.set_forkserver_preload(["torch", "safetensors.torch", "PIL.Image"])


class Hub:
    """One file behind `/{repo}/resolve/{revision}/{file}`.

    Attributes:
        fault: `""`, a status as a number, `hang`, `no-ranges`, `cut`, `redirect`, `slow`.
        delay: seconds before each answer.
        served: bytes of bodies sent so far.
        requests: how many there were.
        commit: what `main` means now.
        revisions: that were asked for.
    """

    def __init__(self, body: bytes):
        self.body, self.fault, self.served, self.requests = body, "", 0, 0
        self.delay = 0.0
        self.cdn: str | None = None
        self.commit = "0" * 40
        self.revisions: list[str] = []
        self.tokens: list[str | None] = []


@contextmanager
def hub_server(body: bytes) -> Iterator[tuple[str, Hub]]:
    """Serve `body`; gives the address for `HF_ENDPOINT` and the Hub to give orders to."""
    hub = Hub(body)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *details: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._head(200, len(hub.body))

        def do_GET(self) -> None:
            if "/resolve/" not in self.path and not self.path.startswith("/cdn"):
                self._head(404, 0)  # the client also asks for things that have nothing to do with files
                return
            hub.requests += 1
            hub.revisions += re.findall(r"/resolve/([^/]+)/", self.path)
            hub.tokens.append(self.headers.get("Authorization"))
            time.sleep(hub.delay)
            if hub.fault == "hang":
                time.sleep(30)
                return
            if hub.fault.isdigit():
                self._head(int(hub.fault), 0)
                return
            if hub.fault == "redirect" and hub.cdn and not self.path.startswith("/cdn"):
                self.send_response(302)
                self.send_header("Location", f"{hub.cdn}/cdn/file")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._send()

        def _send(self) -> None:
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            if wanted is None or hub.fault == "no-ranges":
                self._head(200, len(hub.body))
                data = hub.body
            else:
                start, stop = int(wanted[1]), min(int(wanted[2]) + 1, len(hub.body))
                data = hub.body[start:stop]
                self.send_response(206)
                self.send_header("X-Repo-Commit", hub.commit)
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(hub.body)}")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
            if hub.fault == "cut" and len(data) > 2**16:
                self._write(data[: len(data) // 2])
                self.close_connection = True
                self.connection.close()
                return
            self._write(data)

        def _write(self, data: bytes) -> None:
            try:
                for start in range(0, len(data), 2**18):
                    self.wfile.write(data[start : start + 2**18])
                    hub.served += len(data[start : start + 2**18])
                    if hub.fault == "slow":
                        time.sleep(0.05)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def _head(self, status: int, length: int) -> None:
            self.send_response(status)
            self.send_header("ETag", '"0"')
            self.send_header("X-Repo-Commit", hub.commit)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(length))
            self.end_headers()

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", hub
    finally:
        server.shutdown()
        server.server_close()


def run(environment: dict[str, str], address: str, code: str, **more: str) -> subprocess.CompletedProcess:
    """Run some Python in a process of its own, for which the hub is at `address`."""
    with tempfile.TemporaryDirectory() as folder:
        said, errors = Path(folder, "said"), Path(folder, "errors")
        process = _CONTEXT.Process(target=_child, args=(code, {**environment, "HF_ENDPOINT": address, **more}, said, errors))
        process.start()
        process.join(120)
        if process.is_alive():
            process.kill()
            raise AssertionError(f"The process did not end:\n{errors.read_text()}")
        return subprocess.CompletedProcess(code, process.exitcode, said.read_text(), errors.read_text())


def _child(code: str, environment: dict[str, str], said: Path, errors: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, path in ((1, said), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    exec(code, {"__name__": "__main__"})
