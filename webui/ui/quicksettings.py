"""The row in the header: checkpoint and VAE. A change takes effect and is remembered at once."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from webui.domain.errors import WebuiError
from webui.ui import markup, model_choices
from webui.ui.events import bind
from webui.ui.layout import Pen

if TYPE_CHECKING:
    from webui.engine.engine import Engine

REMEMBERED = ("checkpoint", "vae", "clip_skip")


def draw(pen: Pen, engine: "Engine") -> gr.Button:
    """Draw the row inside the caller's Blocks; returns the button that reads the model folders again."""
    library = engine.library
    with gr.Row(elem_id="quicksettings"):
        pen.choice("checkpoint", model_choices.checkpoint_choices(library), scale=2, min_width=0)
        refresh = gr.Button("↻", elem_id="refresh_checkpoints", elem_classes="tool", scale=0, min_width=0)
        pen.choice("vae", model_choices.vae_choices(library), scale=1, min_width=0)
    return refresh


def connect(
    pen: Pen, engine: "Engine", refresh: gr.Button, status: gr.HTML, refiners: Sequence[Component] = ()
) -> None:
    """Remember every change as a starting value, and let the button look for new files.

    Args:
        refiners: lists of checkpoints on other tabs.
    """

    def remember(name: str) -> Callable[[Any], Any]:
        def handler(value: Any) -> Any:
            try:
                engine.change_starting_values({name: "" if value is None else value})
            except WebuiError as error:
                return markup.message("error", str(error))
            return gr.skip()  # the control may hold a newer choice by now

        return handler

    for name in REMEMBERED:
        control: Any = pen.controls[name]
        changed = control.release if isinstance(control, gr.Slider) else control.input
        bind(changed, remember(name), [control], [status], preprocess=False, trigger_mode="always_last")

    every_refiner = [pen.controls["refiner.checkpoint"], *refiners]

    def look_again(checkpoint: str | None) -> dict[Component, Any]:
        library = engine.library
        library.refresh()
        problems = "".join(markup.message("notice", problem) for problem in model_choices.unusable(library))
        found = model_choices.checkpoint_choices(library)
        kept = checkpoint if checkpoint in [value for _, value in found] else next((value for _, value in found), None)
        return {
            pen.controls["checkpoint"]: gr.update(choices=found, value=kept),
            pen.controls["vae"]: gr.update(choices=model_choices.vae_choices(library)),
            **dict.fromkeys(every_refiner, gr.update(choices=model_choices.refiner_choices(library))),
            status: problems or markup.message("done", f"{len(found)} usable checkpoints"),
        }

    outputs = [pen.controls["checkpoint"], pen.controls["vae"], *every_refiner, status]
    bind(refresh.click, look_again, [pen.controls["checkpoint"]], outputs, preprocess=False)
