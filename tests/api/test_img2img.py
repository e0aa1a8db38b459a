"""`POST /sdapi/v1/img2img`: what clients of A1111 send, what is refused, and what comes back."""

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image

from tests.api.fakes import Api
from webui.domain.inpainting import SoftInpainting
from webui.domain.request import Img2Img

URL = "/sdapi/v1/img2img"


def picture(color: str = "red") -> str:
    out = io.BytesIO()
    Image.new("RGB", (16, 8), color).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def task(api: Api) -> Img2Img:
    made = api.engine.last.request.task
    assert isinstance(made, Img2Img)
    return made


def test_defaults_are_those_of_the_api() -> None:
    api = Api()
    answer = api.post(URL, {"prompt": "a cat", "init_images": [picture()]})
    assert answer.status_code == 200
    made = task(api)
    assert (made.denoising_strength, made.resize_mode, made.fix_steps) == (0.75, "resize", False)
    assert (made.noise_multiplier, made.extra_noise) == (1.0, 0.0)
    assert made.image.open().getpixel((3, 3)) == (255, 0, 0)
    assert api.engine.last.request.steps == 50
    assert json.loads(answer.json()["info"])["denoising_strength"] == 0.75


def test_the_pictures_are_repeated_only_where_that_is_asked() -> None:
    body = {"init_images": ["data:image/png;base64," + picture()]}
    assert Api().post(URL, body).json()["parameters"]["init_images"] is None
    again = Api().post(URL, {**body, "include_init_images": True}).json()["parameters"]
    assert again["init_images"] == body["init_images"]
    assert again["denoising_strength"] == 0.75


def test_settings_become_parts_of_the_task_and_the_body_wins() -> None:
    api = Api()
    settings = {"img2img_fix_steps": True, "initial_noise_multiplier": 0.9, "img2img_extra_noise": 0.2}
    body = {"init_images": [picture()], "override_settings": settings, "resize_mode": 3, "denoising_strength": "0.5"}
    assert api.post(URL, body).status_code == 200
    made = task(api)
    assert (made.fix_steps, made.noise_multiplier, made.extra_noise) == (True, 0.9, 0.2)
    assert (made.resize_mode, made.denoising_strength) == ("latent", 0.5)
    api.post(URL, {**body, "initial_noise_multiplier": 0.7})
    assert task(api).noise_multiplier == 0.7
    assert api.post("/sdapi/v1/txt2img", {"override_settings": settings}).status_code == 200
    assert api.engine.last.request.task.kind == "txt2img"


@pytest.mark.parametrize("body", [{}, {"init_images": None}, {"init_images": []}])
def test_without_a_picture_it_is_404(body: dict[str, Any]) -> None:
    answer = Api().post(URL, body)
    assert answer.status_code == 404
    assert answer.json()["detail"] == "Init image not found"


