"""The detailer on the miniature: what it finds is repainted as its prompt says, and nothing else is."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image
from safetensors.torch import save_file

from tests.api.fakes import call, encode
from tests.extensions.test_detailer_files import yolo
from tests.miniature.painting import drawn, pixels, run
from tools.train_mini.judge import Verdict, judge
from tools.train_mini.scenes import Thing
from webui.api.application import create
from webui.api.parts import Parts
from webui.domain.images import Picture
from webui.domain.model_folders import ModelFolder
from webui.domain.request import Img2Img
from webui.domain.result import GenerationResult
from webui.domain.settings import Settings
from webui.output.parse import parse
from webui.processing.back import Back
from webui.server.app import engine_of

ROOT = Path(__file__).parents[2]

CIRCLES = (Thing("circle", "red", 34.0, 34.0, 20.0), Thing("circle", "purple", 64.0, 92.0, 20.0))
SQUARE = Thing("square", "yellow", 94.0, 34.0, 20.0)
SCENE = drawn(*CIRCLES, SQUARE, background="white")
GREEN = {
    "ad_model": "drawn_shapes", "ad_model_classes": "circle", "ad_prompt": "a green circle on a white background",
    "ad_denoising_strength": 0.8, "ad_inpaint_only_masked_padding": 12, "ad_use_steps": True, "ad_steps": 8,
}  # fmt: skip


def detailed(back: Back, *units: dict[str, Any], seed: int = 1, **options: Any) -> GenerationResult:
    """SCENE with nothing but its regions repainted."""
    asked = {"skip_img2img": True, "units": list(units), **options}
    return run(back, "shapes", seed=seed, task=Img2Img(image=Picture.of(SCENE)), extensions={"detailer": asked})


def seen(result: GenerationResult) -> Verdict:
    return judge(result.images[0].image)


def colours(verdict: Verdict, shape: str) -> list[str]:
    return [found.colour for found in verdict.objects if found.shape == shape]


def test_each_circle_is_repainted_in_green_and_nothing_else_is(back: Back) -> None:
    right = 0
    square = (slice(10, 58), slice(70, 118))  # around the one that must not change
    for seed in range(3):
        result = detailed(back, GREEN, seed=seed, show_regions=seed == 0)
        assert result.notices == ()
        right += colours(seen(result), "circle") == ["green", "green"]
        made = pixels(result.images[0].image)
        assert (made[square] == pixels(SCENE)[square]).all()
        assert [picture.size for picture in result.extras] == [SCENE.size] * (seed == 0)
    assert right >= 2


def test_parts_of_the_prompt_go_to_regions_in_their_order(back: Back) -> None:
    unit = {**GREEN, "ad_prompt": "a green circle on a white background[SEP]a blue circle on a white background"}
    result = detailed(back, unit, sort_by="Position (left to right)")
    found = {one.colour: one.x for one in seen(result).objects if one.shape == "circle"}
    assert found["green"] < found["blue"]
    unit = {**GREEN, "ad_prompt": f"[SKIP][SEP]{GREEN['ad_prompt']}"}
    skipped = detailed(back, unit, sort_by="Position (left to right)")
    assert sorted(colours(seen(skipped), "circle")) == ["green", "red"]


def test_passes_work_on_what_the_one_before_made(back: Back) -> None:
    blue = {**GREEN, "ad_model_classes": "square", "ad_prompt": "a blue square on a white background"}
    result = detailed(back, GREEN, blue)
    assert colours(seen(result), "circle") == ["green", "green"]
    assert colours(seen(result), "square") == ["blue"]
    fields = parse(result.images[0].infotext)
    assert fields["ADetailer prompt"] == GREEN["ad_prompt"]
    assert fields["ADetailer model classes 2nd"] == "square"
    nothing = detailed(back, {**GREEN, "ad_model_classes": "star"})
    assert (pixels(nothing.images[0].image) == pixels(SCENE)).all()
    assert [notice.text for notice in nothing.notices] == ["drawn_shapes found nothing to repaint"]


def test_a_job_of_txt2img_is_detailed_by_its_own_prompt_seed_and_values(back: Back) -> None:
    prompt = "a red circle on a white background"
    unit = {"ad_model": "drawn_shapes", "ad_denoising_strength": 0.5}
    plain = run(back, prompt, n_iter=2, steps=8)
    both = run(back, prompt, n_iter=2, steps=8, extensions={"detailer": {"units": [unit]}})
    assert [judge(one.image).objects[0].colour for one in both.images] == ["red", "red"]
    for one, other in zip(both.images, plain.images, strict=True):
        assert np.abs(pixels(one.image) - pixels(other.image)).max() > 0
        assert one.request.seed == other.request.seed
    again = run(back, prompt, steps=8, seed=both.images[1].request.seed, extensions={"detailer": {"units": [unit]}})
    assert (pixels(again.images[0].image) == pixels(both.images[1].image)).all()


def test_what_the_user_paints_limits_the_regions(back: Back) -> None:
    mask = Image.new("L", SCENE.size, 0)
    mask.paste(255, (0, 0, 64, 64))
    task = {"kind": "img2img", "image": Picture.of(SCENE), "denoising_strength": 0.1, "inpainting": {"mask": mask}}
    result = run(back, "shapes", task=task, extensions={"detailer": {"units": [GREEN], "show_regions": True}})
    assert sorted(colours(seen(result), "circle")) == ["green", "purple"]


DOCUMENTED = {
    "ad_model": "face_yolov8n.pt", "ad_model_classes": "", "ad_tab_enable": True, "ad_prompt": "",
    "ad_negative_prompt": "", "ad_confidence": 0.3, "ad_mask_filter_method": "Area", "ad_mask_k": 1,
    "ad_mask_min_ratio": 0.0, "ad_mask_max_ratio": 1.0, "ad_dilate_erode": 32, "ad_x_offset": 0, "ad_y_offset": 0,
    "ad_mask_merge_invert": "None", "ad_mask_blur": 4, "ad_denoising_strength": 0.4, "ad_inpaint_only_masked": True,
    "ad_inpaint_only_masked_padding": 0, "ad_use_inpaint_width_height": False, "ad_inpaint_width": 512,
    "ad_inpaint_height": 512, "ad_use_steps": True, "ad_steps": 3, "ad_use_cfg_scale": False, "ad_cfg_scale": 7.0,
    "ad_use_checkpoint": False, "ad_checkpoint": None, "ad_use_vae": False, "ad_vae": None, "ad_use_sampler": False,
    "ad_sampler": "DPM++ 2M Karras", "ad_scheduler": "Use same scheduler", "ad_use_noise_multiplier": False,
    "ad_noise_multiplier": 1.0, "ad_use_clip_skip": False, "ad_clip_skip": 1, "ad_restore_face": False,
    "ad_controlnet_model": "None", "ad_controlnet_module": "None", "ad_controlnet_weight": 1.0,
    "ad_controlnet_guidance_start": 0.0, "ad_controlnet_guidance_end": 1.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """The API of the whole program on the miniature, with a detector file among further model folders."""
    folder = tmp_path_factory.mktemp("program")
    save_file(yolo(), folder / "face_yolov8n.pt", {"names": json.dumps({"0": "face", "1": "face"})})
    settings = Settings(
        executor="inline",
        device="cpu",
        precision="fp32",
        threads=1,
        models_dir=ROOT / "models",
        extensions_dir=ROOT / "extensions",
        model_folders=(ModelFolder(kind="detector", path=folder),),
        data_dir=folder / "data",
        outputs_dir=folder / "outputs",
    )
    with engine_of(settings) as engine:
        yield create(Parts(engine=engine, encode=encode))


def body(*args: Any, **more: Any) -> dict[str, Any]:
    asked = {"prompt": "a red circle", "steps": 4, "width": 64, "height": 64, "seed": 3, "sampler_name": "Euler"}
    return {**asked, "alwayson_scripts": {"ADetailer": {"args": list(args)}}, **more}


def opened(answer: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(answer["images"][0])))


def test_adetailers_documented_body_in_both_forms(app: FastAPI) -> None:
    answers = [
        call(app, "POST", "/sdapi/v1/txt2img", json=body(*args)) for args in ([True, False, DOCUMENTED], [DOCUMENTED])
    ]
    off = call(app, "POST", "/sdapi/v1/txt2img", json=body(False)).json()
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    first, second = (answer.json() for answer in answers)
    pictures = [opened(answer) for answer in (first, second, off)]
    assert (pixels(pictures[0]) == pixels(pictures[1])).all()
    assert (pixels(pictures[0]) != pixels(pictures[2])).any()
    [text] = json.loads(first["info"])["infotexts"]
    assert "ADetailer model: face_yolov8n.pt, ADetailer confidence: 0.3, " in text
    assert "ADetailer use separate steps: True, ADetailer steps: 3, ADetailer version: " in text
    assert "ADetailer" not in json.loads(off["info"])["infotexts"][0]
    assert pictures[0].info["parameters"] == text


@pytest.mark.parametrize(
    ("args", "place", "told"),
    [
        (
            [True, False, {"ad_model": "hand_yolov8n.pt"}],
            ["args", 2, "ad_model"],
            "put a YOLOv8 file such as hand_yolov8n.pt into",
        ),
        ([True, False, {"ad_model": "drawn_shapes", "ad_mdoel": 1}], ["args", 2], "ad_mdoel: there is no such key"),
        ([{"ad_model": "drawn_shapes", "ad_confidence": 3}], ["args", 0, "ad_confidence"], "less than or equal to 1"),
    ],
)
def test_what_is_wrong_in_its_body_is_named(app: FastAPI, args: list[Any], place: list[Any], told: str) -> None:
    answer = call(app, "POST", "/sdapi/v1/txt2img", json=body(*args))
    assert answer.status_code == 422, answer.text
    [problem] = answer.json()["detail"]
    assert problem["loc"][:3] == ["body", "alwayson_scripts", "ADetailer"]
    assert problem["loc"][3:] == place
    assert told in problem["msg"]


def test_its_settings_and_routes(app: FastAPI) -> None:
    assert "adetailer" in call(app, "GET", "/sdapi/v1/scripts").json()["txt2img"]
    assert call(app, "GET", "/adetailer/v1/version").json() == {"version": "25.3.0"}
    assert {"ad_model", "ad_mask_k"} <= set(call(app, "GET", "/adetailer/v1/schema").json()["properties"])
    listed = call(app, "GET", "/adetailer/v1/ad_model").json()
    assert listed["ad_model"][0] == "face_yolov8n.pt"
    assert "drawn_shapes" in listed["ad_model"]
    assert listed["kinds"]["Faces"]["default_model"] == "face_yolov8n.pt"
    assert listed["kinds"]["Hands"]["default_model"] == "hand_yolov8n.pt"
    settings = {"ad_match_inpaint_bbox_size": "nonsense"}
    answer = call(app, "POST", "/sdapi/v1/txt2img", json=body(True, False, DOCUMENTED, override_settings=settings))
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "override_settings", "ad_match_inpaint_bbox_size"]
    asked = {"options": {"units": [{"model": "person_yolov8n-seg.pt"}, {"model": "drawn_shapes"}]}}
    lacking = call(app, "POST", "/api/extensions/detailer/actions/lacking?wait=true", json=asked)
    assert "person_yolov8n-seg.pt" in lacking.text
    assert "units.1" not in lacking.text
