"""Jobs: runs that belong to a visitor, not to an open page.

Each run has its own thread and keeps the newest update of each component. The page's event only watches it. If the page is
reloaded, the laptop sleeps or the network fails, the job continues, and the page finds it again by a token in the browser's
storage. Programs have no such storage; their job ends with the call that watches it.

One job runs at a time on each device, in order of arrival. Its computing goes through `studio.gpu`, so that short work gets
its turn between two steps.
"""

import asyncio
import contextvars
import functools
import inspect
import secrets
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, closing
from typing import Any

import gradio as gr

from studio import gpu, i18n
from studio.events import IMMEDIATE, SILENT, Update, Updates
from studio.request_limits import sender

_TICK, _HEARTBEAT = 0.05, 5.0  # seconds between checks for updates, and between signs of life without any
_PACE = 0.3  # seconds between two updates, each of which costs the page tens of milliseconds
_MOUNTED = 1.5  # seconds that a page takes to mount the tab that it opens
_UNWATCHED = 1800.0  # seconds after which a job that nobody watches is stopped, its picture kept
_UNWATCHED_BUSY = 120.0  # likewise, while others wait
_KEPT_SECONDS = 2 * 3600.0  # of a finished job: as long as its files
_MOST_KEPT, _MOST_WAITING = 200, 32  # finished jobs; unfinished ones of each device
_MOST_OF_VISITOR, _MOST_OF_PROGRAMS = 3, 8  # unfinished ones of one visitor, and of all programs at one address
_MOST_SESSIONS = 4000  # open pages whose visitor is known; of more, the newest
_STORAGE = "pentimento-visitor"  # fixed, because it outlives the server
_TOKEN_BYTES, _TOKEN_LENGTH = 24, 32

_current: contextvars.ContextVar["Job | None"] = contextvars.ContextVar("current job", default=None)


def stopping() -> threading.Event:
    """The event that asks this thread's job to end and keep its result so far; outside a job, an event that is never set."""
    job = _current.get()
    return threading.Event() if job is None else job.stop


class Job:
    """A run, and what it has shown so far.

    Attributes:
        name: of the run, such as `paint`.
        owner: the visitor's token; None for a program.
        sender: the address that it was asked for from; None if unknown.
        status: the component that shows its progress.
        photo: path of the photo that it is about, or None.
        stop: set to end it and keep its result so far.
        canceled: whether to end it and discard its result.
        error: the exception that it failed with, or None.
        ended: time at which it ended, or None.
        sessions: pages that have watched it.
    """

    def __init__(self, name: str, owner: str | None, status: Any, photo: object = None, sender: str | None = None):
        self.name, self.owner, self.status, self.photo, self.sender = name, owner, status, photo, sender
        self.stop, self.canceled = threading.Event(), False
        self.error: Exception | None = None
        self.ended: float | None = None
        self.sessions: set[str] = set()
        self._shown: dict[Any, tuple[int, Any]] = {}
        self._version = 0
        self._watchers, self._left = 0, time.monotonic()
        self._lock = threading.Lock()

    def put(self, update: dict) -> None:
        """Merge an update into those before."""
        with self._lock:
            self._version += 1
            for component, value in update.items():
                if self.owner is None and _is_update(value):  # programs get values only
                    if "value" not in value:
                        continue
                    value = value["value"]
                old = self._shown.get(component)
                self._shown[component] = self._version, value if old is None else merged(old[1], value)

    def news(self, seen: int) -> tuple[int, dict]:
        """The present version, and what has changed since version `seen` (0 for everything)."""
        with self._lock:
            return self._version, {component: _own(value) for component, (version, value) in self._shown.items() if version > seen}

    def pulse(self) -> dict:
        """The present status, as an update."""
        with self._lock:
            return {self.status: _own(self._shown[self.status][1])} if self.status in self._shown else {}

    def watched(self, by: int) -> None:
        """Count a watcher that came (1) or left (-1)."""
        with self._lock:
            self._watchers += by
            self._left = time.monotonic()
            self.canceled |= self.owner is None and not self._watchers

    def alone(self) -> float:
        """Seconds since the last watcher left; 0 while there is one."""
        with self._lock:
            return 0.0 if self._watchers else time.monotonic() - self._left


def _sender_of(request: gr.Request | None) -> str | None:
    scope = getattr(getattr(request, "request", None), "scope", None)
    return None if scope is None else sender(scope)


def merged(old: Any, new: Any) -> Any:
    """Two values or `gr.update`s of a component, one after the other, as one."""
    if _is_update(new):
        return {**(old if _is_update(old) else gr.update(value=old)), **new}
    return {**old, "value": new} if _is_update(old) and old.keys() - {"__type__", "value"} else new


def _own(value: Any) -> Any:
    """A copy for one watcher, because Gradio modifies the updates that it is given."""
    return dict(value) if _is_update(value) else value


