"""What the app's handlers make is made again, bit for bit, by the shell from the settings inside it."""

import inspect

import gradio as gr
import pytest
import torch
from loops import in_a_loop
from networks import picture
from PIL import Image, ImageDraw

from studio import painted_masks, tab_dream, tab_imagine, tab_optimize, tab_stylize
from style_core import RECIPES, Compute, read_image, read_settings, write_image
from style_core.cli.main import main

pytestmark = pytest.mark.app  # it builds the page's tabs


@pytest.fixture(scope="module")
def studio():
    """Handlers by recipe, and the components that hold results."""

    async def built():  # in a loop: Gradio makes one of its own, and leaves it open, where there is none
        compute = Compute.choose("cpu")
        with gr.Blocks() as blocks:
            photo = gr.State(None)
            parts = {
                "stylize": tab_stylize.build(compute, photo),
                "optimize": tab_optimize.build(compute, photo),
                "dream": tab_dream.build(compute, photo),
                "imagine": tab_imagine.build(compute),
            }
        return {fn.api_name: fn.fn for fn in blocks.fns.values()}, {name: part.result for name, part in parts.items()}

    return in_a_loop(built())


@pytest.fixture
def files(tmp_path) -> dict[str, str]:
    paths = {name: str(tmp_path / f"{name}.png") for name in ("photo", "painting", "other")}
    for seed, path in enumerate(paths.values()):
        write_image(path, picture(72, 96, seed=seed))
    return paths


def painted(color: int) -> dict:
    """Strokes over the left half of a photo, as the editor hands them over."""
    layer = Image.new("RGBA", (96, 72))
    ImageDraw.Draw(layer).rectangle((0, 0, 47, 71), fill=painted_masks.COLORS[color])
    return {"layers": [layer], "background": None, "composite": None}


def result_of(studio, name: str, *given, **more) -> str:
    handlers, results = studio
    options = {field.name: field.default for field in RECIPES[name].options.fields()}
    made = handlers[name](*given, **{**options, **more})

    async def followed() -> dict:
        shown: dict = {}
        if inspect.isasyncgen(made):
            async for update in made:
                shown |= update
        else:
            for update in made:
                shown |= update
        return shown

    return in_a_loop(followed())[results[name]]


def cases(files: dict[str, str]) -> list[tuple]:
    photo, painting, other = files["photo"], files["painting"], files["other"]
    lite = {"size": 64, "extractor": "lite"}
    return [
        ("stylize", (photo, painting), {"size": 96, "style_2": other, "weight_2": 0.3, "regions": painted(2)}),
        ("stylize", (photo, painting, "red-fuji", 0.3), {"size": 96, "style_2": other, "weight_2": 2.0, "color": "keep"}),
        ("stylize", (photo, painting, "red-fuji", 0.5), {"size": 96, "regions": painted(0)}),
        ("optimize", (photo, painting, None, other), {**lite, "iterations": 3, "weight": 1.0, "weight_2": 0.4, "regions": painted(1)}),
        ("optimize", (photo, painting, None), {**lite, "iterations": 3, "weight": 1.0, "init_image": other}),
        ("dream", (photo, None, other), {**lite, "octaves": 1, "iterations": 2, "where": painted(0)}),
        ("imagine", (), {"size": 128, "seed": 7, "count": 1}),
        ("imagine", (other,), {"size": 128, "seed": 7, "count": 2}),
    ]


def test_what_the_app_makes_comes_back_from_the_shell_bit_for_bit(studio, files, tmp_path, capsys):
    for name, given, more in cases(files):
        made, again = result_of(studio, name, *given, **more), str(tmp_path / "again.png")
        assert read_settings(made)["recipe"] == name
        assert main(["redo", made, "--inputs", *files.values(), "-o", again]) == 0, (name, more, capsys.readouterr().err)
        assert torch.equal(read_image(made), read_image(again)), (name, more)
