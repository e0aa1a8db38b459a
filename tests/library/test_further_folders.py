"""Models in further folders and in those of other programs: listed, found, hashed, shown, and never written to."""

import asyncio
import hashlib
import json
import os
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import torch
from fastapi import FastAPI
from PIL import Image
from safetensors.torch import save_file

from tests.narrowing import untyped
from webui.api import thumbs
from webui.domain.errors import WebuiError
from webui.domain.model_folders import ModelFolder
from webui.domain.settings import Settings
from webui.library.cards import cards
from webui.library.files import FOLDERS, find
from webui.library.library import ModelLibrary
from webui.library.networks import find_network
from webui.library.other_programs import folders_of_program, sources_of, with_all_folders
from webui.weights.families.registry import FAMILIES

TENSORS = {"a.lora_up.weight": torch.ones(2, 2)}


def _lora(path: Path, value: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"a.lora_up.weight": torch.full((2, 2), value)}, path)
    return path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    _lora(tmp_path / "models" / "Lora" / "ink.safetensors")
    return tmp_path / "models"


def _library(own: Path, *folders: ModelFolder) -> ModelLibrary:
    return ModelLibrary(own, own.parent / "cache", FAMILIES, further=folders)


def _lora_folder(path: Path) -> ModelFolder:
    return ModelFolder(kind="lora", path=path)


