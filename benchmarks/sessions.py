"""Memory per visitor: the app's memory before and after many pages were opened.

    python -m benchmarks.sessions --sessions 200

Each session fetches the page and its configuration and runs every event that the page fires on load, as a browser does. It prints
the resident memory in MB and the growth in KB per session, round by round; the first rounds fill caches. Packages beyond
requirements.txt change the figures: with pyarrow, which Ray brings along, pandas keeps more.
"""

import argparse
import json
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
_ROUNDS = 5
_QUIET_SECONDS = 6.0  # after which the app has returned freed memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=200, help="Total number of pages (default 200).")
    given = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(address)
        _open_page(address)
        measure(address, psutil.Process(app.pid), given.sessions)
    finally:
        app.terminate()
        app.wait()


def measure(address: str, app: psutil.Process, sessions: int) -> None:
    """Open pages in rounds and print the cost of each round."""
    each, first = max(1, sessions // _ROUNDS), _megabytes(app)
    print(f"start {first:.1f} MB")
    before = first
    for number in range(1, _ROUNDS + 1):
        for _ in range(each):
            _open_page(address)
        now = _megabytes(app)
        print(f"{number * each} sessions: {now:.1f} MB, {1000 * (now - before) / each:.1f} KB a session", flush=True)
        before = now


def _megabytes(app: psutil.Process) -> float:
    """Memory of the app once it is quiet."""
    time.sleep(_QUIET_SECONDS)
    return app.memory_info().rss / 1e6


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + 300
    while True:
        try:
            _get(address)
            return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _open_page(address: str) -> None:
    """Do what a browser does when it opens the page, up to the end of the load events."""
    _get(address)
    config = json.loads(_get(f"{address}/config"))
    session, prefix = secrets.token_hex(5), config.get("api_prefix", "/gradio_api")
    events = [one for one in config["dependencies"] if any(kind == "load" for _, kind in one["targets"])]
    for event in events:
        body = {"data": [None] * len(event["inputs"]), "fn_index": event["id"], "session_hash": session, "event_data": None}
        request = urllib.request.Request(f"{address}{prefix}/queue/join", json.dumps(body).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=60).close()
    waiting = len(events)
    with urllib.request.urlopen(f"{address}{prefix}/queue/data?session_hash={session}", timeout=60) as stream:
        for line in stream:
            waiting -= b'"process_completed"' in line
            if not waiting or b"close_stream" in line:
                break


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read()


if __name__ == "__main__":
    main()
