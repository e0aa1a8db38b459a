"""Which scripts and styles are fetched when a tab is opened, as the page's own components stand in its tabs.

A component in the first tab, or in none, is there from the start, and so is all that its script imports. What must hear
messages or keys before its tab is opened belongs into a module that `static/page.js` imports.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import gradio as gr

from webui.ui.joining import LateTab
from webui.ui.own import script_of

FIRST = "txt2img"
STYLES_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(  # those that nothing outside of the tab needs
    {"pnginfo": ("learn_noise.css", "learn_run.css", "learn_tour.css"), "train": ("train.css",)}
)


def late_tabs(page: gr.Blocks) -> Mapping[str, LateTab]:
    """The tabs of a page that need files of their own, by their names (`pnginfo`)."""
    scripts: dict[str, dict[str, None]] = {}
    at_start: set[str] = set()
    for block in page.blocks.values():
        script = script_of(block)
        if not script:
            continue
        tab = _tab_of(block)
        if tab in ("", FIRST):
            at_start.add(script)
        else:
            scripts.setdefault(tab, {})[script] = None
    found = {tab: tuple(script for script in names if script not in at_start) for tab, names in scripts.items()}
    return MappingProxyType({tab: LateTab(names, STYLES_OF.get(tab, ())) for tab, names in found.items() if names})


def _tab_of(block: Any) -> str:
    """The name of the outermost tab around a block; "" where there is none."""
    found = ""
    while (block := getattr(block, "parent", None)) is not None:
        if isinstance(block, gr.Tab):
            found = str(block.elem_id or "").removeprefix("tab_")
    return found
