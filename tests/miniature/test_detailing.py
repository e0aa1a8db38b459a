"""The detailer on the miniature: what it finds is repainted as its prompt says, and nothing else is."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.miniature.painting import drawn, pixels, run
from tools.train_mini.judge import Verdict, judge
from tools.train_mini.scenes import Thing
from webui.domain.images import Picture
from webui.domain.request import Img2Img
from webui.domain.result import GenerationResult
from webui.output.parse import parse
from webui.processing.back import Back

CIRCLES = (Thing("circle", "red", 34.0, 34.0, 20.0), Thing("circle", "purple", 64.0, 92.0, 20.0))
SQUARE = Thing("square", "yellow", 94.0, 34.0, 20.0)
SCENE = drawn(*CIRCLES, SQUARE, background="white")
GREEN = {
    "ad_model": "drawn_shapes", "ad_model_classes": "circle", "ad_prompt": "a green circle on a white background",
    "ad_denoising_strength": 0.8, "ad_inpaint_only_masked_padding": 12,
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
        result = detailed(back, GREEN, seed=seed, show_regions=True)
        assert result.notices == ()
        right += colours(seen(result), "circle") == ["green", "green"]
        made = pixels(result.images[0].image)
        assert (made[square] == pixels(SCENE)[square]).all()
        assert [picture.size for picture in result.extras] == [SCENE.size]
    assert right >= 2


def test_parts_of_the_prompt_go_to_regions_in_their_order(back: Back) -> None:
    unit = {**GREEN, "ad_prompt": "a green circle on a white background[SEP]a blue circle on a white background"}
    result = detailed(back, unit, sort_by="Position (left to right)")
    found = {one.colour: one.x for one in seen(result).objects if one.shape == "circle"}
    assert found["green"] < found["blue"]
    skipped = detailed(back, {**unit, "ad_prompt": "[SKIP][SEP]" + GREEN["ad_prompt"]}, sort_by="Position (left to right)")
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
    plain = run(back, prompt, n_iter=2)
    both = run(back, prompt, n_iter=2, extensions={"detailer": {"units": [unit]}})
    assert [judge(one.image).objects[0].colour for one in both.images] == ["red", "red"]
    for one, other in zip(both.images, plain.images, strict=True):
        assert np.abs(pixels(one.image) - pixels(other.image)).max() > 0
        assert one.request.seed == other.request.seed
    again = run(back, prompt, seed=both.images[1].request.seed, extensions={"detailer": {"units": [unit]}})
    assert (pixels(again.images[0].image) == pixels(both.images[1].image)).all()


def test_what_the_user_paints_limits_the_regions(back: Back) -> None:
    mask = Image.new("L", SCENE.size, 0)
    mask.paste(255, (0, 0, 64, 64))
    task = {"kind": "img2img", "image": Picture.of(SCENE), "denoising_strength": 0.1, "inpainting": {"mask": mask}}
    result = run(back, "shapes", task=task, extensions={"detailer": {"units": [GREEN], "show_regions": True}})
    assert sorted(colours(seen(result), "circle")) == ["green", "purple"]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    raise NotImplementedError


_ = (base64, io, json, Path)
