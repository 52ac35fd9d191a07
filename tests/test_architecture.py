"""Imports only point down, and the public names are exactly those documented."""

import ast
import re
import subprocess
import sys

import architecture
import pytest
from architecture import LAYERS, ROOT, floor_of, imports_of, modules, package_of

import style_core


@pytest.mark.slow
def test_the_core_runs_without_gradio():
    code = "import sys; sys.modules['gradio'] = None; import style_core, style_core.cli.main; print(sorted(style_core.RECIPES))"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "optimize" in said.stdout


def test_every_package_has_a_layer():
    assert {package for _, package, _ in modules()} == {package for layer in LAYERS for package in layer} | {"style_core"}


@pytest.mark.parametrize(("module", "package", "path"), [pytest.param(*found, id=found[0]) for found in modules()])
def test_imports_only_point_down(module, package, path):
    for name in imports_of(path):
        other = package_of(name)
        assert other == package or floor_of(other) < floor_of(package), f"{module} imports {name}, which is not in a lower layer"


def test_nothing_but_training_imports_training():
    for module, package, path in modules():
        assert package == "training" or "training" not in map(package_of, imports_of(path)), module


def test_the_studio_knows_no_tensors():
    for path in (ROOT / "studio").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", "") or ""]
            assert "torch" not in {name.partition(".")[0] for name in names}, path.name


def test_the_map_in_the_architecture_document_is_current():
    text = architecture.MAP.read_text()
    assert architecture.with_map(text) == text, "draw it again with `make map`"
    assert len(re.findall(r"^    (\w+(?:; \w+)*)$", text, re.M)) <= 20


_MAIN = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"]
_OTHERS = sorted(str(path.relative_to(ROOT)) for folder in ("models", "benchmarks") for path in (ROOT / folder).glob("*.md"))


@pytest.mark.parametrize("document", [*_MAIN, *_OTHERS])
def test_files_that_a_document_names_exist(document):
    text = (ROOT / document).read_text()
    named = re.findall(r"`((?:style_core|studio|models|tests|benchmarks|deploy|docs)/[\w./-]*)`", text)
    assert named or document in _OTHERS
    assert [path for path in named if not re.search("NAME|CODE", path) and not (ROOT / path).exists()] == []
    linked = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    assert [path for path in linked if not (ROOT / document).parent.joinpath(path).exists()] == []


def test_the_public_names_are_exactly_those_in_all():
    tree = ast.parse((ROOT / "style_core" / "__init__.py").read_text())
    imported = {alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported == set(style_core.__all__)
    assert len(style_core.__all__) == len(set(style_core.__all__))
    assert all(hasattr(style_core, name) for name in style_core.__all__)
    for recipe in style_core.RECIPES.values():
        own = {recipe.name, recipe.options.__name__}
        assert not own & imported or own <= imported, "a recipe and its options are public together"


def test_sentences_are_templates_and_not_formatted_beforehand():
    """A translation is looked up by its template, which an f-string would have filled in already."""
    checked = 0
    for path in (ROOT / "style_core").rglob("*.py"):
        if {"cli", "training", "rendering"} & set(path.parts):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Message", "RequestError", "WeightsError", "HubError"):
                checked += 1
                assert not node.args or not isinstance(node.args[0], ast.JoinedStr), f"{path.name}, line {node.lineno}"
    assert checked > 100


def test_no_weights_are_pickled():
    assert not [path for suffix in ("pt", "pth", "pkl", "bin") for path in (ROOT / "models").rglob(f"*.{suffix}")]


def test_texts_are_read_and_written_as_utf_8_whatever_the_machine_s_language():
    found = []
    for path in [ROOT / "app.py", *(path for folder in ("studio", "style_core", "deploy") for path in (ROOT / folder).rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("read_text", "write_text"):
                found.append((path.name, node.lineno, {word.arg for word in node.keywords}))
    assert found and not [(name, line) for name, line, words in found if "encoding" not in words]
