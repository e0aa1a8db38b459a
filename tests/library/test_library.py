"""The model library: lists, aliases, hashes, sidecars, choice of VAE, and files that cannot be used."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.library import full_size
from tests.library.small import small_checkpoint, small_vae
from webui.domain.errors import UnknownModelError, UnusableFileError
from webui.library import library as library_module
from webui.library.library import ModelLibrary
from webui.weights.families.registry import FAMILIES


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    for name in ("Stable-diffusion/sub", "VAE", "embeddings", "Lora"):
        (folder / name).mkdir(parents=True)
    save_file(small_checkpoint(1), folder / "Stable-diffusion" / "alpha.safetensors")
    save_file(small_checkpoint(2), folder / "Stable-diffusion" / "sub" / "beta.safetensors")
    save_file(small_vae(), folder / "VAE" / "alpha-vae.safetensors")
    return folder


@pytest.fixture
def library(models: Path, tmp_path: Path) -> ModelLibrary:
    return ModelLibrary(models, tmp_path / "cache", FAMILIES)


def test_checkpoints_are_listed_with_their_place(library: ModelLibrary) -> None:
    alpha, beta = library.checkpoints()
    assert (alpha.name, beta.name) == ("alpha.safetensors", "sub/beta.safetensors")
    assert (beta.stem, beta.model_name) == ("beta", "sub_beta")
    assert alpha.usable
    assert beta.usable


def test_every_alias_names_the_file(library: ModelLibrary, models: Path) -> None:
    beta = library.checkpoints()[1]
    old = hashlib.sha256(beta.path.read_bytes()[0x100000:0x110000]).hexdigest()[:8]
    assert library.title(beta) == "sub/beta.safetensors"
    sha = library.sha256(beta)
    assert sha == hashlib.sha256(beta.path.read_bytes()).hexdigest()
    assert library.title(beta) == f"sub/beta.safetensors [{sha[:10]}]"
    aliases = ["sub_beta", "sub/beta.safetensors", "beta", library.title(beta), sha, sha[:10], f"beta [{sha[:10]}]",
               f"sub/beta.safetensors [{old}]", "bet", "beta.safetensors [ffffffffff]"]  # fmt: skip
    assert {library.checkpoint(alias).name for alias in aliases} == {beta.name}


def test_the_shortest_title_wins_among_those_that_contain_the_text(library: ModelLibrary) -> None:
    assert library.checkpoint(".safetensors").name == "alpha.safetensors"


@pytest.mark.parametrize("alias", ["gamma", "", "[", "../alpha", "\0", "alpha.safetensors [zz"])
def test_unknown_names_list_what_is_there(library: ModelLibrary, alias: str) -> None:
    with pytest.raises(UnknownModelError, match=r"alpha\.safetensors, sub/beta\.safetensors"):
        library.checkpoint(alias)


def test_hashes_outlive_the_object_and_follow_the_file(library: ModelLibrary, models: Path, tmp_path: Path) -> None:
    alpha = library.checkpoint("alpha")
    first = library.sha256(alpha)
    again = ModelLibrary(models, tmp_path / "cache", FAMILIES)
    assert again.known_sha256(alpha) == first
    save_file(small_checkpoint(3), alpha.path)
    os.utime(alpha.path, ns=(1, 1))
    assert again.known_sha256(alpha) is None
    assert again.sha256(alpha) != first


def test_a_damaged_store_is_started_afresh(models: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "model-files.json").write_text('{"x": 3, "y"')
    assert ModelLibrary(models, tmp_path / "cache", FAMILIES).checkpoint("alpha").usable


def test_two_libraries_do_not_lose_each_others_hashes(models: Path, tmp_path: Path) -> None:
    one, two = ModelLibrary(models, tmp_path / "cache", FAMILIES), ModelLibrary(models, tmp_path / "cache", FAMILIES)
    alpha, beta = one.checkpoints()
    one.refresh()
    two.refresh()
    one.sha256(alpha)
    two.sha256(beta)
    third = ModelLibrary(models, tmp_path / "cache", FAMILIES)
    assert third.known_sha256(alpha) is not None
    assert third.known_sha256(beta) is not None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"just some words in a file", "text file"),
        (None, "truncated"),
        ({"lora_unet_mid.lora_up.weight": torch.zeros(2)}, "LoRA"),
        ({"decoder.conv_in.weight": torch.zeros(2)}, "VAE"),
    ],
)
def test_unusable_checkpoints_are_listed_with_the_reason(
    models: Path, tmp_path: Path, content: bytes | dict[str, torch.Tensor] | None, words: str
) -> None:
    path = models / "Stable-diffusion" / "bad.safetensors"
    if isinstance(content, dict):
        save_file(content, path)
    else:
        path.write_bytes(content or (models / "Stable-diffusion" / "alpha.safetensors").read_bytes()[:-100])
    library = ModelLibrary(models, tmp_path / "cache", FAMILIES)
    bad = next(file for file in library.checkpoints() if file.stem == "bad")
    assert not bad.usable
    assert words in bad.reason
    with pytest.raises(UnusableFileError, match=words):
        library.checkpoint("bad")
    with pytest.raises(UnusableFileError, match=words):
        library.spec(bad)


def test_a_repaired_file_becomes_usable(models: Path, library: ModelLibrary) -> None:
    path = models / "Stable-diffusion" / "bad.safetensors"
    path.write_bytes(b"half of it")
    library.refresh()
    assert not next(file for file in library.checkpoints() if file.stem == "bad").usable
    save_file(small_checkpoint(4), path)
    library.refresh()
    assert library.checkpoint("bad").usable


def test_the_sidecar_takes_part_in_the_verdict(models: Path, library: ModelLibrary) -> None:
    yaml = models / "Stable-diffusion" / "alpha.yaml"
    yaml.write_text("model: {params: {unet_config: {}, parameterization: v}}")
    library.refresh()
    assert library.spec(library.checkpoint("alpha")).prediction == "v"
    yaml.write_text("model: {params: {unet_config: {}}}\n")
    assert library.spec(library.checkpoint("alpha")).prediction == "epsilon"
    yaml.write_text("- [")
    library.refresh()
    with pytest.raises(UnusableFileError, match=r"alpha\.yaml"):
        library.checkpoint("alpha")


def test_vae_by_name_automatic_and_none(library: ModelLibrary) -> None:
    alpha, beta = library.checkpoints()
    file = library.vaes()[0]
    assert file.name == "alpha-vae.safetensors"
    assert library.vae("Automatic", alpha) == file
    assert library.vae("Automatic", beta) is None
    assert library.vae("None", alpha) is None
    assert library.vae("alpha-vae.safetensors", beta) == library.vae("alpha-vae", beta) == file
    with pytest.raises(UnknownModelError, match=r"alpha-vae\.safetensors"):
        library.vae("other", alpha)


def test_a_vae_beside_a_checkpoint_is_no_checkpoint(models: Path, tmp_path: Path) -> None:
    save_file(small_vae(), models / "Stable-diffusion" / "sub" / "beta.vae.safetensors")
    library = ModelLibrary(models, tmp_path / "cache", FAMILIES)
    beta = library.checkpoint("beta")
    assert len(library.checkpoints()) == 2
    assert [file.name for file in library.vaes()] == ["alpha-vae.safetensors", "sub/beta.vae.safetensors"]
    found = library.vae("Automatic", beta)
    assert found is not None
    assert found.path.name == "beta.vae.safetensors"


def test_a_checkpoint_in_the_vae_folder_is_usable_and_a_lora_is_not(models: Path, tmp_path: Path) -> None:
    save_file(small_checkpoint(1), models / "VAE" / "whole.safetensors")
    save_file({"x.lora_up.weight": torch.zeros(2)}, models / "VAE" / "lora.safetensors")
    library = ModelLibrary(models, tmp_path / "cache", FAMILIES)
    usable = {file.stem: file.usable for file in library.vaes()}
    assert usable == {"alpha-vae": True, "lora": False, "whole": True}


def test_pickles_are_listed_and_wait_for_conversion(models: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": small_checkpoint(1)}, models / "Stable-diffusion" / "old.ckpt")
    library = ModelLibrary(models, tmp_path / "cache", FAMILIES)
    old = library.checkpoint("old")
    assert old.is_pickle
    assert "converted" in old.reason
    with pytest.raises(UnusableFileError, match="not been converted"):
        library.spec(old)


def test_safetensors_under_a_pickles_name_is_read_as_what_it_is(models: Path, tmp_path: Path) -> None:
    save_file(small_checkpoint(1), models / "Stable-diffusion" / "named.ckpt")
    library = ModelLibrary(models, tmp_path / "cache", FAMILIES)
    assert library.spec(library.checkpoint("named")).family.name == "sd1"


def test_links_are_followed_once(models: Path, library: ModelLibrary) -> None:
    (models / "Stable-diffusion" / "sub" / "loop").symlink_to(models / "Stable-diffusion", target_is_directory=True)
    library.refresh()
    assert len(library.checkpoints()) == 2


def test_missing_folders_are_empty_ones(tmp_path: Path) -> None:
    library = ModelLibrary(tmp_path / "nothing", tmp_path / "cache", FAMILIES)
    assert library.checkpoints() == library.vaes() == library.embeddings() == ()
    with pytest.raises(UnknownModelError, match="no usable file"):
        library.checkpoint("x")


def test_the_room_needs_no_torch() -> None:
    code = "import sys, webui.library.library; sys.exit('torch' in sys.modules or 'diffusers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0


def test_full_size_table_and_small_one_agree_on_names() -> None:
    """The small checkpoint of these tests has the names of a real one, as far as it goes."""
    real = full_size.checkpoint(full_size.sd1_unet(), (True, True, True, False), {})
    assert {name for name in small_checkpoint(1) if not name.startswith("cond_stage")} <= set(real)


def test_files_not_examined_in_time_are_examined_when_chosen(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (models / "Stable-diffusion" / "bad.safetensors").write_bytes(b"half of it")
    monkeypatch.setattr(library_module, "EXAMINE_SECONDS", -1.0)
    library = ModelLibrary(models, tmp_path / "cache", FAMILIES)
    assert all(file.usable for file in library.checkpoints())
    with pytest.raises(UnusableFileError, match="text file"):
        library.checkpoint("bad")
    library.refresh()
    assert [file.usable for file in library.checkpoints()] == [True, False, True]


def test_a_file_damaged_after_the_refresh_is_refused(library: ModelLibrary) -> None:
    alpha = library.checkpoint("alpha")
    os.truncate(alpha.path, 5000)
    with pytest.raises(UnusableFileError, match="truncated"):
        library.checkpoint("alpha")
