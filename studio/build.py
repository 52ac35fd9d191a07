"""The page: header, tabs, footer."""

from pathlib import Path

import gradio as gr

from studio import tab_about, tab_dream, tab_optimize, words
from style_core import Compute

_SAMPLES = Path(__file__).parent / "samples"
_FILES_SWEPT, _FILES_KEPT = 600, 3 * 3600      # seconds


def build(compute: Compute) -> gr.Blocks:
    """The whole studio, computing where `compute` says."""
    samples = {"content": str(_SAMPLES / "landscape.jpg"), "style": str(_SAMPLES / "night-wind.jpg")}
    with gr.Blocks(title=words.TITLE, delete_cache=(_FILES_SWEPT, _FILES_KEPT), analytics_enabled=False) as page:
        with gr.Row(elem_id="header"):
            gr.Markdown(f"# {words.TITLE}\n{words.TAGLINE}")
        with gr.Tabs():
            with gr.Tab(words.PAINT_TAB, id="paint"):
                tab_optimize.build(compute, samples)
            with gr.Tab(words.DREAM_TAB, id="dream"):
                tab_dream.build(compute, samples)
            with gr.Tab(words.ABOUT_TAB, id="about"):
                tab_about.build(page, compute)
    return page
