"""A1111's own images with block weights and steps in LoRA tags, made again by the whole program with the extension."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from extensions.lora.low_rank_kinds import LowRank
from extensions.lora.network import Network, read_network
from tests.processing.reporters import Silent
from webui.api.sdapi.dialect.models import Txt2ImgBody
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.extensions import ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.domain.settings import BackSettings
from webui.plugins.loader import load_all
from webui.processing.back import Back, build
from webui.weights.tensors import TensorFile

ROOT = Path(__file__).parents[2]
GOLDENS = ROOT.parent / "shared" / "goldens"
SET = GOLDENS.with_name("goldens3")
pytestmark = pytest.mark.skipif(not SET.is_dir(), reason="the reference images are not here (../shared/goldens3)")


def cases() -> list[dict[str, Any]]:
    if not SET.is_dir():
        return []
    listed = json.loads((SET / "index.json").read_text())["cases"]
    names = [one["name"] for one in listed if one["group"] == "lbw"]
    return [json.loads((SET / "cases" / f"{name}.json").read_text()) for name in names]


@pytest.fixture(scope="module")
def infos() -> tuple[ExtensionInfo, ...]:
    return load_all(ROOT / "extensions", ()).infos


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Back:
    return build(
        BackSettings(
            models_dir=GOLDENS / "models",
            data_dir=tmp_path_factory.mktemp("data"),
            extensions_dir=ROOT / "extensions",
            device="cpu",
            precision="fp32",
            threads=1,
        )
    )


@pytest.mark.parametrize("case", cases(), ids=lambda case: str(case["name"]))
def test_the_image_is_a1111s(case: dict[str, Any], back: Back, infos: tuple[ExtensionInfo, ...]) -> None:
    request = to_request(read_body(case["payload"], Txt2ImgBody), GenerationRequest(), infos)
    result = back.run(request, Silent())
    assert not result.notices
    with Image.open(SET / "cases" / f"{case['name']}.png") as golden:
        assert psnr(result.images[0].image, golden.convert("RGB")) >= 66
    text = (SET / "cases" / f"{case['name']}.txt").read_text()
    assert without_version(result.images[0].infotext) == without_version(text)


@pytest.mark.parametrize("case", cases()[:1], ids=lambda case: str(case["name"]))
def test_a_network_that_acts_at_some_steps_acts_so_in_every_batch(
    case: dict[str, Any], back: Back, infos: tuple[ExtensionInfo, ...]
) -> None:
    payload = {**case["payload"], "prompt": "a red cat <lora:tiny-lora:1:step=2-5>", "n_iter": 2, "steps": 8}
    made = back.run(to_request(read_body(payload, Txt2ImgBody), GenerationRequest(), infos), Silent()).images
    for image in made:
        alone = back.run(image.request, Silent()).images[0]
        assert np.array_equal(np.asarray(alone.image), np.asarray(image.image))


SPELLINGS = SET.with_name("cases") / "lora-te-other-spellings" / "make.py"


@pytest.mark.skipif(not SPELLINGS.is_file(), reason="the small inputs are not here (../shared/cases)")
@pytest.mark.parametrize("name", ["te-comfy", "te-omi", "te-dots"])
def test_other_spellings_of_the_text_encoder_make_the_same_changes(name: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(SPELLINGS), str(tmp_path), str(GOLDENS / "models")], check=True)
    wanted, made = (
        read(folder / "Lora" / f"{file}.safetensors")
        for folder, file in ((GOLDENS / "models", "tiny-lora"), (tmp_path, name))
    )
    assert not made.told
    assert made.changes.keys() == wanted.changes.keys()
    for place, change in made.changes.items():
        assert isinstance(change.adapter, LowRank)
        weight = torch.zeros(change.adapter.up.shape[0], change.adapter.down[0].numel())
        assert torch.equal(change.weight(weight, 1.0), wanted.changes[place].weight(weight, 1.0))


def read(path: Path) -> Network:
    with TensorFile(path) as source:
        return read_network(source, path.stem)


def psnr(image: Image.Image, golden: Image.Image) -> float:
    """Peak signal to noise ratio of 8-bit pictures in dB."""
    error = float(((np.asarray(image, np.float64) - np.asarray(golden, np.float64)) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def without_version(text: str) -> str:
    return re.sub(r",? ?Version: [^,\n]+", "", text).strip()
