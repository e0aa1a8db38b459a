"""What the page is told of experiments and plots, and what it may order and take along."""

import asyncio
import csv
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.api.fakes import Api, FakeEngine, call
from tests.api.page.open_page import Opened
from tests.doors import PATIENCE
from tests.engine_bench import Bench
from tests.test_plots import Painter, begun, engine_on
from webui.api.page.messages import CellTold, JobRow
from webui.domain.errors import BadRequestError
from webui.domain.request import GenerationRequest
from webui.experiments.plans import plan_of, started
from webui.experiments.script import Surroundings

ROOT = "/internal/page"
PLAN = {"kind": "xyz", "axes": [{"id": "seed", "values": "1-2"}, {"id": "prompt_sr", "values": ["cat", "dog"]}]}
REQUEST = GenerationRequest(prompt="a cat", steps=2, width=64, height=64)


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api(FakeEngine())
    yield api
    api.engine.close()


def made(api: Api, plan: dict[str, Any] = PLAN, owner: str = "ada") -> str:
    experiment = started(json.dumps(plan), REQUEST, Surroundings())
    job = api.engine.experiment(experiment, save=True, owner=owner)
    job.result(PATIENCE)
    return job.work.plot


def test_what_an_experiment_is_built_of(api: Api) -> None:
    told = api.get(f"{ROOT}/experiments").json()
    scripts = {one["name"]: one for one in told["scripts"]}
    assert {name: one["kind"] for name, one in scripts.items()} == {
        "x/y/z plot": "xyz", "prompt matrix": "matrix", "prompts from file or textbox": "lines",
        "loopback": "loopback", "sd upscale": "tiles", "outpainting mk2": "canvas", "poor man's outpainting": "canvas",
        "img2img alternative test": "other", "ultimate sd upscale": "tiles",
    }  # fmt: skip
    options = {one["name"]: one for one in scripts["sd upscale"]["options"]}
    assert options["upscaler"]["choices"][:2] == ["None", "Lanczos"]
    assert (options["scale_factor"]["kind"], options["scale_factor"]["high"]) == ("number", 4)
    axes = {one["id"]: one for one in told["axes"]}
    assert axes["cfg_scale"] | {"kind": "number", "group": "Sampling", "load": False} == axes["cfg_scale"]
    assert axes["checkpoint"]["load"]
    assert "tiny-sd1.safetensors" in axes["checkpoint"]["choices"][0]
    assert (axes["task.hires.steps"]["modes"], axes["prompt_sr"]["kind"]) == (["txt2img"], "text")
    assert "nothing" not in axes
    assert "fp8_mode" not in axes


def test_a_plot_is_listed_opened_and_taken_along(api: Api, tmp_path: Path) -> None:
    plot = made(api)
    (listed,) = api.get(f"{ROOT}/plots").json()
    assert listed | {"id": plot, "sizes": [2, 2, 1], "done": 4, "count": 4, "state": "done", "kind": "xyz"} == listed
    whole = api.get(f"{ROOT}/plots/{plot}").json()
    assert whole["axes"] == [
        {"label": "Seed", "values": ["1", "2"]}, {"label": "Prompt S/R", "values": ["cat", "dog"]}
    ]  # fmt: skip
    assert whole["plan"]["axes"] == [PLAN["axes"][0], {"id": "prompt_sr", "values": "cat,dog"}, None]
    assert [cell["at"] for cell in whole["cells"]] == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]
    assert all("Seed: " in cell["infotext"] for cell in whole["cells"])
    addresses = [cell[name] for cell in whole["cells"] for name in ("picture", "thumb")] + whole["sheets"]
    assert len(addresses) == 9
    for address in addresses:
        Image.open(io.BytesIO(api.get(f"/{address}").content)).load()
    sheet = Image.open(io.BytesIO(api.get(f"{ROOT}/plots/{plot}/export.png").content))
    saved = Image.open(io.BytesIO(api.get(f"/{whole['sheets'][0]}").content))
    assert (np.asarray(sheet) == np.asarray(saved)).all()
    archive = zipfile.ZipFile(io.BytesIO(api.get(f"{ROOT}/plots/{plot}/export.html").content))
    page = archive.read("index.html").decode()
    for cell in whole["cells"]:
        name = f"pictures/{'-'.join(map(str, cell['at']))}.png"
        assert f'src="{name}"' in page
        assert archive.read(name) == api.get(f"/{cell['picture']}").content
    rows = list(csv.reader(io.StringIO(api.get(f"{ROOT}/plots/{plot}/export.csv").text)))
    assert rows[0] == ["Seed", "Prompt S/R", "file", "parameters", "error"]
    assert [row[:2] for row in rows[1:]] == [["1", "cat"], ["2", "cat"], ["1", "dog"], ["2", "dog"]]


