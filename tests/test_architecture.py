"""Imports point down only, and the public face is what it says."""

import re
import subprocess
import sys
from pathlib import Path

import style_core

ROOT = Path(__file__).resolve().parents[1]


def test_the_core_runs_without_gradio():
    code = "import sys; sys.modules['gradio'] = None; import style_core, style_core.cli.main; print(sorted(style_core.RECIPES))"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "optimize" in said.stdout


def test_the_studio_knows_no_tensors():
    for file in (ROOT / "studio").glob("*.py"):
        assert not re.search(r"^\s*(import|from) torch", file.read_text(), re.M), f"{file.name} imports torch"


def test_nothing_but_training_imports_training():
    for file in [*(ROOT / "style_core").glob("*.py"), *(ROOT / "studio").glob("*.py"), ROOT / "app.py"]:
        assert not re.search(r"^\s*(from|import) style_core\.training", file.read_text(), re.M), file.name


def test_all_names_what_is_public():
    assert sorted(style_core.__all__, key=str.lower) == sorted(set(style_core.__all__), key=str.lower)
    for name in style_core.__all__:
        assert getattr(style_core, name) is not None
    assert {"read_image", "write_image", "stylize", "optimize", "dream"} <= set(style_core.__all__)


def test_no_weights_are_pickled():
    assert not [path for suffix in ("pt", "pth", "pkl", "bin") for path in (ROOT / "models").glob(f"*.{suffix}")]
