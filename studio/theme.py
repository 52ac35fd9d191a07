"""The design tokens of docs/design.md as a Gradio theme; details are in assets/studio.css."""

import re
from pathlib import Path

from gradio.themes import Base, colors, sizes
from gradio.themes.utils.fonts import Font, LocalFont

_ASSETS = Path(__file__).parent / "assets"
CSS = (_ASSETS / "studio.css").read_text(encoding="utf-8")
JS = (_ASSETS / "studio.js").read_text(encoding="utf-8")
# The early page has the tokens of the style sheet, which is not there yet.
_LIGHT, _DARK = re.findall(r"color-scheme: \w+;(.*?)\}", CSS, re.DOTALL)
EARLY = (_ASSETS / "early.html").read_text(encoding="utf-8").replace("LIGHT", _LIGHT).replace("DARK", _DARK)
ICON = str(_ASSETS / "icon.png")

# One of the few complete families in Gradio's package: its regular "Montserrat" is really Montserrat Alternates, which doesn't match
# the bold, and "Source Sans 3" lacks most of the alphabet.
_FONT: list[Font | str] = [LocalFont("Source Sans Pro", weights=(400, 700)), "ui-sans-serif", "system-ui", "sans-serif"]
_MONO: list[Font | str] = [LocalFont("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "monospace"]

# Theme names by token. Both modes use the variables of studio.css.
_SET = {
    "var(--pm-paper)": ("body_background_fill",),
    "var(--pm-card)": (
        "block_background_fill",
        "panel_background_fill",
        "input_background_fill",
        "input_background_fill_focus",
        "input_background_fill_hover",
        "button_secondary_background_fill",
        "checkbox_label_background_fill",
        "checkbox_background_color",
        "background_fill_primary",
        "block_label_background_fill",
    ),
    "var(--pm-sunken)": (
        "button_secondary_background_fill_hover",
        "checkbox_label_background_fill_hover",
        "background_fill_secondary",
        "table_even_background_fill",
    ),
    "var(--pm-ink)": (
        "body_text_color",
        "block_title_text_color",
        "block_label_text_color",
        "button_secondary_text_color",
        "button_secondary_text_color_hover",
        "checkbox_label_text_color",
        "accordion_text_color",
    ),
    "var(--pm-muted)": ("body_text_color_subdued", "block_info_text_color", "input_placeholder_color"),
    "var(--pm-line)": (
        "border_color_primary",
        "block_border_color",
        "input_border_color",
        "button_secondary_border_color",
        "button_secondary_border_color_hover",
        "checkbox_label_border_color",
        "checkbox_border_color",
        "panel_border_color",
    ),
    "var(--pm-accent)": (
        "button_primary_background_fill",
        "button_primary_border_color",
        "slider_color",
        "checkbox_background_color_selected",
        "checkbox_border_color_selected",
        "checkbox_label_background_fill_selected",
        "color_accent",
        "loader_color",
    ),
    "var(--pm-accent-hover)": ("button_primary_background_fill_hover", "button_primary_border_color_hover"),
    "var(--pm-on-accent)": ("button_primary_text_color", "button_primary_text_color_hover", "checkbox_label_text_color_selected"),
    "var(--pm-accent-text)": ("link_text_color", "link_text_color_hover", "link_text_color_active", "link_text_color_visited"),
    "var(--pm-focus)": ("input_border_color_focus",),
}


def theme() -> Base:
    """The studio's theme, light and dark."""
    theme = Base(
        primary_hue=colors.orange,
        neutral_hue=colors.stone,
        radius_size=sizes.radius_md,
        spacing_size=sizes.spacing_md,
        text_size=sizes.text_md,
        font=_FONT,
        font_mono=_MONO,
    )
    known = {name for name in dir(theme) if not name.startswith("__")}
    values = {}
    for token, names in _SET.items():
        for name in names:
            values[name] = token
            if f"{name}_dark" in known:
                values[f"{name}_dark"] = token
    return theme.set(
        **values,
        block_title_background_fill="none",
        block_title_background_fill_dark="none",
        block_title_padding="0",
        block_title_text_weight="600",
        button_border_width="1px",
        button_border_width_dark="1px",
        block_border_width="1px",
        block_border_width_dark="1px",
        input_border_width="1px",
        input_border_width_dark="1px",
        block_shadow="none",
        block_radius="12px",
        button_large_radius="8px",
        button_small_radius="8px",
        button_medium_radius="8px",
        block_label_text_weight="600",
        button_large_text_weight="600",
        block_info_text_size="13px",
    )
