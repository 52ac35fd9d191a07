"""The app as programs see it: the README's scripts, as they stand there, against the running app."""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from gradio_client import Client
from networks import picture

from style_core import RECIPES, read_image, write_image

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = re.findall(r"```python\n(# (\w+).*?)```", (ROOT / "README.md").read_text(), re.S)


@pytest.mark.parametrize(("script", "name"), SCRIPTS, ids=[name for _, name in SCRIPTS])
def test_the_readme_s_script_does_what_it_says(script, name, address, tmp_path):
    write_image(tmp_path / "photo.jpg", picture(120, 160, seed=1))
    write_image(tmp_path / "painting.jpg", picture(100, 100, seed=2))
    script = script.replace("http://127.0.0.1:7860", address)
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    said = done.stdout.strip().splitlines()[-1]
    if name == "imagine":
        for url in re.findall(r"http://[^']+", said):
            with urllib.request.urlopen(url) as file:
                assert read_image(file.read()).shape == (3, 256, 256)
        assert said.startswith("Pictures made: 2")
    else:
        assert max(read_image(said).shape) in (160, 256, 512)


def test_all_four_recipes_have_a_script():
    assert [name for _, name in SCRIPTS] == ["stylize", "optimize", "dream", "imagine"]


def test_only_the_recipes_are_on_the_api_page_and_their_parameters_are_explained(address):
    named = Client(address, verbose=False).view_api(return_format="dict")["named_endpoints"]
    assert set(named) == {"/stylize", "/optimize", "/dream", "/imagine"}
    with urllib.request.urlopen(f"{address}/gradio_api/info") as info:
        told = json.dumps(json.load(info))
    for recipe in RECIPES.values():
        for field in recipe.options.fields():
            assert json.dumps(field.help)[1:-1].rstrip(".") in told, f"{recipe.name}: {field.name}"


def test_the_api_page_speaks_in_words_and_of_no_pictures_but_the_programs_own(address):
    named = Client(address, verbose=False).view_api(return_format="dict")["named_endpoints"]
    for name, endpoint in named.items():
        assert "bus.png" not in json.dumps(endpoint) and "<p>" not in json.dumps(endpoint), name
        assert "Status" in [result["label"] for result in endpoint["returns"]]
        for result in endpoint["returns"]:
            assert re.fullmatch(r"[A-Z][a-z]+( [a-z]+)*", result["label"]), f"{name}: {result['label']}"
        for parameter in endpoint["parameters"]:
            assert parameter["python_type"]["description"], f"{name}: {parameter['parameter_name']}"
    content = named["/stylize"]["parameters"][0]
    assert content["example_input"]["path"] == "photo.jpg" and not content["parameter_has_default"]


def test_programs_get_the_same_error_messages(address):
    with pytest.raises(Exception, match="There is no layer relu9_9"):
        Client(address, verbose=False).predict(
            image=None, guide=None, where=None, start="noise", layer="relu9_9", size=96, api_name="/dream"
        )
