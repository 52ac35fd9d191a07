"""Training programs and benchmarks, run on small random pictures and a random VGG-19."""

import importlib
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from networks import drawn_vgg, picture
from safetensors.torch import save_file

from style_core import write_image
from style_core.networks.vgg19 import tensor_shapes
from style_core.training import data as training_data
from style_core.training import views
from style_core.training.data import is_held_out
from style_core.weights import registry

Program = Callable[..., str]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Photos and paintings of our own, two of each held out."""
    folder = tmp_path_factory.mktemp("data")
    for kind in ("content", "style"):
        (folder / kind).mkdir()
        for index in range(24):
            write_image(folder / kind / f"{index:02}.png", picture(96, 96, seed=index + 100 * (kind == "style")))
        assert sum(is_held_out(path.name) for path in (folder / kind).iterdir()) == 2
    return folder


@pytest.fixture(scope="module")
def vgg19(tmp_path_factory) -> Path:
    """Random weights in VGG-19's layout."""
    path = tmp_path_factory.mktemp("weights") / "vgg19.safetensors"
    save_file(drawn_vgg(tensor_shapes()), path)
    return path


@pytest.fixture
def program(monkeypatch, capsys) -> Iterator[Program]:
    """Runs a module's `main` with flags and returns what it prints; what the program changes in this process is changed back."""
    threads, random = torch.get_num_threads(), torch.get_rng_state()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setattr(registry, "check_network", lambda *given: None)  # it refuses untrained networks
    # The pictures are small, but count as sharp.
    monkeypatch.setattr(training_data, "SHARP_SIDE", 64)
    monkeypatch.setattr(views, "_CROPS", (32, 64))

    def run(module: str, *flags: object) -> str:
        monkeypatch.setattr(sys, "argv", [module, *map(str, flags)])
        importlib.import_module(module).main()
        return capsys.readouterr().out

    yield run
    torch.set_num_threads(threads)
    torch.set_rng_state(random)
    for number, handler in handlers.items():
        signal.signal(number, handler)
