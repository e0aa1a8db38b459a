"""What a freshly loaded page is told: lists of files and samplers as they are now, the program's starting values."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.blocks import Block

from webui.domain.request import GenerationRequest
from webui.ui import own_size
from webui.ui.create import saying
from webui.ui.create.form import Form, flatten
from webui.ui.create.keeping import Kept
from webui.ui.quicksettings import LISTED, lists

if TYPE_CHECKING:
    from gradio.components import Component

    from webui.engine.engine import Engine

NO_CHECKPOINT = "There is no usable checkpoint. Put one into models/Stable-diffusion and press ↻."
Updates = dict[Block, Any]


def start(engine: "Engine", form: Form, kept: Kept, said: "Component", drawn: GenerationRequest) -> Updates:
    """Updates for a page that was loaded.

    The fields that the browser keeps are not changed here: it gets the starting values and shows those of the fields
    that it neither keeps nor was told by the user, so that nothing that is typed while the page loads is overwritten.
    Of the fields that the program remembers, only those are changed that are no longer as `drawn`.
    """
    request, missing = own_size.starting(engine)
    before, now = flatten(drawn), flatten(request)
    own = [name for name in kept.remembered if before.get(name) != now.get(name)]
    updates = form.show(request, own)
    found = {name: choices for name, choices in lists(engine).items() if name in form.controls}
    for name, choices in found.items():
        control: Any = form.controls[name]
        if _pairs(choices) != _pairs(control.choices):  # a list that is set again closes under the user's hand
            updates[control] = gr.update(**{**updates.get(control, {}), "choices": choices})
    if not found["checkpoint"]:
        missing = NO_CHECKPOINT
    updates[kept.starting] = kept.values(form.show(request))
    return {**updates, said: saying.notice(missing)} if missing else updates


def _pairs(choices: Sequence[str | tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Choices as pairs of what is shown and what is meant."""
    return [(one, one) if isinstance(one, str) else (one[0], one[1]) for one in choices]


def outputs(form: Form, kept: Kept, said: "Component") -> list[Block]:
    """The components that `start` may change."""
    listed = [form.controls[name] for name in LISTED if name in form.controls]
    own = [form.controls[name] for name in kept.remembered]
    return [*dict.fromkeys([*listed, *own, kept.starting, said])]
