"""The API of the queue in front of a real engine, whose executor the test drives by hand."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.fakes import BASE, call, encode
from tests.engine_bench import Bench
from tests.executors.watching import wanted
from webui.api.application import create
from webui.api.parts import Parts
from webui.domain.errors import BackUnavailableError, WebuiError, WorkerDiedError
from webui.engine.engine import Engine
from webui.executors.protocol import Failed, Started


class Front:
    """The API, and the engine behind it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.engine: Engine = bench.engine()
        self.app = create(Parts(self.engine, encode))

    def again(self) -> "Front":
        """After a restart of the program."""
        self.engine.close()
        return Front(self.bench)

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = call(self.app, method, path, **({} if body is None else {"json": body}))
        assert answer.status_code == status, answer.text
        return answer.json()

    def send(self, name: str, **more: Any) -> None:
        query = "&".join(["", *(f"{key}={value}" for key, value in more.items())])
        self.ask("POST", f"/api/jobs?id={name}{query}", wanted("quick").model_dump(mode="json"), 201)

    def order(self) -> str:
        return " ".join(job["id"] for job in self.ask("GET", "/api/jobs")["jobs"])


@pytest.fixture
def front(bench: Bench) -> Front:
    front = Front(bench)
    for name in "abcd":
        front.send(name)
    bench.hand.tell(Started("a"))
    return front


def test_the_list_tells_order_and_state(front: Front) -> None:
    told = front.ask("GET", "/api/jobs")
    assert [(job["id"], job["state"], job["position"]) for job in told["jobs"]] == [
        ("a", "running", 0), ("b", "queued", 1), ("c", "queued", 2), ("d", "queued", 3),
    ]  # fmt: skip
    assert told["queue"] == {"paused": False, "reason": "", "running": 1, "waiting": 3, "held": 0}
    assert (told["ended"], told["before"]) == ([], None)


def test_jobs_are_moved_and_get_priority(front: Front) -> None:
    front.ask("PATCH", "/api/jobs/d", {"place": 0})
    assert front.order() == "a d b c"
    front.ask("PATCH", "/api/jobs/d", {"move": 1})
    assert front.order() == "a b d c"
    assert front.ask("PATCH", "/api/jobs/c", {"priority": 9})["priority"] == 9
    assert front.order() == "a c b d"
    for body in ({"place": -1}, {"priority": 1000}, {"nonsense": 1}, {"request": {"steps": 0}}):
        front.ask("PATCH", "/api/jobs/b", body, 422)
    assert "runs" in front.ask("DELETE", "/api/jobs/a", status=409)["detail"]
    front.ask("PATCH", "/api/jobs/a", {"place": 0}, 409)
    front.ask("PATCH", "/api/jobs/nobody", {"place": 0}, 404)


def test_a_job_is_changed_held_retried_and_deleted(front: Front) -> None:
    front.ask("PATCH", "/api/jobs/b", {"request": wanted("another").model_dump(mode="json")})
    assert front.engine.job("b").work.prompt == "another"  # type: ignore[union-attr]
    wrong = wanted("quick", checkpoint="nowhere").model_dump(mode="json")
    front.ask("PATCH", "/api/jobs/b", {"request": wrong}, 404)
    told = front.ask("PATCH", "/api/jobs/b", {"held": True})
    assert (told["state"], told["reason"]) == ("held", "held by hand")
    assert front.ask("POST", "/api/jobs/b/retry")["state"] == "queued"
    front.ask("DELETE", "/api/jobs/b")
    assert front.order() == "a c d"
    front.ask("DELETE", "/api/jobs/a", status=409)
    front.ask("DELETE", "/api/jobs/nobody", status=404)
    front.ask("DELETE", "/api/jobs", status=422)
    assert front.ask("DELETE", "/api/jobs?which=waiting")["waiting"] == 0


def test_the_queue_is_paused_and_goes_on(front: Front) -> None:
    assert front.ask("PATCH", "/api/queue", {"paused": True, "reason": "lunch"})["reason"] == "lunch"
    assert front.ask("GET", "/api/jobs/b")["reason"] == "lunch"
    front.bench.hand.do(front.engine.job("a"))  # type: ignore[arg-type]
    assert front.bench.hand.jobs == ["a"]
    assert front.ask("PATCH", "/api/queue", {"paused": False})["paused"] is False
    assert front.bench.hand.jobs == ["a", "b"]


def test_owners_have_turns(bench: Bench) -> None:
    front = Front(bench)
    for name, owner in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        front.send(name, owner=owner)
    assert front.order() == "a1 b1 a2"
    assert front.ask("GET", "/api/jobs/b1")["owner"] == "b"


