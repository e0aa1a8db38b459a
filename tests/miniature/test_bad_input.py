"""Odd pictures, masks and networks by the clients' door: a clear error or a picture, and the next one is made."""

import base64
import io
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.exact_back import exact_back
from tests.miniature.conftest import ROOT
from tests.miniature.painting import drawn, pixels
from tests.processing.reporters import Silent
from webui.api.body import InvalidBodyError
from webui.api.sdapi.dialect.models import Img2ImgBody
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.processing.back import Back

PLAIN = drawn(background="blue")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Back]:
    """The program with the miniature and two LoRAs that it cannot use."""
    models = tmp_path_factory.mktemp("models")
    for folder in ("Stable-diffusion", "Lora"):
        (models / folder).mkdir()
    shutil.copy(ROOT / "models/Stable-diffusion/mini.safetensors", models / "Stable-diffusion")
    name = "lora_unet_input_blocks_8_1_transformer_blocks_9_attn2_to_k"  # only SDXL has ten blocks there
    foreign = {f"{name}.lora_down.weight": torch.zeros(4, 2048), f"{name}.lora_up.weight": torch.zeros(1280, 4)}
    save_file(foreign, models / "Lora" / "foreign.safetensors")
    whole = (models / "Lora" / "foreign.safetensors").read_bytes()
    (models / "Lora" / "torn.safetensors").write_bytes(whole[: len(whole) // 2])
    data = tmp_path_factory.mktemp("data")
    made = exact_back(models_dir=models, data_dir=data, extensions_dir=ROOT / "extensions")
    yield made
    made.close()


def packed(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def ask(back: Back, image: Image.Image = PLAIN, **more: Any) -> GenerationResult:
    body = {
        "prompt": "a red circle",
        "init_images": [packed(image)],
        "steps": 4,
        "seed": 1,
        "width": 128,
        "height": 128,
    }
    return back.run(to_request(read_body({**body, **more}, Img2ImgBody), GenerationRequest(), ()), Silent())


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (1, 1), "red"),
        Image.new("RGBA", (128, 128)),
        Image.new("P", (3, 700)),
        Image.new("1", (64, 64)),
    ],
    ids=["one pixel", "all transparent", "narrow palette", "one bit"],
)
def test_any_picture_can_be_started_from(alone: Back, image: Image.Image) -> None:
    assert ask(alone, image).images[0].image.size == (128, 128)


def test_a_mask_of_another_size_is_stretched(alone: Back) -> None:
    mask = Image.new("L", (37, 61))
    mask.paste(255, (0, 0, 18, 61))
    made = pixels(ask(alone, mask=packed(mask), mask_blur=0, inpainting_mask_invert=0).images[0].image)
    assert (made[:, 70:] == pixels(PLAIN)[:, 70:]).all()


def test_an_empty_mask_changes_nothing_and_says_so(alone: Back) -> None:
    made = ask(alone, mask=packed(Image.new("L", (128, 128))), inpaint_full_res=False)
    assert (pixels(made.images[0].image) == pixels(PLAIN)).all()
    assert "nothing was repainted" in made.notices[0].text


def test_an_empty_mask_has_no_area_to_work_on_which_is_said(alone: Back) -> None:
    made = ask(alone, mask=packed(Image.new("L", (128, 128))), inpaint_full_res=True)  # plain img2img, as in A1111
    assert "the whole picture was made anew" in made.notices[0].text


def test_a_picture_without_measure_is_refused_by_its_header(alone: Back) -> None:
    huge = Image.new("1", (20_000, 20_000))  # 50 kB as a file, 1.2 GB as pixels
    with pytest.raises(InvalidBodyError, match=r"init_images.*20000 x 20000"):
        ask(alone, huge)
    assert len(ask(alone).images) == 1


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_the_ends_of_the_strength(alone: Back, strength: float) -> None:
    made = pixels(ask(alone, denoising_strength=strength).images[0].image)
    assert (np.abs(made - pixels(PLAIN)).mean() < 8) == (strength == 0.0)


def test_a_network_for_another_family_is_told_and_the_picture_is_made(alone: Back) -> None:
    plain = ask(alone)
    made = ask(alone, prompt="a red circle <lora:foreign:1>")
    assert any("foreign" in notice.text for notice in made.notices)
    assert (pixels(made.images[0].image) == pixels(plain.images[0].image)).all()


def test_a_torn_network_is_named(alone: Back) -> None:
    try:
        told = " ".join(notice.text for notice in ask(alone, prompt="a red circle <lora:torn:1>").notices)
    except WebuiError as error:
        told = str(error)
    assert "torn" in told
    assert "truncated" in told
    assert len(ask(alone).images) == 1
