"""Jobs without a browser: they go on unwatched, are found again by their visitor alone, stop, wait for their turn, and end."""

import threading
import time
from contextlib import aclosing
from types import SimpleNamespace

import gradio as gr
import pytest
from loops import in_a_loop
from networks import picture

from studio import jobs, tab_optimize
from style_core import Compute, OptimizeOptions, read_image, read_settings, write_image

STATUS, PICTURE = "status", "picture"  # what stands for components


def page(session: str) -> SimpleNamespace:
    """A request as a page sends it."""
    return SimpleNamespace(session_hash=session, headers={})


class Run:
    """A run of numbered updates that goes on when the test says so."""

    def __init__(self, count: int = 3):
        self.count, self.go, self.closed, self.made = count, threading.Semaphore(0), threading.Event(), []

    def __call__(self):
        try:
            yield {STATUS: "begun", PICTURE: gr.update(visible=True)}
            for number in range(1, self.count + 1):
                self.go.acquire()
                if jobs.stopping().is_set():
                    yield {STATUS: f"stopped at {number}"}
                    return
                self.made.append(number)
                yield {STATUS: number, PICTURE: gr.update(value=number)}
        finally:
            self.closed.set()


def until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.01)


async def first_of(book: jobs.Jobs, wanted: list, request) -> dict:
    """What a page sees that watches for a moment and is then reloaded."""
    async with aclosing(book.watch(wanted, request)) as updates:
        return await anext(updates)


async def all_of(book: jobs.Jobs, wanted: list, request) -> list[dict]:
    return [update async for update in book.watch(wanted, request)]


@pytest.fixture
def book():
    book = jobs.Jobs()
    yield book
    book.end(10)


def test_a_job_goes_on_when_its_page_is_reloaded_and_is_found_again_running_and_done(book):
    run, first = Run(), page("one")
    token = book.arrive(None, first)
    job = book.start("paint", STATUS, run, first)
    assert in_a_loop(first_of(book, [job], first))[STATUS] == "begun"
    run.go.release()
    until(lambda: run.made == [1])
    again = page("two")
    assert book.arrive(token, again) == token and book.of(again) == [job]
    shown = in_a_loop(first_of(book, [job], again))
    assert shown == {STATUS: 1, PICTURE: gr.update(visible=True, value=1)}, "all that came before, put together"
    run.go.release(2)
    until(lambda: job.ended)
    for _ in range(2):  # Gradio takes the updates apart that it is given
        last = in_a_loop(all_of(book, book.of(again), again))[-1]
        assert (last[STATUS], last[PICTURE].pop("value")) == (3, 3)


def test_a_job_is_seen_and_stopped_by_its_visitor_alone(book):
    run, mine, strangers = Run(), page("mine"), page("stranger")
    book.arrive(None, mine)
    theirs = book.arrive("x" * 32, strangers)
    assert theirs == "x" * 32 and book.arrive("short", page("odd")) != "short"
    job = book.start("paint", STATUS, run, mine)
    in_a_loop(first_of(book, [job], mine))
    assert book.of(strangers) == [] == book.of(page("nobody"))
    book.stop("paint", strangers)
    book.stop("zoom", mine)
    assert not job.stop.is_set(), "Stop of another tab is for that tab's run"
    book.stop("paint", mine)
    run.go.release()
    until(lambda: job.ended)
    assert in_a_loop(all_of(book, [job], mine))[-1][STATUS] == "stopped at 1" and run.closed.is_set()


def test_one_job_works_at_a_time_the_others_say_how_many_are_before_them_and_can_be_stopped(book):
    runs, request = [Run(1) for _ in range(3)], page("one")
    book.arrive(None, request)
    made = [book.start(name, STATUS, run, request) for name, run in zip("abc", runs)]
    for job in made:
        in_a_loop(first_of(book, [job], request))
    for run in runs:
        run.go.release(5)
    until(lambda: made[2].ended)
    assert [job.ended for job in made] == sorted(job.ended for job in made)
    held = [Run(1) for _ in range(2)]
    made = [book.start(name, STATUS, run, request) for name, run in zip("ab", held)]
    until(lambda: "1" in str(made[1].news(0)[1].get(STATUS)))
    in_a_loop(first_of(book, [made[1]], request))
    book.stop("b", request)
    held[1].go.release()
    until(lambda: made[1].ended)
    assert held[1].made == [] and made[0].ended is None, "it was stopped while it waited"
    held[0].go.release()


def test_a_program_s_job_ends_with_its_call(book):
    run, program = Run(100), page("unknown session")
    job = book.start("paint", STATUS, run, program)
    in_a_loop(first_of(book, [job], program))
    run.go.release()
    assert run.closed.wait(60) and len(run.made) <= 1 and not job.stop.is_set()
    assert book.of(program) == []


def test_a_job_that_nobody_watches_is_stopped_in_the_end_and_its_picture_kept(book, monkeypatch):
    run, request = Run(1000), page("one")
    book.arrive(None, request)
    job = book.start("paint", STATUS, run, request)
    in_a_loop(first_of(book, [job], request))
    run.go.release(3)
    until(lambda: len(run.made) == 3)
    assert not job.stop.is_set()
    monkeypatch.setattr(jobs, "_UNWATCHED", 0.0)
    run.go.release(3)
    until(lambda: job.ended)
    assert in_a_loop(all_of(book, book.of(request), request))[-1][STATUS] == "stopped at 5"


