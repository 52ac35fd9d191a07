"""What pip installs: the declared dependencies, and a package that works away from the clone."""

import ast
import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest
from networks import picture

from style_core import write_image

ROOT = Path(__file__).resolve().parents[1]
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Imported name: declared name, where they differ.
_DISTRIBUTIONS = {"PIL": "pillow", "huggingface_hub": "huggingface-hub", "pillow_heif": "pillow-heif", "cv2": "opencv-python-headless"}
_OPTIONAL = {"spaces", "mcp"}  # looked for, not needed


def test_requirements_repeat_the_dependencies_of_the_project():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == _PROJECT["dependencies"]


def test_the_readme_and_the_linters_name_the_same_python():
    oldest = _PROJECT["requires-python"].removeprefix(">=")
    assert f"Python {oldest} or newer" in (ROOT / "README.md").read_text()
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"


def test_every_import_is_declared():
    declared = {re.match(r"[\w-]+", line)[0] for line in _PROJECT["dependencies"]}
    for path in [ROOT / "app.py", *(ROOT / "style_core").rglob("*.py"), *(ROOT / "studio").rglob("*.py")]:
        for name in _imported(path):
            assert _DISTRIBUTIONS.get(name, name) in declared | _OPTIONAL, f"{path.name} imports {name}"


def _imported(path: Path) -> set[str]:
    """Top-level names of packages that are neither Python's nor ours."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {"style_core", "studio", "deploy"}


@pytest.mark.slow
def test_an_installed_package_works_away_from_the_clone(tmp_path):
    """`pip install .` into an empty environment that borrows the dependencies of this one."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    python, programs = home / "bin" / "python", home / "bin"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    _run([*pip, str(ROOT)])

    for name in ("photo", "painting"):
        write_image(tmp_path / f"{name}.png", picture(48, 64, seed=len(name)))
    where = _run([str(python), "-c", "import style_core; print(style_core.__file__)"], tmp_path)
    assert str(home) in where
    said = _run([str(programs / "pentimento"), "stylize", "photo.png", "painting.png", "-o", "out.png", "--size", "64", "--json"], tmp_path)
    assert json.loads(said)["width"] == 64 and (tmp_path / "out.png").is_file()
    assert "red-fuji" in _run([str(python), "-c", "from style_core import gallery; print(*gallery())"], tmp_path)
    assert "--share" in _run([str(programs / "pentimento-app"), "--help"], tmp_path)
    shipped = subprocess.run(["git", "ls-files", "models", "studio", "style_core"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    for file in shipped:
        assert (packages / re.sub(r"^models/", "style_core/_models/", file)).is_file(), file


def _run(command: list[str], cwd: Path = ROOT) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
