"""A1111's own images with sd-webui-controlnet, made again by the whole program with the extension: within tolerance,
with the detected maps pixel by pixel, and with its text.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.exact_back import exact_back
from tests.processing.reporters import Silent
from tests.reference import ALL, FURTHER, Case, cases, each, without_version
from webui.api.sdapi.dialect.models import Img2ImgBody, Txt2ImgBody
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.extensions import ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.plugins.loader import load_all
from webui.processing.back import Back

ROOT = Path(__file__).parents[2]
GROUPS = ("controlnet", "controlnet_xl", "cn_faults")
# Hires fix by way of a picture: values that fall on the other side of an 8-bit step. A1111 with another attention: 62.
BOUNDS = {"cn_hr_canny_lanczos": 58.0, "cnf_hr_high_only": 58.0}


WITHOUT_EFFECT = ("cn_none_nomap", "cn_t2i_adapter", "cn_control_lora", "cn_lllite", "cn_ref_adain_attn")
# Their models are too large to stand beside the tests.
CASES = cases(".png", where=lambda case: case.group in GROUPS, folders=ALL)


@pytest.fixture(scope="module")
def infos() -> tuple[ExtensionInfo, ...]:
    return load_all(ROOT / "extensions", ()).infos


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Back:
    data = tmp_path_factory.mktemp("data")
    return exact_back(
        models_dir=FURTHER / "models", data_dir=data, extensions_dir=ROOT / "extensions", checkpoints_in_memory=2
    )


def run(case: Case, back: Back, infos: tuple[ExtensionInfo, ...], **unit: Any) -> GenerationResult:
    """Make a case; `unit` changes fields of its first unit."""
    payload = case.body()
    if unit:
        payload["alwayson_scripts"]["controlnet"]["args"][0].update(unit)
    body = read_body(payload, Img2ImgBody if case.endpoint.endswith("img2img") else Txt2ImgBody)
    result = back.run(to_request(body, GenerationRequest(), infos), Silent())
    assert not result.notices
    return result


@each(CASES)
def test_the_image_is_a1111s(case: Case, back: Back, infos: tuple[ExtensionInfo, ...]) -> None:
    result = run(case, back, infos)
    shown = [*(made.image for made in result.images), *result.extras]
    assert len(shown) == case.images
    for number, image in enumerate(shown):
        bound = BOUNDS.get(case.name, 66.0) if number < len(result.images) else math.inf
        assert psnr(image, case.picture(number)) >= bound, f"image {number}"
    texts = [made.infotext for made in result.images]
    assert [without_version(text) for text in texts] == [without_version(text) for text in case.infotexts()]


@each([case for case in CASES if case.name == "cn_hr_canny_lanczos"])
def test_tags_of_the_second_pass_do_not_end_control(case: Case, back: Back, infos: tuple[ExtensionInfo, ...]) -> None:
    """Its networks are applied anew, and those of the units with them."""
    payload = case.body()
    shown = []
    for tag in ("", "<nobody:1>"):
        body = read_body({**payload, "hr_prompt": payload["prompt"] + tag}, Txt2ImgBody)
        shown.append(np.asarray(back.run(to_request(body, GenerationRequest(), infos), Silent()).images[0].image))
    assert np.array_equal(shown[0], shown[1])


@each([case for case in CASES if case.name == "cn_none"])
def test_a_unit_that_does_not_say_whether_it_is_enabled_takes_part(
    case: Case, back: Back, infos: tuple[ExtensionInfo, ...]
) -> None:
    told = run(case, back, infos)
    unit = case.payload["alwayson_scripts"]["controlnet"]["args"][0]
    untold = {key: value for key, value in unit.items() if key != "enabled"}
    payload = {**case.payload, "alwayson_scripts": {"controlnet": {"args": [untold]}}}
    made = run(replace(case, payload=payload), back, infos)
    assert np.array_equal(np.asarray(made.images[0].image), np.asarray(told.images[0].image))
    assert made.images[0].infotext == told.images[0].infotext


@pytest.fixture(scope="module")
def uncontrolled(back: Back, infos: tuple[ExtensionInfo, ...]) -> np.ndarray:
    """The picture of a case whose unit is off; the cases at weight nothing differ from it by their unit alone."""
    [disabled] = [one for one in CASES if one.name == "cn_disabled"]
    return np.asarray(run(disabled, back, infos).images[0].image)


@each([case for case in CASES if case.name in WITHOUT_EFFECT])
def test_weight_nothing_is_no_control(
    case: Case, back: Back, infos: tuple[ExtensionInfo, ...], uncontrolled: np.ndarray
) -> None:
    plain = uncontrolled.astype(int)
    made = np.asarray(run(case, back, infos, weight=0.0).images[0].image).astype(int)
    # A reference unit lengthens what is attended to, and a processor may add up in another order then.
    assert np.abs(made - plain).max() <= 1


def psnr(image: Image.Image, golden: Image.Image) -> float:
    """Peak signal to noise ratio of 8-bit pictures in dB."""
    error = float(((np.asarray(image, np.float64) - np.asarray(golden, np.float64)) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)
