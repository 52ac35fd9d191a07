"""Forecasts: beside the size of every recipe, how long its run will take on this machine, and how much memory."""

from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr

from studio import gpu, i18n
from studio.controls import Controls, Field
from studio.events import IMMEDIATE, LAST, apart
from style_core import Compute, RequestError
from style_core.media.images import size_of
from style_core.recipes.estimate import estimate, larger_than_photo
from style_core.recipes.run_history import Estimate
from style_core.recipes.table import RECIPES
from style_core.weights import registry as weights

# Waits for a number that is being typed to be one that its control accepts; when the visitor leaves the field, Gradio makes it one.
_TYPED = """async () => {
    const typing = (field) => field?.type === "number" && (!field.value || field.validity.rangeUnderflow || field.validity.rangeOverflow);
    while (typing(document.activeElement)) await new Promise((later) => setTimeout(later, 200));
}"""


@dataclass(frozen=True)
class Forecast:
    """A place for a recipe's forecast.

    Attributes:
        recipe: its name.
        place: shows the forecast.
    """

    recipe: str
    place: gr.Markdown

    @classmethod
    def build(cls, recipe: str, run_id: str) -> "Forecast":
        return cls(recipe, gr.Markdown(elem_classes="quiet", elem_id=f"{run_id}-forecast"))

    def wire(
        self, compute: Compute, option_controls: Controls, photo: gr.State | None = None, start: Field | None = None
    ) -> Callable[[Callable], None]:
        """Show the forecast, and show it anew whenever an option, the photo or the start changes.

        Most options decide time or memory, some through others. An estimate takes milliseconds, and a page asks for one at a time.

        Args:
            option_controls: of all options of the recipe.
            photo: path of the photo; None for a recipe without one.
            start: a picture to start from; None for a recipe without one.
        Returns:
            A function that adds another event after which to show it.
        """
        pictures = [photo or gr.State(None), start or gr.State(None)]

        def show(path, start_path, request: gr.Request, **given) -> str:
            return self._sentence(compute, path, start_path is not None, given, request)

        def after(*events: Callable) -> None:
            apart(events, _TYPED)(show, pictures, self.place, inputs_kwargs=option_controls, **LAST, **IMMEDIATE)

        changes = [one.change for one in (photo, *option_controls.values()) if one is not None]
        if start is not None:
            changes.append(start.change if isinstance(start, gr.Image) else start.input)
        after(*changes)
        return after

    def _sentence(self, compute: Compute, path: str | None, started: bool, given: dict, request: gr.Request) -> str:
        """Time and memory, or a size that fits if there is too little memory.

        On a lent GPU there is no forecast, because measuring its speed would take some of the visitor's time. Nor is there one for a
        recipe without a cost.
        """
        recipe = RECIPES[self.recipe]
        if recipe.cost is None or gpu.is_lent() or path is None and any(not taken.endswith("?") for taken in recipe.takes):
            return ""
        try:
            options = recipe.options.make(**given)
            photo = None if path is None else size_of(path)
        except RequestError:
            return ""  # already reported next to the picture or by the run
        network = network_of_auto() if given.get("extractor") == "auto" else "lite"
        try:
            needed = gpu.call(estimate, options, photo, compute, extractor=network, started=started)
        except RequestError as error:
            return "⚠ " + i18n.translate(str(error), request)
        said = sentence_of(needed, request)
        larger = "" if photo is None else larger_than_photo(options, photo)
        return f"{said} {i18n.translate(larger, request)}" if larger else said


def network_of_auto() -> str:
    """The feature network that the choice `auto` uses without a download."""
    return "vgg19" if weights.find("vgg19", ["relu5_1"]) else "lite"


def sentence_of(needed: Estimate, request: gr.Request) -> str:
    """Time and memory in words."""
    return i18n.say("ESTIMATE", request, seconds=i18n.duration(needed.seconds), gigabytes=needed.bytes / 1e9)
