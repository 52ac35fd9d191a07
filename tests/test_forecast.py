"""Forecasts beside the options: what they depend on, and recipes of any kind."""

from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest
from loops import in_a_loop
from networks import FP32, picture

from studio.controls import controls_of
from studio.forecast import Forecast
from style_core import RECIPES, OptimizeOptions, write_image

ENGLISH = SimpleNamespace(headers={"accept-language": "en"})


@pytest.fixture
def photo(tmp_path) -> str:
    write_image(tmp_path / "photo.png", picture(480, 640))
    return str(tmp_path / "photo.png")


def wired(recipe: str) -> tuple[Forecast, set, set]:
    """A recipe's forecast, the components that it is computed from, and the recipe's controls."""

    async def built():  # in a loop: Gradio makes one of its own, and leaves it open, where there is none
        with gr.Blocks() as page:
            shown, controls = Forecast.build(recipe, recipe), controls_of(RECIPES[recipe].options)
            shown.wire(FP32, controls, gr.State(None))
        (event,) = (event for event in page.fns.values() if shown.place in event.outputs)
        return shown, set(event.inputs), set(controls.values())

    return in_a_loop(built())


def forecast_of(options: OptimizeOptions, photo: str) -> str:
    """What the page shows beside these options."""
    return Forecast("optimize", None)._sentence(FP32, photo, False, options.as_dict(), ENGLISH)


@pytest.mark.parametrize("changed", [{"preset": "portrait"}, {"style_loss": "transport"}, {"optimizer": "adam"}, {"dream": "relu5_4"}])
def test_a_forecast_knows_every_option_that_decides_memory_or_time(photo, changed):
    options = OptimizeOptions(size=2048, extractor="lite")
    plain, other = (forecast_of(each, photo) for each in (options, replace(options, **changed)))
    assert "Takes about" in plain and "Takes about" in other and plain != other


def test_what_does_not_fit_is_said_before_the_run(photo, monkeypatch):
    monkeypatch.setattr("style_core.recipes.memory_plan.budget", lambda compute: 4e9)
    options = OptimizeOptions(size=2048, extractor="lite")
    assert "Takes about" in forecast_of(options, photo)
    assert "choose a size of at most" in forecast_of(replace(options, preset="portrait"), photo)


def test_a_layer_half_typed_is_said_and_an_option_out_of_range_is_left_to_its_control(photo):
    assert forecast_of(replace(OptimizeOptions(), style_layers="relu"), photo).startswith("⚠ There is no layer relu")
    shown = Forecast("optimize", None)
    assert shown._sentence(FP32, photo, False, OptimizeOptions().as_dict() | {"learning_rate": None}, ENGLISH) == ""


def test_a_forecast_takes_every_option_of_a_recipe_old_or_new(monkeypatch):
    monkeypatch.setitem(RECIPES, "new", replace(RECIPES["imagine"], name="new", cost=None))
    for name in ("optimize", "new"):
        shown, inputs, controls = wired(name)
        assert controls < inputs
    assert shown._sentence(FP32, None, False, RECIPES["new"].options().as_dict(), ENGLISH) == "", "one without a cost has none"
