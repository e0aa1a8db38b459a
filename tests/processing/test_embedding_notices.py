"""An embedding that cannot be used is told where a prompt names it, and nowhere else."""

import pytest
import torch
from safetensors.torch import save_file

from tests.library.small import small_checkpoint
from webui.domain.request import GenerationRequest
from webui.library.library import ModelLibrary
from webui.processing.plan import make_plan
from webui.processing.texts import Texts
from webui.weights.families.registry import FAMILIES
from webui.weights.load import load_model
from webui.weights.model import LoadedModel


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ModelLibrary:
    folder = tmp_path_factory.mktemp("models")
    (folder / "Stable-diffusion").mkdir()
    (folder / "embeddings").mkdir()
    save_file(small_checkpoint(1), folder / "Stable-diffusion" / "small.safetensors")
    pivotal = {"text_encoders_0": torch.ones(2, 64), "text_encoders_1": torch.ones(2, 80)}  # as diffusers writes them
    save_file(pivotal, folder / "embeddings" / "strange.safetensors")
    (folder / "embeddings" / "torn.safetensors").write_bytes(b"\0\1\2")
    save_file({"emb_params": torch.ones(2, 80)}, folder / "embeddings" / "wide.safetensors")
    save_file({"emb_params": torch.ones(2, 64)}, folder / "embeddings" / "good.safetensors")
    more = {"string_to_param.*": torch.ones(2, 64), "string_to_token.*": torch.ones(()), "bogus": torch.ones(1)}
    save_file(more, folder / "embeddings" / "extra.safetensors")
    for place, value in (("one", 1.0), ("two", 2.0)):
        (folder / "embeddings" / place).mkdir()
        save_file({"emb_params": torch.full((2, 64), value)}, folder / "embeddings" / place / "twin.safetensors")
    return ModelLibrary(folder, tmp_path_factory.mktemp("cache"), FAMILIES)


@pytest.fixture(scope="module")
def model(library: ModelLibrary) -> LoadedModel:
    return load_model(library, library.checkpoint("small"), None, torch.device("cpu"), torch.float32)


def told(library: ModelLibrary, model: LoadedModel, prompt: str, negative: str = "") -> list[str]:
    plan = make_plan(GenerationRequest(prompt=prompt, negative_prompt=negative, steps=4))
    notices = Texts(library, library.models_dir / "styles.csv").problems([plan, plan], model)
    assert {notice.source for notice in notices} <= {"embeddings"}
    return [notice.text for notice in notices]


def test_nothing_is_said_of_files_that_no_prompt_names(library: ModelLibrary, model: LoadedModel) -> None:
    assert told(library, model, "a red cat, good", "blurry") == []


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a cat, strange", "strange.safetensors: expected one tensor of vectors, or clip_l and clip_g, found 2"),
        ("a (STRANGE:1.2) cat", "strange.safetensors: expected one tensor"),
        ("[cat:torn:2] AND strange", "strange.safetensors: expected one tensor"),
        ("a wide view", "wide.safetensors: made for another kind of model (sd1)"),
    ],
)
def test_a_name_in_a_prompt_is_said_once(library: ModelLibrary, model: LoadedModel, prompt: str, words: str) -> None:
    for positive, negative in ((prompt, ""), ("a cat", prompt)):
        found = [text for text in told(library, model, positive, negative) if text.startswith(words)]
        assert len(found) == 1
        assert found[0].endswith("; its name in the prompt is plain text")


def test_what_comes_at_a_later_step_counts(library: ModelLibrary, model: LoadedModel) -> None:
    assert any("torn.safetensors" in text for text in told(library, model, "[cat:torn:2]"))


def test_what_of_a_file_was_not_understood_is_said(library: ModelLibrary, model: LoadedModel) -> None:
    assert told(library, model, "extra") == ["extra.safetensors: 1 tensor was not understood and left out (bogus)"]


def test_the_list_says_why_a_file_is_unusable(library: ModelLibrary) -> None:
    reasons = {file.stem: file.reason for file in library.embeddings()}
    assert "expected one tensor of vectors" in reasons["strange"]
    assert "bytes long" in reasons["torn"]
    assert not reasons["good"]


def test_two_files_of_one_name_are_told_apart_by_their_folder(library: ModelLibrary, model: LoadedModel) -> None:
    texts = Texts(library, library.models_dir / "styles.csv")
    twins = {file.name: library.sha256(file)[:12] for file in library.embeddings() if file.stem == "twin"}
    one, two = twins["one/twin.safetensors"], twins["two/twin.safetensors"]
    for prompt, digits in (("twin", one), ("one/twin", one), ("two/twin", two)):
        plan = make_plan(GenerationRequest(prompt=f"a cat {prompt}", steps=4))
        assert texts.hashes(plan, model) == f"{prompt}: {digits}"
    assert told(library, model, "a cat, twin") == [
        "one/twin.safetensors and two/twin.safetensors are both called 'twin'; one/twin.safetensors was used; "
        "write the folder to choose"
    ]
    assert told(library, model, "two/twin") == []
