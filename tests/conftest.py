"""Fixtures that several test files share, and the markers that follow from them."""

import os
from pathlib import Path

import pytest

# What `style_core` sets on import, but test files import torch first, and its threads would spin while others work: the tests then take
# four times as long.
os.environ.update({} if "OMP_WAIT_POLICY" in os.environ else {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "2500"})

SHARED = Path(__file__).resolve().parents[2] / "shared"
_MARKERS = {"shared": pytest.mark.shared, "page": pytest.mark.browser, "address": pytest.mark.app}


def pytest_collection_modifyitems(items):
    """A test that asks for ../shared, the app or a browser by a fixture is marked so."""
    for item in items:
        for fixture, marker in _MARKERS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)
        # A visit takes several steps, each of which may wait long on a busy machine.
        if item.get_closest_marker("browser") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(autouse=True)
def runs_file(tmp_path, monkeypatch) -> Path:
    """Where estimates learn: a file of the test's own."""
    from style_core.recipes import run_history  # not at the top: the process that only hands out tests needn't load torch

    monkeypatch.setattr(run_history, "_file", lambda: tmp_path / "runs" / "runs.json")
    return tmp_path / "runs" / "runs.json"


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """Of a process that knows nothing of this machine's caches and weights."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "STYLE_CORE_"))}
    return {**kept, "HF_HOME": str(tmp_path / "hf"), "NO_PROXY": "127.0.0.1"}


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of training data and reference weights beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared (training pictures and VGG-19), which is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def vgg19_path(shared: Path) -> Path:
    """VGG-19's real weights."""
    path = shared / "weights" / "vgg19.safetensors"
    if not path.is_file():
        pytest.skip("needs ../shared/weights/vgg19.safetensors, which is not there")
    return path
