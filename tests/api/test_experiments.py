"""`script_name` and `script_args` over the API: answers, lists, what is saved, what is refused, stops and progress."""

import base64
import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import webuiapi
from PIL import Image

from tests.api.fakes import Api, FakeEngine
from tests.api.test_clients import Served
from webui.domain.images import Picture

PATIENCE = 20.0  # seconds
PLOT = [1, "1,2", [], 4, "3-4", [], 0, "", [], True, True, False, False, False, False, False, 0, False]


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as server:
        yield server


def picture() -> str:
    return Picture.of(Image.new("RGB", (8, 8), "red")).to_base64()


def test_a_plot_answers_with_its_grid_first() -> None:
    answer = Api().txt2img(script_name="X/Y/Z plot", script_args=PLOT, width=64, height=64).json()
    info = json.loads(answer["info"])
    assert len(answer["images"]) == len(info["infotexts"]) == 5
    assert (info["index_of_first_image"], info["all_seeds"]) == (1, [1, 2, 1, 2])
    assert "Script: X/Y/Z plot, X Type: Seed" in info["infotexts"][0]
    grid = Image.open(io.BytesIO(base64.b64decode(answer["images"][0])))
    assert grid.info["parameters"] == info["infotexts"][0]


def test_the_call_of_webuiapis_readme(served: Served) -> None:
    client = webuiapi.WebUIApi(host="127.0.0.1", port=served.port, sampler="Euler")
    result = client.txt2img(
        prompt="a cat", seed=1003, script_name="X/Y/Z Plot",
        script_args=[4, "20,30", "", 9, "Euler a, LMS", "", 0, "", "", "True", "False", "False", "False", 2],
    )  # fmt: skip
    assert len(result.images) == 1
    assert len(result.info["infotexts"]) == 5
    asked = {(seen.work.steps, seen.work.sampler) for seen in served.api.engine.jobs.values()}
    assert asked == {(20, "Euler a"), (30, "Euler a"), (20, "LMS"), (30, "LMS")}


def test_scripts_are_listed_where_they_can_be_chosen() -> None:
    api = Api()
    names = api.get("/sdapi/v1/scripts").json()
    assert {"x/y/z plot", "prompt matrix", "prompts from file or textbox"} <= set(names["txt2img"])
    assert {"loopback", "sd upscale", "outpainting mk2", "poor man's outpainting"} <= set(names["img2img"])
    assert "loopback" not in names["txt2img"]
    found = {(one["name"], one["is_img2img"]): one for one in api.get("/sdapi/v1/script-info").json()}
    axes = found[("x/y/z plot", False)]["args"][0]["choices"]
    assert (axes[0], axes[11], axes[28], axes[41]) == ("Nothing", "Checkpoint name", "Hires upscaler", "Size")
    assert found[("x/y/z plot", True)]["args"][0]["choices"][6] == "Image CFG Scale"
    assert len(found[("x/y/z plot", False)]["args"]) == 18
    assert not found[("loopback", True)]["is_alwayson"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"script_name": "no such script"}, ["body", "script_name"]),
        ({"script_name": "loopback"}, ["body", "script_name"]),
        ({"alwayson_scripts": {"Loopback": {"args": []}}}, ["body", "alwayson_scripts", "Loopback"]),
        ({"script_name": "x/y/z plot", "script_args": [4, "many", []]}, ["body", "script_args", 1]),
        ({"script_name": "x/y/z plot", "script_args": [4, {}]}, ["body", "script_args", 1]),
    ],
)
def test_what_is_refused(body: dict[str, Any], place: list[str | int]) -> None:
    answer = Api().txt2img(**body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == place


@pytest.mark.parametrize(
    ("script", "args", "folders", "cells_saved"),
    [
        ("x/y/z plot", PLOT, ["img2img-grids"], True),
        ("loopback", [2, 0.5, "Linear", "None"], ["img2img-grids"], True),
        ("sd upscale", [None, 0, "None", 1.0], ["img2img-images"], False),
    ],
)
def test_what_is_saved(script: str, args: list[Any], folders: list[str], cells_saved: bool) -> None:
    api = Api()
    saved = api.engine.saver.folders
    body = {"init_images": [picture()], "width": 8, "height": 8, "script_name": script, "script_args": args}
    answer = api.post("/sdapi/v1/img2img", {**body, "save_images": True})
    assert answer.status_code == 200, answer.text
    assert saved[-1:] == folders
    assert len(saved) == 1 + cells_saved * len(api.engine.jobs)
    assert {job.save for job in api.engine.jobs.values()} == {cells_saved}
    before = list(saved)
    api.post("/sdapi/v1/img2img", body)
    assert saved == before


def test_progress_and_interrupt_are_those_of_the_whole() -> None:
    api = Api(FakeEngine(hold=True))
    answers: list[Any] = []
    body = {"script_name": "x/y/z plot", "script_args": PLOT}
    client = threading.Thread(target=lambda: answers.append(api.txt2img(**body)))
    client.start()
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if api.engine.running() and api.engine.experiments()[0].progress.job_id:
            break
        pause.wait(0.02)
    state = api.get("/sdapi/v1/progress").json()["state"]
    assert (state["job_count"], state["job_no"]) == (4, 0)
    api.post("/sdapi/v1/interrupt")
    client.join(PATIENCE)
    assert len(api.engine.jobs) == 1  # no further cell was sent
    assert answers
    assert api.get("/sdapi/v1/progress").json()["state"]["job_count"] == 0
