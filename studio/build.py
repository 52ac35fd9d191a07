"""The page: header, tabs, footer."""

from pathlib import Path

import gradio as gr

from studio import history, tab_about, tab_dream, tab_film, tab_imagine, tab_optimize, tab_stylize, words
from studio.guard import GuardedBlocks
from style_core import Compute

_SAMPLES = Path(__file__).parent / "samples"
# Each recipe's tab.
_TABS = {"stylize": "stylize", "optimize": "paint", "dream": "dream", "imagine": "imagine"}
_FILES_SWEPT, _FILES_KEPT = 600, 3 * 3600  # seconds


def build(compute: Compute) -> gr.Blocks:
    """The whole studio, computing where `compute` says."""
    samples = {"content": str(_SAMPLES / "landscape.jpg"), "style": str(_SAMPLES / "night-wind.jpg")}
    with GuardedBlocks(title="Pentimento", delete_cache=(_FILES_SWEPT, _FILES_KEPT), analytics_enabled=False) as page:
        with gr.Row(elem_id="header"):
            gr.Markdown("# Pentimento")
            gr.Markdown(words.TAGLINE)
        with gr.Tabs() as tabs:
            with gr.Tab(words.STYLIZE_TAB, id="stylize"):
                quick = tab_stylize.build(compute, samples)
            with gr.Tab(words.PAINT_TAB, id="paint"):
                fine = tab_optimize.build(compute, samples)
            with gr.Tab(words.DREAM_TAB, id="dream"):
                dreaming = tab_dream.build(compute, samples)
            with gr.Tab(words.IMAGINE_TAB, id="imagine"):
                imagining = tab_imagine.build(compute)
            with gr.Tab(words.FILM_TAB, id="film"):
                tab_film.build(compute)
            with gr.Tab(words.ABOUT_TAB, id="about"):
                tab_about.build(page, compute)
        strip = history.build()
        parts = {"stylize": quick, "paint": fine, "dream": dreaming, "imagine": imagining}
        _refine(tabs, quick, fine)
        _join(tabs, parts, [*parts.values(), strip])
        recipes = {name: (tab, parts[tab]["option_controls"]) for name, tab in _TABS.items()}
        history.wire(page, tabs, strip, parts, recipes)
    return page


def _refine(tabs: gr.Tabs, quick: dict, fine: dict) -> None:
    """Hand a Stylize result to Paint, to start from; a gallery style has no picture, so its result stands for it."""

    def refine(content, style, result):
        return content, style or result, result, words.REFINING, gr.update(selected="paint")

    quick["refine"].click(
        refine, [quick["content"], quick["style"], quick["result"]],
        [fine["content"], fine["style"], fine["init"], fine["status"], tabs], queue=False, api_visibility="private",
    )  # fmt: skip


def _join(tabs: gr.Tabs, parts: dict[str, dict], sources: list[dict]) -> None:
    """Let every result, a tab's or the strip's, become a photo or a painting in the tabs with one click."""
    for part in sources:
        for (tab, role), button in part["uses"].items():
            button.click(
                lambda result, tab=tab: _handed(result, tab), part["result"], [parts[tab][role], tabs], show_progress="hidden",
                api_visibility="private",
            )  # fmt: skip


def _handed(result: str | None, tab: str) -> tuple:
    if result is None:
        gr.Info(words.NO_RESULT)
        return gr.skip(), gr.skip()
    return result, gr.update(selected=tab)
