"""Starts the page at the size for which its checkpoint was trained, and follows the choice of another checkpoint until
the user changes the size.
"""

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


def starting(engine: "Engine") -> tuple[GenerationRequest, str]:
    """The starting values as the controls can show them, and a sentence about what was changed ("" where nothing
    was).
    """
    request, missing = model_choices.as_shown(engine.library, engine.starting_values(), "")
    return at_trained_size(engine.library, request), missing


def connect(pen: Pen, engine: "Engine") -> None:
    """Choosing another checkpoint brings its own size, unless the user has set one."""
    width, height = pen.controls["width"], pen.controls["height"]
    checkpoint: Any = pen.controls["checkpoint"]

    before = gr.State("")  # the checkpoint that the sizes belong to

    def follow(name: str | None, wide: Number, high: Number, last: str) -> tuple[Number, Number, str]:
        name = name or ""
        if (wide, high) != trained_size(engine.library, last):
            return wide, high, name
        return (*trained_size(engine.library, name), name)

    inputs, outputs = [checkpoint, width, height, before], [width, height, before]
    bind(checkpoint.input, follow, inputs, outputs, preprocess=False, trigger_mode="always_last")
    bind_load(lambda: starting(engine)[0].checkpoint, [before])
