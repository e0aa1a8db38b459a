"""The frame of the page, as high as the window: the header with the tabs, and the panes of the tab where pictures are
made. Everything else is drawn into these places.

txt2img, img2img and Inpaint are three tabs over one panel: the latter two are empty, and `static/tabs.js` shows the
panel of the first in their place.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import gradio as gr

from webui.ui.own import own

TabName = Literal[
    "txt2img", "img2img", "inpaint", "extras", "image_browser", "modelmerger", "pnginfo", "train", "extensions",
    "settings",
]  # fmt: skip
TITLES = MappingProxyType(
    {
        "txt2img": "txt2img",
        "img2img": "img2img",
        "inpaint": "Inpaint",
        "extras": "Upscale",
        "image_browser": "Library",
        "modelmerger": "Models",
        "pnginfo": "Learn",
        "train": "Train",
        "extensions": "Extensions",
        "settings": "Settings",
    }
)


@dataclass(frozen=True, slots=True)
class Panes:
    """The places of the tab where pictures are made. Each may be entered (`with panes.dock:`) any number of times.

    Attributes:
        settings: the left pane, which scrolls by itself; a sheet from below on a phone.
        stage: where the picture is; it takes what the others leave.
        dock: below the stage, as high as its contents.
        strip: the right pane; a film below the stage on a phone.
    """

    settings: gr.Column
    stage: gr.Column
    dock: gr.Column
    strip: gr.Column


def header() -> gr.HTML:
    """Draw the brand and the buttons at the right end of the header; the tabs lie between them."""
    return own("header", elem_id="header")


def tabs() -> gr.Tabs:
    """The list of tabs. They never go into a menu, where they would lose their role and their ids."""
    return gr.Tabs(selected="txt2img", elem_id="tabs", overflow_behavior="wrap")


def tab(name: TabName) -> gr.Tab:
    """One tab of the list, to be entered inside it."""
    return gr.Tab(TITLES[name], id=name, elem_id=f"tab_{name}", elem_classes="panel")


def panes(form: str = "txt2img") -> Panes:
    """Draw the panes inside the caller's tab.

    Args:
        form: begins the element ids.
    """
    lone = form == "txt2img"
    with gr.Row(elem_id="create" if lone else f"{form}_create", elem_classes="panes"):
        settings = gr.Column(elem_id=f"{form}_settings", elem_classes="pane-settings", min_width=0, scale=0)
        with gr.Column(elem_id=f"{form}_results", elem_classes="pane-middle", min_width=0):
            stage = gr.Column(elem_id="stage" if lone else f"{form}_stage", elem_classes="pane-stage", min_width=0)
            dock = gr.Column(elem_id="dock" if lone else f"{form}_dock", elem_classes="pane-dock", min_width=0, scale=0)
        strip = gr.Column(elem_id="strip" if lone else f"{form}_strip", elem_classes="pane-strip", min_width=0, scale=0)
    return Panes(settings, stage, dock, strip)
