"""`POST /sdapi/v1/extra-single-image` and `extra-batch-images`, the lists of upscalers, and hires fix of txt2img."""

import base64
import io
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.api.fakes import Api
from tests.narrowing import known, txt2img
from webui.api.sdapi.dialect.infotext import TXT2IMG_FIELDS, filled_in
from webui.api.sdapi.dialect.models import Txt2ImgBody
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.hires import Hires
from webui.domain.request import GenerationRequest, Txt2Img
from webui.domain.upscale import Upscale

SINGLE, BATCH = "/sdapi/v1/extra-single-image", "/sdapi/v1/extra-batch-images"


def picture(mode: str = "RGB", text: str = "") -> str:
    out, chunks = io.BytesIO(), PngInfo()
    if text:
        chunks.add_text("parameters", text)
    Image.new(mode, (16, 8)).save(out, "PNG", pnginfo=chunks)
    return base64.b64encode(out.getvalue()).decode()


def task(api: Api) -> Upscale:
    made = api.engine.last.request.task
    assert isinstance(made, Upscale)
    return made


def hires(body: dict[str, Any]) -> Hires:
    made = to_request(read_body({"enable_hr": True, **body}, Txt2ImgBody), GenerationRequest()).task
    assert isinstance(made, Txt2Img)
    return made.hires


def test_a_picture_becomes_a_job_with_its_text_and_its_transparency() -> None:
    api = Api()
    body = {"image": picture("RGBA", "a cat\nSteps: 1, Seed: 2, Size: 8x8"), "upscaler_1": "Lanczos", "resize_mode": 1}
    answer = api.post(SINGLE, {**body, "upscaling_resize_w": 64, "upscaling_resize_h": 32, "upscaler_2": "Nearest"})
    assert answer.status_code == 200
    assert set(answer.json()) == {"html_info", "image"}
    made = task(api)
    assert (made.mode, made.width, made.height, made.second_upscaler) == ("to", 64, 32, "Nearest")
    assert made.images[0].open().mode == "RGBA"
    assert made.infotexts[0].startswith("a cat")
    assert not api.engine.last.save


def test_a_batch_is_one_job() -> None:
    api = Api()
    pictures = [{"data": picture(), "name": "a.png"}, {"data": f"data:image/png;base64,{picture()}"}]
    answer = api.post(BATCH, {"imageList": pictures, "upscaling_resize": "1.5", "upscaler_1": "Nearest"})
    assert answer.status_code == 200
    assert set(answer.json()) == {"html_info", "images"}
    assert (len(task(api).images), task(api).scale) == (2, 1.5)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"image": "???"}, ["body", "image"]),
        ({"image": base64.b64encode(b"nothing").decode()}, ["body", "image"]),
        ({"image": picture(), "upscaling_resize": 0}, ["body", "upscaling_resize"]),
        ({"image": picture(), "upscaling_resize_w": 0}, ["body", "upscaling_resize_w"]),
        ({"image": picture(), "resize_mode": 2}, ["body", "resize_mode"]),
        ({"image": picture(), "gfpgan_visibility": 0.5}, ["body", "gfpgan_visibility"]),  # no extension honours it
    ],
)
def test_wrong_values_are_named(body: dict[str, Any], place: list[str]) -> None:
    answer = Api().post(SINGLE, body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == place


def test_without_a_picture_the_answer_is_a1111s() -> None:
    assert Api().post(SINGLE, {}).status_code == 404
    assert Api().post(BATCH, {"imageList": []}).status_code == 404


def test_upscalers_are_listed_with_the_plain_ones_first() -> None:
    names = [one["name"] for one in Api().get("/sdapi/v1/upscalers").json()]
    assert names == ["None", "Lanczos", "Nearest", "alpha", "R-ESRGAN 4x+"]
    assert [one["name"] for one in Api().get("/sdapi/v1/realesrgan-models").json()] == ["R-ESRGAN 4x+"]


def test_hires_fields_become_the_second_pass() -> None:
    assert hires({}) == Hires(enabled=True)
    body = {
        "hr_scale": 1.5,
        "hr_upscaler": "Nearest",
        "hr_second_pass_steps": 7,
        "hr_sampler_name": "DPM++ 2M Karras",
        "hr_prompt": "a dog",
        "denoising_strength": 0.4,
        "override_settings": {"hires_fix_refiner_pass": "both passes", "img2img_extra_noise": 0.1},
    }
    assert hires(body) == Hires(
        enabled=True, scale=1.5, upscaler="Nearest", steps=7, sampler="DPM++ 2M", scheduler="Automatic",
        prompt="a dog", denoising_strength=0.4, refiner_pass="both passes", extra_noise=0.1,
    )  # fmt: skip
    assert hires({"hr_sampler_name": "Use same sampler", "hr_checkpoint_name": "Use same checkpoint"}).sampler == ""


def test_old_clients_name_the_first_pass() -> None:
    body = {"enable_hr": True, "width": 768, "height": 512, "firstphase_width": 384, "firstphase_height": 256}
    request = to_request(read_body(body, Txt2ImgBody), GenerationRequest())
    assert (request.width, request.height) == (384, 256)
    assert known(txt2img(request).hires).target(384, 256).size == (768, 512)


def test_an_infotext_fills_in_the_second_pass_where_the_body_is_silent() -> None:
    text = (
        "a cat\nSteps: 8, Sampler: Euler, CFG scale: 7, Seed: 5, Size: 64x64, Denoising strength: 0.4, "
        "Hires resize: 96x0, Hires steps: 3, Hires upscaler: Lanczos"
    )
    body = filled_in({"infotext": text, "hr_second_pass_steps": 9}, TXT2IMG_FIELDS)
    found = hires(body)
    assert (found.resize_width, found.resize_height, found.steps, found.upscaler) == (96, 0, 9, "Lanczos")
    assert (found.denoising_strength, found.sampler) == (0.4, "")


def test_the_picture_of_an_upscale_is_taken() -> None:
    body = {"enable_hr": True, "firstpass_image": picture(), "hr_upscaler": "Lanczos"}
    made = txt2img(to_request(read_body(body, Txt2ImgBody), GenerationRequest()))
    assert known(made.first_pass).width == 16
