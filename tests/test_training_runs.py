"""Each training program runs for a few steps and writes a usable file; each benchmark starts."""

import csv
import importlib
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from networks import FP32, picture
from safetensors.torch import save_file

from style_core import write_image
from style_core.networks.extractor import load_extractor
from style_core.networks.latent import Latent
from style_core.networks.latent_net import SIDE
from style_core.networks.vgg19 import tensor_shapes
from style_core.training import dcgan
from style_core.training.data import is_held_out

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text())


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Photos and paintings of our own, some of them held out."""
    folder = tmp_path_factory.mktemp("data")
    for kind in ("content", "style"):
        (folder / kind).mkdir()
        for index in range(24):
            write_image(folder / kind / f"{index:02}.png", picture(160, 160, seed=index))
    assert {is_held_out(path.name) for path in (folder / "style").iterdir()} == {True, False}
    return folder


@pytest.fixture(scope="module")
def vgg19(tmp_path_factory) -> Path:
    """Random weights in VGG-19's layout, of a size that keeps activations alive."""
    draw, tensors = torch.Generator().manual_seed(0), {}
    for name, shape in tensor_shapes().items():
        spread = math.sqrt(2 / math.prod(shape[1:])) if name.endswith("weight") else 0.0
        tensors[name] = spread * torch.randn(shape, generator=draw)
    path = tmp_path_factory.mktemp("weights") / "vgg19.safetensors"
    save_file(tensors, path)
    return path


def trained(name: str, *flags: object) -> None:
    _run("-m", f"style_core.training.{name}", *flags, "--minutes", "0.02")


def _run(*command: object) -> str:
    done = subprocess.run([sys.executable, *map(str, command)], cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_distillation_writes_a_network_that_opens_and_resumes(data, vgg19, tmp_path):
    flags = ("--data", data, "--teacher", vgg19, "--out", tmp_path, "--early", 1, 32, "--late", 1, 48)
    trained("distill", *flags)
    features = load_extractor("lite", tmp_path / "lite.safetensors", FP32).extract(torch.rand(1, 3, 32, 32), ["relu4_1"])
    assert torch.isfinite(features["relu4_1"]).all()
    assert (tmp_path / "checkpoint.pt").is_file()
    trained("distill", *flags)


@pytest.mark.parametrize("alone", [1.0, 0.0], ids=["the VAE alone", "with the critic"])
def test_the_latent_space_is_trained_to_a_file_that_opens(data, vgg19, tmp_path, alone):
    trained("latent", "--data", data / "style", "--vgg19", vgg19, "--out", tmp_path, "--batch", 2, "--alone", alone, "--small", 1)
    latent = Latent.load(tmp_path / "latent.safetensors")
    image = latent.paint(latent.style(latent.code(0)))
    assert image.shape == (1, 3, SIDE, SIDE) and torch.isfinite(image).all()
    with (tmp_path / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows and all(math.isfinite(float(value)) for row in rows for value in row.values() if value)


def test_the_dcgan_is_trained_to_a_file_that_draws(data, tmp_path):
    trained("dcgan", "--data", data / "style", "--out", tmp_path, "--batch", 2)
    drawn = dcgan.samples(tmp_path / "dcgan.safetensors", 2)
    assert drawn.shape == (2, 3, 128, 128) and 0 <= drawn.min() <= drawn.max() <= 1


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_says_what_it_measures(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"benchmarks.{name}", "--help"])
    with pytest.raises(SystemExit, match="0"):
        importlib.import_module(f"benchmarks.{name}").main()
    assert "usage:" in capsys.readouterr().out


def test_painting_is_measured(data, vgg19):
    flags = ("--data", data, "--vgg19", vgg19, "--pairs", 1, "--size", 64)
    table = _run("-m", "benchmarks.optimize", *flags, "--iterations", 2, "--extractor", "lite", "--pyramid-only", "--quality-only")
    cells = table.strip().splitlines()[-1].strip("| ").split(" | ")
    style, content, seconds = map(float, cells[1:4])
    assert 0 < style < 10 and 0 < content < 10 and seconds > 0