@pytest.mark.parametrize(
    ("body", "place", "message"),
    [
        ({"mask": "AAAA"}, ["body", "mask"], "none of PNG"),
        ({"mask": picture(), "inpainting_fill": 4}, ["body", "inpainting_fill"], "0 to 3"),
        ({"mask": picture(), "mask_blur": 1000}, ["body", "mask_blur"], "less than or equal to 256"),
        ({"mask": picture(), "mask_blur_y": -1}, ["body", "mask_blur_y"], "greater than or equal"),
        ({"mask": picture(), "inpaint_full_res_padding": -3}, ["body", "inpaint_full_res_padding"], "greater"),
        ({"mask": picture(), "latent_mask": "x"}, ["body", "latent_mask"], "send mask"),
        ({"init_images": [picture(), picture()]}, ["body", "init_images"], "2 pictures for a batch of 1"),
        ({"init_images": [picture(), "AAAA"], "batch_size": 2}, ["body", "init_images", 1], "none of PNG"),
        ({"image_cfg_scale": -1}, ["body", "image_cfg_scale"], "greater"),
        (
            {"mask": picture(), "alwayson_scripts": {"Soft Inpainting": {"args": [True, 99]}}},
            ["body", "alwayson_scripts", "Soft Inpainting", "args", "schedule_bias"],
            "less than or equal to 8",
        ),
        ({"init_images": ["AAAA"]}, ["body", "init_images", 0], "none of PNG"),
        ({"init_images": ["http://example.org/a.png"]}, ["body", "init_images", 0], "not fetched"),
        ({"resize_mode": 4}, ["body", "resize_mode"], "0 to 3"),
        ({"denoising_strength": 1.5}, ["body", "denoising_strength"], "less than or equal"),
        ({"denoising_strength": None}, ["body", "denoising_strength"], "number"),
        ({"include_init_images": None}, ["body", "include_init_images"], "bool"),
        ({"override_settings": {"img2img_extra_noise": 7}}, ["body", "override_settings", "img2img_extra_noise"], "1"),
        ({"initial_noise_multiplier": "x"}, ["body", "initial_noise_multiplier"], "number"),
    ],
)
def test_errors_name_the_field_of_the_body(body: dict[str, Any], place: list[object], message: str) -> None:
    answer = Api().post(URL, {"init_images": [picture()], **body})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == place
    assert message in answer.json()["detail"][0]["msg"]


def test_a_mask_has_the_defaults_of_the_api() -> None:
    api = Api()
    assert api.post(URL, {"init_images": [picture()], "mask": picture("white")}).status_code == 200
    made = task(api).inpainting
    assert made is not None
    assert (made.mask_blur_x, made.mask_blur_y, made.content, made.area, made.padding) == (4, 4, "fill", "masked", 0)
    assert (made.invert, made.mask_round, made.overlay, made.soft) == (False, True, True, None)
    assert made.mask.open().getpixel((1, 1)) == 255


def test_every_field_of_the_mask_arrives() -> None:
    api = Api()
    body = {
        "init_images": [picture()], "mask": picture("white"), "mask_blur": 7, "mask_blur_x": 3, "inpainting_fill": 3,
        "inpaint_full_res": 0, "inpaint_full_res_padding": 12, "inpainting_mask_invert": 1, "mask_round": False,
        "override_settings": {
            "overlay_inpaint": False, "return_mask": True, "img2img_color_correction": True,
            "inpainting_mask_weight": 0.5,
        },
        "alwayson_scripts": {"soft inpainting": {"args": [True, 2, 0.25]}},
    }  # fmt: skip
    assert api.post(URL, body).status_code == 200
    made, request = task(api).inpainting, api.engine.last.request
    assert made is not None
    assert (made.mask_blur_x, made.mask_blur_y, made.content, made.area) == (7, 7, "nothing", "whole")
    assert (made.invert, made.mask_round, made.overlay, made.return_mask) == (True, False, False, True)
    assert made.soft == SoftInpainting(schedule_bias=2, preservation=0.25)
    assert (task(api).color_correction, request.inpainting_mask_weight) == (True, 0.5)


def test_several_pictures_are_a_batch_of_their_number() -> None:
    api = Api()
    body = {"init_images": [picture(), picture("blue")], "batch_size": 4}
    assert api.post(URL, body).status_code == 200
    request = api.engine.last.request
    assert request.batch_size == 2
    assert [one.open().getpixel((0, 0)) for one in task(api).further_images] == [(0, 0, 255)]


def test_an_infotext_fills_in_only_what_it_does_in_a1111() -> None:
    api = Api()
    text = "a dog\nSteps: 9, Sampler: DDIM, CFG scale: 3, Seed: 4, Size: 64x64, Clip skip: 2"
    api.post(URL, {"init_images": [picture()], "infotext": text, "seed": 8})
    made = api.engine.last.request
    assert (made.steps, made.sampler, made.seed, made.clip_skip) == (9, "DDIM", 8, 2)
    assert (made.prompt, made.cfg_scale, made.width) == ("", 7.0, 512)
