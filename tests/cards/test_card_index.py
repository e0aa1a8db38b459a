"""Cards as a list that is searched and sorted, what is told of a file, and what is noted beside it."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from webui.cards.block_strength import block_strengths
from webui.cards.card_details import MAX_ENTRIES, MAX_VALUE, details_of
from webui.cards.card_index import CardIndex, CardQuery
from webui.cards.card_store import FILE
from webui.cards.indexed_card import IndexedCard
from webui.cards.inspection import block_of, inspected
from webui.cards.sidecar_kinds import MAX_TEXT, MAX_WORD, MAX_WORDS, SIDECARS, plain, weight_in
from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.model_folders import ModelFolder
from webui.library.base_model import base_of, word_of
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


def indexed(library: ModelLibrary, stem: str = "ink") -> IndexedCard:
    (found,) = [one for one in CardIndex(library).find("lora").cards if one.file.stem == stem]
    return found


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
    (folder / "ink.json").write_text(json.dumps({"activation text": "mine"}), encoding="utf-8")
    assert [(word.text, word.source) for word in indexed(library).words] == [
        ("mine", "notes"), ("blot", "file"), ("drop", "file"), ("splash", "file"), ("brush", "file"), ("ink", "file"),
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
    told = details_of(library, one(library))
    words = indexed(library).words
    assert len(words) <= MAX_WORDS
    assert all(0 < len(word.text) <= MAX_WORD for word in words)
    assert len(told.metadata) <= MAX_ENTRIES
    assert len(told.metadata) + told.left_out == len(metadata)
    assert all(len(entry.value) <= MAX_VALUE and len(entry.key) <= 200 for entry in told.metadata)
    assert all(entry.cut for entry in told.metadata if len(metadata.get(entry.key, "")) > MAX_VALUE)


def test_a_damaged_file_tells_why_it_says_nothing(library: ModelLibrary, folder: Path) -> None:
    file = one(library)
    file.path.write_bytes(b"no model")
    told = details_of(library, file)
    assert told.metadata == ()
    assert "ink.safetensors" in told.problem


# ---- what other programs keep beside a file


@pytest.mark.parametrize(
    ("ending", "table", "expected"),
    [
        (
            ".swarm.json",
            {
                "modelspec.trigger_phrase": "wet ink; b, c", "modelspec.lora_default_weight": "0.7",
                "modelspec.title": "Ink", "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
                "modelspec.tags": "style, paper", "modelspec.usage_hint": "low CFG",
            },
            (["wet ink; b", "c"], 0.7, "SDXL", ["style", "paper"], "low CFG"),
        ),
        (
            ".metadata.json",
            {
                "civitai": {"trainedWords": ["site"]}, "base_model": "Pony", "tags": ["style"], "notes": "mine",
                "usage_tips": '{"strength": 0.55, "strength_max": 1}',
            },
            (["site"], 0.55, "SDXL", ["style"], "mine"),
        ),
        (
            ".cm-info.json",
            {"TrainedWords": ["a, b", 3], "BaseModel": "SD 1.5", "Tags": ["x"], "ModelName": "Ink"},
            (["a", "b"], 0.0, "SD1", ["x"], ""),
        ),
        (
            ".civitai.info",
            {"trainedWords": ["ink"], "baseModel": "Illustrious", "model": {"name": "Ink", "tags": ["t"]}},
            (["ink"], 0.0, "SDXL", ["t"], ""),
        ),
    ],
)  # fmt: skip
def test_every_sidecar_tells_words_weight_and_base(
    library: ModelLibrary, folder: Path, ending: str, table: object, expected: tuple[object, ...]
) -> None:
    save_file({"x": torch.zeros(1)}, folder / "ink.safetensors")  # says nothing of what it is for
    (folder / f"ink{ending}").write_text(json.dumps(table), encoding="utf-8")
    found = indexed(library)
    told = ([word.text for word in found.words], found.card.weight, found.family, list(found.tags), found.notes)
    assert told == expected
    assert indexed(library).title in ("Ink", "")


def test_what_the_user_noted_counts_before_what_the_site_says(library: ModelLibrary, folder: Path) -> None:
    (folder / "ink.json").write_text(json.dumps({"preferred weight": 0.4, "sd version": "SD1"}), encoding="utf-8")
    tips = json.dumps({"strength": 0.9})
    (folder / "ink.metadata.json").write_text(json.dumps({"usage_tips": tips, "base_model": "Pony"}), encoding="utf-8")
    found = indexed(library)
    assert (found.card.weight, found.card.base, found.card.text) == (0.4, "SD1", "<lora:ink:0.4>")


def test_tensors_tell_the_family_whatever_is_said_beside_them(library: ModelLibrary, folder: Path) -> None:
    (folder / "ink.civitai.info").write_text(json.dumps({"baseModel": "Flux.1 D"}), encoding="utf-8")
    found = indexed(library)
    assert (found.card.base, found.family) == ("Flux.1 D", "SD1")


@pytest.mark.parametrize("ending", SIDECARS)
@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"null", b"{" * 100_000, b'{"trainedWords": {"a": 1}, "model": 3, "civitai": [], "tags": 5}',
        b'{"usage_tips": "[[[", "TrainedWords": "x", "modelspec.tags": {}, "base_model": 7, "baseModel": []}',
        b'{"trainedWords": [' + b'"' + b"w," * 60_000 + b'"]}', b"\xff\xfe\x00",
        b'{"usage_tips": ' + b"9" * 5_000 + b"}",
    ],
    ids=range(9),
)  # fmt: skip
def test_a_sidecar_that_is_none_costs_nothing(library: ModelLibrary, folder: Path, ending: str, content: bytes) -> None:
    (folder / f"ink{ending}").write_bytes(content)
    found = indexed(library)
    assert len(found.words) <= MAX_WORDS
    assert found.card.name == "ink"


def test_markup_becomes_text_and_numbers_stay_in_bounds() -> None:
    assert plain("<p>Use <b>0.8</b> &amp; more</p><p>twice<br/>a day</p>") == "Use 0.8 & more\ntwice\na day"
    assert plain("<" * 100_000) == "<" * MAX_TEXT
    assert [weight_in(value) for value in ("0.5", "nan", "x", 10**400, True, None, -2, 1e9)] == [
        0.5, 0, 0, 0, 0, 0, -2, 0,
    ]  # fmt: skip


# ---- the index on the disk


def test_headers_are_opened_once_over_starts_and_again_when_a_file_changes(
    library: ModelLibrary, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fresh() -> ModelLibrary:
        return ModelLibrary(folder.parent, tmp_path / "cache", FAMILIES)

    first = {one.card.file: one.family for one in CardIndex(library).find("lora").cards}
    opened: list[str] = []
    monkeypatch.setattr("webui.cards.card_index.header_facts", lambda library, file: opened.append(file.stem))
    assert {one.card.file: one.family for one in CardIndex(fresh()).find("lora").cards} == first
    assert opened == []
    monkeypatch.undo()
    lora(folder, "ink", {"ss_base_model_version": "sdxl_base_v1-0"})
    assert indexed(fresh()).family == "SDXL"


def test_what_is_written_beside_a_file_is_found_by_its_words(library: ModelLibrary, folder: Path) -> None:
    index = CardIndex(library)
    assert names(index, words="calligraphy") == []
    table = {"trainedWords": ["brush calligraphy"], "model": {"tags": ["East"]}}
    (folder / "ink.civitai.info").write_text(json.dumps(table), encoding="utf-8")
    (folder / "ink.json").write_text(json.dumps({"notes": "for posters"}), encoding="utf-8")
    index.forget()  # a few seconds later it is looked at without this
    for words in ("calligraphy", "EAST", "posters ink"):
        assert names(index, words=words) == ["ink"]
    (folder / "ink.civitai.info").unlink()
    index.forget()
    assert names(index, words="calligraphy") == []


@pytest.mark.parametrize("damage", [b"no database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_index_is_made_anew(library: ModelLibrary, damage: bytes) -> None:
    before = [one.card for one in CardIndex(library).find("lora").cards]
    place = library.cache_dir / FILE
    assert place.is_file()
    for ending in ("-wal", "-shm"):
        place.with_name(place.name + ending).unlink(missing_ok=True)
    place.write_bytes(damage)
    assert [one.card for one in CardIndex(library).find("lora").cards] == before


def test_many_new_files_are_listed_at_once_and_read_a_while_at_a_time(
    library: ModelLibrary, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webui.cards.card_index.MANY", 3)
    assert CardIndex(library).find("lora").unread == 3
    monkeypatch.undo()
    monkeypatch.setattr("webui.cards.card_index.OPEN_SECONDS", 0.0)
    index = CardIndex(library)
    found = index.find("lora")
    assert (len(found.cards), found.unread) == (3, 2)
    assert index.read_on("lora", 0.0) == 1
    assert index.read_on("lora", 60.0) == 0
    assert names(index) == ["ink", "Oil", "fresco"]
    assert index.read_on("lora", 0.0) == 0


def test_cards_are_sorted_by_size_and_by_when_they_were_used(library: ModelLibrary, folder: Path) -> None:
    save_file({"x": torch.zeros(9_999)}, folder / "paint" / "oil.safetensors", {"ss_output_name": "Oil"})
    index = CardIndex(library, lambda kind: {"fresco": 2.0, "Oil": 5.0})
    assert names(index, order="size", descending=True)[0] == "Oil"
    assert names(index, order="used", descending=True) == ["Oil", "fresco", "ink"]


# ---- what is in a file


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.lora_down.weight", "IN04"),
        ("model.diffusion_model.output_blocks.11.0.in_layers.0.weight", "OUT11"),
        ("model.diffusion_model.middle_block.0.bias", "M00"),
        ("lora_unet_down_blocks_1_attentions_0_proj_in.alpha", "DOWN1"),
        ("unet.up_blocks.3.resnets.0.conv1.weight", "UP3"),
        ("lora_unet_mid_block_attentions_0_proj_in.alpha", "MID"),
        ("lora_te_text_model_encoder_layers_0_mlp_fc1.alpha", "Text encoder"),
        ("first_stage_model.decoder.conv_in.weight", "VAE"),
        ("emb_params", "Other"),
    ],
)
def test_a_tensor_belongs_to_a_block(name: str, block: str) -> None:
    assert block_of(name) == block


def test_a_file_is_looked_into_without_reading_a_tensor(library: ModelLibrary, folder: Path) -> None:
    tensors = {
        "lora_unet_down_blocks_1_attentions_0_x_attn2_to_k.lora_down.weight": torch.ones(4, 768),
        "lora_unet_down_blocks_1_attentions_0_x_attn2_to_k.lora_up.weight": torch.ones(320, 4),
        "lora_te_text_model_encoder_layers_0_mlp_fc1.alpha": torch.tensor(2.0, dtype=torch.float16),
    }
    metadata = {"ss_network_dim": "4", "ss_steps": "100", "ss_lr_scheduler": "None", "sd_merge_recipe": '{"a":[1]}'}
    save_file(tensors, folder / "ink.safetensors", metadata)
    found = inspected(library, one(library))
    assert found.kind == "SD1, LoRA, rank 4"
    assert [(part.name, part.tensors) for part in found.blocks] == [("Text encoder", 1), ("DOWN1", 2)]
    assert [(part.name, part.bytes) for part in found.formats] == [("F32", 4 * (4 * 768 + 320 * 4)), ("F16", 2)]
    assert found.numbers == 4 * 768 + 320 * 4 + 1
    assert found.shapes[0].shape == (4, 768)
    assert found.training == (("Rank", "4"), ("Steps", "100"))
    assert json.loads(found.recipe) == {"a": [1]}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_the_strength_of_a_block_is_the_size_of_its_whole_changes(folder: Path, dtype: torch.dtype) -> None:
    torch.manual_seed(2)
    ups, downs = torch.randn(2, 20, 4).to(dtype), torch.randn(2, 4, 12).to(dtype)
    tensors = {"lora_te_text_model_x.lora_up.weight": torch.ones(3, 2), "odd.lora_up.weight": torch.ones(3, 2)}
    for number, stem in enumerate(("input_blocks_1_1_a", "output_blocks_3_1_b")):
        tensors |= {
            f"lora_unet_{stem}.lora_up.weight": ups[number].clone(),
            f"lora_unet_{stem}.alpha": torch.tensor(2.0),
        }
        tensors[f"lora_unet_{stem}.lora_down.weight"] = downs[number].clone()
    save_file(tensors, folder / "ink.safetensors")
    found = block_strengths(folder / "ink.safetensors")
    assert [(one.name, one.layers) for one in found] == [("IN01", 1), ("OUT03", 1)]
    for one, up, down in zip(found, ups.float(), downs.float(), strict=True):
        assert one.strength == pytest.approx((0.5 * up @ down).square().mean().sqrt().item(), rel=1e-4)
