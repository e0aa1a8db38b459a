"""A1111's own images with sd-webui-controlnet, made again by the whole program with the extension: within tolerance,
with the detected maps pixel by pixel, and with its text.
"""

import base64
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.processing.reporters import Silent
from webui.api.sdapi.dialect.models import Img2ImgBody, Txt2ImgBody
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.extensions import ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.plugins.loader import load_all
from webui.processing.back import Back, build
from webui.worker.main import WorkerConfig

ROOT = Path(__file__).parents[2]
GOLDENS = ROOT.parent / "shared" / "goldens"
GROUPS = ("controlnet", "controlnet_xl")
pytestmark = pytest.mark.skipif(not GOLDENS.is_dir(), reason="the reference images are not here (../shared/goldens)")
# Hires fix by way of a picture: values that fall on the other side of an 8-bit step. A1111 with another attention: 62.
BOUNDS = {"cn_hr_canny_lanczos": 58.0}


def cases() -> list[dict[str, Any]]:
    if not GOLDENS.is_dir():
        return []
    index = json.loads((GOLDENS / "index.json").read_text())["cases"]
    return [
        {**one, **json.loads((GOLDENS / "cases" / f"{one['name']}.json").read_text())}
        for one in index
        if one["group"] in GROUPS
    ]


@pytest.fixture(scope="module")
def infos() -> tuple[ExtensionInfo, ...]:
    return load_all(ROOT / "extensions", ()).infos


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Back:
    data = tmp_path_factory.mktemp("data")
    return build(
        WorkerConfig(
            GOLDENS / "models", data, ROOT / "extensions", device="cpu", precision="fp32", threads=1,
            checkpoints_in_memory=2,
        )
    )  # fmt: skip


def run(case: dict[str, Any], back: Back, infos: tuple[ExtensionInfo, ...], **unit: Any) -> GenerationResult:
    """Make a case; `unit` changes fields of its first unit."""
    payload = with_files(case["payload"])
    if unit:
        payload["alwayson_scripts"]["controlnet"]["args"][0].update(unit)
    body = read_body(payload, Img2ImgBody if str(case["endpoint"]).endswith("img2img") else Txt2ImgBody)
    result = back.run(to_request(body, GenerationRequest(), infos), Silent())
    assert not result.notices
    return result


@pytest.mark.parametrize("case", cases(), ids=lambda case: str(case["name"]))
def test_the_image_is_a1111s(case: dict[str, Any], back: Back, infos: tuple[ExtensionInfo, ...]) -> None:
    result, name = run(case, back, infos), str(case["name"])
    shown = [*(made.image for made in result.images), *result.extras]
    assert len(shown) == case["n_images"]
    for number, image in enumerate(shown):
        file = GOLDENS / "cases" / (f"{name}.{number}.png" if number else f"{name}.png")
        with Image.open(file) as golden:
            bound = BOUNDS.get(name, 66.0) if number < len(result.images) else math.inf
            assert psnr(image, golden.convert("RGB")) >= bound, f"image {number}"
    text = (GOLDENS / "cases" / f"{name}.txt").read_text()
    assert without_version("\n=====\n".join(made.infotext for made in result.images)) == without_version(text)


@pytest.mark.skipif(not GOLDENS.is_dir(), reason="the tiny checkpoints are not here (../shared/goldens)")
def test_tags_of_the_second_pass_do_not_end_control(back: Back, infos: tuple[ExtensionInfo, ...]) -> None:
    """Its networks are applied anew, and those of the units with them."""
    [case] = [one for one in cases() if one["name"] == "cn_hr_canny_lanczos"]
    payload = with_files(case["payload"])
    shown = []
    for tag in ("", "<nobody:1>"):
        body = read_body({**payload, "hr_prompt": payload["prompt"] + tag}, Txt2ImgBody)
        shown.append(np.asarray(back.run(to_request(body, GenerationRequest(), infos), Silent()).images[0].image))
    assert np.array_equal(*shown)


def test_weight_nothing_is_no_control(back: Back, infos: tuple[ExtensionInfo, ...]) -> None:
    by_name = {str(case["name"]): case for case in cases()}
    plain = np.asarray(run(by_name["cn_disabled"], back, infos).images[0].image)
    for name in ("cn_none_nomap", "cn_t2i_adapter", "cn_control_lora", "cn_lllite", "cn_ref_adain_attn"):
        made = np.asarray(run(by_name[name], back, infos, weight=0.0).images[0].image)
        assert np.array_equal(made, plain), name


def with_files(value: Any) -> Any:
    """`@inputs/x.png`, wherever it stands, as that file in base64."""
    match value:
        case str() if value.startswith("@"):
            return base64.b64encode((GOLDENS / value[1:]).read_bytes()).decode()
        case list():
            return [with_files(one) for one in value]
        case dict():
            return {name: with_files(one) for name, one in value.items()}
    return value


def psnr(image: Image.Image, golden: Image.Image) -> float:
    """Peak signal to noise ratio of 8-bit pictures in dB."""
    error = float(((np.asarray(image, np.float64) - np.asarray(golden, np.float64)) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def without_version(text: str) -> str:
    return re.sub(r",? ?Version: [^,\n]+", "", text).strip()
