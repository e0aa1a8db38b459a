"""Grids of a job's images: when there is one, its place in the answer, its file."""

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image

from tests.api.fakes import Api, FakeEngine, parts_of
from webui.api.application import create
from webui.imaging.grids import grid_of, row_count


@pytest.mark.parametrize(
    ("count", "options", "rows"),
    [
        (1, {}, 1), (2, {}, 1), (3, {}, 2), (4, {}, 2), (5, {}, 2), (6, {}, 2), (7, {}, 3), (12, {}, 3),
        (4, {"rows": 1}, 1), (4, {"rows": 9}, 4), (6, {"rows": 0, "batch_size": 3}, 3), (2, {"rows": 0}, 1),
        (5, {"without_gaps": True}, 1), (6, {"without_gaps": True}, 2), (9, {"without_gaps": True}, 3),
    ],
)  # fmt: skip
def test_rows(count: int, options: dict[str, Any], rows: int) -> None:
    assert row_count(count, **options) == rows


def test_pictures_stand_row_by_row_in_the_middle_of_their_cells() -> None:
    pictures = [Image.new("RGB", (8, 8), (index, 0, 0)) for index in range(3)]
    pictures[1] = Image.new("RGB", (4, 4), "black")
    grid = grid_of(pictures, 2, "#0000ff")
    assert grid.size == (16, 16)
    places = [grid.getpixel(place) for place in ((0, 0), (8, 0), (10, 2), (0, 8), (8, 8))]
    assert places == [(0, 0, 0), (0, 0, 255), (0, 0, 0), (2, 0, 0), (0, 0, 255)]


def kept_in(saved: list[Any]) -> Api:
    api = Api(FakeEngine())
    api.parts = parts_of(api.engine, save_grid=lambda image, **options: saved.append((image, options)))
    api.app = create(api.parts)
    return api


@pytest.mark.parametrize(
    ("body", "settings", "returned", "written"),
    [
        ({"batch_size": 2, "save_images": True}, {}, True, True),
        ({"batch_size": 2}, {}, False, False),
        ({"save_images": True}, {}, False, False),
        ({"save_images": True}, {"grid_only_if_multiple": False}, True, True),
        ({"batch_size": 2, "save_images": True}, {"return_grid": False}, False, True),
        ({"batch_size": 2, "save_images": True}, {"grid_save": False}, True, False),
        ({"batch_size": 2, "save_images": True}, {"return_grid": False, "grid_save": False}, False, False),
    ],
)
def test_when_there_is_one(body: dict[str, Any], settings: dict[str, Any], returned: bool, written: bool) -> None:
    saved: list[Any] = []
    answer = kept_in(saved).txt2img(**body, override_settings=settings).json()
    info = json.loads(answer["info"])
    count = body.get("batch_size", 1)
    assert len(answer["images"]) == len(info["infotexts"]) == count + returned
    assert info["index_of_first_image"] == int(returned)
    assert len(info["all_seeds"]) == count
    assert len(saved) == int(written)
    if returned:
        assert info["infotexts"][0] == info["infotexts"][1]
        grid = Image.open(io.BytesIO(base64.b64decode(answer["images"][0])))
        assert grid.size == (8 * count, 8)
        assert grid.info["parameters"] == info["infotexts"][0]


def test_its_file_is_named_as_a1111_names_it() -> None:
    saved: list[Any] = []
    kept_in(saved).txt2img(batch_size=2, save_images=True, override_settings={"grid_format": "jpg"})
    ((_, options),) = saved
    assert options["folder"] == "txt2img-grids"
    saving = options["saving"]
    assert (saving.image_format, saving.filename_pattern, saving.number_digits) == ("jpg", "grid-[number]", 4)
