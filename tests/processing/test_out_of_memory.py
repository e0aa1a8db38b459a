"""Memory runs out at one place of a job after another: the picture is the same, or a sentence says what to lower; the
next job is as ever, and nothing of the failed attempt stays. Networks move in and out of a budget all the while.
"""

import gc
import importlib
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.exact_back import exact_back
from tests.gpu.device_cases import CASES, models_in
from tests.processing.reporters import Silent
from webui.domain.errors import MemoryShortError
from webui.domain.request import GenerationRequest
from webui.processing.back import Back
from webui.weights.residency import Residency

ROOT = Path(__file__).parents[2]
TXT2IMG = CASES["parts, LoRA"].with_(n_iter=1, batch_size=2, prompt="a cat <lora:tiny-lora:0.8>")
IMG2IMG, CONTROL, HIRES = CASES["img2img"], CASES["ControlNet"], CASES["hires, network"]
GUIDED = CASES["guidance"]
UNET, VAE = "webui.weights.unet:UnetWrapper._answer", "webui.weights.vae:VaeWrapper"
TOWER, LORA = "webui.weights.text_encoders:ClipTower", "extensions.lora"
BUDGET = 24 * 2**20  # bytes; the networks of a job are 35 to 45 MiB


@dataclass(frozen=True)
class Fault:
    """Memory runs out in a function, once, at its call of this number; `fresh`: the networks are read anew."""

    place: str
    request: GenerationRequest
    call: int = 1
    fresh: bool = False


FAULTS = (
    Fault(UNET, TXT2IMG),
    Fault(UNET, TXT2IMG, 2),
    Fault(UNET, HIRES, 3),
    Fault(UNET, IMG2IMG),
    Fault(f"{TOWER}._encode", TXT2IMG),
    Fault(f"{TOWER}._encode", IMG2IMG, 2),
    Fault(f"{VAE}._decode", TXT2IMG),
    Fault(f"{VAE}._decode", TXT2IMG, 2),
    Fault(f"{VAE}._decode", HIRES),
    Fault(f"{VAE}._encode", IMG2IMG),
    Fault(f"{VAE}._encode", HIRES),
    Fault("webui.weights.load:build_vae", TXT2IMG, fresh=True),
    Fault("webui.weights.families.stable_diffusion.building:build_unet", TXT2IMG, fresh=True),
    Fault("webui.weights.text_encoders:TowerBuilder._module", IMG2IMG, fresh=True),
    Fault(f"{LORA}.patch:NetworkPatch._change", TXT2IMG, 2, fresh=True),
    Fault("webui.plugins.models:LibraryModels._built", TXT2IMG, fresh=True),
    Fault("extensions.controlnet.control_net:ControlNet.forward", CONTROL),
    Fault("extensions.controlnet.control_net:ControlNet.embed_hint", CONTROL),
    Fault("webui.weights.upscalers:load_upscaler", HIRES, fresh=True),
    Fault("webui.weights.residency:Residency._bring", TXT2IMG, 2),
)


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Back]:
    folder = tmp_path_factory.mktemp("short")
    models = models_in(folder)
    made = exact_back(models_dir=models, data_dir=folder / "data", extensions_dir=folder / "extensions")
    residency_of(made)._budget = BUDGET
    yield made
    made.close()


@pytest.fixture(scope="module")
def expected(back: Back) -> Callable[[GenerationRequest], NDArray[np.int16]]:
    made: dict[str, NDArray[np.int16]] = {}
    pictures(back, TXT2IMG)
    gc.collect()
    gc.freeze()  # what was imported for a job is not looked through by each of the searches for garbage below

    def picture_of(request: GenerationRequest) -> NDArray[np.int16]:
        key = request.model_dump_json()
        if key not in made:
            made[key] = pictures(back, request)
        return made[key]

    return picture_of


def residency_of(back: Back) -> Residency:
    return back._models.residency


