import subprocess
import sys

import pytest

from style_core import devices, memory

KEPT_AND_RELEASED = """
import resource, torch
from pathlib import Path
from style_core.devices import prepare_cpu, release_memory

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

prepare_cpu()
before = held()
work = lambda: [torch.ones(16 * 2**20) for _ in range(4)] and None      # 256 MB, freed at once
work()
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    work()
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
kept = held() - before
release_memory(beyond=2**40)
assert held() - before > 200
release_memory()
print(faults, kept, held() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(devices._libc(), "mallopt"), reason="needs glibc, whose memory is what is tuned")
def test_memory_is_kept_between_steps_and_given_back_at_the_end():
    done = subprocess.run([sys.executable, "-c", KEPT_AND_RELEASED], capture_output=True, text=True, check=True)
    faults, kept, left = map(float, done.stdout.split())
    assert faults < 65536, "the five together would touch 5 x 65536 pages anew"
    assert kept > 200 and left < 50


def test_there_are_as_many_threads_as_cores(monkeypatch):
    monkeypatch.setattr(devices, "_cgroup_quota", lambda: 1.5)
    assert devices.cores() == 1
    monkeypatch.setattr(devices, "_cgroup_quota", lambda: None)
    assert devices.cores() >= 1


def test_files_cached_in_a_container_count_as_free_memory(monkeypatch, tmp_path):
    for name, text in (("memory.max", "300000000"), ("memory.current", "290000000"), ("memory.stat", "anon 5\ninactive_file 190000000")):
        (tmp_path / name).write_text(text + "\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert memory.available_bytes() in (None, 2e8)
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available_bytes() != 2e8
