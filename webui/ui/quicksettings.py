"""Checkpoint and VAE in the header: they take effect and are remembered as soon as they are changed.

Whatever else the user wants there stands in a panel beside them (`static/quick_panel.js`), drawn when it is opened, so
that another choice counts at once.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from webui.domain.errors import WebuiError
from webui.domain.extensions import SAMPLER
from webui.ui import model_choices
from webui.ui.create import saying
from webui.ui.events import bind
from webui.ui.layout import Pen

if TYPE_CHECKING:
    from webui.engine.engine import Engine
    from webui.library.library import ModelLibrary

QUICK = ("checkpoint", "vae")  # paths of the fields, in their order on the page
IDS = MappingProxyType({"checkpoint": "setting_sd_model_checkpoint", "vae": "setting_sd_vae"})
Choices = Callable[["ModelLibrary"], model_choices.Choices]
FILES: Mapping[str, Choices] = MappingProxyType(
    {
        "checkpoint": model_choices.checkpoint_choices,
        "vae": model_choices.vae_choices,
        "refiner.checkpoint": model_choices.refiner_choices,
        "task.hires.checkpoint": model_choices.hires_checkpoint_choices,
        "task.hires.upscaler": model_choices.hires_upscaler_choices,
        "task.resize_upscaler": model_choices.enlarging_choices,
    }
)

SAMPLERS: Mapping[str, Callable[[Sequence[str]], model_choices.Choices]] = MappingProxyType(
    {"sampler": model_choices.sampler_choices, "task.hires.sampler": model_choices.hires_sampler_choices}
)
LISTED = (*FILES, *SAMPLERS)  # paths of the fields whose choices change while the program runs


def lists(engine: "Engine") -> dict[str, model_choices.Choices]:
    """The choices of these fields as they are now."""
    further = engine.extensions.tools(SAMPLER)
    return {
        **{name: choices(engine.library) for name, choices in FILES.items()},
        **{name: choices(further) for name, choices in SAMPLERS.items()},
    }


def draw(pen: Pen, engine: "Engine") -> gr.Button:
    """Draw the row inside the caller's Blocks; returns the button that reads the model folders again."""
    with gr.Row(elem_id="quicksettings"):
        _draw(pen, engine, QUICK[0])
        refresh = gr.Button("↻", elem_id="refresh_checkpoints", elem_classes="tool", scale=0, min_width=0)
        for name in QUICK[1:]:
            _draw(pen, engine, name)
    return refresh


def _draw(pen: Pen, engine: "Engine", name: str) -> None:
    pen.choice(name, FILES[name](engine.library), elem_id=IDS[name])


def connect(pen: Pen, engine: "Engine", refresh: gr.Button, said: Component) -> None:
    """Remember every change as a starting value, and let the button look for new files.

    Args:
        said: the hidden box of `saying`.
    """
    for name in QUICK:
        control: Any = pen.controls[name]
        done = bind(
            control.input, _remembering(engine, name), [control], [said], preprocess=False, trigger_mode="always_last"
        )
        saying.tell(done, said)

    said_in_page = "() => { window.webui.form?.checkpointChanged(); }"
    checkpoint: Any = pen.controls["checkpoint"]
    bind(checkpoint.change, None, None, None, js=said_in_page)

    listed = {name: pen.controls[name] for name in FILES if name in pen.controls}

    def look_again(checkpoint: str | None) -> dict[Component, Any]:
        library = engine.library
        library.refresh()
        found = model_choices.checkpoint_choices(library)
        kept = checkpoint if checkpoint in [value for _, value in found] else next((value for _, value in found), None)
        counted = f"{len(found)} usable checkpoints"
        return {
            **{control: gr.update(choices=FILES[name](library)) for name, control in listed.items()},
            listed["checkpoint"]: gr.update(choices=found, value=kept),
            said: saying.notice("\n".join(model_choices.unusable(library)) or counted),
        }

    outputs = [*listed.values(), said]
    saying.tell(bind(refresh.click, look_again, [listed["checkpoint"]], outputs, preprocess=False), said)


def _remembering(engine: "Engine", name: str) -> Callable[[Any], str]:
    def remember(value: Any) -> str:
        try:
            engine.change_starting_values({name: "" if value is None else value})
        except WebuiError as error:
            return saying.error(str(error))
        return saying.NOTHING

    return remember
