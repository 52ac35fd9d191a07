"""Memory of the machine, or of the container that this process lives in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from style_core.errors import RunFailed

_CGROUP = Path("/sys/fs/cgroup")  # of the container, if there is one


def available_bytes() -> float | None:
    """Bytes that this process can still allocate; None if the system doesn't report it."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return None
    fields = dict(line.split(":", 1) for line in meminfo.read_text(encoding="utf-8").splitlines())
    free = 1024.0 * int(fields["MemAvailable"].split()[0])
    limit, used = _CGROUP / "memory.max", _CGROUP / "memory.current"
    if limit.exists() and used.exists() and limit.read_text(encoding="utf-8").strip() != "max":
        free = min(free, float(limit.read_text(encoding="utf-8")) - float(used.read_text(encoding="utf-8")) + _cached())
    return free


def _cached() -> float:
    """Bytes of a container's memory that only cache files, and are given up when they are needed."""
    stat = _CGROUP / "memory.stat"
    fields = dict(line.split() for line in stat.read_text(encoding="utf-8").splitlines()) if stat.exists() else {}
    return float(fields.get("inactive_file", 0))


class OutOfMemory(RunFailed):
    """A run needed more memory than there is; the message suggests a size that fits."""


@contextmanager
def memory_in_words(size: int) -> Iterator[None]:
    """Turn out-of-memory errors of torch, Python and the allocators into one error with a message.

    Args:
        size: in px, of the picture being computed.
    Raises:
        OutOfMemory: instead of the original error.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        said = str(error).lower()
        if not isinstance(error, MemoryError) and "allocate memory" not in said and "out of memory" not in said:
            raise
        # Half the pixels need about half the memory.
        raise OutOfMemory(
            "There is not enough memory for {size} px; use {fitting} px or less.", size=size, fitting=max(64, int(size * 0.7) // 32 * 32)
        ) from error
