"""The tab Learn: what pictures tell of themselves, and in what two of them differ.

The scripts ask the routes of `webui/api/page/library.py`; what is dropped here is kept nowhere.
"""

import gradio as gr

from webui.ui.own import own


def draw() -> None:
    """Draw its pages inside the caller's list of sub-tabs."""
    with gr.Tab("PNG Info", id="png_info", elem_id="learn_png_info"):
        own("pnginfo", elem_id="pnginfo")
    with gr.Tab("Compare", id="compare_pictures", elem_id="learn_compare"):
        own("compare_pictures", elem_id="compare_pictures")
