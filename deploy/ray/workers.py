"""The app's workers on a Ray cluster: one for each device, with weights that are loaded once.

A run is a generator inside its worker, and each call returns one Step. A worker handles one call at a time, so runs take
turns between Steps, as on a single machine, and a run whose Steps are no longer requested does no more work.
"""

import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import gradio as gr
import ray
from ray.exceptions import GetTimeoutError, RayActorError

from deploy.ray.cluster import compute_of_worker, connect, share_of
from studio.gpu import WorkerLost, size_of_request
from style_core.devices import Compute, release_memory
from style_core.errors import RequestError
from style_core.memory import memory_in_words
from style_core.progress import Step, Steps
from style_core.weights.open import open_generator

_FIND_SECONDS = 180.0  # to wait for a worker if there is none; a restart may take that long
_RETRY_SECONDS = 0.5
_END_SECONDS = 60.0  # for a run that is closed, which may have a long film to complete


class _WorkersOwn:
    """A placeholder for the worker's own Compute, since the app's is meaningless there."""


class Worker:
    """What runs on a device of the cluster; a Ray actor.

    Errors are returned as values, because Ray would wrap raised ones in its own.
    """

    def __init__(self) -> None:
        self._compute = compute_of_worker()
        self._runs: dict[str, Generator] = {}
        open_generator(self._compute)

    def describe(self) -> str:
        """The device in words; a reply also shows that the worker is alive."""
        return self._compute.describe()

    def sees(self, path: str) -> bool:
        """Whether this worker can read a file of the app."""
        return Path(path).is_file()

    def begin(self, run: str, recipe: Callable[..., Steps], given: tuple, more: dict) -> Exception | None:
        """Start a recipe under the name `run`; nothing is computed yet."""
        try:
            self._runs[run] = recipe(*map(self._at_home, given), **{name: self._at_home(value) for name, value in more.items()})
        except (RequestError, gr.Error) as error:
            return error
        return None

    def step(self, run: str, size: int) -> Step | Exception | None:
        """The next Step of a run, None at its end."""
        if run not in self._runs:
            return WorkerLost()  # it was a run of the previous worker, which has stopped
        try:
            with memory_in_words(size):
                return next(self._runs[run], None)
        except (RequestError, gr.Error) as error:
            return error

    def end(self, run: str) -> None:
        """Close a run and free its memory."""
        if run in self._runs:
            self._runs.pop(run).close()
        release_memory()

    def call(self, work: Callable, given: tuple, more: dict, size: int) -> tuple[Any, Exception | None]:
        """The result of a function, or the error that it raised."""
        try:
            with memory_in_words(size):
                return work(*map(self._at_home, given), **{name: self._at_home(value) for name, value in more.items()}), None
        except (RequestError, gr.Error) as error:
            return None, error

    def _at_home(self, value: Any) -> Any:
        return self._compute if isinstance(value, _WorkersOwn) else value


class Pool:
    """All workers, as `studio.gpu` uses them.

    Attributes:
        places: how many runs may work at once.
    """

    def __init__(self, count: int, resources: dict[str, Any]):
        self.places = count
        # A worker that dies is restarted, without its runs.
        actor: Any = ray.remote(max_restarts=-1, **resources)(Worker)
        self._workers = [actor.remote() for _ in range(count)]
        self._busy = [0] * count
        self._lock = threading.Lock()

    def describe(self) -> list[str]:
        """Each worker's device in words; waits until all are there."""
        return ray.get([worker.describe.remote() for worker in self._workers])

    def check_folder(self, folder: Path) -> None:
        """Check that all workers can read a folder of the app.

        Raises:
            RequestError: naming the folder.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder) as probe:
            if not all(ray.get([worker.sees.remote(probe.name) for worker in self._workers])):
                raise RequestError(f"Some workers don't see the folder {folder}; share it with them and name it in GRADIO_TEMP_DIR.")

    def steps(self, recipe: Callable[..., Steps], given: tuple, more: dict) -> Iterator[Step]:
        """The Steps of a recipe, computed by the worker with the fewest runs.

        Raises:
            WorkerLost: if the worker stops during the run.
            RequestError: as the recipe does.
        """
        run, size = uuid.uuid4().hex, size_of_request(given)
        with self._one() as worker:
            try:
                _raised(_answer(worker.begin.remote(run, recipe, *_packed(given, more))))
                while (step := _raised(_answer(worker.step.remote(run, size)))) is not None:
                    yield step
            finally:
                # Waited for, because it writes what was made so far, such as a stopped film.
                with suppress(RayActorError, GetTimeoutError):
                    ray.get(worker.end.remote(run), timeout=_END_SECONDS)

    def call(self, work: Callable, given: tuple, more: dict) -> Any:
        """The result of a function; raises as `steps` does."""
        with self._one() as worker:
            result, error = _answer(worker.call.remote(work, *_packed(given, more), size_of_request(given)))
        _raised(error)
        return result

    @contextmanager
    def _one(self) -> Iterator[Any]:
        """The worker with the fewest runs among those that answer."""
        place = self._take()
        try:
            yield self._workers[place]
        finally:
            with self._lock:
                self._busy[place] -= 1

    def _take(self) -> int:
        until = time.monotonic() + _FIND_SECONDS
        while True:
            with self._lock:
                order = sorted(range(self.places), key=self._busy.__getitem__)
            for place in order:
                with self._lock:
                    self._busy[place] += 1
                try:
                    ray.get(self._workers[place].describe.remote())
                    return place
                except RayActorError:
                    with self._lock:
                        self._busy[place] -= 1
            if time.monotonic() > until:
                raise WorkerLost()
            time.sleep(_RETRY_SECONDS)


def open_pool(address: str, folder: Path, cores: int) -> Pool:
    """Workers on the cluster at `address`, all ready.

    Args:
        address: as `connect` takes it.
        folder: where the app keeps uploads and results; every worker must see it under the same path.
        cores: for each worker, where the cluster has no GPUs.
    Raises:
        RequestError: when there is no cluster, it is too small, or its workers don't see the folder.
    """
    connect(address)
    pool = Pool(*share_of(cores))
    pool.describe()
    pool.check_folder(folder)
    return pool


def _packed(given: tuple, more: dict) -> tuple[tuple, dict]:
    """Arguments for another machine."""
    packed = [_WorkersOwn() if isinstance(value, Compute) else value for value in (*given, *more.values())]
    return tuple(packed[: len(given)]), dict(zip(more, packed[len(given) :]))


def _answer(asked: ray.ObjectRef) -> Any:
    try:
        return ray.get(asked)
    except RayActorError as error:
        raise WorkerLost() from error


def _raised(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer
