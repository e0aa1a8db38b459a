"""The detailer's rules without a model: regions, masks, prompts, requests, keys; and figures that it finds."""

from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from extensions.controlnet.options import ControlOptions
from extensions.detailer.detail_fields import dialect_of_passes, fields_of, suffix
from extensions.detailer.drawn_shapes import DrawnShapes
from extensions.detailer.inner_requests import PictureFacts, inner_request
from extensions.detailer.options import DetailOptions, DetailPass
from extensions.detailer.pass_prompts import part_for
from extensions.detailer.region_drawing import drawn_regions
from extensions.detailer.region_masks import RegionMask, grown, masks_of, moved, touching
from extensions.detailer.regions import Region, counted, ordered, without_doubles
from tools.train_mini.drawing import draw
from tools.train_mini.scenes import NEW_SHAPE, SHAPES, Background, Scene, Thing
from webui.domain.extensions import ExtensionInfo
from webui.domain.inpainting import Inpainting
from webui.domain.request import GenerationRequest, Img2Img, Txt2Img
from webui.domain.result import ModelFacts
from webui.output.infotext import InfoFacts, write
from webui.output.parse import parse, read_fields

SIZE = (100, 80)
OWN = GenerationRequest(
    prompt="a fair, <lora:x:1>", negative_prompt="blur", seed=7, subseed=3, steps=20, cfg_scale=6, width=512, height=384
)


def region(left: float, top: float, right: float, bottom: float, score: float = 0.5, label: str = "face") -> Region:
    return Region((left, top, right, bottom), score, label)


SMALL, LARGE, MIDDLE = region(0, 0, 10, 10, 0.9), region(60, 0, 100, 80, 0.4), region(40, 30, 60, 50, 0.7)


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        ({}, [SMALL, LARGE, MIDDLE]),
        ({"lowest": 0.05}, [LARGE, MIDDLE]),
        ({"lowest": 0.05, "highest": 0.05}, [MIDDLE]),
        ({"most": 2}, [LARGE, MIDDLE]),
        ({"most": 2, "by_score": True}, [SMALL, MIDDLE]),
    ],
)
def test_which_regions_count(limits: dict[str, Any], found: list[Region]) -> None:
    asked: dict[str, Any] = {"lowest": 0, "highest": 1, "most": 0, "by_score": False}
    assert counted([SMALL, LARGE, MIDDLE], SIZE, **{**asked, **limits}) == found


def test_regions_have_an_order_and_no_doubles() -> None:
    them = [LARGE, SMALL, MIDDLE]
    assert ordered(them, SIZE, "None") == them
    assert ordered(them, SIZE, "Position (left to right)") == [SMALL, MIDDLE, LARGE]
    assert ordered(them, SIZE, "Position (center to edge)") == [MIDDLE, LARGE, SMALL]
    assert ordered(them, SIZE, "Area (large to small)") == [LARGE, MIDDLE, SMALL]
    double, other = region(1, 0, 11, 10, 0.3), region(0, 0, 10, 10, 0.2, "hand")
    assert without_doubles([double, SMALL, other, LARGE], 0.7) == [SMALL, LARGE, other]


def test_masks_are_moved_grown_and_merged() -> None:
    def painted(mask: Image.Image) -> int:
        return int((np.asarray(mask) > 0).sum())

    [one] = masks_of([region(10, 10, 19, 19)], SIZE, grow=0, right=0, up=0, merge="None")
    assert one.mask.getbbox() == (10, 10, 20, 20)
    assert grown(one.mask, 5).getbbox() == (8, 8, 22, 22)
    assert grown(one.mask, -5).getbbox() == (12, 12, 18, 18)
    assert moved(one.mask, 5, 3).getbbox() == (15, 7, 25, 17)
    assert painted(moved(one.mask, 95, 0)) == painted(one.mask)  # what leaves on one side comes in on the other
    both = [region(10, 10, 19, 19, 0.4), region(50, 50, 69, 69, 0.8, "hand")]
    assert masks_of(both, SIZE, grow=-40, right=0, up=0, merge="None") == []
    [whole] = masks_of(both, SIZE, grow=0, right=0, up=0, merge="Merge")
    assert (painted(whole.mask), whole.box, whole.label, whole.score) == (500, (10, 10, 69, 69), "face, hand", 0.8)
    [rest] = masks_of(both, SIZE, grow=0, right=0, up=0, merge="Merge and Invert")
    assert (painted(rest.mask), rest.box) == (100 * 80 - 500, (0, 0, 100, 80))
    limits = Image.new("L", SIZE)
    limits.paste(255, (0, 0, 12, 12))
    assert touching([one, rest], limits) == [one, rest]
    limits.paste(0, (0, 0, 10, 100))
    assert touching([one, rest], limits) == [one, rest]
    limits.paste(0, (0, 0, 100, 10))
    assert touching([one, rest], limits) == [one]
    shown = drawn_regions(Image.new("RGB", SIZE), [one], "faces")
    assert shown.size == SIZE
    assert shown.getpixel((15, 30)) == (0, 0, 0)
    assert shown.getpixel((10, 15)) != (0, 0, 0)


def test_parts_of_a_prompt() -> None:
    text = " one [SEP][SEP] [SKIP] [SEP]last"
    assert [part_for(text, number) for number in range(5)] == ["one", "", "[SKIP]", "last", "last"]
    assert part_for("", 3) == ""


def asked(number: int = 0, options: dict[str, Any] | None = None, **values: Any) -> GenerationRequest | None:
    image = Image.new("RGB", SIZE)
    mask = Image.new("L", SIZE)
    mask.paste(255, (10, 10, 50, 50))
    found = RegionMask(mask, (10, 10, 50, 50), "face", 0.9)
    one = DetailPass.model_validate({"ad_model": "yunet_face", **values})
    return inner_request(
        PictureFacts(OWN, ("ink",), "a fair", "bl"), one, DetailOptions(**options or {}), image, found, number
    )


def made(number: int = 0, options: dict[str, Any] | None = None, **values: Any) -> GenerationRequest:
    request = asked(number, options, **values)
    assert request is not None
    return request


def test_a_region_is_an_inpainting_run_with_the_values_of_its_picture() -> None:
    request = made(2)
    task = request.task
    assert isinstance(task, Img2Img)
    assert isinstance(task.inpainting, Inpainting)
    assert (task.denoising_strength, task.inpainting.area, task.inpainting.padding) == (0.4, "masked", 32)
    assert (task.inpainting.content, task.inpainting.mask_blur_x) == ("original", 4)
    assert (request.seed, request.subseed) == (9, 5)
    assert request.with_(task=Txt2Img(), seed=7, subseed=3) == OWN
    assert made(2, {"same_seed": True}).seed == 7
    whole = made(ad_inpaint_only_masked=False, ad_mask_blur=9).task
    assert isinstance(whole, Img2Img)
    assert whole.inpainting is not None
    assert (whole.inpainting.area, whole.inpainting.mask_blur_y) == ("whole", 9)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"ad_use_steps": True, "ad_steps": 5}, {"steps": 5}),
        ({"ad_steps": 5}, {"steps": 20}),
        ({"ad_use_cfg_scale": True, "ad_cfg_scale": 3}, {"cfg_scale": 3}),
        ({"ad_use_checkpoint": True, "ad_checkpoint": "b"}, {"checkpoint": "b"}),
        ({"ad_use_checkpoint": True, "ad_checkpoint": "Use same checkpoint"}, {"checkpoint": ""}),
        ({"ad_use_vae": True, "ad_vae": "v"}, {"vae": "v"}),
        ({"ad_use_vae": True, "ad_vae": "Use same VAE"}, {"vae": "Automatic"}),
        ({"ad_use_clip_skip": True, "ad_clip_skip": 2}, {"clip_skip": 2}),
        ({"ad_use_sampler": True}, {"sampler": "DPM++ 2M", "scheduler": "Automatic"}),
        ({"ad_use_sampler": True, "ad_sampler": "Use same sampler"}, {"sampler": "DPM++ 2M"}),
        (
            {"ad_use_sampler": True, "ad_sampler": "Euler a", "ad_scheduler": "Karras"},
            {"sampler": "Euler a", "scheduler": "Karras"},
        ),
        ({"ad_use_inpaint_width_height": True, "ad_inpaint_width": 768}, {"width": 768, "height": 512}),
        ({"ad_prompt": "eyes"}, {"prompt": "eyes", "styles": ("ink",)}),
        ({"ad_prompt": "red [PROMPT]"}, {"prompt": "red a fair", "styles": ("ink",)}),
        (
            {"ad_prompt": "a[SEP]b", "ad_negative_prompt": "[PROMPT], c"},
            {"prompt": "a", "negative_prompt": "bl, c", "styles": ("ink",)},
        ),
        ({"ad_restore_face": True}, {"extensions": {"face_restore": {}}}),
        ({"ad_controlnet_model": "None"}, {"extensions": {}}),
    ],
)
def test_values_of_its_own(values: dict[str, Any], expected: dict[str, Any]) -> None:
    request = made(**values)
    assert {name: getattr(request, name) for name in expected} == expected


