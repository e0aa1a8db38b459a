"""The dock below the picture: the prompts, the buttons that start and stop a job, and the row of tools under them.

Scripts draw the tools: `static/drawer.js` (networks), `static/styles.js`, `static/prompt.js` (fold, history, counters).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from webui.domain.errors import WebuiError
from webui.ui.create.tools import tool
from webui.ui.events import bind
from webui.ui.layout import Pen
from webui.ui.own import own

if TYPE_CHECKING:
    from webui.engine.engine import Engine

TEXT_BOX = 32_000  # characters, as the request allows
_CHOSEN = MappingProxyType({"checkpoint": "checkpoint", "vae": "vae"})  # kind of a card: field of the request
CHANGED = "() => { document.dispatchEvent(new Event('webui:prompts')); }"


@dataclass(frozen=True, slots=True)
class Dock:
    """What was drawn, for those who connect it.

    Attributes:
        prompts: both boxes.
        drawer: says `choose` with `kind` and `file` when a checkpoint or a VAE is chosen among its cards.
    """

    generate: gr.Button
    interrupt: gr.Button
    skip: gr.Button
    prompts: tuple[Component, Component]
    drawer: gr.HTML


def draw(pen: Pen, styles: Sequence[str] = ()) -> Dock:
    """Draw the dock inside the caller's container.

    Args:
        styles: the names of the styles that are chosen at the start.
    """
    with gr.Row(elem_id=pen.id("toprow"), elem_classes="toprow"):
        with gr.Column(elem_classes="prompts", min_width=0, scale=1):
            prompts = _prompts(pen)
        with gr.Column(elem_id=pen.id("actions"), elem_classes="actions", min_width=0, scale=0):
            generate = gr.Button("Generate", variant="primary", elem_id=pen.id("generate"), elem_classes="generate")
            with gr.Row(elem_classes="stops"):
                interrupt = gr.Button("Interrupt", elem_id=pen.id("interrupt"), elem_classes="halts", min_width=0)
                skip = gr.Button("Skip", elem_id=pen.id("skip"), min_width=0)
    with gr.Row(elem_classes="dockbar"):
        drawer = own("drawer", elem_id=pen.id("extra_networks"), events=("choose",))
        pen.controls["styles"] = own("styles", list(styles), elem_id=pen.id("styles"), events=("change",))
        tool("Read parameters", "paste")
        own("prompt", elem_id="dock_tools")
    return Dock(generate, interrupt, skip, prompts, drawer)


def connect(dock: Dock, engine: "Engine", checkpoint: Component, vae: Component) -> Any:
    """Let the scripts hear of prompts that Python has set, and cards choose a checkpoint or a VAE for good.

    Returns:
        The event after which another one is chosen.
    """
    for box in dock.prompts:
        changing: Any = box
        bind(changing.change, None, None, None, js=CHANGED)

    def choose(event: gr.EventData) -> dict[Component, Any]:
        kind, name = str(getattr(event, "kind", "")), str(getattr(event, "file", ""))
        try:
            engine.change_starting_values({_CHOSEN[kind]: name})
        except (KeyError, WebuiError) as error:
            return {dock.drawer: {"problem": str(error), "at": time.time()}}
        return {checkpoint if kind == "checkpoint" else vae: gr.update(value=name)}

    choosing: Any = dock.drawer
    return bind(choosing.choose, choose, None, [checkpoint, vae, dock.drawer])


def _prompts(pen: Pen) -> tuple[Component, Component]:
    box = {"max_length": TEXT_BOX, "show_label": False, "elem_classes": "prompt"}
    prompt = pen.draw(
        "prompt", placeholder="What shall be in the picture?", autofocus=True,
        **{**box, "lines": 2, "max_lines": 8, "elem_id": pen.id("prompt")},
    )  # fmt: skip
    negative = pen.draw(
        "negative_prompt", placeholder="Negative prompt: what to keep out",
        **{**box, "lines": 1, "max_lines": 5, "elem_id": pen.id("neg_prompt")},
    )  # fmt: skip
    return prompt, negative
