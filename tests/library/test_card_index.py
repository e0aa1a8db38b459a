"""Cards as a list that is searched and sorted, what is told of a file, and what is noted beside it."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.model_folders import ModelFolder
from webui.library.base_model import base_of, word_of
from webui.library.card_details import MAX_ENTRIES, MAX_VALUE, MAX_WORD, MAX_WORDS, details_of
from webui.library.card_index import CardIndex, CardQuery
from webui.library.card_notes import MAX_BYTES, Notes, read_notes, save_notes, save_preview
from webui.library.cards import cards, preview_of
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.weights.families.registry import FAMILIES

TENSORS = {"lora_unet_x_attn2_to_k.lora_down.weight": torch.ones(2, 768)}


def lora(folder: Path, name: str, metadata: dict[str, str] | None = None) -> Path:
    path = folder / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(TENSORS, path, metadata)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    loras = tmp_path / "models" / "Lora"
    lora(loras, "ink")
    lora(loras, "paint/oil", {"ss_base_model_version": "sdxl_base_v1-0", "ss_output_name": "Oil"})
    lora(loras, "paint/old/fresco", {"modelspec.architecture": "stable-diffusion-v2-768-v/lora"})
    (loras / "ink.txt").write_text("Black and white", encoding="utf-8")
    return loras


@pytest.fixture
def library(folder: Path, tmp_path: Path) -> ModelLibrary:
    return ModelLibrary(folder.parent, tmp_path / "cache", FAMILIES)


def names(index: CardIndex, **query: object) -> list[str]:
    return [one.card.name for one in index.find("lora", CardQuery(**query)).cards]  # type: ignore[arg-type]


def test_cards_are_found_by_words_folder_and_what_they_are_for(library: ModelLibrary) -> None:
    index = CardIndex(library)
    assert names(index) == ["ink", "Oil", "fresco"]
    assert names(index, words="WHITE ink") == ["ink"]
    assert names(index, words="paint") == ["Oil", "fresco"]
    assert names(index, folder="paint") == ["Oil", "fresco"]
    assert names(index, folder="paint/old") == ["fresco"]
    assert names(index, folder="pai") == []
    assert names(index, base="SDXL") == ["Oil"]
    assert names(index, order="name", descending=True) == ["Oil", "ink", "fresco"]
    found = index.find("lora")
    assert found.folders == ("paint", "paint/old")
    assert found.bases == ("SD1", "SD2", "SDXL")


def test_an_id_means_one_file_and_tells_no_path(library: ModelLibrary) -> None:
    index = CardIndex(library)
    ids = [one.card.id for one in index.find("lora").cards]
    assert len(set(ids)) == 3
    for card_id, file in zip(ids, library.loras(), strict=True):
        one = index.get("lora", card_id)
        assert one is not None
        assert one.file == file
    assert index.get("lora", "../../etc") is None


def test_the_list_follows_the_folder_and_what_is_noted(library: ModelLibrary, folder: Path) -> None:
    index = CardIndex(library)
    assert len(names(index)) == 3
    lora(folder, "zebra")
    library.refresh()
    assert names(index)[-1] == "zebra"
    (file,) = [file for file in library.loras() if file.stem == "zebra"]
    save_notes(library, file, Notes(activation="stripes", weight=0.6))
    index.forget()
    assert index.find("lora", CardQuery("stripes")).cards[0].card.text == "<lora:zebra:0.6> stripes"


@pytest.mark.parametrize(
    ("metadata", "shapes", "word"),
    [
        ({"ss_base_model_version": "sd_v1"}, {}, "SD1"),
        ({"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}, {}, "SDXL"),
        ({"ss_base_model_version": "flux1", "modelspec.architecture": "x"}, {}, "flux1"),
        ({}, {"a_attn2_to_k.lora_down.weight": (4, 2048)}, "SDXL"),
        ({}, {"a.attn2.to_k.lora_A.weight": (4, 1024)}, "SD2"),
        ({}, {"a_attn2_to_k.lora_down.weight": (4, 5)}, ""),
        ({}, {"a_attn1_to_k.lora_down.weight": (4, 768), "b": ()}, ""),
    ],
)
def test_what_a_network_is_for_is_read_from_words_then_from_shapes(
    metadata: dict[str, str], shapes: dict[str, tuple[int, ...]], word: str
) -> None:
    assert word_of(metadata, shapes) == word


def test_a_file_is_opened_once_for_name_and_base(library: ModelLibrary, folder: Path) -> None:
    (oil,) = [file for file in library.loras() if file.stem == "oil"]
    assert base_of(library, oil) == "SDXL"
    assert (library.fact(oil, "alias"), library.fact(oil, "base")) == ("Oil", "SDXL")


def one(library: ModelLibrary, stem: str = "ink") -> ModelFile:
    (file,) = [file for file in library.loras() if file.stem == stem]
    return file


def test_notes_keep_what_another_program_wrote_beside_them(library: ModelLibrary, folder: Path) -> None:
    place = folder / "ink.json"
    place.write_text(json.dumps({"description": "old", "rating": 5, "preferred weight": 1}), encoding="utf-8")
    save_notes(library, one(library), Notes(description="new", base="SD1"))
    told = json.loads(place.read_text(encoding="utf-8"))
    assert told == {"description": "new", "rating": 5, "preferred weight": 0.0, "sd version": "SD1"}
    assert read_notes(one(library)) == Notes(description="new", base="SD1")


@pytest.mark.parametrize("content", [b"[1, 2]", b"{", b"[" * 100_000, b"{" + b" " * MAX_BYTES + b"}"])
def test_a_file_that_is_no_notes_is_never_overwritten(library: ModelLibrary, folder: Path, content: bytes) -> None:
    (folder / "ink.json").write_bytes(content)
    assert read_notes(one(library)) == Notes()
    with pytest.raises(WebuiError, match=r"ink\.json"):
        save_notes(library, one(library), Notes(description="mine"))
    assert (folder / "ink.json").read_bytes() == content


@pytest.mark.parametrize("weight", [1e400, -1, 3, True, "1", None, [1], 10**400])
def test_a_weight_that_is_none_is_not_noted(library: ModelLibrary, folder: Path, weight: object) -> None:
    (folder / "ink.json").write_text(json.dumps({"preferred weight": weight}), encoding="utf-8")
    assert read_notes(one(library)).weight == 0
    assert cards(library, "lora")[0].text == "<lora:ink:1>"


def test_notes_beyond_the_bounds_are_refused_by_field(library: ModelLibrary) -> None:
    for notes, field in ((Notes(weight=3), "weight"), (Notes(notes="x" * 40_000), "notes"), (Notes(base="\n"), "base")):
        with pytest.raises(BadRequestError) as caught:
            save_notes(library, one(library), notes)
        assert caught.value.field == field


def test_folders_of_other_programs_are_never_written_to(tmp_path: Path, folder: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    lora(elsewhere, "theirs")
    library = ModelLibrary(
        folder.parent, tmp_path / "cache", FAMILIES, further=[ModelFolder(kind="lora", path=elsewhere)]
    )
    before = sorted(elsewhere.iterdir())
    with pytest.raises(WebuiError, match="only read"):
        save_notes(library, one(library, "theirs"), Notes(notes="x"))
    with pytest.raises(WebuiError, match="only read"):
        save_preview(library, one(library, "theirs"), Image.new("RGB", (4, 4)), "")
    assert sorted(elsewhere.iterdir()) == before


def test_a_chosen_preview_is_shown_with_its_text_inside(library: ModelLibrary, folder: Path) -> None:
    Image.new("RGB", (4, 4)).save(folder / "ink.png")
    place = save_preview(library, one(library), Image.new("RGBA", (2000, 1000), "red"), "a cat\nSteps: 3")
    assert place == folder / "ink.preview.png"
    assert preview_of(one(library)) == place
    with Image.open(place) as saved:
        assert saved.size == (768, 384)
        assert saved.info["parameters"] == "a cat\nSteps: 3"


def test_trigger_words_come_from_notes_then_files_then_training(library: ModelLibrary, folder: Path) -> None:
    frequency = {"10_ink style": {"ink": 20, "cat": 19, "rare": 2}, "plain": {"wash": 1}}
    lora(folder, "ink", {"modelspec.trigger_phrase": "brush, ink", "ss_tag_frequency": json.dumps(frequency)})
    (folder / "ink.civitai.info").write_text(json.dumps({"trainedWords": ["drop, splash", 7]}), encoding="utf-8")
    (folder / "ink.metadata.json").write_text(json.dumps({"civitai": {"trainedWords": ["blot"]}}), encoding="utf-8")
    told = details_of(library, one(library), Notes(activation="mine"))
    assert [(word.text, word.source) for word in told.words] == [
        ("mine", "notes"), ("drop", "file"), ("splash", "file"), ("blot", "file"), ("brush", "file"), ("ink", "file"),
        ("ink style", "training"), ("cat", "training"), ("wash", "training"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "metadata",
    [
        {"ss_tag_frequency": "[" * 200_000},
        {"ss_tag_frequency": json.dumps({"1_x": {f"tag {number}": 1 for number in range(50_000)}})},
        {"ss_tag_frequency": json.dumps({"a": [1], "b": {"x": -1, "": 3, "y": True, "z": "many"}})},
        {"ss_tag_frequency": "NaN", "modelspec.trigger_phrase": "word," * 100_000},
        {f"key {number} <script>": "x" * 5_000 for number in range(1_000)},
        {"k" * 5_000: "\u202e<img src=x onerror=alert(1)>" + "y" * 100_000},
    ],
)
def test_hostile_metadata_is_told_in_bounds(library: ModelLibrary, folder: Path, metadata: dict[str, str]) -> None:
    lora(folder, "ink", metadata)
    (folder / "ink.civitai.info").write_bytes(b'{"trainedWords": ' + b"[" * 50_000)
    told = details_of(library, one(library), Notes())
    assert len(told.words) <= MAX_WORDS
    assert all(0 < len(word.text) <= MAX_WORD for word in told.words)
    assert len(told.metadata) <= MAX_ENTRIES
    assert len(told.metadata) + told.left_out == len(metadata)
    assert all(len(entry.value) <= MAX_VALUE and len(entry.key) <= 200 for entry in told.metadata)
    assert all(entry.cut for entry in told.metadata if len(metadata.get(entry.key, "")) > MAX_VALUE)


def test_a_damaged_file_tells_why_it_says_nothing(library: ModelLibrary, folder: Path) -> None:
    file = one(library)
    file.path.write_bytes(b"no model")
    told = details_of(library, file, Notes())
    assert told.metadata == ()
    assert "ink.safetensors" in told.problem
