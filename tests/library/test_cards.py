"""What files show of themselves, and by which names networks go."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from webui.library.cards import cards
from webui.library.library import ModelLibrary
from webui.library.networks import find_network, network_hash, shown_names
from webui.weights.families.registry import FAMILIES


@pytest.fixture
def library(tmp_path: Path) -> ModelLibrary:
    loras = tmp_path / "models" / "Lora"
    (loras / "sub").mkdir(parents=True)
    tensors = {"a.lora_up.weight": torch.ones(2, 2)}
    save_file(tensors, loras / "ink.safetensors", {"ss_output_name": "Ink: Drawing"})
    save_file(tensors, loras / "one.safetensors", {"ss_output_name": "twin"})
    save_file(tensors, loras / "sub" / "two.safetensors", {"ss_output_name": "twin", "sshs_model_hash": "ab" * 32})
    Image.new("RGB", (4, 4)).save(loras / "ink.preview.png")
    (loras / "one.txt").write_text("A description", encoding="utf-8")
    notes = {"activation text": "ink style", "preferred weight": 0.7, "description": "Own words"}
    (loras / "ink.json").write_text(json.dumps(notes), encoding="utf-8")
    (loras / "one.json").write_text("[1, 2", encoding="utf-8")
    return ModelLibrary(tmp_path / "models", tmp_path / "cache", FAMILIES)


def test_a_card_shows_what_lies_beside_the_file(library: ModelLibrary) -> None:
    ink, one, two = cards(library, "lora")
    assert (ink.name, ink.text, ink.description) == ("Ink: Drawing", "<lora:ink:0.7> ink style", "Own words")
    assert ink.preview is not None
    assert ink.preview.name == "ink.preview.png"
    assert (one.name, one.text, one.description, one.preview) == ("one", "<lora:one:1>", "A description", None)
    assert (two.file, two.text) == ("sub/two.safetensors", "<lora:two:1>")
    assert cards(library, "hypernetwork") == ()


def test_a_name_that_two_files_carry_means_none(library: ModelLibrary) -> None:
    files = library.loras()
    assert list(shown_names(library, files).values()) == ["Ink: Drawing", "one", "two"]
    assert find_network(library, files, "twin") is None
    for name in ("two", "sub/two", "sub/two.safetensors", "sub_two"):
        found = find_network(library, files, name)
        assert found is not None
        assert found.stem == "two"
    assert find_network(library, files, "nothing") is None


def test_the_hash_is_of_the_tensors_alone_or_as_the_file_says(library: ModelLibrary) -> None:
    ink, one, two = library.loras()
    assert network_hash(library, ink) == network_hash(library, one)  # other metadata, the same tensors
    assert network_hash(library, two) == "abababababab"
    assert find_network(library, library.loras(), "abababababab") == two