def test_a_failed_job_is_sent_again_as_another(front: Front) -> None:
    front.bench.hand.tell(Failed("a", WebuiError("no")))
    again = front.ask("POST", "/api/jobs/a/retry")
    assert again["id"] not in "abcd"
    assert front.engine.job(again["id"]).work == front.engine.job("a").work  # type: ignore[union-attr]


def test_an_ended_job_tells_all_also_after_a_restart(front: Front) -> None:
    front.bench.saver.error = WebuiError("no space left")
    front.bench.hand.do(front.engine.job("a"))  # type: ignore[arg-type]
    before = front.ask("GET", "/api/jobs/a")
    (picture,) = before["pictures"]
    assert (picture["seed"], picture["infotext"], picture["spooled"]) == (5, "quick\nSteps: 1", True)
    assert Path(picture["file"]).is_file()
    assert "no space left" in before["notices"][0]["text"]
    front.bench.saver.error = None
    front = front.again()
    after = front.ask("GET", "/api/jobs/a")
    assert (after["state"], after["images"], after["notices"]) == ("done", 1, before["notices"])
    (placed,) = after["pictures"]
    assert placed == {**picture, "file": placed["file"], "spooled": False}
    image = call(front.app, "GET", "/api/jobs/a/images/0")
    assert (image.headers["content-type"], image.content) == ("image/png", Path(placed["file"]).read_bytes())
    front.ask("GET", "/api/jobs/a/images/1", status=404)
    assert [job["id"] for job in front.ask("GET", "/api/jobs")["ended"]] == ["a"]
    front.send("a")  # the same job, which has ended: not another one
    assert front.order() == "b c d"
    front.ask("DELETE", "/api/jobs?which=ended")
    assert front.ask("GET", "/api/jobs")["ended"] == []


async def _while_waiting(front: Front, path: str, body: dict[str, Any], do: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app=front.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        waiting = asyncio.ensure_future(client.post(path, json=body))
        while not front.engine.queue.jobs():
            await asyncio.sleep(0.005)
        await asyncio.to_thread(do)
        return await asyncio.wait_for(waiting, 20)


TXT2IMG = {"prompt": "quick", "steps": 1, "sampler_name": "Euler", "force_task_id": "task(q)"}


@pytest.mark.parametrize("save", [True, False])
def test_a_client_is_answered_where_its_job_cannot_go_on(bench: Bench, save: bool) -> None:
    front = Front(bench)

    def fail() -> None:
        job = front.engine.queue.jobs()[0]
        bench.hand.tell(Failed(job.id, BackUnavailableError("device: there is no none")))

    answer = asyncio.run(_while_waiting(front, "/sdapi/v1/txt2img", {**TXT2IMG, "save_images": save}, fail))
    assert answer.status_code == 503
    assert "there is no none" in answer.json()["detail"]
    assert [job.save for job in front.engine.queue.jobs()] == ([True] if save else [])


def test_a_held_job_is_an_answer_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webui.engine.mishaps.DEATHS", 1)
    front = Front(bench)

    def die() -> None:
        bench.hand.tell(Failed(front.engine.queue.jobs()[0].id, WorkerDiedError("signal 9")))

    answer = asyncio.run(_while_waiting(front, "/sdapi/v1/txt2img", {**TXT2IMG, "save_images": True}, die))
    assert (answer.status_code, answer.json()["error"]) == (500, "WorkerDiedError")
    (held,) = front.engine.queue.jobs()
    assert held.state == "held"


@pytest.mark.parametrize("save", [True, False])
def test_a_client_that_hangs_up_ends_its_job_only_where_nothing_is_saved(bench: Bench, save: bool) -> None:
    front = Front(bench)

    async def hang_up() -> None:
        transport = httpx.ASGITransport(app=front.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            sending = client.post("/sdapi/v1/txt2img", json={**TXT2IMG, "save_images": save})
            waiting = asyncio.ensure_future(sending)
            while not front.engine.queue.jobs():
                await asyncio.sleep(0.005)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(hang_up())
    (job_id,) = bench.hand.jobs
    assert bench.hand.stops == ([] if save else [(job_id, "interrupt")])


def test_the_name_of_a_job_outlives_a_restart(bench: Bench) -> None:
    front = Front(bench)

    def do() -> None:
        bench.hand.do(front.engine.queue.jobs()[0])

    answer = asyncio.run(_while_waiting(front, "/sdapi/v1/txt2img", TXT2IMG, do))
    assert answer.status_code == 200
    front = front.again()
    told = front.ask("POST", "/internal/progress", {"id_task": "task(q)"})
    assert (told["completed"], told["active"]) == (True, False)
    assert front.ask("POST", "/internal/progress", {"id_task": "task(x)"})["completed"] is False
