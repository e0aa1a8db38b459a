"""The page as it is built: no handler is published, and controls start at the program's values."""

import inspect
from pathlib import Path

import gradio as gr

from tests.ui.fakes import FakeEngine, named
from webui.ui import model_choices
from webui.ui.page import build


def test_no_handler_is_published(engine: FakeEngine, tmp_path: Path) -> None:
    page = build(engine)
    assert page.fns
    assert {handler.api_visibility for handler in page.fns.values()} == {"private"}


def test_the_controls_start_at_the_starting_values(engine: FakeEngine, tmp_path: Path) -> None:
    engine.change_starting_values({"steps": 33, "checkpoint": "other"})
    page = build(engine)
    shown = {block.elem_id: block.value for block in page.blocks.values() if hasattr(block, "value")}
    assert shown["txt2img_steps"] == 33
    assert shown["setting_sd_model_checkpoint"] == "sdxl/other.safetensors"


def test_only_usable_files_are_offered_and_the_others_explained(engine: FakeEngine) -> None:
    assert [value for _, value in model_choices.checkpoint_choices(engine.library)] == [
        "mini.safetensors", "sdxl/other.safetensors",
    ]  # fmt: skip
    [reason] = model_choices.unusable(engine.library)
    assert reason.startswith("torn.safetensors")


def test_a_page_without_any_checkpoint_can_be_built(engine: FakeEngine, tmp_path: Path) -> None:
    engine.library.named = [named("checkpoint", "torn.safetensors", usable=False, reason="torn")]
    build(engine)


def test_what_gradio_reads_of_every_component_is_kept(engine: FakeEngine) -> None:
    build(engine)
    for component in (gr.Slider, gr.Textbox, gr.Blocks, gr.Column):
        kept = inspect.signature(component.__init__)
        assert inspect.signature(component.__init__) is kept
        assert "elem_id" in kept.parameters or component is gr.Blocks