def test_files_of_further_folders_are_listed_with_ours(own: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    oil = _lora(away / "sub" / "oil.safetensors")
    library = _library(own, _lora_folder(away), _lora_folder(tmp_path / "not there"))
    assert [file.name for file in library.loras()] == ["ink.safetensors", "sub/oil.safetensors"]
    found = find_network(library, library.loras(), "oil")
    assert found is not None
    assert found.path == oil
    assert library.sha256(found) == hashlib.sha256(oil.read_bytes()).hexdigest()
    assert library.checkpoints() == ()


def test_two_files_of_one_name_are_told_apart(own: Path, tmp_path: Path) -> None:
    places = [tmp_path / "one" / "loras", tmp_path / "two" / "loras"]
    files = [_lora(place / "ink.safetensors", number + 2.0) for number, place in enumerate(places)]
    library = _library(own, *map(_lora_folder, places))
    named = {file.name: file.path for file in library.loras()}
    assert named == {
        "ink.safetensors": own / "Lora" / "ink.safetensors",
        "loras/ink.safetensors": files[0],
        "two/loras/ink.safetensors": files[1],
    }
    for name, path in named.items():
        found = find_network(library, library.loras(), name)
        assert found is not None
        assert found.path == path
    first = find_network(library, library.loras(), "ink")
    assert first is not None
    assert first.path == named["ink.safetensors"]  # ours goes before


def test_a_file_that_is_reached_twice_is_listed_once(own: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    _lora(away / "sub" / "oil.safetensors")
    (own / "Lora" / "linked").symlink_to(away / "sub")
    folders = [own / "Lora", away, away / "sub", away]
    names = [file.name for file in find(own, "lora", map(_lora_folder, folders))]
    assert names == ["ink.safetensors", "linked/oil.safetensors"]


def test_a_single_file_may_be_named(own: Path, tmp_path: Path) -> None:
    oil = _lora(tmp_path / "downloads" / "oil.safetensors")
    _lora(tmp_path / "downloads" / "other.safetensors")
    text = tmp_path / "downloads" / "notes.txt"
    text.touch()
    files = _library(own, _lora_folder(oil), _lora_folder(text)).loras()
    assert [file.name for file in files] == ["ink.safetensors", "oil.safetensors"]
    named = _lora(tmp_path / "downloads" / "ink.safetensors")
    assert [file.name for file in find(own, "lora", [_lora_folder(named)])] == [
        "downloads/ink.safetensors",
        "ink.safetensors",
    ]


def test_vaes_beside_checkpoints_are_found_in_further_folders_too(own: Path, tmp_path: Path) -> None:
    (tmp_path / "ckpt").mkdir()
    for name in ("a.safetensors", "a.vae.safetensors"):
        (tmp_path / "ckpt" / name).touch()
    folder = ModelFolder(kind="checkpoint", path=tmp_path / "ckpt")
    assert [file.name for file in find(own, "vae", [folder])] == ["a.vae.safetensors"]
    assert [file.name for file in find(own, "checkpoint", [folder])] == ["a.safetensors"]


def test_new_files_are_seen_at_the_next_look(own: Path, tmp_path: Path) -> None:
    library = _library(own, _lora_folder(tmp_path / "later"))
    assert len(library.loras()) == 1
    _lora(tmp_path / "later" / "oil.safetensors")
    library.refresh()
    assert [file.name for file in library.loras()] == ["ink.safetensors", "oil.safetensors"]


def test_what_lies_beside_a_file_is_shown_and_nothing_is_written_there(own: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    oil = _lora(away / "oil.safetensors")
    oil.with_suffix(".json").write_text(json.dumps({"activation text": "oil paint", "description": "Own words"}))
    Image.new("RGB", (9, 9), "red").save(away / "oil.preview.png")
    _lora(tmp_path / "two" / "ink.safetensors", 2.0)
    Image.new("RGB", (9, 9), "blue").save(tmp_path / "two" / "ink.png")
    before = {
        path: path.stat().st_mtime_ns for folder in (away, tmp_path / "two") for path in (folder, *folder.iterdir())
    }
    library = _library(own, _lora_folder(away), _lora_folder(tmp_path / "two"))
    shown = {card.file: card for card in cards(library, "lora")}
    assert shown["oil.safetensors"].text == "<lora:oil:1> oil paint"
    assert shown["oil.safetensors"].description == "Own words"
    app = FastAPI()
    app.include_router(thumbs.routes(untyped(SimpleNamespace(engine=SimpleNamespace(library=library)))))

    def thumb(name: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://here") as client:
                return await client.get("/sd_extra_networks/thumb", params={"kind": "lora", "name": name})

        return asyncio.run(ask())

    assert thumb("oil.safetensors").headers["content-type"] == "image/jpeg"
    assert thumb("two/ink.safetensors").status_code == 200
    for stranger in ("ink.safetensors", "../away/oil.safetensors", str(oil)):
        assert thumb(stranger).status_code == 404
    for file in library.loras():
        library.sha256(file)
    library.refresh()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert sorted(os.listdir(away)) == ["oil.json", "oil.preview.png", "oil.safetensors"]


def test_a_kind_that_does_not_exist_is_one_sentence(own: Path) -> None:
    with pytest.raises(WebuiError, match="model_folders: no kind loras; there are: checkpoint, vae"):
        _library(own, ModelFolder(kind="loras", path=own))
    with pytest.raises(ValueError, match="lora=/data/loras"):
        ModelFolder.model_validate("loras")


A1111 = (
    "models/Stable-diffusion", "models/Lora", "embeddings", "extensions/sd-webui-controlnet/annotator/downloads",
)  # fmt: skip
COMFYUI = (
    "models/checkpoints", "models/loras", "models/embeddings", "models/upscale_models",
    "custom_nodes/comfyui_controlnet_aux/ckpts",
)  # fmt: skip


@pytest.mark.parametrize("given", ["", "models"])
@pytest.mark.parametrize(("names", "program"), [(A1111, "A1111 or Forge"), (COMFYUI, "ComfyUI")])
def test_a_program_is_recognised_by_its_folders(
    tmp_path: Path, names: tuple[str, ...], program: str, given: str
) -> None:
    for name in names:
        (tmp_path / "home" / name).mkdir(parents=True)
    found, folders = folders_of_program(tmp_path / "home" / given)
    assert found == program
    there = {folder.path for folder in folders if folder.path.is_dir()}
    assert there == {tmp_path / "home" / name for name in names}
    kinds = {folder.path.name: folder.kind for folder in folders}
    assert kinds["embeddings"] == "embedding"
    assert (kinds.get("downloads") or kinds.get("ckpts")) == "preprocessor"
    assert {folder.kind for folder in folders} <= FOLDERS.keys()


def test_settings_name_folders_in_every_way(own: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for place in ("root/Lora", "a1111/models/Lora", "comfy/models/loras", "from yaml", "one"):
        _lora(tmp_path / place / f"{place.split('/')[0]}.safetensors")
    (tmp_path / "a1111" / "models" / "Stable-diffusion").mkdir()
    (tmp_path / "comfy" / "models" / "checkpoints").mkdir()
    (tmp_path / "comfy" / "extra_model_paths.yaml").write_text("a:\n  loras: ../from yaml\n  clip: x\n")
    settings = Settings(
        models_dir=own,
        data_dir=tmp_path / "data",
        further_models_dirs=(tmp_path / "root", tmp_path / "gone"),
        use_models_of=(tmp_path / "a1111", tmp_path / "comfy", tmp_path / "one"),
        model_folders=(_lora_folder(tmp_path / "one"),),
    )
    with caplog.at_level("INFO"):
        whole = with_all_folders(settings)
    library = ModelLibrary(own, tmp_path / "cache", FAMILIES, further=whole.model_folders)
    assert sorted(file.stem for file in library.loras()) == ["a1111", "comfy", "from yaml", "ink", "one", "root"]
    for text in (
        "gone is not there now",
        "a1111: A1111 or Forge; its models are read where they lie",
        "comfy: ComfyUI;",
        "no use here for clip",
        "one is not used; there is neither models/Stable-diffusion",
    ):
        assert text in caplog.text
    assert sources_of(whole.model_copy(update={"use_models_of": (), "further_models_dirs": ()})).folders == (
        whole.model_folders
    )
