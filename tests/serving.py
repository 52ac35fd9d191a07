"""The real app in its own process, for as long as a test needs it."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 300  # a busy machine is no failure


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def app(*flags: str, **more: str) -> Iterator[str]:
    """A running `app.py` with these flags and, beside the present ones, these environment variables; gives its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with TemporaryFile("w+") as log:
        command = [sys.executable, "app.py", "--port", str(port), *flags]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **more}, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not _answers(address):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise AssertionError(f"The app did not start:\n{log.read()}")
                time.sleep(0.2)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=30)


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=2).close()
    except (urllib.error.URLError, OSError):
        return False
    return True
