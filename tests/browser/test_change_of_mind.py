"""Somebody who starts runs, stops them, loads the page again and closes it, at random, leaves nothing behind.

Four actions here; `make soak` does a hundred: `PENTIMENTO_ACTIONS=100`. The table goes to the output (`-s`).
"""

import os
import random
import urllib.request
from urllib.parse import urlsplit

import psutil
import pytest
from serving import app
from steering import fill, open_tab, ready

from benchmarks.common import print_table
from benchmarks.reliability import state_of, wait_until_quiet

_ACTIONS = int(os.environ.get("PENTIMENTO_ACTIONS", "4"))
_SIZE = 128  # px
_GROWTH = 1.05  # of memory, at most
_ROUNDS = 3  # How much memory is left in fragments varies by a tenth from look to look; what leaks grows from round to round.
_SHOWN = "(name) => [...document.querySelectorAll(`#${name}-slider img`)].at(-1)?.src ?? null"  # the result on a run's slider
_RUNS = {"stylize": "Stylize", "paint": "Paint", "dream": "Dream"}  # by the names of their buttons


class Visitor:
    """A person at one browser, who always has one page open; `errors` are those of all their pages' scripts."""

    def __init__(self, context, address: str):
        self.context, self.address, self.errors = context, address, []
        self.open()

    def open(self) -> None:
        """Open a page, and set small sizes on it."""
        self.page = self.context.new_page()
        self.page.set_default_timeout(90_000)
        self.page.on("dialog", lambda dialog: dialog.accept())  # "Leave the page?", in mid-run
        self.page.on("pageerror", lambda error: self.errors.append(f"{error.message}\n{error.stack}"))
        self.page.goto(self.address)
        self.settle()

    def settle(self) -> None:
        ready(self.page)
        for name, tab in _RUNS.items():
            open_tab(self.page, tab, name)
            fill(self.page, "Exact size (px)", str(_SIZE))

    def start(self, name: str) -> bool:
        """Start a run, unless its button is off. Tells whether it was started."""
        open_tab(self.page, _RUNS[name], name)
        button = self.page.locator(f"#{name}-run")
        if on := button.is_enabled():
            button.click(force=True)  # a button that goes off in between is no error of the page
        return on

    def stop(self) -> None:
        """Press the first button Stop that is on."""
        for name, tab in _RUNS.items():
            open_tab(self.page, tab, name)
            button = self.page.locator(f"#{name}-stop")
            if button.count() and button.is_enabled():
                button.click(force=True)
                return

    def choose(self, number: int) -> None:
        """One of the styles that isn't chosen, which paints at once."""
        open_tab(self.page, "Stylize", "stylize")
        self.page.locator("#stylize-gallery .tile-pick[aria-pressed=false]").nth(number).click()

    def reload(self) -> None:
        self.page.reload()
        self.settle()

    def close(self) -> None:
        self.page.close()
        self.open()

    def act(self, draw: random.Random) -> None:
        """Any of these, at random, and a moment's thought."""
        match draw.choice(("start", "start", "stop", "choose", "reload", "close")):
            case "start":
                self.start(draw.choice(list(_RUNS)))
            case "choose":
                self.choose(draw.randrange(12))
            case action:
                getattr(self, action)()
        self.page.wait_for_timeout(draw.uniform(0, 500))

    def finish(self, name: str) -> None:
        """A run to its end."""
        self.page.locator(f"#{name}-run:not([disabled])").wait_for(state="attached")
        before = self.page.evaluate(_SHOWN, name)
        if name == "stylize":
            self.choose(0)  # the same style again would be the same picture
        else:
            self.start(name)
        self.page.wait_for_function(f"([name, before]) => ![null, before].includes(({_SHOWN})(name))", arg=[name, before], polling=200)
        self.page.locator(f"#{name}-status").filter(has_text=f"Done: {_SIZE}").wait_for()


def process_of(address: str) -> psutil.Process:
    """The app's process, started by this one."""
    port = str(urlsplit(address).port)
    return next(child for child in psutil.Process().children() if port in child.cmdline())


@pytest.mark.timeout(1800)
def test_random_actions_leave_threads_memory_and_open_files_as_they_were_and_no_error(chromium, tmp_path):
    draw = random.Random(0)
    with app("--device", "cpu", TMPDIR=str(tmp_path), GRADIO_TEMP_DIR=str(tmp_path), HF_HUB_OFFLINE="1") as address:
        process, looks = process_of(address), []

        def look(when: str) -> dict[str, float]:
            wait_until_quiet(process)
            urllib.request.urlopen(f"{address}/static/img/logo.svg").close()  # whereupon threads that were idle end
            looks.append((when, state_of(process, tmp_path)))
            return looks[-1][1]

        context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
        visitor = Visitor(context, address)
        for name in _RUNS:
            visitor.finish(name)
        visitor.reload()  # as at the end, so that both have built the same pages
        visitor.finish("stylize")
        before = look("at the start, warm")
        for number in range(1, _ROUNDS + 1):
            for _ in range(_ACTIONS):
                visitor.act(draw)
            visitor.reload()
            visitor.finish("stylize")
            after = look(f"after the actions and a run, {number}")
            if after["memory, MB"] <= _GROWTH * before["memory, MB"]:
                break
        context.close()
    print_table(["", *before], [(when, *seen.values()) for when, seen in looks])
    assert visitor.errors == []
    assert after["threads"] <= before["threads"] + 2 and after["open files"] <= before["open files"] + 5
    assert after["half-written files"] == 0
    assert after["memory, MB"] <= _GROWTH * before["memory, MB"]