def test_a_plot_goes_on_and_grows_by_orders(api: Api) -> None:
    plot = made(api)
    job = api.post(f"{ROOT}/plots/{plot}/extend", {"axis": 0, "values": ["9"]}).json()["job"]
    found = api.engine.overview.find(job)
    assert found is not None
    found.result(PATIENCE)
    assert len(api.engine.asked_for) == 6
    assert api.get(f"{ROOT}/plots/{plot}").json()["sizes"] == [3, 2, 1]
    again = api.post(f"{ROOT}/plots/{plot}/go_on").json()["job"]
    other = api.engine.overview.find(again)
    assert other is not None
    other.result(PATIENCE)
    assert len(api.engine.asked_for) == 6
    assert api.post(f"{ROOT}/plots/{plot}/extend", {"axis": 2, "values": ["9"]}).status_code == 422
    assert api.post(f"{ROOT}/plots/{plot}/extend", {"axis": 7, "values": ["9"]}).status_code == 422
    assert api.get(f"{ROOT}/experiments/pace").json()["seconds_per_step_megapixel"].keys() <= {"tiny-sd1.safetensors"}


def test_on_a_shared_server_everybody_has_their_own_plots(api: Api) -> None:
    plot = made(api)

    def of(user: str) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await api.app({**scope, "webui.user": user}, receive, send)

        return app

    assert api.parts.is_shared
    paths = ["", "/export.png", "/export.html", "/export.csv", "/cells/0/0/0", "/sheets/0"]
    theirs = [call(of("bob"), "GET", f"{ROOT}/plots/{plot}{path}").status_code for path in paths]
    assert theirs == [404] * len(paths)
    assert call(of("bob"), "POST", f"{ROOT}/plots/{plot}/go_on").status_code == 404
    assert call(of("bob"), "GET", f"{ROOT}/plots").json() == []


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        ("[]", "experiment"),
        ({"kind": "xyz", "axes": []}, "experiment.axes"),
        ({"kind": "xyz", "axes": [None, {"id": "seed", "values": "x"}]}, "experiment.axes.1"),
        ({"kind": "xyz", "axes": [{"id": "nothing of the kind", "values": "1"}]}, "experiment.axes.0"),
        ({"kind": "xyz", "axes": [{"id": "fp8_mode", "values": "Enable"}]}, "experiment.axes.0"),
        ({"kind": "loopback", "values": {}}, "script_name"),
        ({"kind": "matrix", "values": {"no_such": 1}}, "experiment.values.no_such"),
        ({"kind": "matrix", "values": {"select_prompt": "both"}}, "experiment.values.select_prompt"),
        ({"kind": "other", "script": "custom"}, "experiment.script"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_names_its_field(plan: Any, field: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        started(plan if isinstance(plan, str) else json.dumps(plan), REQUEST, Surroundings())
    assert caught.value.field == field


@pytest.mark.parametrize(
    "plan",
    [
        PLAN | {"axes": [*PLAN["axes"], {"id": "sampler", "values": ["Euler", "Euler a"]}], "lone": True},
        {"kind": "xyz", "axes": [None, {"id": "cfg_scale", "values": "1-3 [3]"}], "margin": 8, "vary": [True] * 3},
        {"kind": "matrix", "script": "prompt matrix", "values": {"grid_margins_px": 4}},
        {"kind": "lines", "script": "prompts from file or textbox", "values": {"list_of_prompt_inputs": "a\nb"}},
    ],
)
def test_a_plan_comes_back_from_what_is_stored(plan: dict[str, Any]) -> None:
    origin = started(json.dumps(plan), REQUEST, Surroundings()).origin
    assert origin is not None
    told = plan_of(origin)
    again = started(json.dumps(told), REQUEST, origin.around)
    assert again.origin is not None
    assert plan_of(again.origin) == told
    assert told["kind"] == plan["kind"]
    assert again.plan is not None
    first = started(json.dumps(plan), REQUEST, origin.around)
    assert first.plan is not None
    assert again.plan.cells == first.plan.cells


def test_one_row_stands_for_all_cells_and_each_is_told(tmp_path: Path) -> None:
    asyncio.run(_watched(tmp_path))


async def _watched(tmp_path: Path) -> None:
    painter = Painter(gate=threading.Semaphore(0))
    painter.fails = lambda request: request.seed == 2
    bench = Bench(tmp_path)
    engine = engine_on(bench, painter)
    opened = Opened(engine, tmp_path / "cache")
    async with opened.page() as page:
        plot = await asyncio.to_thread(begun, engine)
        await opened.until(lambda: any(row.state == "running" for row in page.rows.values()))
        painter.gate = None
        await opened.until(lambda: any(row.state == "done" for row in page.rows.values()))
        (row,) = page.rows.values()
        assert (row.kind, row.plot, row.pictures, row.expected) == ("experiment", plot.id, 6, 6)
        await opened.until(lambda: len(page.pictures) == 5)
        await opened.agree(page)
    told = [event for event in page.seen if isinstance(event, CellTold)]
    assert [event.at for event in told if event.state == "running"][:2] == [(0, 0, 0), (1, 0, 0)]
    assert {event.at: event.error for event in told if event.state == "failed"} == {
        (1, 0, 0): "no memory", (1, 1, 0): "no memory"
    }  # fmt: skip
    there = [event for event in told if event.state == "there"]
    assert len(there) == 4
    urls = [picture.url for picture in page.pictures.values()]
    assert "-sheets-" in urls.pop(0)  # the newest is what was put together of them
    assert {event.picture for event in there} == set(urls)
    assert {event.id for event in page.seen if isinstance(event, JobRow)} == {row.id}
    engine.close()
