"""Starts the page at the size for which its checkpoint was trained, and follows the choice of another checkpoint until
the user changes the size.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from webui.domain.request import GenerationRequest
from webui.library.resolution import at_trained_size, trained_size
from webui.ui import model_choices
from webui.ui.events import bind, bind_load
from webui.ui.layout import Pen

if TYPE_CHECKING:
    from webui.engine.engine import Engine

Number = int | float
CHOSEN = "(name, trained) => { window.webui.presets?.chosen(name, trained); return []; }"


def starting(engine: "Engine") -> tuple[GenerationRequest, str]:
    """The starting values as the controls can show them, and a sentence about what was changed ("" where nothing
    was).
    """
    request, missing = model_choices.as_shown(engine.library, engine.starting_values(), "")
    return at_trained_size(engine.library, request), missing


def draw() -> gr.Textbox:
    """Draw the hidden box with the size that the chosen checkpoint was trained for, `512x512`."""
    return gr.Textbox("512x512", visible="hidden", elem_id="trained_size")


def connect(pen: Pen, engine: "Engine", trained: gr.Textbox, chosen: Sequence[Any] = ()) -> None:
    """Choosing another checkpoint brings its own size, unless the user has set one.

    Args:
        trained: what `draw` drew.
        chosen: further events after which the user has chosen a checkpoint: by its card.
    """
    # A choice is told by two events, and the answer to `change` may come before `input` is sent. So the size that the
    # last choice brought has a box that only `follow` writes.
    brought = gr.Textbox("512x512", visible="hidden", elem_id="brought_size")
    width, height = pen.controls["width"], pen.controls["height"]
    checkpoint: Any = pen.controls["checkpoint"]

    def size_of(name: str | None) -> str:
        return "x".join(map(str, trained_size(engine.library, name or "")))

    def follow(name: str | None, wide: Number, high: Number, *own: str) -> tuple[Any, Any, str, str]:
        now = size_of(name)
        if f"{wide}x{high}" not in own:
            return gr.skip(), gr.skip(), now, ""
        if f"{wide}x{high}" == now:  # an answer that comes late must not take back what the user has set since
            return gr.skip(), gr.skip(), now, now
        width, height = now.split("x")
        return int(width), int(height), now, now

    inputs, outputs = [checkpoint, width, height, trained, brought], [width, height, trained, brought]
    for event in (checkpoint.input, *chosen):
        followed = bind(event, follow, inputs, outputs, preprocess=False, trigger_mode="always_last")
        # after its size has come, a preset that belongs to it
        bind(followed.then, None, [checkpoint, trained], [], js=CHOSEN)
    # a checkpoint that was chosen by pasted parameters comes with their size, which stays
    bind(checkpoint.change, size_of, [checkpoint], [trained], preprocess=False, trigger_mode="always_last")
    bind_load(lambda: (size_of(starting(engine)[0].checkpoint),) * 2, [trained, brought])
