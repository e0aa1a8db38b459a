"""Generate queues what the form shows; an error names the field as the page calls it, and points at its control."""

import asyncio
import json
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from tests.doors import PATIENCE
from tests.ui.fakes import FakeEngine
from webui.domain.request import GenerationRequest
from webui.ui import quicksettings
from webui.ui.create import saying, settings_pane
from webui.ui.create.creation import CreateForm
from webui.ui.create.submit import Submission
from webui.ui.layout import Pen


@pytest.fixture
def submission(engine: FakeEngine) -> Submission:
    with gr.Blocks(analytics_enabled=False):
        pen = Pen(GenerationRequest(checkpoint="mini.safetensors"))
        quicksettings.draw(pen, engine)
        for name in ("prompt", "negative_prompt", "styles"):
            pen.draw(name)
        tools = settings_pane.draw(pen)
        mode, canvas = gr.Textbox("txt2img"), gr.JSON(None)
    create = CreateForm(pen.form(), mode, canvas, tools.transparency, tools.mask_details)
    return Submission(engine, create, save_images=True)


def pressed(submission: Submission, **changes: Any) -> dict[str, Any]:
    """What is said when Generate is pressed with these values in the controls."""
    create = submission.create
    values = {control: getattr(control, "value", None) for control in create.components}
    values |= {create.form.controls[name]: value for name, value in changes.items()}
    said: dict[str, Any] = json.loads(asyncio.run(submission.submit(values)))
    return said


def test_each_press_is_a_job(submission: Submission, engine: FakeEngine) -> None:
    said = [pressed(submission, prompt=prompt, steps=1) for prompt in ("a cat", "a dog")]
    for one in said:
        job = engine.job(one["job"])
        assert job is not None
        job.result(PATIENCE)
        assert one["text"] == ""
    assert [request.prompt for request in engine.asked] == ["a cat", "a dog"]


@pytest.mark.parametrize(
    ("changes", "text", "at"),
    [
        ({"steps": 900}, "Steps: should be less than or equal to 150 (it is 900)", "txt2img_steps"),
        ({"seed": "-5"}, "Seed: should be greater than or equal to -1 (it is '-5')", "txt2img_seed"),
        ({"checkpoint": "gone.safetensors"}, "gone.safetensors", ""),
        ({"steps": 150, "width": 8192, "height": 8192, "n_iter": 1000}, "width x height x steps", ""),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_queued(
    submission: Submission, engine: FakeEngine, changes: dict[str, Any], text: str, at: str
) -> None:
    said = pressed(submission, **changes)
    assert text in said["text"]
    assert (said["kind"], said["at"]) == ("error", at)
    assert saying.job_in(json.dumps(said)) == ""
    assert engine.asked == []


def test_the_mode_in_view_wants_its_picture(submission: Submission, tmp_path: Path) -> None:
    create = submission.create
    values = {control: getattr(control, "value", None) for control in create.components}
    for mode in ("img2img", "inpaint"):
        said = json.loads(asyncio.run(submission.submit({**values, create.mode: mode})))
        assert said["text"] == "Picture: drop one on the canvas first, or send one there"
