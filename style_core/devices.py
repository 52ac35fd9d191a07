"""Compute: where and how a recipe runs.

It is chosen once at the top with `Compute.choose("auto")` and passed down. Nothing below chooses a device.
"""

import ctypes
import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from style_core.errors import RequestError

DEVICES = ("auto", "cpu", "cuda", "mps")

# mallopt(3): one arena, because only the main one can grow without limit; no blocks by mmap; no automatic trimming.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -3, -4, -8
_KEEP_MEMORY = {_M_ARENA_MAX: 1, _M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: 2**31 - 1, _M_TOP_PAD: 2**26}
_RETURN_LARGE = {_M_MMAP_MAX: 2**16, _M_MMAP_THRESHOLD: 2**25}
_kept: set[str] = set()  # settings made by prepare_cpu


_Module = TypeVar("_Module", bound=nn.Module)


@dataclass(frozen=True)
class Compute:
    """A device, the floating-point type of networks on it, and the best memory format.

    Pictures, Gram matrices and losses are always float32.
    """

    device: torch.device
    dtype: torch.dtype
    memory_format: torch.memory_format

    @classmethod
    def choose(cls, name: str = "auto", precision: str = "auto") -> "Compute":
        """Choose by name: `auto` takes CUDA, then MPS, then the CPU; precision is `auto`, `fp32` or `bf16`.

        Raises:
            RequestError: for a device that this machine does not have.
        """
        if name not in DEVICES:
            raise RequestError("{option} is {value}; it must be one of {allowed}.", option="device", value=name, allowed=", ".join(DEVICES))
        present = _present()
        if name == "auto":
            name = present[0]
        if name not in present:
            raise RequestError(
                "This machine has no {device} device that torch can use; choose auto or {present}.", device=name, present=present[0]
            )
        device = torch.device(name)
        bf16 = _has_fast_bfloat16(name) if precision == "auto" else precision == "bf16"
        # oneDNN and cuDNN are fastest with channels_last; MPS gains nothing from it.
        layout = torch.contiguous_format if name == "mps" else torch.channels_last
        return cls(device, torch.bfloat16 if bf16 else torch.float32, layout)

    def place(self, module: _Module) -> _Module:
        """Move a module here, in this precision and memory format."""
        # torch's type stubs lack `memory_format`.
        return module.to(self.device, self.dtype, memory_format=self.memory_format)  # type: ignore[call-overload]

    def describe(self) -> str:
        """The device and precision in words: `CPU, 2 cores, bfloat16`."""
        precision = str(self.dtype).removeprefix("torch.")
        if self.device.type == "cuda":
            return f"{torch.cuda.get_device_name(self.device)}, {precision}"
        if self.device.type == "mps":
            return f"Apple GPU, {precision}"
        return f"CPU, {cores()} core{'s' if cores() > 1 else ''}, {precision}"


def cores() -> int:
    """Number of cores that this process may use: its affinity, limited by the container's CPU quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota()
    return max(1, min(affinity, int(quota) if quota else affinity))


def prepare_cpu(threads: int | None = None) -> None:
    """Set up threads (all cores by default) and memory allocation for a program on the CPU. Call it once, at the start.

    More threads than cores would only wait for each other. By default glibc returns each large block to the system when it is
    freed, and clearing new pages for the next step takes a fifth of an iteration's time. Blocks kept instead are returned by
    `release_memory`. Other C libraries are not changed.
    """
    torch.set_num_threads(threads or cores())
    tune = getattr(_libc(), "mallopt", None)
    if tune is not None:
        _kept.add("memory")
        for field, value in _KEEP_MEMORY.items():
            tune(field, value)


@contextmanager
def large_blocks_returned() -> Iterator[None]:
    """A context in which blocks of 32 MB and more return to the system as soon as they are freed.

    Blocks kept by `prepare_cpu` fragment the memory, which can waste gigabytes for very large pictures.
    """
    tune = getattr(_libc(), "mallopt", None)
    if tune is None or not _kept:
        yield
        return
    for field, value in _RETURN_LARGE.items():
        tune(field, value)
    try:
        yield
    finally:
        for field, value in _KEEP_MEMORY.items():
            tune(field, value)


def release_memory(beyond: int = 0) -> None:
    """Return freed memory to the system. Call it at the end of a run.

    Args:
        beyond: do nothing while the process holds fewer bytes than this.
    """
    trim = getattr(_libc(), "malloc_trim", None)
    if trim is not None and _held() > beyond:
        trim(0)


def _held() -> int:
    """Bytes of memory that this process holds (Linux only)."""
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@functools.cache
def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" else None


def _present() -> list[str]:
    found = []
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def _has_fast_bfloat16(name: str) -> bool:
    if name == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if name == "mps":
        return False
    return bool({"avx512_bf16", "amx_bf16"} & _cpu_flags())


@functools.cache
def _cpu_flags() -> frozenset[str]:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return frozenset()
    for line in cpuinfo.read_text(encoding="utf-8").splitlines():
        if line.startswith("flags"):
            return frozenset(line.split(":", 1)[1].split())
    return frozenset()


def _cgroup_quota() -> float | None:
    limit = Path("/sys/fs/cgroup/cpu.max")
    if not limit.exists():
        return None
    quota, period = limit.read_text(encoding="utf-8").split()
    return None if quota == "max" else int(quota) / int(period)
