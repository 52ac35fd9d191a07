"""What comes in over HTTP: sizes, totals, passwords, calls that name nothing; against a small app of Gradio's own."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from serving import ROOT, free_port

from studio import files, request_limits
from studio.examples import example_tiles

# In a process of its own: Gradio leaves sockets and loops behind that a test run would complain about.
SERVER = """
import sys, gradio as gr
from starlette.middleware import Middleware
from studio import request_limits, files
from studio.guard import GuardedBlocks

request_limits.MOST_REQUEST, request_limits.MOST_VISITOR, files.MOST_UPLOADS = 300_000, 1_000_000, 450_000
with GuardedBlocks(analytics_enabled=False) as page:
    name, greeting = gr.Textbox(), gr.Textbox()
    gr.Button().click(lambda name: f"Hello {name}", name, greeting, api_name="greet")
    gr.Button().click(lambda name: 1 / 0, name, greeting, api_name="fail")
auth = tuple(sys.argv[2:]) or None
page.queue(api_open=False).launch(
    server_port=int(sys.argv[1]), quiet=True, auth=auth, enable_monitoring=False, app_kwargs={"middleware": [Middleware(request_limits.RequestLimits)]}
)
"""


@contextmanager
def serving(uploads, *auth: str) -> Iterator[str]:
    """The address of a small app behind the limits."""
    port = free_port()
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(uploads), "GRADIO_ANALYTICS_ENABLED": "False", "NO_PROXY": "127.0.0.1,localhost"}
    child = subprocess.Popen([sys.executable, "-c", SERVER, str(port), *auth], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert child.poll() is None
                time.sleep(0.2)
        yield f"127.0.0.1:{port}"
    finally:
        child.kill()
        child.wait()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("uploads")) as address:
        yield address


def post(address, path: str, body: bytes | dict, kind: str = "application/json", **headers) -> tuple[int, str]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request("POST", path, data, {"Content-Type": kind, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def upload(address, size: int) -> tuple[int, str]:
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n' + os.urandom(size) + b"\r\n--x--\r\n"
    return post(address, "/gradio_api/upload", body, "multipart/form-data; boundary=x")


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("call/none", {"data": []}, 404, "There is no such endpoint; there are /greet, /fail."),
        ("run/none", {"data": []}, 404, "There is no such endpoint"),
        ("call/v2/none", {"name": "a"}, 404, "There is no such endpoint"),
        ("queue/join", {"data": [], "fn_index": 99, "session_hash": "a"}, 404, "There is no such endpoint"),
        ("queue/join", {"data": [], "fn_index": "0", "session_hash": "a"}, 404, "There is no such endpoint"),
        ("call/greet", {"data": "text"}, 422, "a list called data"),
        ("call/greet", {"data": ["a", "b", "c"]}, 422, "data holds 3 values; this endpoint takes 1."),
        ("call/greet", b"not JSON", 400, "must be a JSON object"),
        ("call/greet", b"[" * 100_000, 400, "must be a JSON object"),
        ("call/greet", {"data": ["a" * request_limits.MOST_JSON]}, 413, "larger than 1 MB"),
        ("call/mcp", {"data": ["a" * request_limits.MOST_JSON]}, 413, "larger than 1 MB"),
        ("call/upload", {"data": ["a" * request_limits.MOST_JSON]}, 413, "larger than 1 MB"),
        ("mcp/", {"data": ["a" * request_limits.MOST_MCP]}, 413, "larger than 16 MB"),
    ],
)
def test_a_bad_call_is_a_sentence_and_a_status_of_4xx(address, path, body, status, sentence):
    answered, said = post(address, f"/gradio_api/{path}", body)
    assert answered == status and sentence in said and len(said) < 500


def test_a_body_of_unknown_length_is_cut_off_as_well(address):
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request(
        "POST", "/gradio_api/call/greet", (b"a" * 65_536 for _ in range(40)), {"Content-Type": "application/json"}, encode_chunked=True
    )
    answer = connection.getresponse()
    assert answer.status == 413
    answer.close()
    connection.close()


def answer_of(address, name: str, data: list) -> str:
    status, said = post(address, f"/gradio_api/call/{name}", {"data": data})
    assert status == 200, said
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("GET", f"/gradio_api/call/{name}/{json.loads(said)['event_id']}")
    said = connection.getresponse().read().decode()
    connection.close()
    return said


def test_valid_calls_pass_and_a_failure_is_a_sentence_rather_than_null(address):
    assert "Hello Ada" in answer_of(address, "greet", ["Ada"])
    failed = answer_of(address, "fail", ["Ada"])
    assert "event: error" in failed and "Something went wrong." in failed


def test_uploads_are_limited_by_request_by_visitor_and_in_all(address):
    status, said = upload(address, 200_000)
    assert status == 200
    first = json.loads(said)[0]
    status, said = upload(address, 400_000)
    assert status == 413 and "too much at once" in said
    assert upload(address, 200_000)[0] == 200 and os.path.exists(first)
    status, said = upload(address, 200_000)
    assert status == 200 and not os.path.exists(first), "the oldest makes room"
    assert os.path.exists(json.loads(said)[0])
    for _ in range(3):
        status, said = upload(address, 200_000)
    assert status == 413 and "in an hour" in said


def test_simultaneous_uploads_are_counted_together(tmp_path):
    with serving(tmp_path) as address, ThreadPoolExecutor(20) as several:
        answers = list(several.map(lambda _: upload(address, 290_000)[0], range(20)))
    assert set(answers) <= {200, 413, 503} and 1 <= answers.count(200) <= 3, answers
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 450_000


@pytest.mark.parametrize("route", ["file=https://example.org/picture.png", "file/https://example.org/picture.png", "file=http://a/"])
def test_no_other_address_is_read_for_anyone(address, route):
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("GET", f"/gradio_api/{route}")
    answer = connection.getresponse()
    assert answer.status == 403 and b"Only files of this app" in answer.read()
    connection.close()


def test_files_of_killed_processes_are_removed_at_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr(files.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(files, "_folder", None)
    uploads = tmp_path / "uploads"
    (uploads / "aa").mkdir(parents=True)
    for name in ("old.png", "new.png"):
        (uploads / "aa" / name).write_bytes(b"a" * 1000)
        time.sleep(0.05)
    left, alive = tmp_path / "pentimento-results-999999999-x", tmp_path / f"pentimento-results-{os.getppid()}-y"
    left.mkdir()
    alive.mkdir()
    own = files.folder()
    monkeypatch.setattr(files, "MOST_UPLOADS", 1500)
    files.sweep_at_start(uploads)
    assert not left.exists() and alive.exists() and own.exists()
    assert [path.name for path in uploads.rglob("*.png")] == ["new.png"]
    monkeypatch.setattr(files, "_UPLOADS_KEPT", 0)
    files.sweep_uploads(uploads, {str(uploads / "aa" / "new.png")})
    assert (uploads / "aa" / "new.png").exists()
    files.sweep_uploads(uploads, set())
    assert list(uploads.iterdir()) == []


def test_where_no_process_can_be_asked_for_leftovers_are_removed_by_their_age(tmp_path, monkeypatch):
    monkeypatch.setattr(files.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(files, "_folder", None)
    monkeypatch.setattr(files, "_WINDOWS", True)
    monkeypatch.setattr(files.os, "kill", lambda *given: pytest.fail("on Windows this ends a process"))
    old, new = (tmp_path / f"pentimento-results-99999999{number}-x" for number in (1, 2))
    old.mkdir(), new.mkdir()
    os.utime(old, (0, 0))
    files.sweep_at_start(tmp_path / "uploads")
    assert not old.exists() and new.exists()


def test_results_that_other_machines_write_lie_with_the_uploads_and_stay(tmp_path, monkeypatch):
    for name in ("_folder", "_shared"):
        monkeypatch.setattr(files, name, None)
    files.share_within(tmp_path)
    left, own = (tmp_path / f"pentimento-results-999999999-{machine}-x" for machine in ("other", files._machine()))
    left.mkdir(), own.mkdir()
    film = files.new_folder() / "film.mp4"
    film.write_bytes(b"a" * 1000)
    (tmp_path / "photo.png").write_bytes(b"a" * 1000)
    monkeypatch.setattr(files, "MOST_UPLOADS", 1)
    files.sweep_at_start(tmp_path)
    assert film.is_relative_to(tmp_path) and film.exists() and not (tmp_path / "photo.png").exists()
    assert left.exists() and not own.exists(), "whether another machine's app runs can't be seen here"
    os.utime(left, (0, 0))
    files.sweep_at_start(tmp_path)
    assert not left.exists()
    shutil.rmtree(files.folder())
    assert files.new_folder().is_dir(), "whoever cleans up may take all of it"


def test_tiles_have_their_pictures_wherever_results_lie(tmp_path, monkeypatch):
    for name in ("_folder", "_shared"):
        monkeypatch.setattr(files, name, None)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    files.share_within(tmp_path)
    wall = example_tiles("examples")
    assert wall.props["tiles"] and all(os.path.isfile(tile["picture"]["path"]) for tile in wall.props["tiles"])


@pytest.mark.app
def test_wrong_passwords_are_slowed_down_and_reset_and_cancel_need_the_right_one(tmp_path):
    form = "application/x-www-form-urlencoded"
    with serving(tmp_path, "ada", "right") as address:
        for path in ("cancel", "reset"):
            assert post(address, f"/gradio_api/{path}", {"session_hash": "a", "fn_index": 0, "event_id": "b"})[0] == 401
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request("POST", "/login", b"username=ada&password=right", {"Content-Type": form})
        answer = connection.getresponse()
        cookie = answer.getheader("set-cookie").split(";")[0]
        answer.read()
        assert answer.status == 200
        cookie = cookie.replace("access-token-", "access-token-unsecure-") if "unsecure" not in cookie else cookie
        assert post(address, "/gradio_api/reset", {"event_id": "b"}, Cookie=cookie)[0] == 200
        with ThreadPoolExecutor(10) as several:
            tried = list(
                several.map(lambda number: post(address, "/login", f"username=ada&password={number}".encode(), form)[0], range(20))
            )
        assert tried.count(400) <= 5 and tried.count(429) >= 15
        assert post(address, "/login", b"username=ada&password=right", form)[0] == 429
        connection.close()


def test_a_space_tells_its_visitors_apart(monkeypatch):
    scope = {"client": ("10.16.3.4", 80), "headers": [(b"x-forwarded-for", b"1.2.3.4, 5.6.7.8")]}
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert request_limits.sender(scope) == "10.16.3.4"
    monkeypatch.setenv("SPACE_ID", "someone/pentimento")
    assert request_limits.sender(scope) == "5.6.7.8", "what comes before it was sent by the visitor, and may be untrue"
    assert request_limits.sender({**scope, "headers": []}) == "10.16.3.4"
