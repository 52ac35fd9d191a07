"""Each benchmark measures something on tiny pictures: its tables have finite figures."""

import importlib
import json
import math
import re
import sys
from pathlib import Path

import pytest

from style_core import StylizeOptions

ROOT = Path(__file__).resolve().parents[1]
NAMES = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text())
pytest_plugins = ["programs"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def painting_network(vgg19, monkeypatch):
    monkeypatch.setenv("STYLE_CORE_VGG19", str(vgg19))


@pytest.fixture
def flags(data, vgg19) -> tuple[object, ...]:
    return "--data", data, "--vgg19", vgg19


def small(monkeypatch, name: str, **values: object) -> None:
    """Replace a benchmark's sizes."""
    module = importlib.import_module(f"benchmarks.{name}")
    for constant, value in values.items():
        monkeypatch.setattr(module, constant, value)


def figures(printed: str) -> list[float]:
    """All numbers in the tables' cells, each finite."""
    cells = [cell.strip() for line in printed.splitlines() if line.startswith("|") for cell in line.strip("|").split("|")]
    found = [float(cell) for cell in cells if re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?|-?inf|nan", cell)]
    assert found and all(map(math.isfinite, found)), printed
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_says_what_it_measures(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"benchmarks.{name}", "--help"])
    with pytest.raises(SystemExit, match="0"):
        importlib.import_module(f"benchmarks.{name}").main()
    assert "usage:" in capsys.readouterr().out


def test_painting_is_measured(program, flags):
    said = program("benchmarks.optimize", *flags, "--pairs", 1, "--size", 64, "--iterations", 2, "--extractor", "lite", "--quality-only")
    rows = [line for line in said.splitlines() if line.startswith(("| pyramid", "| one size"))]
    assert len(rows) == 2
    for row in rows:
        style, content, seconds = map(float, row.strip("| ").split(" | ")[1:4])
        assert 0 < style < 10 and 0 < content < 10 and seconds > 0


def test_starting_from_the_generator_is_measured(program, flags, monkeypatch):
    small(monkeypatch, "refine", ITERATIONS=2, REFINED=(1,))
    said = program("benchmarks.refine", *flags, "--pairs", 1, "--size", 64)
    assert len(figures(said)) == 4 * 4


def test_the_generator_is_measured(program, flags, monkeypatch):
    small(monkeypatch, "generator", SIDE=64, TIMED=((48, 64),), own_process=lambda *command: f"{command[0]} was run\n")
    said = program("benchmarks.generator", *flags, "--pairs", 1)
    assert "benchmarks.generator was run" in said
    untouched = next(line for line in said.splitlines() if line.startswith("| untouched"))
    assert figures(untouched)[1] < 1e-6, "a photo has no content distance from itself"
    assert len(figures(program("benchmarks.generator", *flags, "--large", 96, "--only-large"))) == 2


def test_the_quality_of_methods_is_measured(program, flags, monkeypatch, tmp_path):
    small(monkeypatch, "quality", SIDE=64, STARTS={"optimize": {"iterations": 2}})
    said = program("benchmarks.quality", *flags, "--pairs", 2, "--optimize-pairs", 1, "--vgg19-pairs", 1, "--sheet", tmp_path / "sheet.jpg")
    for method in (
        "untouched photo (2)",
        "the style itself (2)",
        f"generator, {StylizeOptions().refine} steps (2)",
        "generator alone (2)",
        "optimize, lite (1)",
        "optimize, vgg19 (1)",
    ):
        assert f"| {method} | median |" in said
    assert (tmp_path / "sheet.jpg").is_file()


def test_files_of_one_painting_are_compared(program, flags, monkeypatch):
    small(monkeypatch, "inputs", SIDE=64, SHORT_SIDES=(48, 64))
    said = program("benchmarks.inputs", *flags, "--pairs", 2)
    assert "| PNG, 48 px |" in said and "| JPEG 60, 64 px |" in said and "of 2 are within 1.15" in said
    assert min(figures(said)) > 0


def test_style_losses_are_compared(program, flags, monkeypatch, tmp_path):
    small(monkeypatch, "losses", PAIRS=(("20.png", "21.png"),), FACES=1)
    said = program("benchmarks.losses", *flags, "--size", 64, "--iterations", 2, "--evaluator", "lite", "--sheet", tmp_path / "sheet.png")
    losses = importlib.import_module("benchmarks.losses").STYLE_LOSSES
    assert len(figures(said)) == 2 * 7 * (1 + len(losses)), "all pairs, and faces"


def test_extractors_are_compared(program, flags, monkeypatch):
    small(monkeypatch, "extractors", TIMED=(64, 64), own_process=lambda *command: "1048576")
    said = program("benchmarks.extractors", *flags, "--pairs", 1, "--size", 64, "--iterations", 2)
    assert len(figures(said)) == 2 * 7 and figures(said)[4] == 1.0


def test_warnings_of_bad_results_are_counted(program, flags):
    said = program("benchmarks.verdicts", *flags, "--photos", 1, "--paintings", 2, "--size", 64)
    pairs = [int(line.split("|")[2]) for line in said.splitlines() if line.startswith(("| unchanged", "| lost", "| good"))]
    assert sum(pairs) == 2


def test_the_latent_space_is_measured(program, flags, monkeypatch):
    from style_core.networks import latent

    small(monkeypatch, "latent", _WALKS=1, _FRAMES=4)
    monkeypatch.setattr(latent, "_INVERSION_STEPS", 1)
    said = program("benchmarks.latent", *flags, "--samples", 4, "--inversions", 1)
    assert len(figures(said)) == 3 * 3 and "Largest step of a walk" in said


def test_imagined_pictures_are_compared_with_paintings(program, flags, monkeypatch, tmp_path):
    small(monkeypatch, "imagined", SIZE=128)
    said = program("benchmarks.imagined", *flags, "--samples", 2, "--sheet", tmp_path / "sheet.jpg")
    assert len(figures(said)) == 4 * 3 + 5 * 3 and (tmp_path / "sheet.jpg").is_file()


def test_pictures_at_once_are_timed(program, monkeypatch):
    small(monkeypatch, "batching", _SIZES=((48, 64),), _BATCHES=(1, 2))
    assert min(figures(program("benchmarks.batching", "--repeats", 1))) > 0


def test_the_app_s_defaults_are_timed(program, vgg19, monkeypatch):
    starts = {"stylize": {"size": 64}, "optimize": {"size": 64, "iterations": 2}, "dream": {"size": 64}, "imagine": {"count": 6}}
    small(monkeypatch, "times", STARTS=starts, LARGE=64, CLIP_FRAMES=3, CLIP_SIDE=64)
    assert len(figures(program("benchmarks.times", "--vgg19", vgg19))) == 9


def test_a_print_is_timed_and_its_memory_measured(program, vgg19, monkeypatch):
    small(monkeypatch, "large", SIZES={"small": (96, 64)})
    for last in (0, 3):
        made = json.loads(program("benchmarks.large", "--own", "small", "--iterations", 6, "--last", last, "--vgg19", vgg19))
        assert made["seconds"] > 0 and made["minutes"] > 0 and made["gib"] > 0


def test_clips_are_written_and_painted(program, monkeypatch, tmp_path):
    clips = importlib.import_module("benchmarks.clips")
    shot = clips._Shot([clips._lake(lambda t: clips._pose(210 + 2.5 * t, 250))], 3)
    monkeypatch.setattr(clips, "_shots", lambda: {"pan": [shot]})
    said = program("benchmarks.clips", "--out", tmp_path)
    assert said.startswith("pan: 3 frames") and (tmp_path / "pan.mp4").is_file()
    assert len(figures(program("benchmarks.film", "pan"))) == 2 * 7, "the clip, and the mean"


def test_waiting_threads_are_timed(program, monkeypatch):
    small(monkeypatch, "waiting", together=lambda count, policy, flags: float(count))
    assert 1.0 in figures(program("benchmarks.waiting"))
    assert float(program("benchmarks.waiting", "--one", "--size", 64, "--iterations", 2)) > 0
