"""The cards under txt2img: LoRA, embeddings, hypernetworks and checkpoints, to be searched and put into the prompt.

This module draws the cards; searching and inserting happen in the browser (`cards.js`).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import gradio as gr
from gradio.components import Component

from webui.library.cards import Card, CardKind, cards
from webui.ui import markup
from webui.ui.events import bind

if TYPE_CHECKING:
    from webui.engine.engine import Engine

TABS: tuple[tuple[str, CardKind], ...] = (
    ("Lora", "lora"),
    ("Textual Inversion", "embedding"),
    ("Hypernetworks", "hypernetwork"),
    ("Checkpoints", "checkpoint"),
)
THUMB = "sd_extra_networks/thumb"


def draw(engine: "Engine", checkpoint: Component, prefix: str = "txt2img") -> None:
    """Draw the list inside the caller's tab.

    Args:
        checkpoint: the selector that a click on a checkpoint's card changes.
        prefix: the start of the tab's element ids, by which the script finds the prompt boxes.
    """
    library = engine.library
    with gr.Accordion("Extra networks", open=False, elem_id=f"{prefix}_extra_networks", elem_classes="extra-networks"):
        with gr.Row(elem_classes="tight"):
            gr.Textbox(
                placeholder="Search",
                show_label=False,
                elem_classes="cards-search",
                max_lines=1,
                scale=6,
                max_length=200,
            )
            refresh = gr.Button("↻", elem_id=f"{prefix}_extra_refresh", elem_classes="tool", scale=0, min_width=42)
        chosen = gr.Textbox(elem_classes="cards-chosen", show_label=False, max_length=400)
        boxes = []
        with gr.Tabs(elem_id=f"{prefix}_extra_tabs"):
            for title, kind in TABS:
                with gr.Tab(title, elem_id=f"{prefix}_{kind}_cards"):
                    boxes.append(
                        gr.HTML(markup.cards(cards(library, kind), _picture(kind), title), elem_classes="cards-box")
                    )

    def again() -> list[str]:
        library.refresh()
        return [markup.cards(cards(library, kind), _picture(kind), title) for title, kind in TABS]

    def choose(name: str) -> object:
        names = [file.name for file in library.checkpoints() if file.usable]
        return gr.update(value=name) if name in names else gr.skip()

    bind(refresh.click, again, None, boxes)
    bind(chosen.change, choose, [chosen], [checkpoint])  # a script sets it, for which Gradio fires no input event


def _picture(kind: CardKind) -> Callable[[Card], str]:
    """The address of a card's preview, by kind and card; "" where it has none."""

    def address(card: Card) -> str:
        return f"{THUMB}?{urlencode({'kind': kind, 'name': card.file})}" if card.preview is not None else ""

    return address
