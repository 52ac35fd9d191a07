"""The real app against requests that name files: nothing but what was uploaded is opened, on any endpoint, by any parameter."""

import json
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from gradio import processing_utils
from networks import picture
from PIL import Image
from serving import ROOT, app

from studio import guard  # noqa: F401  # which replaces how Gradio saves pictures
from style_core import write_image
from style_core.media.images import size_of

SECRET = "secret-0451"  # in the names of files that nobody uploaded


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with app("--device", "cpu", GRADIO_TEMP_DIR=str(tmp_path_factory.mktemp("uploads")), HF_HUB_OFFLINE="1") as address:
        yield address


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A picture, a clip's name and a folder outside the upload folder, and the same names where nothing is."""
    folder = tmp_path_factory.mktemp("outside")
    write_image(folder / f"{SECRET}.png", picture(64, 64))
    shutil.copy(ROOT / "studio/samples/landscape.jpg", folder / f"{SECRET}.jpg")
    return folder


def post(address: str, path: str, body: dict) -> tuple[int, str]:
    request = urllib.request.Request(f"{address}/gradio_api/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def config(address: str) -> dict:
    with urllib.request.urlopen(f"{address}/config", timeout=60) as answer:
        return json.load(answer)


def queued(address: str, index: int, data: list, session: str) -> str:
    """What the queue answers to a call by number, to its end or its first result."""
    status, said = post(address, "queue/join", {"fn_index": index, "data": data, "session_hash": session, "event_data": {"index": 0}})
    if status != 200:
        return said
    with urllib.request.urlopen(f"{address}/gradio_api/queue/data?session_hash={session}", timeout=60) as stream:
        lines = []
        for line in stream:
            lines.append(line.decode())
            if "process_completed" in lines[-1] or "process_generating" in lines[-1]:
                return lines[-1]
        return "".join(lines)


FILES = {"image", "imageeditor", "video", "file", "gallery", "imageslider", "browserstate", "downloadbutton"}
# Also a visitor's new token, which is drawn.
VARYING = re.compile(r'"(event_id|duration|average_duration|cache_duration|avg_time)": ?[^,}]*|(?<="data":\[)"[\w-]{32}"')


def payloads(kind: str, path: str) -> list:
    """A path in each shape that a component of this kind might take it in, the usual one first."""
    plain = {"path": path}
    if kind == "imageeditor":
        return [{"background": plain, "layers": [plain], "composite": plain, "id": None}]
    if kind == "browserstate":
        return [[path]]
    return [plain, {**plain, "is_stream": True, "orig_name": "a.png", "meta": None}, path, {**plain, "path": f"file://{path}"}]


def attacks(page: dict, folder) -> list[tuple]:
    """Calls by number: every handler, hidden or not, with a path in every parameter that may hold a file."""
    kinds = {block["id"]: block["type"] for block in page["components"]}
    values = {block["id"]: block["props"].get("value") for block in page["components"]}
    found, seen = [], set()
    for handler in page["dependencies"]:
        given = [values[component] for component in handler["inputs"]]
        for place, component in enumerate(handler["inputs"]):
            kind = kinds[component]
            if kind not in FILES:
                continue
            pairs = zip(payloads(kind, f"{folder}/{SECRET}.png"), payloads(kind, f"{folder}/{SECRET}-not-there.png"))
            for pair in list(pairs)[: None if kind not in seen else 1]:
                found.append((handler, kind, [[*given[:place], shape, *given[place + 1 :]] for shape in pair]))
            seen.add(kind)
    return found


def test_no_endpoint_opens_a_file_that_was_not_uploaded_or_tells_whether_it_exists(address, outside):
    tried = attacks(config(address), outside)
    kinds = {kind for _, kind, _ in tried}
    assert len(tried) > 40 and {"imageeditor", "video", "browserstate"} <= kinds and kinds & {"image", "rawimage"}, kinds
    for number, (handler, kind, calls) in enumerate(tried):
        index = handler["id"]
        if handler["queue"] is False:
            said = [post(address, f"run/{index}", {"fn_index": index, "data": data})[1] for data in calls]
        else:
            said = [queued(address, index, data, f"visit{number}{turn}") for turn, data in enumerate(calls)]
        there, not_there = (VARYING.sub("", answer) for answer in said)
        assert there == not_there and SECRET not in there, (handler["targets"], kind, there, not_there)


def test_what_was_uploaded_is_opened(address, tmp_path):
    from gradio_client import Client, handle_file

    client = Client(address, verbose=False, download_files=str(tmp_path))
    result = client.predict(
        content=handle_file(str(ROOT / "studio/samples/landscape.jpg")), gallery_style="red-fuji", size=64, api_name="/stylize"
    )
    pictures = [path for path in tmp_path.rglob("*.png") if size_of(path) == (43, 64)]
    assert pictures, result


def test_handlers_that_compute_are_reached_only_through_the_queue(address):
    for way in ("run", "api"):
        for name in ("stylize", "optimize", "dream", "imagine"):
            status, said = post(address, f"{way}/{name}", {"data": []})
            assert status == 404 and "queue" in said
    queued_only = {handler["id"] for handler in config(address)["dependencies"] if handler["queue"] is not False}
    assert queued_only and all(post(address, "run/x", {"fn_index": index, "data": []})[0] == 404 for index in queued_only)


def test_at_most_one_listener_of_an_event_makes_up_for_a_call_that_came_too_early(address):
    page = config(address)  # see `studio.events.apart`
    states = {part["id"] for part in page["components"] if part["type"] == "state"}  # their listeners are called one by one
    listening = Counter(
        (source, event)
        for handler in page["dependencies"]
        if handler["trigger_mode"] == "always_last" and handler["backend_fn"]
        for source, event in handler["targets"]
        if source not in {None, *states}
    )
    assert set(listening.values()) == {1}


def test_no_listener_loses_what_a_visitor_gives_while_it_still_works_on_the_last(address):
    page = config(address)
    parts = {part["id"]: part for part in page["components"]}
    losing = [
        (parts[source]["type"], event, handler["api_name"])
        for handler in page["dependencies"]
        if handler["trigger_mode"] == "once" and handler["backend_fn"] and handler["inputs"]
        for source, event in handler["targets"]
        if event in ("input", "select", "upload", "release")
    ]
    assert losing == []


@pytest.mark.app
def test_visitors_cost_little_memory():
    code = """
import tracemalloc
from gradio.state_holder import SessionState
from studio.build import build
from style_core import Compute

page = build(Compute.choose("cpu"))
tracemalloc.start()
before = tracemalloc.get_traced_memory()[0]
visits = [SessionState(page) for _ in range(10)]
print((tracemalloc.get_traced_memory()[0] - before) / len(visits))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    # 200 of them are remembered: at most 20 MB.
    assert float(done.stdout.splitlines()[-1]) < 100_000


@pytest.mark.app
def test_what_a_handler_skips_stays_as_it_was_and_costs_a_visitor_nothing():
    code = """
import asyncio
import gradio as gr
from gradio.state_holder import SessionState
from studio.guard import GuardedBlocks

with GuardedBlocks() as page:
    words, slider, kept = gr.Textbox("old"), gr.Slider(0, 10), gr.State("before")
    page.load(lambda: {words: "new"}, None, [words, slider, kept])
    page.load(lambda: [gr.skip(), gr.update(maximum=20), "after"], None, [words, slider, kept])
    page.load(lambda: {slider: gr.update(value=7, visible=None), kept: "last"}, None, [words, slider, kept])
    page.load(lambda: [gr.update(value=None), gr.skip(), gr.skip()], None, [slider, words, kept])
visit, skipped = SessionState(page), {"__type__": "update"}

def shown(number):
    return asyncio.run(page.process_api(page.fns[number], [], state=visit))["data"]

assert shown(0) == ["new", skipped, None]
assert visit.blocks_config.blocks[slider._id] is slider and visit[kept._id] == "before"
assert shown(1) == [skipped, {"maximum": 20, **skipped}, None]
assert visit.blocks_config.blocks[slider._id].maximum == 20 and slider.maximum == 10
assert visit.blocks_config.blocks[words._id] is words and visit[kept._id] == "after"
assert shown(2) == [skipped, {"value": 7, **skipped}, None] and visit[kept._id] == "last"
assert shown(3)[1:] == [skipped, None], "each in its place"
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def test_a_picture_that_is_shown_again_is_not_written_again(tmp_path):
    shown = Image.new("RGB", (32, 24), (200, 40, 10))
    path = Path(processing_utils.save_pil_to_cache(shown, str(tmp_path), format="jpeg"))
    with Image.open(path) as read:
        assert read.size == shown.size
    path.write_bytes(b"while somebody downloads it")
    assert processing_utils.save_pil_to_cache(shown, str(tmp_path), format="jpeg") == str(path)
    assert path.read_bytes() == b"while somebody downloads it" and len(list(path.parent.iterdir())) == 1
    other = processing_utils.save_pil_to_cache(Image.new("RGB", (32, 24)), str(tmp_path), name="other", format="png")
    assert Path(other).name == "other.png" and Path(other).parent != path.parent
