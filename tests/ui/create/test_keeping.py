"""What the page is told when it is loaded: starting values by the names under which the browser keeps the form."""

import json
from typing import Any

import gradio as gr
import pytest

from tests.ui.fakes import FakeEngine, named
from webui.domain.request import GenerationRequest
from webui.ui import own_size, quicksettings
from webui.ui.create import keeping, saying, settings_pane, starting
from webui.ui.create.form import Form
from webui.ui.create.keeping import Kept
from webui.ui.layout import Pen

DRAWN = GenerationRequest(checkpoint="mini.safetensors")


@pytest.fixture
def page(engine: FakeEngine) -> tuple[Form, Kept, gr.Textbox]:
    with gr.Blocks(analytics_enabled=False):
        pen = Pen(DRAWN)
        quicksettings.draw(pen, engine)
        for name in ("prompt", "negative_prompt", "styles"):
            pen.draw(name)
        tools = settings_pane.draw(pen)
        said = saying.draw()
        form = pen.form()
        kept = keeping.kept(form, [tools.transparency], quicksettings.QUICK)
    return form, kept, said


def started(engine: FakeEngine, page: tuple[Form, Kept, gr.Textbox]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """All updates, and the starting values among them."""
    form, kept, said = page
    updates = starting.start(engine, form, kept, said, DRAWN)
    assert {*updates} <= {*starting.outputs(form, kept, said)}
    return updates, json.loads(updates[kept.starting])


def test_everything_in_the_form_is_kept_by_a_name_of_its_own(page: tuple[Form, Kept, gr.Textbox]) -> None:
    form, kept, _ = page
    assert {*form.components} <= {*kept.controls.values()}
    assert {*form.controls} <= {*kept.controls}
    assert "#img2img_mask_alpha" in kept.controls
    assert json.loads(json.dumps(kept.drawn())) == kept.drawn()


def test_untouched_starting_values_are_those_that_were_drawn(
    engine: FakeEngine, page: tuple[Form, Kept, gr.Textbox]
) -> None:
    updates, values = started(engine, page)
    _, kept, said = page
    assert {**values, "checkpoint": ""} == {**kept.drawn(), "checkpoint": ""}
    assert said not in updates
    lists = [control for control in updates if control is not kept.starting]
    assert all("value" not in updates[control] for control in lists)


def test_new_starting_values_reach_the_browser_with_their_switches(
    engine: FakeEngine, page: tuple[Form, Kept, gr.Textbox]
) -> None:
    engine.change_starting_values({"steps": 33, "noise.eta": 0.5, "checkpoint": "other"})
    updates, values = started(engine, page)
    form, _, _ = page
    noise = next(part for part in form.parts if part.title == "Noise and sampler")
    assert (values["steps"], values["noise.eta"], values[f"#{noise.switch.elem_id}"]) == (33, "0.5", True)
    assert updates[form.controls["checkpoint"]]["value"] == "sdxl/other.safetensors"
    assert form.controls["steps"] not in updates


def test_a_folder_without_a_checkpoint_is_told(engine: FakeEngine, page: tuple[Form, Kept, gr.Textbox]) -> None:
    engine.library.named = [named("checkpoint", "torn.safetensors", usable=False, reason="torn")]
    updates, _ = started(engine, page)
    assert json.loads(updates[page[2]])["text"] == starting.NO_CHECKPOINT
    assert own_size.starting(engine)[0].checkpoint == ""
