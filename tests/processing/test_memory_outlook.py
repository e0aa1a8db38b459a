"""What a job will need is told before it is sent: as the sizes grow, as the job itself expects it, and beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.exact_back import exact_back
from tests.processing.reporters import Silent
from webui.domain.errors import UnknownModelError
from webui.domain.extensions import ExtensionInfo
from webui.domain.hires import Hires
from webui.domain.request import GenerationRequest, Txt2Img
from webui.hardware.main_memory import free_main_memory, total_main_memory
from webui.library.library import ModelLibrary
from webui.processing.back import Back
from webui.processing.memory_outlook import MemoryForecast
from webui.weights.families.registry import FAMILIES
from webui.weights.memory import ModelCache
from webui.weights.residency import Residency

REQUEST = GenerationRequest(checkpoint="tiny-sd1", sampler="Euler", steps=1, seed=1, width=64, height=64)


@pytest.fixture(scope="module")
def back(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Back]:
    data = tmp_path_factory.mktemp("data")
    made = exact_back(models_dir=tiny_models_dir, data_dir=data, extensions_dir=data / "extensions")
    yield made
    made.close()


def test_before_and_after_loading_the_weights_are_as_many_bytes(back: Back) -> None:
    before = back.memory_outlook(REQUEST)
    assert before.loads == before.weights > 0
    back.run(REQUEST, Silent())
    after = back.memory_outlook(REQUEST)
    assert after.loads == 0
    assert after.weights - before.weights == 77 * 8  # the numbers of positions, which no file has to have
    assert (after.sampling, after.decoding, after.latents) == (before.sampling, before.decoding, before.latents)


def test_it_grows_with_size_batch_and_hires(back: Back) -> None:
    small = back.memory_outlook(REQUEST)
    twice = back.memory_outlook(REQUEST.with_(batch_size=2))
    assert twice.sampling == 2 * small.sampling
    assert twice.latents == 2 * small.latents
    assert twice.decoding == small.decoding  # pictures are decoded one by one
    alone = back.memory_outlook(REQUEST.with_(cfg_scale=1))
    assert 2 * alone.sampling == small.sampling  # there is no negative prompt
    hires = REQUEST.with_(task=Txt2Img(hires=Hires(enabled=True, scale=2.0)))
    large = back.memory_outlook(REQUEST.with_(width=128, height=128))
    assert back.memory_outlook(hires).needs == large.needs > small.needs


def test_a_checkpoint_that_is_not_there_is_told(back: Back) -> None:
    with pytest.raises(UnknownModelError, match="nowhere"):
        back.memory_outlook(REQUEST.with_(checkpoint="nowhere"))


def _forecast(models_dir: Path, folder: Path, budget: int) -> tuple[MemoryForecast, ModelCache]:
    """On a device with so many bytes, which is the CPU here."""
    library = ModelLibrary(models_dir, folder, FAMILIES)
    device = torch.device("cpu")
    models = ModelCache(library, device, torch.float32, residency=Residency(device, budget))
    options = {"properties": {"units": {"items": {"properties": {"model": {"form": {"model": "vae"}}}}}}}
    infos = (ExtensionInfo("units", "units", options=options),)
    return MemoryForecast(library, models, lambda: infos), models


def test_on_a_small_device_it_tells_what_leaves_and_what_streams(tiny_models_dir: Path, tmp_path: Path) -> None:
    roomy, _ = _forecast(tiny_models_dir, tmp_path, 2**34)
    wide = roomy.of(REQUEST)
    assert (wide.leaves, wide.streams, wide.total, wide.free) == ((), 0, 2**34, 2**34)
    assert wide.fits
    tight = wide.needs - wide.latents
    forecast, models = _forecast(tiny_models_dir, tmp_path, tight)
    models.get(models._library.checkpoint("tiny-sd1"), None)
    told = forecast.of(REQUEST)
    assert told.loads == 0
    assert told.leaves  # the text encoder and the VAE have no room beside the network
    assert "network" not in told.leaves
    half, _ = _forecast(tiny_models_dir, tmp_path, tight // 2)
    assert half.of(REQUEST).streams > 0
    assert not half.of(REQUEST).fits


def test_networks_that_units_name_are_counted_unless_they_are_off(tiny_models_dir: Path, tmp_path: Path) -> None:
    vae = next((tiny_models_dir / "VAE").glob("*.safetensors"))
    forecast, _ = _forecast(tiny_models_dir, tmp_path, 2**34)
    plain = forecast.of(REQUEST)
    unit = {"model": vae.name, "enabled": True}
    with_unit = forecast.of(REQUEST.model_copy(update={"extensions": {"units": {"units": [unit, unit]}}}))
    assert with_unit.weights - plain.weights == vae.stat().st_size  # once, though two units name it
    off = {"units": {"units": [{**unit, "enabled": False}]}}
    assert forecast.of(REQUEST.model_copy(update={"extensions": off})) == plain


def test_main_memory_is_read_where_the_system_tells(tmp_path: Path) -> None:
    told = tmp_path / "meminfo"
    told.write_text("MemTotal: 100 kB\nMemAvailable:     42 kB\n")
    assert free_main_memory(told) == 42 * 1024
    assert total_main_memory(told) == 100 * 1024
    assert free_main_memory(tmp_path / "nowhere") == total_main_memory(tmp_path / "nowhere") == 0