def test_jobs_are_bounded_and_finished_ones_are_forgotten(book, monkeypatch):
    request, other = page("one"), page("two")
    for one in (request, other):
        book.arrive(None, one)
    runs = [Run(1) for _ in range(3)]
    made = [book.start("paint", STATUS, run, request) for run in runs]
    with pytest.raises(gr.Error, match="Too many runs are waiting"):
        book.start("paint", STATUS, Run(), request)
    monkeypatch.setattr(jobs, "_MOST_WAITING", 3)
    with pytest.raises(gr.Error, match="Too many runs are waiting"):
        book.start("paint", STATUS, Run(), other)
    for run in runs:
        run.go.release(2)
    until(lambda: all(job.ended for job in made))
    assert book.of(request) == [made[-1]]
    monkeypatch.setattr(jobs, "_KEPT_SECONDS", -1.0)
    assert book.of(request) == [] == book._all


def test_programs_at_one_address_leave_places_to_others(book, monkeypatch):
    def program(host: str) -> SimpleNamespace:
        return SimpleNamespace(session_hash=host, headers={}, request=SimpleNamespace(scope={"client": (host, 1), "headers": []}))

    runs = [Run(1) for _ in range(9)]
    for run in runs[:8]:
        book.start("paint", STATUS, run, program("10.0.0.1"))
    with pytest.raises(gr.Error, match="Too many runs are waiting"):
        book.start("paint", STATUS, Run(), program("10.0.0.1"))
    book.start("paint", STATUS, runs[8], program("10.0.0.2"))
    for run in runs:
        run.go.release(2)


def test_a_page_that_was_open_before_the_server_started_is_no_program(book):
    request = SimpleNamespace(session_hash="one", headers={"x-gradio-user": "app"})
    run = Run(100)
    job = book.start("paint", STATUS, run, request)
    assert in_a_loop(first_of(book, [job], request))[PICTURE] == gr.update(visible=True)
    book.stop("paint", request)
    run.go.release(2)
    until(lambda: job.ended)
    assert not job.canceled and in_a_loop(all_of(book, [job], request))[-1][STATUS].startswith("stopped")
    assert book.of(SimpleNamespace(session_hash="two", headers={"x-gradio-user": "api"})) == []


def test_forgotten_results_do_not_come_back_and_a_running_job_stays(book):
    request, other = page("one"), page("two")
    for one in (request, other):
        book.arrive(None, one)
    runs = [Run(1), Run(1), Run(1)]
    runs[0].go.release(2)
    runs[1].go.release(2)
    done, theirs = book.start("paint", STATUS, runs[0], request), book.start("paint", STATUS, runs[1], other)
    until(lambda: done.ended and theirs.ended)
    running = book.start("dream", STATUS, runs[2], request)
    book.forget_done(request)
    assert book.of(request) == [running] and book.of(other) == [theirs]
    runs[2].go.release(2)


def test_an_error_is_reported_once_to_whoever_watches(book):
    def failing():
        yield {STATUS: "begun"}
        raise gr.Error("There is no such layer.")

    request = page("one")
    book.arrive(None, request)
    job = book.start("paint", STATUS, failing, request)
    until(lambda: job.ended)
    with pytest.raises(gr.Error, match="no such layer"):
        in_a_loop(all_of(book, book.of(request), request))
    assert book.of(request) == []


def test_another_photo_clears_the_results_of_the_one_before(book):
    run, request = Run(0), page("one")
    book.arrive(None, request)
    job = book.start("paint", STATUS, run, request, photo="a.png")
    until(lambda: job.ended)
    same = lambda one, other: one == other  # noqa: E731
    assert not book.let_go("paint", request, "a.png", same) and book.of(request) == [job]
    assert book.let_go("paint", request, "b.png", same) and book.of(request) == []


@pytest.mark.slow
def test_a_real_run_of_paint_outlives_its_page_and_is_stopped_from_the_next(tmp_path, monkeypatch):
    book = jobs.Jobs()
    monkeypatch.setattr(jobs, "here", book)
    for name, seed in (("photo", 1), ("painting", 2)):
        write_image(tmp_path / f"{name}.png", picture(64, 96, seed=seed))

    async def built():  # in a loop: Gradio makes one of its own, and leaves it open, where there is none
        with gr.Blocks() as blocks:
            return blocks, tab_optimize.build(Compute.choose("cpu"), gr.State(None))

    blocks, tab = in_a_loop(built())
    handler = next(one.fn for one in blocks.fns.values() if one.api_name == "optimize")
    first, again = page("first"), page("again")
    token = book.arrive(None, first)
    options = {**OptimizeOptions(size=96, iterations=3000, extractor="lite").as_dict(), **dict.fromkeys(("style_2", "style_3"))}
    given = handler(str(tmp_path / "photo.png"), str(tmp_path / "painting.png"), first, weight=1.0, **options)

    async def watched_for_a_while():
        async with aclosing(given) as updates:
            async for update in updates:
                if any("of 3000" in str(value) for value in update.values()):
                    return

    in_a_loop(watched_for_a_while())
    book.arrive(token, again)
    (job,) = book.of(again)
    assert job.ended is None

    async def stopped():
        shown = {}
        async with aclosing(book.watch([job], again)) as updates:
            async for update in updates:
                shown |= update
                if shown.get(tab.outputs[0], {}).get("value") is not None:  # there is a picture to keep
                    book.stop("paint", again)
        return shown

    shown = in_a_loop(stopped())
    path = shown[tab.result]
    assert read_image(path).shape == (3, 64, 96) and read_settings(path)["options"]["iterations"] == 3000
    assert "picture so far is kept" in str(shown[tab.outputs[2]])
