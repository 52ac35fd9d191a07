"""Looks: a quiet canvas-and-ink theme from fonts that ship with Gradio."""

import gradio as gr
from gradio.themes import Base, colors, sizes

# Rules of a media query reach only what is inside the page's column, so those of the page itself do without.
CSS = """
.gradio-container { width: 100% !important; max-width: min(1400px, 100vw) !important; margin: 0 auto !important; overflow: clip !important; }
.main.app { max-width: 100vw !important; padding: clamp(0.5rem, 2vw, 2rem) !important; }
#header { align-items: baseline; gap: 0.75rem; }
#header h1 { font-size: 1.7rem; letter-spacing: -0.02em; margin: 0; }
#header > * { flex: 0 0 auto !important; width: auto !important; min-width: 0 !important; }
#history-strip .grid-container { grid-template-columns: repeat(auto-fill, 120px) !important; }
#history-strip .thumbnail-item { width: 120px; height: 110px; }
.quiet, .quiet p { color: var(--body-text-color-subdued); font-size: 0.92rem; }
button[role=tab][aria-selected=true] { color: var(--primary-700) !important; }
.dark button[role=tab][aria-selected=true] { color: var(--primary-400) !important; }
.notice p { color: var(--error-text-color); font-weight: 600; margin: 0.15rem 0 0; }
.status p { font-variant-numeric: tabular-nums; margin: 0.2rem 0; }
#stylize-gallery .caption-label { font-size: 0.68rem; padding: 1px 5px; max-width: calc(100% - 8px); left: 4px; bottom: 4px; }
footer { opacity: 0.85; }
@media (max-width: 640px) {
  #stylize-gallery .grid-container { grid-template-columns: repeat(3, 1fr) !important; }
  /* On a phone the picture stays in sight above the gallery and the sliders that change it. */
  #stylize-result { display: contents; }
  #stylize-result > * { flex: 0 0 100%; }
  #stylize-slider { order: -1; position: sticky; top: 0; z-index: 20; }
}
"""

# Ctrl+Enter runs the visible tab, Esc stops it. A slider that keys have moved is let go of as one that was dragged, which
# Gradio takes no notice of by itself.
JS = """() => {
  document.addEventListener('keydown', (event) => {
    const visible = (selector) => [...document.querySelectorAll(selector)].find((node) => node.offsetParent !== null);
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) visible('.run-button')?.click();
    if (event.key === 'Escape') visible('.stop-button')?.click();
  });
  document.addEventListener('keyup', ({ target, key }) => {
    if (target.matches?.('input[type=range]') && /^(Arrow|Page|Home|End)/.test(key)) {
      target.dispatchEvent(new PointerEvent('pointerup', { bubbles: true }));
    }
  });
}"""


def theme() -> Base:
    return gr.themes.Soft(primary_hue=colors.amber, neutral_hue=colors.stone, radius_size=sizes.radius_md).set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_100",
        block_title_background_fill="none",
        block_title_background_fill_dark="none",
        block_title_padding="0",
        block_label_text_color="*neutral_800",
        block_label_text_color_dark="*neutral_100",
        block_label_background_fill="*neutral_100",
        block_label_background_fill_dark="*neutral_800",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        slider_color="*primary_700",
        slider_color_dark="*primary_600",
        checkbox_label_background_fill_selected="*primary_700",
        checkbox_label_background_fill_selected_dark="*primary_700",
        checkbox_label_text_color_selected="white",
    )
