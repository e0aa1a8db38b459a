"""Gradio's theme, which has no colours of its own: each of its variables names a token of `static/tokens.css`.

Both of Gradio's modes get the same names, so that one attribute of `<html>` (`data-theme`) switches all colours and
Gradio's own class `dark` changes none.
"""

from types import MappingProxyType

import gradio as gr

# A text with spaces names several variables. A token must not be called `--bg`, because Gradio's page defines that one.
COLOURS = MappingProxyType(
    {
        "var(--ground)": "body_background_fill",
        "var(--pane)": "background_fill_primary",
        "var(--raised)": "background_fill_secondary error_background_fill button_secondary_background_fill "
        "button_cancel_background_fill",
        "var(--hover)": "button_secondary_background_fill_hover button_cancel_background_fill_hover",
        "var(--field)": "input_background_fill input_background_fill_focus input_background_fill_hover "
        "checkbox_background_color checkbox_background_color_focus checkbox_background_color_hover "
        "code_background_fill",
        "var(--field-line)": "input_border_color",
        "var(--line)": "border_color_primary border_color_accent_subdued table_border_color",
        "var(--line-2)": "input_border_color_hover checkbox_border_color",
        "var(--text)": "body_text_color button_secondary_text_color button_secondary_text_color_hover "
        "button_cancel_text_color button_cancel_text_color_hover checkbox_label_text_color "
        "checkbox_label_text_color_selected accordion_text_color table_text_color",
        "var(--text-2)": "body_text_color_subdued block_label_text_color block_title_text_color block_info_text_color",
        "var(--text-3)": "input_placeholder_color checkbox_border_color_hover",
        "var(--accent)": "border_color_accent color_accent input_border_color_focus slider_color loader_color "
        "stat_background_fill checkbox_background_color_selected checkbox_border_color_focus "
        "checkbox_border_color_selected button_primary_background_fill",
        "var(--accent-hover)": "button_primary_background_fill_hover",
        "var(--accent-soft)": "color_accent_soft table_row_focus",
        "var(--accent-text)": "link_text_color link_text_color_hover link_text_color_active link_text_color_visited",
        "var(--on-accent)": "button_primary_text_color button_primary_text_color_hover",
        "var(--bad)": "error_border_color error_text_color error_icon_color",
        "transparent": "block_background_fill block_border_color block_label_background_fill block_label_border_color "
        "block_title_background_fill block_title_border_color panel_background_fill panel_border_color "
        "button_primary_border_color button_primary_border_color_hover button_secondary_border_color "
        "button_secondary_border_color_hover button_cancel_border_color button_cancel_border_color_hover "
        "checkbox_label_background_fill checkbox_label_background_fill_hover checkbox_label_background_fill_selected "
        "checkbox_label_border_color checkbox_label_border_color_hover checkbox_label_border_color_selected "
        "table_even_background_fill table_odd_background_fill",
        "none": "block_shadow block_label_shadow input_shadow input_shadow_focus checkbox_shadow checkbox_label_shadow "
        "checkbox_label_shadow_hover checkbox_label_shadow_active button_primary_shadow button_primary_shadow_hover "
        "button_primary_shadow_active button_secondary_shadow button_secondary_shadow_hover "
        "button_secondary_shadow_active button_cancel_shadow button_cancel_shadow_hover button_cancel_shadow_active",
        "0px": "block_border_width block_label_border_width block_title_border_width panel_border_width "
        "checkbox_label_border_width button_border_width shadow_spread",
        "1px": "input_border_width checkbox_border_width error_border_width",
    }
)
SIZES = MappingProxyType(
    {
        "shadow_drop": "none",
        "shadow_drop_lg": "var(--shadow)",
        "shadow_inset": "none",
        "block_padding": "0",
        "block_radius": "0",
        "block_info_text_size": "12px",
        "block_label_text_size": "12px",
        "block_title_text_size": "12px",
        "block_title_text_weight": "500",
        "block_label_text_weight": "500",
        "checkbox_border_radius": "4px",
        "checkbox_label_text_size": "13px",
        "checkbox_label_padding": "0",
        "input_padding": "6px 9px",
        "input_radius": "var(--radius)",
        "input_text_size": "13px",
        "layout_gap": "12px",
        "body_text_size": "13px",
        "button_large_radius": "var(--radius)",
        "button_medium_radius": "var(--radius)",
        "button_small_radius": "var(--radius)",
        "button_large_text_weight": "500",
        "button_medium_text_weight": "500",
        "button_small_text_weight": "500",
        "button_large_text_size": "13px",
        "button_medium_text_size": "13px",
        "button_small_text_size": "12.5px",
        "button_transition": "background var(--quick), color var(--quick)",
        "checkbox_check": "var(--check)",
        "radio_circle": "var(--dot)",
    }
)
FONTS = ("Inter", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO_FONTS = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """The look. Only our own font and those of the machine: nothing is fetched from elsewhere."""
    look = gr.themes.Base(
        spacing_size=gr.themes.sizes.spacing_sm,
        radius_size=gr.themes.sizes.radius_sm,
        text_size=gr.themes.sizes.text_sm,
        font=FONTS,
        font_mono=MONO_FONTS,
    )
    named = {name: value for value, names in COLOURS.items() for name in names.split()}
    both = {f"{name}_dark": value for name, value in named.items() if hasattr(look, f"{name}_dark")}
    made: gr.themes.Base = look.set(**named, **both, **SIZES)
    return made
