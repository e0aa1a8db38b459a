"""A1111's own images with block weights and steps in LoRA tags, made again by the whole program with the extension."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from extensions.lora.low_rank_kinds import LowRank
from extensions.lora.network import Network, read_network
from tests.exact_back import exact_back
from tests.processing.reporters import Silent
from tests.reference import ALL, FURTHER, Case, cases, each, without_version
from webui.api.sdapi.dialect.models import Txt2ImgBody
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.extensions import ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.plugins.loader import load_all
from webui.processing.back import Back
from webui.weights.tensors import TensorFile

ROOT = Path(__file__).parents[2]
CASES = cases(".png", where=lambda case: case.group == "lbw", folders=ALL)
SPELLINGS = FURTHER.with_name("cases") / "lora-te-other-spellings" / "make.py"
BOUND = 66.0  # dB


@pytest.fixture(scope="module")
def infos() -> tuple[ExtensionInfo, ...]:
    return load_all(ROOT / "extensions", ()).infos


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Back:
    return exact_back(
        models_dir=FURTHER / "models", data_dir=tmp_path_factory.mktemp("data"), extensions_dir=ROOT / "extensions"
    )


def made(case: Case, back: Back, infos: tuple[ExtensionInfo, ...], **changes: object) -> GenerationResult:
    body = read_body({**case.body(), **changes}, Txt2ImgBody)
    result = back.run(to_request(body, GenerationRequest(), infos), Silent())
    assert not result.notices
    return result


@each(CASES)
def test_the_image_is_a1111s(case: Case, back: Back, infos: tuple[ExtensionInfo, ...]) -> None:
    [image] = made(case, back, infos).images
    assert psnr(image.image, case.picture(0)) >= BOUND
    assert without_version(image.infotext) == without_version(case.infotexts()[0])


@each(CASES[:1])
def test_a_network_that_acts_at_some_steps_acts_so_in_every_batch(
    case: Case, back: Back, infos: tuple[ExtensionInfo, ...]
) -> None:
    images = made(case, back, infos, prompt="a red cat <lora:tiny-lora:1:step=2-5>", n_iter=2).images
    assert len(images) == 2
    for image in images:
        alone = back.run(image.request, Silent()).images[0]
        assert np.array_equal(np.asarray(alone.image), np.asarray(image.image))


@each([SPELLINGS] if SPELLINGS.is_file() else [])
def test_other_spellings_of_the_text_encoder_make_the_same_changes(case: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(case), str(tmp_path), str(FURTHER / "models")], check=True)
    wanted = read(FURTHER / "models" / "Lora" / "tiny-lora.safetensors")
    files = sorted((tmp_path / "Lora").iterdir())
    assert files
    for file in files:
        network = read(file)
        assert not network.told
        assert network.changes.keys() == wanted.changes.keys()
        for place, change in network.changes.items():
            assert isinstance(change.adapter, LowRank)
            weight = torch.zeros(change.adapter.up.shape[0], change.adapter.down[0].numel())
            assert torch.equal(change.weight(weight, 1.0), wanted.changes[place].weight(weight, 1.0))


@each([case for case in CASES if case.name == "lbw_all"])
def test_a_checkpoint_of_another_hash_is_said(case: Case, back: Back, infos: tuple[ExtensionInfo, ...]) -> None:
    request = to_request(read_body(case.body(), Txt2ImgBody), GenerationRequest(), infos)
    result = back.run(request.with_(checkpoint="tiny-sd1 [0123456789]", steps=1), Silent())
    [notice] = result.notices
    assert notice.source == "checkpoint"
    assert notice.text.startswith("no file has the hash 0123456789 of 'tiny-sd1 [0123456789]'; tiny-sd1.safetensors [")


def read(path: Path) -> Network:
    with TensorFile(path) as source:
        return read_network(source, path.stem)


def psnr(image: Image.Image, golden: Image.Image) -> float:
    """Peak signal to noise ratio of 8-bit pictures in dB."""
    error = float(((np.asarray(image, np.float64) - np.asarray(golden, np.float64)) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)
