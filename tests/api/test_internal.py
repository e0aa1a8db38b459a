"""What A1111's page and tools ask beside `/sdapi`: progress of a named job, and the headers around every answer."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse, StreamingResponse

from tests.api.fakes import Api, FakeEngine, FakeJob, call
from tests.narrowing import known
from webui.api import around
from webui.domain.request import GenerationRequest
from webui.domain.result import Progress
from webui.prompt.style_file import StyleFile
from webui.prompt.styles import Style

KEYS = ["active", "queued", "completed", "progress", "eta", "live_preview", "id_live_preview", "textinfo"]


def api_with(**jobs: FakeJob) -> Api:
    return Api(FakeEngine(jobs=dict(jobs)))


def job(name: str, state: str, **more: Any) -> FakeJob:
    return FakeJob(name, GenerationRequest(), save=False, state=state, **more)


def asked(api: Api, task: str, **body: Any) -> dict[str, Any]:
    answer = api.post("/internal/progress", {"id_task": task, **body})
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    assert list(told) == KEYS
    return told


def test_a_job_that_runs_has_progress_and_a_preview_once() -> None:
    now = Progress("sampling", 5, 20, 1, 2)
    api = api_with(one=job("one", "running", progress=now, preview=b"jpeg"))
    told = asked(api, "one")
    assert (told["active"], told["queued"], told["completed"]) == (True, False, False)
    assert told["progress"] == pytest.approx(0.5 + 0.25 / 2)
    assert told["live_preview"] == "data:image/jpeg;base64,anBlZw=="
    again = asked(api, "one", id_live_preview=told["id_live_preview"])
    assert (again["live_preview"], again["id_live_preview"]) == (None, told["id_live_preview"])
    assert asked(api, "one", live_preview=False)["live_preview"] is None


def test_jobs_that_wait_have_a_place_and_ended_ones_are_completed() -> None:
    api = api_with(a=job("a", "queued"), b=job("b", "queued"), c=job("c", "done"))
    told = asked(api, "b")
    assert (told["queued"], told["textinfo"], told["progress"], told["id_live_preview"]) == (
        True, "In queue: 2/2", None, -1,
    )  # fmt: skip
    assert asked(api, "c")["completed"] is True
    known(api.engine.job("a")).note_held("two workers ended")
    told = asked(api, "a")
    assert (told["queued"], told["completed"], told["textinfo"]) == (True, False, "two workers ended")
    known(api.engine.job("a")).note_queued()
    nobody = asked(api, "task(unknown)")
    assert (nobody["active"], nobody["queued"], nobody["completed"], nobody["textinfo"]) == (
        False, False, False, "Waiting...",
    )  # fmt: skip
    assert api.get("/internal/pending-tasks").json() == {"size": 2, "tasks": ["a", "b"]}


def test_a_client_may_name_its_job_and_use_the_name_again() -> None:
    api = Api()
    for prompt in ("a cat", "a dog"):
        answer = api.txt2img(prompt=prompt, force_task_id="task(mine)")
        assert answer.status_code == 200
        assert asked(api, "task(mine)")["completed"] is True
    assert api.engine.last.task == "task(mine)"


def test_a_name_outlives_the_memory() -> None:
    api = Api()
    api.engine.note_earlier("x", task="task(old)")
    for name in ("task(old)", "x"):
        assert asked(api, name)["completed"] is True
    assert asked(api, "task(other)")["completed"] is False


def test_a_wrong_body_is_named() -> None:
    answer = Api().post("/internal/progress", {"id_live_preview": "x"})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "id_live_preview"])


def test_what_tools_show_about_the_server() -> None:
    api = Api()
    assert {"name": "CLIP_stop_at_last_layers", "label": "Clip skip"} in api.get("/internal/quicksettings-hint").json()
    assert api.get("/internal/profile-startup").json()["total"] > 0
    told = json.loads(api.get("/internal/sysinfo").text)
    assert {"Platform", "Python", "Version", "RAM", "Extensions", "Config", "Packages"} <= set(told)
    assert "Environment" not in told
    download = api.get("/internal/sysinfo-download")
    assert re.fullmatch(r'attachment; filename="sysinfo-[\d-]+\.json"', download.headers["content-disposition"])


def test_every_answer_says_how_long_it_took() -> None:
    for path in ("/sdapi/v1/samplers", "/internal/ping", "/sdapi/v1/nothing"):
        assert re.fullmatch(r"\d+\.\d{4}", Api().get(path).headers["x-process-time"])


def test_long_answers_are_packed_for_those_who_take_it() -> None:
    api = Api()
    packed = api.get("/sdapi/v1/samplers", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == api.get("/sdapi/v1/samplers", headers={"accept-encoding": "identity"}).json()
    assert "content-encoding" not in api.get("/internal/ping", headers={"accept-encoding": "gzip"}).headers
    plain = api.get("/sdapi/v1/samplers", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers


def test_event_streams_and_pictures_are_left_as_they_are() -> None:
    app = FastAPI()
    around.install(app)
    app.get("/events")(lambda: StreamingResponse(iter(["data: x\n\n"] * 900), media_type="text/event-stream"))
    app.get("/picture")(lambda: PlainTextResponse("x" * 5000, media_type="image/png"))
    app.get("/packed")(lambda: PlainTextResponse(gzip.compress(b"x" * 9**6), headers={"content-encoding": "gzip"}))
    for path in ("/events", "/picture"):
        assert "content-encoding" not in call(app, "GET", path, headers={"accept-encoding": "gzip"}).headers
    assert len(call(app, "GET", "/packed", headers={"accept-encoding": "gzip"}).text) == 9**6


def test_the_list_of_styles_is_what_the_page_saved(tmp_path: Path) -> None:
    api = Api()
    styles = StyleFile(tmp_path / "styles.csv")
    object.__setattr__(api.parts, "styles", styles.read)
    styles.save(Style("ink", "ink", "photo"))
    assert api.get("/sdapi/v1/prompt-styles").json() == [{"name": "ink", "prompt": "ink", "negative_prompt": "photo"}]
