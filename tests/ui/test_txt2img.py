"""Handlers that show a job from its start to its end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from tests.doors import PATIENCE
from tests.ui.fakes import FakeEngine, named
from webui.domain.errors import BadRequestError, Cancelled, UnusableFileError
from webui.domain.request import GenerationRequest
from webui.output.metadata import read_text, safe_open
from webui.ui import model_choices
from webui.ui.album import Album
from webui.ui.generate import Results, Runner
from webui.ui.page import build


@pytest.fixture
def runner(engine: FakeEngine, tmp_path: Path) -> Runner:
    with gr.Blocks(analytics_enabled=False):
        html, gallery, text = (gr.HTML(), gr.HTML(), gr.HTML()), gr.Gallery(), gr.Textbox()
        results = Results(*html, gallery, text, gr.State([]), gr.State(0), gr.BrowserState(""))
    return Runner(engine, results, Album(tmp_path / "shown"), save_images=True)


def made(runner: Runner, **fields: Any) -> list[dict[Any, Any]]:
    """All updates of a job, from its start to its end."""
    job = runner.submit(GenerationRequest(checkpoint="mini.safetensors", **fields), owner="page x")
    return everything(runner.follow(job))


def everything(updates: AsyncIterator[dict[Any, Any]]) -> list[dict[Any, Any]]:
    async def collect() -> list[dict[Any, Any]]:
        return [update async for update in updates]

    return asyncio.run(collect())


def test_no_handler_is_published(engine: FakeEngine, tmp_path: Path) -> None:
    page = build(engine, temp_dir=tmp_path)
    assert page.fns
    assert {handler.api_visibility for handler in page.fns.values()} == {"private"}


def test_the_controls_start_at_the_starting_values(engine: FakeEngine, tmp_path: Path) -> None:
    engine.change_starting_values({"steps": 33, "checkpoint": "other"})
    page = build(engine, temp_dir=tmp_path)
    shown = {block.elem_id: block.value for block in page.blocks.values() if hasattr(block, "value")}
    assert shown["txt2img_steps"] == 33
    assert shown["setting_sd_model_checkpoint"] == "sdxl/other.safetensors"


def test_a_job_ends_with_its_pictures_as_files_that_keep_their_text(runner: Runner, engine: FakeEngine) -> None:
    engine.step_seconds = 0.02
    updates = made(runner, prompt="a cat", seed=7, steps=20, batch_size=2)
    assert engine.asked[0].prompt == "a cat"
    assert any("step" in str(update.get(runner.results.bar)) for update in updates)
    assert any("data:image/jpeg" in str(update.get(runner.results.preview)) for update in updates)
    last = updates[-1]
    files = last[runner.results.gallery]["value"]
    assert [Image.open(file).info["parameters"] for file in files] == [
        entry["text"] for entry in last[runner.results.shown]
    ]
    assert [entry["seed"] for entry in last[runner.results.shown]] == [7, 8]
    assert "&lt;b&gt;one word" in last[runner.results.status]  # foreign text is escaped
    assert last[runner.results.bar] == ""


def test_a_picture_that_was_not_saved_has_its_text_too(runner: Runner, engine: FakeEngine) -> None:
    engine.saver.folder = None
    last = made(runner, prompt="a cat", steps=1)[-1]
    [file] = last[runner.results.gallery]["value"]
    assert read_text(safe_open(Path(file))) == last[runner.results.shown][0]["text"]


@pytest.mark.parametrize("error", [UnusableFileError("mini.safetensors is torn"), BadRequestError("steps", "too few")])
def test_a_failed_job_is_told_in_its_own_words(runner: Runner, engine: FakeEngine, error: Exception) -> None:
    engine.failure = error
    last = made(runner, steps=1)[-1]
    assert str(error) in last[runner.results.status]
    assert last[runner.results.bar] == ""
    assert len(last[runner.results.gallery]["value"]) == 1  # what was made before is kept


def test_a_fault_is_told_without_details_and_logged(
    runner: Runner, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.failure = ZeroDivisionError("secret")
    job = engine.submit(GenerationRequest(steps=1), save=False)
    last = everything(runner.follow(job))[-1]
    assert "ZeroDivisionError" in last[runner.results.status]
    assert "secret" not in last[runner.results.status]
    assert "secret" in caplog.text


def test_interrupt_ends_this_browsers_job(runner: Runner, engine: FakeEngine) -> None:
    engine.step_seconds = 0.05
    job = engine.submit(GenerationRequest(steps=150), save=False)
    assert job.wait_for(lambda now: now.progress.step > 0, PATIENCE)
    assert runner.interrupt(job.id) == ""
    with pytest.raises(Cancelled):
        job.result(PATIENCE)
    assert "Nothing" in runner.interrupt(job.id)
    assert "Stopped" in everything(runner.follow(job))[-1][runner.results.status]


@pytest.mark.parametrize("idle", ["", None, "own"])
def test_an_idle_page_stops_no_job_of_another(runner: Runner, engine: FakeEngine, idle: str | None) -> None:
    engine.submit(GenerationRequest(steps=1), save=False, owner="page idle", job_id="own").result(PATIENCE)
    engine.step_seconds = 0.05
    job = engine.submit(GenerationRequest(steps=150), save=False, owner="page busy")
    assert job.wait_for(lambda now: now.state == "running", PATIENCE)
    assert "Nothing of this page" in runner.interrupt(idle)
    assert (job.stopping, job.skip_asked) == (False, None)
    job.cancel()
    with pytest.raises(Cancelled):
        job.result(PATIENCE)


def test_of_several_jobs_of_a_page_the_one_that_runs_is_stopped(runner: Runner, engine: FakeEngine) -> None:
    engine.step_seconds = 0.05
    first, last = (engine.submit(GenerationRequest(steps=150), save=False, owner="page x") for _ in range(2))
    assert first.wait_for(lambda now: now.state == "running", PATIENCE)
    assert runner.interrupt(last.id) == ""
    with pytest.raises(Cancelled):
        first.result(PATIENCE)
    assert (first.stopping, last.stopping) == (True, False)
    assert last.wait_for(lambda now: now.state == "running", PATIENCE)
    last.cancel()
    with pytest.raises(Cancelled):
        last.result(PATIENCE)


def test_a_job_that_is_held_or_stands_still_says_why(runner: Runner, engine: FakeEngine) -> None:
    engine.queue.pause("paused by hand")
    job = engine.submit(GenerationRequest(), save=False)
    job.note_reason("the queue is paused: no space")
    assert "no space" in runner._look(job, job.status)[runner.results.status]
    job.note_reason("")
    assert "paused by hand" in runner._look(job, job.status)[runner.results.status]
    engine.queue.hold(job, "killed <two> workers")
    assert "Held: killed &lt;two&gt; workers" in runner._look(job, job.status)[runner.results.status]


def test_only_usable_files_are_offered_and_the_others_explained(engine: FakeEngine) -> None:
    assert [value for _, value in model_choices.checkpoint_choices(engine.library)] == [
        "mini.safetensors", "sdxl/other.safetensors",
    ]  # fmt: skip
    [reason] = model_choices.unusable(engine.library)
    assert reason.startswith("torn.safetensors")


def test_a_page_without_any_checkpoint_can_be_built(engine: FakeEngine, tmp_path: Path) -> None:
    engine.library.named = [named("checkpoint", "torn.safetensors", usable=False, reason="torn")]
    build(engine, temp_dir=tmp_path)
