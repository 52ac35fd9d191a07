"""Memory of the machine, or of the container that this process lives in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from style_core.errors import RequestError


def available_bytes() -> float | None:
    """Bytes that this process may still take; None where the system does not tell."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return None
    fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    free = 1024.0 * int(fields["MemAvailable"].split()[0])
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and used.exists() and limit.read_text().strip() != "max":
        free = min(free, float(limit.read_text()) - float(used.read_text()))
    return free


class OutOfMemory(RequestError):
    """A run took more memory than there is; the message says which size would do."""


@contextmanager
def memory_in_words(size: int) -> Iterator[None]:
    """Turn whatever torch, Python and the allocators raise when memory runs out into one sentence.

    Args:
        size: in px, of what is computed.
    Raises:
        OutOfMemory: in place of what was raised.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        said = str(error).lower()
        if not isinstance(error, MemoryError) and "allocate memory" not in said and "out of memory" not in said:
            raise
        # Half the pixels take half the memory, near enough.
        raise OutOfMemory(
            "There is not enough memory for {size} px; use {fitting} px or less.", size=size, fitting=max(64, int(size * 0.7) // 32 * 32)
        ) from error
