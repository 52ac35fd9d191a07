"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before a test imports torch, as the programs do

SHARED = Path(__file__).resolve().parents[2] / "shared"


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
