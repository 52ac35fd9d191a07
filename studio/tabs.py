"""What the tabs hand to the page, which connects them to each other, to the drawer and to the browser's storage."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import gradio as gr
from gradio.events import Dependency

from studio.controls import Field, Uses
from studio.tiles import Tiles


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where results come from: a tab, or the drawer.

    Attributes:
        result: path of the last result; None before.
        uses: buttons that send it to other tabs.
    """

    result: gr.State
    uses: Uses


@dataclass(frozen=True, kw_only=True)
class RecipeTab(Source):
    """A recipe's tab.

    Attributes:
        content: the input of the photo, or of the picture that is varied.
        option_controls: the controls that a picture's settings fill, by option; with a gallery also its tiles, as `gallery`.
        kept: what the visitor's browser keeps, by option or by a name of its own.
        forecast: shows the forecast after one more event.
    """

    content: gr.Image
    option_controls: Mapping[str, Field]
    kept: Mapping[str, Field]
    forecast: Callable[[Callable], None]


@dataclass(frozen=True, kw_only=True)
class JobTab(RecipeTab):
    """The tab of a recipe that runs as a job, which shows itself on `outputs`."""

    outputs: list


@dataclass(frozen=True, kw_only=True)
class StylizeTab(RecipeTab):
    """The tab "Stylize".

    Attributes:
        style, use_own, gallery, mix: the visitor's painting, whether it is used, the gallery's styles, and the balance of the two.
        examples: example photos.
        download: the button that holds the result.
        refine: the button that sends the result to Paint.
        painting: whether a picture is being painted.
        drawn: key of the request that is shown.
        picked: the event that sets what was chosen in the compare grid.
        follow_style: chooses the painting that an event has set, and paints.
        follow_settings: paints after an event that has set something.
        once_restored: paints after the event that has restored a page, if no other event of it does.
        restored: updates for what depends on the values, by name, that a page restores.
    """

    style: gr.Image
    use_own: gr.Checkbox
    gallery: Tiles
    mix: gr.Slider
    examples: Tiles
    download: gr.DownloadButton
    refine: gr.Button
    painting: gr.State
    drawn: gr.State
    picked: Dependency
    follow_style: Callable[[Callable], None]
    follow_settings: Callable[[Dependency], None]
    once_restored: Callable[[Callable], object]
    restored: Callable[[dict], dict]


@dataclass(frozen=True, kw_only=True)
class PaintTab(JobTab):
    """The tab "Paint".

    Attributes:
        style: the painting.
        example: the event that sets it to an example.
        start: the picture to start from.
        handed_start: its path, if a button gave it.
        status: one line of words.
        follow: starts a run after an event.
    """

    style: gr.Image
    example: Dependency
    start: gr.Image
    handed_start: gr.State
    status: gr.Markdown
    follow: Callable[[Callable], None]


@dataclass(frozen=True, kw_only=True)
class FilmTab(Source):
    """The tab "Video": its source is the camera, and `outputs` are those of a clip's job."""

    outputs: list