def _is_update(value: Any) -> bool:
    return isinstance(value, dict) and value.get("__type__") == "update"


class Jobs:
    """All jobs of this process, and their visitors."""

    def __init__(self) -> None:
        self._visitors: dict[str, str] = {}  # by session
        self._all: list[Job] = []  # oldest first
        self._line: list[Job] = []  # unfinished ones: the first run, one on each device; the others wait
        self._changed = threading.Condition()

    def arrive(self, token: object, request: gr.Request) -> str:
        """Record a session's visitor. Returns the visitor's token, a new one if the browser had none."""
        sound = isinstance(token, str) and len(token) == _TOKEN_LENGTH
        visitor = str(token) if sound else secrets.token_urlsafe(_TOKEN_BYTES)
        session = request.session_hash
        assert session is not None, "a page's event has a session"
        with self._changed:
            self._visitors.pop(session, None)
            self._visitors[session] = visitor
            if len(self._visitors) > _MOST_SESSIONS:
                del self._visitors[next(iter(self._visitors))]
        return visitor

    def of(self, request: gr.Request) -> list[Job]:
        """The visitor's newest job of each name, running or done."""
        visitor = self.visitor(request)
        if visitor is None:
            return []
        with self._changed:
            self._forget_old()
            return list({job.name: job for job in self._all if job.owner == visitor}.values())

    def start(self, name: str, status: Any, make: Callable[[], Updates], request: gr.Request | None = None, photo: object = None) -> Job:
        """Start a job with the updates of `make`; the first is shown before the job's turn.

        Raises:
            gr.Error: when too many wait already.
        """
        job = Job(name, self.visitor(request), status, photo, _sender_of(request))
        with self._changed:
            self._forget_old()
            own = sum(other.owner == job.owner and (job.owner is not None or other.sender == job.sender) for other in self._line)
            most = _MOST_OF_VISITOR if job.owner is not None else _MOST_OF_PROGRAMS
            if len(self._line) >= _MOST_WAITING * gpu.places() or (own >= most and request is not None):
                raise i18n.refusal(i18n.say("BUSY", request), request)
            self._all.append(job)
            self._line.append(job)
        # With the event's context, by which a Space knows whose share of its GPU this is.
        context = contextvars.copy_context()
        work = functools.partial(context.run, self._work, job, make, i18n.language_of(request))
        threading.Thread(target=work, name=f"job {name}", daemon=True).start()
        return job

    async def watch(self, jobs: Sequence[Job], request: gr.Request | None) -> AsyncGenerator[Update, None]:
        """The jobs' updates so far as one, then further ones as they come, until all jobs are done.

        Raises:
            Exception: the one that a job failed with.
        """
        session, seen, told = getattr(request, "session_hash", None), [0] * len(jobs), time.monotonic()
        for job in jobs:
            job.watched(1)
            if session:
                job.sessions.add(session)
        try:
            while True:
                over = all(job.ended for job in jobs)
                shown: Update = {}
                for index, job in enumerate(jobs):
                    seen[index], changed = job.news(seen[index])
                    shown |= changed
                if not shown and time.monotonic() - told > _HEARTBEAT:  # only a yield reveals that a watcher has gone
                    shown = next((job.pulse() for job in jobs if not job.ended), {})
                if shown:
                    told = time.monotonic()
                    yield shown
                if over:
                    break
                await asyncio.sleep(_PACE if shown else _TICK)
        finally:
            for job in jobs:
                job.watched(-1)
        for job in jobs:
            if job.error is not None:
                self._forget(job)
                raise job.error

    def stop(self, name: str, request: gr.Request | None) -> None:
        """Ask this page's job of this name to end and keep its result so far."""
        session = getattr(request, "session_hash", None)
        with self._changed:
            for job in self._line:
                if job.name == name and session in job.sessions:
                    job.stop.set()
            self._changed.notify_all()

    def let_go(self, name: str, request: gr.Request | None, path: object, same: Callable[[Any, Any], bool]) -> bool:
        """Forget a visitor's finished job when a different photo is chosen.

        Args:
            path: of the chosen photo.
            same: whether two paths are the same picture.
        Returns:
            Whether the page should show the photo alone, because no job is about it.
        """
        visitor = self.visitor(request)
        with self._changed:
            own = [job for job in self._all if visitor is not None and job.owner == visitor and job.name == name]
            if any(same(path, job.photo) for job in own[-1:]):
                return False
            self._all = [job for job in self._all if job not in own or job.ended is None]
        return True

    def forget_done(self, request: gr.Request | None) -> None:
        """Forget a visitor's finished jobs, so that a reloaded page doesn't show their results again."""
        visitor = self.visitor(request)
        with self._changed:
            self._all = [job for job in self._all if visitor is None or job.owner != visitor or job.ended is None]

    def end(self, seconds: float) -> None:
        """Stop all jobs at the end of the process, waiting for at most `seconds`."""
        until = time.monotonic() + seconds
        with self._changed:
            for job in self._line:
                job.canceled = True
                job.stop.set()
            while self._line and time.monotonic() < until:
                self._changed.wait(0.1)

    def visitor(self, request: gr.Request | None) -> str | None:
        """The token of a page's visitor; None for programs.

        A page that was open when the server started anew gets a token of its own, since nobody announced it.
        """
        session = getattr(request, "session_hash", None) or ""
        known = self._visitors.get(session)
        if known is None and session and request is not None and request.headers.get("x-gradio-user") == "app":
            known = self.arrive(None, request)
        return known

    def _work(self, job: Job, make: Callable[[], Updates], language: str) -> None:
        _current.set(job)
        try:
            with closing(make()) as updates:
                job.put(next(updates, {}))
                self._wait_for_turn(job, language)
                for update in updates if not job.canceled else ():
                    job.put(update)
                    if job.canceled:
                        break
                    self._stop_unwatched(job)
        except Exception as error:
            job.error = error  # raised again by `watch`
        finally:
            with self._changed:
                self._line.remove(job)
                job.ended = time.monotonic()
                if job.owner is None:
                    self._all.remove(job)
                self._changed.notify_all()

    def _wait_for_turn(self, job: Job, language: str) -> None:
        said = 0
        with self._changed:
            while (before := max(0, self._line.index(job) - gpu.places() + 1)) and not job.stop.is_set() and not job.canceled:
                if before != said:
                    job.put({job.status: i18n.say("WAITING", language, count=before)})
                    said = before
                self._changed.wait(1)
                self._stop_unwatched(job)

    def _stop_unwatched(self, job: Job) -> None:
        """Stop a job that nobody has watched for too long."""
        if job.alone() > (_UNWATCHED_BUSY if len(self._line) > gpu.places() else _UNWATCHED):
            job.stop.set()

    def _forget(self, job: Job) -> None:
        with self._changed:
            self._all = [other for other in self._all if other is not job]

    def _forget_old(self) -> None:
        """Drop finished jobs that are old or too many; call it with the lock held."""
        done = [job for job in self._all if job.ended is not None]
        old = {job for job in done if job.ended is not None and time.monotonic() - job.ended > _KEPT_SECONDS} | set(done[:-_MOST_KEPT])
        self._all = [job for job in self._all if job not in old]