def test_strength_size_control_and_what_is_left_out() -> None:
    assert asked(1, ad_prompt="a[SEP][SKIP]") is None
    quarter = made(options={"dynamic_denoise_power": 2}).task
    assert isinstance(quarter, Img2Img)
    assert quarter.denoising_strength == pytest.approx(0.4 * (1 - 0.2) ** 2)
    free = made(options={"match_size": "Free"})
    assert (free.width, free.height) == (512, 512)
    strict = made(options={"match_size": "Strict (SDXL only)"})
    assert (strict.width, strict.height) == (1024, 1024)
    control = made(ad_controlnet_model="control_tile", ad_controlnet_weight=0.5).extensions["controlnet"]
    read = ControlOptions.model_validate(control).enabled
    assert [(one.module, one.model, one.weight) for one in read] == [("tile_resample", "control_tile", 0.5)]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"ad_models": "x"}, "ad_models: there is no such key"),
        ({"ad_confidence": 2}, "less than or equal"),
        ({"ad_mask_min_ratio": 0.5, "ad_mask_max_ratio": 0.1}, "is above"),
    ],
)
def test_wrong_keys_are_named(values: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        DetailPass.model_validate(values)


def test_old_and_empty_keys_are_read() -> None:
    read = DetailPass.model_validate({"ad_mask_k_largest": 2, "is_api": [], "ad_vae": None, "ad_tab_enable": False})
    assert (read.mask_k, read.vae, read.acts) == (2, "", False)


def test_keys_are_those_of_adetailer_and_come_back() -> None:
    first = DetailPass.model_validate(
        {
            "ad_model": "face_yolov8n.pt", "ad_prompt": "eyes, [SEP] \"x\": 2", "ad_mask_k": 2, "ad_use_steps": True,
            "ad_steps": 12, "ad_mask_min_ratio": 0.25, "ad_use_sampler": True, "ad_sampler": "Euler a",
            "ad_inpaint_only_masked": False, "ad_controlnet_model": "tile", "ad_controlnet_weight": 0.75,
        }
    )  # fmt: skip
    second = DetailPass.model_validate({"ad_model": "hand_yolov8n.pt", "ad_denoising_strength": 0.35})
    fields = fields_of([first, second])
    assert fields["ADetailer model"] == "face_yolov8n.pt"
    assert fields["ADetailer method to decide top k masks"] == "Area"
    assert fields["ADetailer scheduler"] == "Use same scheduler"
    assert fields["ADetailer denoising strength 2nd"] == "0.35"
    assert "ADetailer inpaint padding" not in fields
    assert "ADetailer mask only top k 2nd" not in fields
    assert list(fields)[-1] == "ADetailer version"
    assert [suffix(number) for number in range(5)] == ["", " 2nd", " 3rd", " 4th", " 5th"]
    text = write(GenerationRequest(seed=1), InfoFacts(model=ModelFacts("mini", "0123456789"), extra=fields))
    info = ExtensionInfo("detailer", "detailer", dialect=dialect_of_passes())
    reading = read_fields(parse(text), [info])
    assert reading.notices == ()
    options = DetailOptions.model_validate(reading.request.extensions["detailer"])
    assert options.units == (first.model_copy(update={"inpaint_only_masked": True}), second)
    assert fields_of([]) == {}


def test_drawn_shapes_are_found_and_told_apart() -> None:
    for number, shape in enumerate((*SHAPES, NEW_SHAPE)):
        things = (Thing(shape, "red", 34.0, 40.0, 20.0), Thing(SHAPES[number % 3], "yellow", 96.0, 90.0, 14.0))
        picture = draw(Scene(things, Background("blue")))
        for found in (DrawnShapes()(picture, 0.3), DrawnShapes()(picture.resize((384, 384)), 0.3)):
            labels = sorted(((one.label, one.box[0] < 64) for one in found), key=lambda one: not one[1])
            assert [label for label, _ in labels] == [shape, SHAPES[number % 3]] or found[0].box[0] > 64
            assert {one.label for one in found} == {shape, SHAPES[number % 3]}
    assert DrawnShapes()(Image.new("RGB", (64, 64), "white"), 0.0) == []
