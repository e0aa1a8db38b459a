"""Generate queues what the form shows; an error names the field as the page calls it, and points at its control."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from tests.doors import PATIENCE
from tests.ui.fakes import FakeEngine
from webui.domain.request import GenerationRequest, Txt2Img
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
    return Submission(engine, create, lambda: True)


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
        assert said["text"] == "Picture: Drop a picture first."


def test_a_picture_in_view_is_enlarged_with_the_options_of_the_form(
    submission: Submission, engine: FakeEngine, tmp_path: Path
) -> None:
    Image.new("RGB", (96, 67), (1, 2, 3)).save(tmp_path / "made.png")
    asked: list[tuple[str, str]] = []

    def found(picture: str, owner: str) -> Path:
        asked.append((picture, owner))
        return tmp_path / "made.png"

    create = replace(submission.create, find_picture=found)
    values = {control: getattr(control, "value", None) for control in create.components}
    controls = create.form.controls
    values |= {controls["task.hires.scale"]: 1.5, controls["n_iter"]: 4, create.mode: "inpaint", controls["steps"]: 1}
    text = "a\nSteps: 3, Sampler: Euler, Seed: 77, Variation seed: 8, Variation seed strength: 0.5, Size: 96x64"
    said = json.loads(asyncio.run(Submission(engine, create, lambda: True).enlarge(values, "job/0", text)))
    job = engine.job(said["job"])
    assert job is not None
    task = job.work.task
    assert isinstance(task, Txt2Img)
    assert task.first_pass is not None
    assert (task.hires.enabled, task.hires.scale, task.first_pass.height) == (True, 1.5, 67)
    assert (job.work.seed, job.work.subseed, job.work.n_iter, job.work.height) == (77, 8, 1, 64)
    assert asked == [("job/0", "")]
    job.result(PATIENCE)
