"""The native job API: start, look, watch, fetch, cancel."""

import asyncio
import io
import itertools
import json
import threading

import httpx
import pytest
from PIL import Image

from tests.api.fakes import Api, FakeEngine, FakeJob
from webui.api.waiting import followed
from webui.domain.errors import NotFiniteError
from webui.domain.request import GenerationRequest
from webui.domain.result import Progress
from webui.jobs.watched import Flag


def test_a_job_is_started_looked_at_and_fetched() -> None:
    api = Api()
    started = api.post("/api/jobs", {"prompt": "a cat", "seed": 3, "batch_size": 2})
    assert started.status_code == 201
    job_id = started.json()["id"]
    seen = api.get(f"/api/jobs/{job_id}").json()
    assert (seen["state"], seen["images"], seen["error"]) == ("done", 2, None)
    picture = api.get(f"/api/jobs/{job_id}/images/1")
    assert picture.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(picture.content)).size == (8, 8)


def test_a_request_passes_through_unchanged() -> None:
    api = Api()
    wanted = GenerationRequest(prompt="x", noise={"source": "NV"}, refiner={"checkpoint": "other"})
    api.post("/api/jobs?save=false", wanted.model_dump(mode="json"))
    assert api.engine.last.request == wanted
    assert api.engine.last.save is False


def test_the_same_id_is_one_job() -> None:
    api = Api()
    answers = [api.post("/api/jobs?id=abc", {}).json()["id"] for _ in range(2)]
    assert answers == ["abc", "abc"]
    assert len(api.engine.jobs) == 1
    assert api.post("/api/jobs?id=../x", {}).status_code == 422


@pytest.mark.parametrize(
    ("body", "place"),
    [({"steps": 0}, "steps"), ({"nonsense": 1}, "nonsense"), ({"noise": {"eta": 3}}, "noise"), ({"width": 9}, "width")],
)
def test_wrong_requests_are_named(body: dict[str, object], place: str) -> None:
    answer = Api().post("/api/jobs", body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][1] == place


@pytest.mark.parametrize("path", ["/api/jobs/none", "/api/jobs/none/images/0", "/api/jobs/none/events"])
def test_jobs_that_are_not_there(path: str) -> None:
    assert Api().get(path).status_code == 404


@pytest.mark.parametrize("number", ["1", "-1", "99999999999999999999", "x" * 1000])
def test_images_that_are_not_there(number: str) -> None:
    api = Api()
    api.post("/api/jobs?id=a", {})
    answer = api.get(f"/api/jobs/a/images/{number}")
    assert answer.status_code in (404, 422)
    assert len(answer.content) < 400


@pytest.mark.parametrize("error", [NotFiniteError("NaN in step 3"), RuntimeError("secret")])
def test_a_failed_job_says_why(error: Exception) -> None:
    api = Api(FakeEngine(error=error))
    api.post("/api/jobs?id=a", {})
    seen = api.get("/api/jobs/a").json()["error"]
    assert ("NaN in step 3" if isinstance(error, NotFiniteError) else "unexpected error") in seen
    assert "secret" not in seen


def test_a_job_is_cancelled() -> None:
    api = Api(FakeEngine(hold=True))
    api.post("/api/jobs?id=a", {})
    assert api.post("/api/jobs/a/cancel", content=b"").json() == {"id": "a", "state": "cancelled"}


def _events(text: str) -> list[tuple[str, dict[str, object]]]:
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("event")]
    return [(lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))) for lines in blocks]


def test_events_end_with_the_job() -> None:
    engine = FakeEngine(hold=True)
    api = Api(engine)
    api.post("/api/jobs?id=a", {})

    async def go() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=api.app), base_url="http://x") as client:
            watching = asyncio.ensure_future(client.get("/api/jobs/a/events"))
            await asyncio.sleep(0.05)
            engine.last.cancel()
            return await watching

    answer = asyncio.run(go())
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = _events(answer.text)
    assert [name for name, _ in events] == ["progress", "end"]
    assert events[-1][1]["state"] == "cancelled"


def test_events_end_when_the_server_stops() -> None:
    api = Api(FakeEngine(hold=True))
    api.post("/api/jobs?id=a", {})
    api.parts.closing.set()
    assert [name for name, _ in _events(api.get("/api/jobs/a/events").text)] == ["progress"]


def test_a_quiet_stream_is_kept_open_until_the_server_stops() -> None:
    job, closing = FakeJob("a", GenerationRequest(), state="running"), Flag()

    async def follow() -> list[str | None]:
        heard: list[str | None] = []
        async for now in followed(job, closing, every=0, silence=0.01):
            heard.append(now.progress.phase if now else None)
            if now is None and "sampling" in heard:
                threading.Thread(target=closing.set).start()
                await asyncio.wait_for(closing.wait(), 30)
            elif now is None:
                job.note_progress(Progress("sampling"))
        return heard

    heard = asyncio.run(follow())
    assert [phase for phase, _ in itertools.groupby(heard)] == ["waiting", None, "sampling", None]
    assert job._status._waiting == {}