def pictures(back: Back, request: GenerationRequest) -> NDArray[np.int16]:
    return np.stack([np.asarray(one.image) for one in back.run(request, Silent()).images]).astype(np.int16)


def loaded(back: Back, name: str) -> Any:
    """A module by name; of an extension the one that the back has loaded, below a name of its own."""
    if name.startswith("extensions."):
        _, folder, module = name.split(".")
        name = back._host.loaded.extensions[folder].modules.name_of(folder, module)
    return importlib.import_module(name)


class Failing:
    """A function that has no room, at some of its calls. What its frame held is remembered weakly."""

    def __init__(self, back: Back, place: str, calls: Callable[[int], bool], monkeypatch: pytest.MonkeyPatch) -> None:
        module, _, path = place.partition(":")
        self._calls, self.count, self.left = calls, 0, list[weakref.ref[torch.Tensor]]()
        owner: Any = loaded(back, module)
        *names, last = path.split(".")
        for name in names:
            owner = getattr(owner, name)
        original = getattr(owner, last)

        def failing(*given: Any, **options: Any) -> Any:
            self.count += 1
            if not self._calls(self.count):
                return original(*given, **options)
            activation = torch.zeros(1000)
            self.left.append(weakref.ref(activation))
            raise torch.OutOfMemoryError("CUDA out of memory")

        monkeypatch.setattr(owner, last, failing)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.place.rpartition(':')[2]} {fault.call}")
def test_a_job_goes_on_where_memory_ran_out(
    back: Back,
    expected: Callable[[GenerationRequest], NDArray[np.int16]],
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = expected(fault.request)
    if fault.fresh:
        back._pipeline.close()
        back._models.clear()
        back._networks.clear()
        back._host.models.clear()
    with monkeypatch.context() as patch:
        failing = Failing(back, fault.place, lambda number: number == fault.call, patch)
        result = back.run(fault.request, Silent())
    assert failing.left, f"{fault.place} was called {failing.count} times only"
    made = np.stack([np.asarray(one.image) for one in result.images]).astype(np.int16)
    assert np.abs(made - wanted).max() <= 1
    assert any(one.source == "memory" and one.text.startswith("memory ran out while") for one in result.notices)
    gc.collect()
    assert not [one for one in failing.left if one() is not None]


@pytest.mark.parametrize(
    ("place", "request_", "words"),
    [
        (UNET, TXT2IMG, "memory ran out while sampling 4 rows of 8 x 8 latent cells"),
        (f"{VAE}._decode", TXT2IMG, "memory ran out while decoding"),
        (f"{TOWER}._encode", IMG2IMG, "memory ran out while encoding"),
        ("extensions.controlnet.control_net:ControlNet.forward", CONTROL, "controlnet"),
        ("webui.processing.batches:sample_batch", GUIDED, "memory ran out while making pictures of 64 x 64"),
    ],
)
def test_a_job_that_has_no_room_says_what_to_lower(
    back: Back,
    expected: Callable[[GenerationRequest], NDArray[np.int16]],
    place: str,
    request_: GenerationRequest,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = expected(request_)
    with monkeypatch.context() as patch:
        failing = Failing(back, place, lambda number: True, patch)
        with pytest.raises(MemoryShortError, match="lower") as raised:
            back.run(request_, Silent())
    assert words in str(raised.value)
    del raised
    gc.collect()
    assert not [one for one in failing.left if one() is not None]
    assert np.array_equal(pictures(back, request_), wanted)  # the next job


def test_the_rungs_are_climbed_in_their_order(back: Back, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        Failing(back, UNET, lambda number: number <= 3, patch)
        result = back.run(TXT2IMG, Silent())
    told = [one.text for one in result.notices if one.source == "memory"]
    assert told == [
        "memory ran out while sampling 4 rows of 8 x 8 latent cells; everything else left cpu and prompt and negative "
        "prompt were computed one after the other and every row was computed alone"
    ]
