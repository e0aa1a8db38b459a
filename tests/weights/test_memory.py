"""The cache of models: loaded once, least recently used first out and freed before the next is read."""

import gc
import os
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.library.small import small_checkpoint, small_vae
from tests.narrowing import untyped
from webui.domain.errors import NotFiniteError, UnusableFileError
from webui.library.library import ModelLibrary
from webui.weights import load, memory
from webui.weights.families.registry import FAMILIES
from webui.weights.memory import ModelCache
from webui.weights.residency import Residency

CPU = torch.device("cpu")


@pytest.fixture
def library(tmp_path: Path) -> ModelLibrary:
    folder = tmp_path / "models" / "Stable-diffusion"
    folder.mkdir(parents=True)
    for seed, name in enumerate(("a", "b", "c")):
        save_file(small_checkpoint(seed), folder / f"{name}.safetensors")
    (tmp_path / "models" / "VAE").mkdir()
    save_file(small_vae(), tmp_path / "models" / "VAE" / "other.safetensors")
    return ModelLibrary(tmp_path / "models", tmp_path / "cache", FAMILIES)


def test_the_vae_may_have_numbers_of_its_own(library: ModelLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU every VAE is float32, so that what is asked of the readers is looked at."""
    asked: list[torch.dtype | None] = []
    whole, alone = load.load_model, load.load_vae

    def load_model(*given: Any, vae_dtype: torch.dtype | None, **options: Any) -> Any:
        asked.append(vae_dtype)
        return whole(*given, vae_dtype=vae_dtype, **options)

    def load_vae(*given: Any, **options: Any) -> Any:
        asked.append(given[-1])
        return alone(*given, **options)

    monkeypatch.setattr(memory, "load_model", load_model)
    monkeypatch.setattr(memory, "load_vae", load_vae)
    checkpoint, (other,) = library.checkpoint("a"), library.vaes()
    for vae_dtype in (torch.float32, None):
        cache = ModelCache(library, CPU, torch.bfloat16, vae_dtype=vae_dtype)
        assert cache.get(checkpoint, None).unet.dtype == torch.bfloat16
        assert cache.get(checkpoint, other).vae_file == other
    assert asked == [torch.float32, torch.float32, torch.bfloat16, torch.bfloat16]


def names(cache: ModelCache) -> list[str]:
    return [model.file.stem for model in cache.loaded()]


def test_a_model_is_loaded_once(library: ModelLibrary) -> None:
    told: list[str] = []
    cache = ModelCache(library, CPU, torch.float32, 1, progress=told.append)
    first = cache.get(library.checkpoint("a"), None)
    assert cache.get(library.checkpoint("a"), None) is first
    assert told == ["loading a.safetensors"]
    assert (first.unet.dtype, first.vae.dtype, first.dtype) == (torch.float32,) * 3


def test_the_least_recently_used_goes(library: ModelLibrary) -> None:
    cache = ModelCache(library, CPU, torch.float32, 2)
    for name in ("a", "b", "a", "c"):
        cache.get(library.checkpoint(name), None)
    assert names(cache) == ["a", "c"]
    cache.clear()
    assert names(cache) == []


def test_the_old_model_is_gone_before_the_new_one_is_read(
    library: ModelLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ModelCache(library, CPU, torch.float32, 1)
    old = weakref.ref(cache.get(library.checkpoint("a"), None).unet.module)
    load = untyped(memory).load_model
    alive: list[bool] = []

    def watched(*arguments: object, **options: object) -> object:
        gc.collect()
        alive.append(old() is not None)
        return load(*arguments, **options)

    monkeypatch.setattr(memory, "load_model", watched)
    cache.get(library.checkpoint("b"), None)
    assert alive == [False]


def test_garbage_is_searched_for_where_networks_were_dropped(
    library: ModelLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search takes longer than reading a small checkpoint."""
    searched: list[bool] = []
    monkeypatch.setattr(memory, "give_memory_back", lambda *, search=True: searched.append(search))
    cache = ModelCache(library, CPU, torch.float32, 3)
    a, b, c = (library.checkpoint(name) for name in "abc")
    cache.get(a, None)
    cache.get(b, None)  # nothing had to go
    cache.get(b, library.vaes()[0])  # the VAE before it
    cache.get(c, None)
    os.utime(a.path, ns=(1, 1))
    cache.get(a, None)  # its older version
    tensors = small_checkpoint(1)
    tensors["model.diffusion_model.out.0.weight"][0] = float("nan")
    save_file(tensors, c.path)
    with pytest.raises(NotFiniteError):
        cache.get(c, None)  # its older version, and what was read of this one
    save_file(small_checkpoint(1), c.path)
    cache.get(c, None)
    assert searched == [False, False, True, True, True, True]


def test_a_changed_file_is_read_again(library: ModelLibrary) -> None:
    cache = ModelCache(library, CPU, torch.float32, 2)
    file = library.checkpoint("a")
    first = cache.get(file, None)
    save_file(small_checkpoint(9), file.path)
    os.utime(file.path, ns=(1, 1))
    assert cache.get(file, None) is not first
    assert names(cache) == ["a"]


def test_only_the_vae_is_exchanged(library: ModelLibrary) -> None:
    cache = ModelCache(library, CPU, torch.float32, 1)
    checkpoint = library.checkpoint("a")
    first = cache.get(checkpoint, None)
    other = cache.get(checkpoint, library.vaes()[0])
    assert other.unet is first.unet
    assert other.text is first.text
    assert other.vae is not first.vae
    assert other.vae_file == library.vaes()[0]
    assert cache.get(checkpoint, None).vae_file is None


def test_bfloat16_keeps_the_vae_in_float32_on_a_cpu(library: ModelLibrary) -> None:
    model = ModelCache(library, CPU, torch.bfloat16, 1, fast_cpu=True).get(library.checkpoint("a"), None)
    assert (model.unet.dtype, model.vae.dtype) == (torch.bfloat16, torch.float32)


def test_a_checkpoint_without_vae_needs_one(library: ModelLibrary) -> None:
    path = library.checkpoint("b").path
    save_file({k: v for k, v in small_checkpoint(1).items() if not k.startswith("first_stage")}, path)
    cache = ModelCache(library, CPU, torch.float32, 1)
    library.refresh()
    with pytest.raises(UnusableFileError, match="no VAE inside"):
        cache.get(library.checkpoint("b"), None)
    assert cache.get(library.checkpoint("b"), library.vaes()[0]).vae.downscale == 2


def test_a_failed_load_names_file_and_tensor_and_leaves_the_cache_in_order(library: ModelLibrary) -> None:
    tensors = small_checkpoint(1)
    tensors["model.diffusion_model.out.0.weight"][0] = float("nan")
    save_file(tensors, library.checkpoint("b").path)
    cache = ModelCache(library, CPU, torch.float32, 2)
    cache.get(library.checkpoint("a"), None)
    with pytest.raises(NotFiniteError, match=r"b\.safetensors: tensor model\.diffusion_model\.out\.0\.weight"):
        cache.get(library.checkpoint("b"), None)
    assert names(cache) == ["a"]


def test_switching_between_four_checkpoints_takes_no_more_memory_each_time(library: ModelLibrary) -> None:
    """In a budget for one of them, two in memory."""
    save_file(small_checkpoint(3), library.models_dir / "Stable-diffusion" / "d.safetensors")
    library.refresh()
    residency = Residency(CPU, 1 << 20)
    cache = ModelCache(library, CPU, torch.float32, capacity=2, residency=residency)
    latents, sizes = torch.zeros(1, 4, 4, 4), []
    for turn in range(12):  # each of them twice after the caches are full
        with torch.inference_mode():
            cache.get(library.checkpoint("abcd"[turn % 4]), None).vae.decode(latents)
        gc.collect()
        sizes.append(_bytes_of_tensors())
    assert max(sizes[4:]) == min(sizes[4:]), sizes
    assert len(residency.state().networks) <= 6


def _bytes_of_tensors() -> int:
    plain = (torch.Tensor, torch.nn.Parameter)
    return sum(one.numel() * one.element_size() for one in gc.get_objects() if type(one) in plain)