here = Jobs()


def job(name: str, status: gr.components.Component, photo: str | None = None) -> Callable:
    """A decorator that runs a handler as a job.

    Args:
        name: of the job, by which Stop finds it.
        status: the component that shows how many jobs are before it.
        photo: the parameter that holds the photo's path.
    """

    def decorate(handler: Callable[..., Updates]) -> Callable[..., AsyncGenerator[Update, None]]:
        signature = inspect.signature(handler)

        @functools.wraps(handler)
        async def watched(*given: Any, **more: Any) -> AsyncGenerator[Update, None]:
            asked = signature.bind(*given, **more).arguments
            request = asked.get("request")
            started = here.start(name, status, functools.partial(handler, *given, **more), request, asked.get(photo or ""))
            async with aclosing(here.watch([started], request)) as updates:
                async for update in updates:
                    yield update

        return watched

    return decorate


def _all_of(jobs: Sequence[Job]) -> dict:
    """Everything that jobs show, as one update."""
    shown: dict = {}
    for job in jobs:
        shown |= job.news(0)[1]
    return shown


def wire_stop(stopper: gr.Button, name: str) -> None:
    """Make a button stop this page's job of this name."""

    def stop(request: gr.Request) -> None:
        here.stop(name, request)

    stopper.click(stop, None, None, **IMMEDIATE)


def wire(page: gr.Blocks, outputs: list) -> None:
    """Make a page find its visitor's jobs again when it is loaded.

    Args:
        outputs: every component that jobs may show something in.
    """

    def arrive(token, request: gr.Request):
        gpu.tidy_when_quiet()  # a page takes memory to build, most of which is free afterwards
        return here.arrive(token, request)

    async def attach(request: gr.Request) -> AsyncGenerator[Update, None]:
        found = here.of(request)
        if not found:
            yield {outputs[0]: gr.skip()}  # a generator without a yield would clear every output
        else:
            # A page drops updates of components that it has not mounted yet, so everything is sent once more.
            again = time.monotonic() + _MOUNTED
            async with aclosing(here.watch(found, request)) as updates:
                async for update in updates:
                    if again and time.monotonic() > again:
                        again, update = 0.0, _all_of(found)
                    yield update
            if again:
                await asyncio.sleep(max(0.0, again - time.monotonic()))
                yield _all_of(found)

    token = gr.BrowserState(None, storage_key=_STORAGE, secret=_STORAGE)
    arrived = page.load(arrive, token, token, **IMMEDIATE)
    page.unload(gpu.tidy_when_quiet)
    arrived.success(attach, None, outputs, concurrency_limit=None, **SILENT)
