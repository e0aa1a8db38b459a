"""Orders of the page: what each does, to whose jobs, and who may send them."""

import io
import json
import threading
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.api.page.browsers import PAGE, Browser, Server
from tests.engine_bench import FACTS, Bench
from tests.executors.prompted_back import picture
from tests.executors.watching import wanted
from webui.domain.errors import Cancelled, NotFiniteError
from webui.domain.extensions import ActionInfo, ActionOutcome, ActionProgress, ExtensionInfo
from webui.domain.result import GenerationResult
from webui.executors.protocol import Failed, Finished, ImageMade, Progressed, Started
from webui.experiments.plans import started
from webui.experiments.script import Surroundings


def states(server: Server) -> dict[str, str]:
    return {job.work.prompt: job.state for job in server.engine.queue.jobs()}


def test_interrupt_stops_ones_own_running_job_and_no_other(server: Server, me: Browser) -> None:
    other = server.browser()
    theirs = server.submit(other.owner, "theirs")
    server.bench.hand.tell(Started(theirs.id))
    assert me.order("interrupt", status=409)["detail"] == "nothing of this browser is running or waiting"
    mine = server.submit(me.owner, "mine")
    newer = server.submit(me.owner, "newer")
    assert me.order("interrupt") == {}
    assert (newer.state, mine.state, theirs.state) == ("cancelled", "queued", "running")
    assert server.bench.hand.stops == []
    server.bench.hand.tell(Finished(theirs.id, GenerationResult(theirs.work, (picture(theirs.work, 0),), FACTS)))
    server.bench.hand.tell(Started(mine.id))
    me.order("interrupt")
    other.order("interrupt", status=409)
    assert server.bench.hand.stops == [(mine.id, "interrupt")]


def test_an_experiment_is_stopped_as_one(server: Server, me: Browser) -> None:
    plan = json.dumps({"kind": "xyz", "axes": [{"id": "seed", "values": "1-3"}]})
    experiment = started(plan, wanted("a plot"), Surroundings())
    job = server.engine.experiment(experiment, save=True, owner=me.owner)
    hand = server.bench.hand
    assert job.wait_for(lambda now: bool(now.progress.job_id), 20.0)
    hand.tell(Started(hand.jobs[0]))
    server.browser().order("interrupt", status=409)
    me.order("skip")
    assert me.order(f"jobs/{job.id}/finish", status=409)["detail"].startswith("an experiment can only be stopped")
    me.order("interrupt")
    for _ in range(2000):
        if len(hand.stops) == 2:
            break
        threading.Event().wait(0.01)
    hand.tell(Failed(hand.jobs[0], Cancelled("stopped")))
    assert job.wait_for(lambda now: now.ended, 20.0)
    assert (job.state, len(hand.jobs)) == ("cancelled", 1)
    assert hand.stops == [(hand.jobs[0], "skip"), (hand.jobs[0], "interrupt")]
    me.order(f"jobs/{job.id}/retry")  # as another job, which makes what is missing
    (again,) = [one for one in server.engine.experiments() if one is not job]
    assert again.work.plot == job.work.plot
    again.cancel()


def test_skip_and_finish(server: Server, me: Browser) -> None:
    job = server.submit(me.owner, n_iter=3)
    assert me.order("skip", status=409)["detail"] == "nothing of this browser is running"
    assert me.order(f"jobs/{job.id}/finish", status=409)["detail"] == "this job does not run"
    server.bench.hand.tell(Started(job.id))
    server.browser().order("skip", status=409)
    me.order("skip")
    me.order(f"jobs/{job.id}/finish")
    assert server.bench.hand.stops == [(job.id, "skip"), (job.id, "finish")]
    server.bench.hand.tell(ImageMade(job.id, picture(job.work, 0)))
    result = GenerationResult(job.work, (picture(job.work, 0),), FACTS, interrupted=True)
    server.bench.hand.tell(Finished(job.id, result))
    [row] = me.state()["jobs"]
    assert (row["state"], row["pictures"], row["expected"], row["reason"]) == ("stopped", 1, 3, "")


def test_the_cross_of_any_job_works(server: Server, me: Browser) -> None:
    other = server.browser()
    running, waiting = server.submit(other.owner, "one"), server.submit(other.owner, "two")
    server.bench.hand.tell(Started(running.id))
    me.order(f"jobs/{waiting.id}/cancel")
    me.order(f"jobs/{running.id}/cancel")
    assert (waiting.state, server.bench.hand.stops) == ("cancelled", [(running.id, "interrupt")])
    server.bench.hand.tell(Failed(running.id, Cancelled("stopped")))
    assert [row["state"] for row in me.state()["jobs"]] == ["stopped", "stopped"]
    me.order(f"jobs/{running.id}/cancel")  # after the end: nothing is left to do


def test_jobs_are_moved_before_others(server: Server, me: Browser) -> None:
    jobs = {name: server.submit(me.owner, name) for name in "abcd"}
    server.bench.hand.tell(Started(jobs["a"].id))

    def order() -> str:
        return "".join(row["title"] for row in me.state()["jobs"])

    assert order() == "abcd"
    me.order(f"jobs/{jobs['d'].id}/move", {"before": jobs["b"].id})
    assert order() == "adbc"
    me.order(f"jobs/{jobs['d'].id}/move", {"before": None})
    assert order() == "abcd"
    me.order(f"jobs/{jobs['d'].id}/move", {"before": jobs["a"].id})
    assert order() == "adbc", "before one that runs is as far in front as may be"
    me.order(f"jobs/{jobs['d'].id}/move", {"before": jobs["d"].id})
    assert order() == "adbc"
    me.order(f"jobs/{jobs['d'].id}/move", {"before": "nobody"}, 404)
    assert "is running" in me.order(f"jobs/{jobs['a'].id}/move", {"before": None}, 409)["detail"]
    me.order(f"jobs/{jobs['b'].id}/move", {"behind": 3}, 422)
    assert [row["position"] for row in me.state()["jobs"]] == [None, 1, 2, 3]


def test_a_held_job_is_told_with_its_reason_and_retried(server: Server, me: Browser) -> None:
    server.engine.queue.pause()
    job = server.submit(me.owner)
    server.engine.queue.hold(job, "two workers ended during it")
    [row] = me.state()["jobs"]
    assert (row["state"], row["reason"], row["position"]) == ("held", "two workers ended during it", None)
    me.order(f"jobs/{job.id}/retry")
    assert job.state == "queued"


def test_a_failed_job_is_sent_again(server: Server, me: Browser) -> None:
    job = server.submit(me.owner, "once more")
    server.bench.hand.tell(Started(job.id))
    server.bench.hand.tell(Failed(job.id, NotFiniteError("values that are no numbers")))
    assert [(row["state"], row["reason"]) for row in me.state()["jobs"]] == [("failed", "values that are no numbers")]
    server.browser().order(f"jobs/{job.id}/retry")
    [again] = server.engine.queue.jobs()
    assert (again.work, again.owner, again.save) == (job.work, me.owner, True)


def test_deleted_jobs_are_listed_no_longer(server: Server, me: Browser) -> None:
    running, waiting = server.submit(me.owner, "one"), server.submit(me.owner, "two")
    server.bench.hand.tell(Started(running.id))
    assert "cancel it first" in me.order(f"jobs/{running.id}/delete", status=409)["detail"]
    me.order(f"jobs/{waiting.id}/delete")
    assert [row["title"] for row in me.state()["jobs"]] == ["one"]
    me.order(f"jobs/{waiting.id}/delete", status=404)


def test_the_queue_is_paused_and_goes_on(server: Server, me: Browser) -> None:
    me.order("queue/pause", {"reason": "lunch"})
    assert {name: me.state()[name] for name in ("paused", "reason")} == {"paused": True, "reason": "lunch"}
    job = server.submit(me.owner)
    assert server.bench.hand.jobs == []
    me.order("queue/resume")
    assert server.bench.hand.jobs == [job.id]
    me.order("queue/pause")
    assert me.state()["reason"] == "it was paused by hand"


def test_unknown_jobs_are_a_404_with_a_sentence(server: Server, me: Browser) -> None:
    for command in ("cancel", "retry", "finish", "delete"):
        assert me.order(f"jobs/nobody/{command}", status=404)["detail"] == "there is no job of that id"
    for path in ("parameters", "pictures/0", "pictures/0/thumb", "pictures/-1", "preview/1", "source", "source/thumb"):
        assert me.get(f"jobs/nobody/{path}", 404).json()["detail"]


@pytest.mark.parametrize("command", ["interrupt", "skip", "queue/pause", "queue/resume", "forever", "jobs/x/cancel"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"host": "evil.example"},
    ],
)
def test_other_sites_can_order_nothing(server: Server, me: Browser, command: str, headers: dict[str, str]) -> None:
    job = server.submit(me.owner)
    server.bench.hand.tell(Started(job.id))
    answer = me.ask("POST", f"{PAGE}/{command}", {"on": True} if command == "forever" else {}, headers=headers)
    assert answer.status_code == 403
    assert (job.state, server.bench.hand.stops, server.engine.queue.reason) == ("running", [], "")
    assert not server.engine.forever.is_on(me.owner)


def test_other_sites_see_nothing(me: Browser) -> None:
    answer = me.ask("GET", f"{PAGE}/events", headers={"origin": "https://evil.example"})
    assert answer.status_code == 403


def test_bodies_are_small_objects_of_known_fields(server: Server, me: Browser) -> None:
    job = server.submit(me.owner)
    bodies: tuple[Any, ...] = ([], "x", {"before": 3}, {"before": "x" * 300})
    for body in bodies:
        me.order(f"jobs/{job.id}/move", body, 422)
    me.order("forever", {}, 422)
    assert (
        me.ask("POST", f"{PAGE}/forever", content=b"{", headers={"content-type": "application/json"}).status_code == 422
    )
    assert me.ask("POST", f"{PAGE}/forever", content=b'{"on": true}').status_code == 422
    assert me.ask("POST", f"{PAGE}/skip", content=b"x" * 40_000_000).status_code == 413
    assert me.ask("GET", f"{PAGE}/skip").status_code == 405


def test_actions_of_extensions_are_rows_too(server: Server, me: Browser) -> None:
    options: dict[str, Any] = {"type": "object", "properties": {}}
    actions = (ActionInfo("merge", "Merge checkpoints", options), ActionInfo("look", "Look", options, light=True))
    server.engine.extensions.replace([ExtensionInfo("merger", "merger", actions=actions)])
    job = server.engine.act("merger", "merge", {}, owner=me.owner)
    server.engine.act("merger", "look", {}, owner=me.owner)
    waiting = server.submit(me.owner)
    server.bench.hand.tell(Started(job.id))
    server.bench.hand.tell(Progressed(job.id, ActionProgress(3, 4, "block 3 of 4")))
    _, events = me.stream(lambda events: len(events) >= 2)
    [row, after] = events[0][1]["jobs"]
    assert (row["kind"], row["title"], row["state"], row["mine"]) == ("merge", "Merge checkpoints", "running", True)
    assert (after["id"], after["position"]) == (waiting.id, 1)
    told = {name: events[1][1][name] for name in ("id", "phase", "step", "steps", "fraction")}
    assert told == {"id": job.id, "phase": "block 3 of 4", "step": 3, "steps": 4, "fraction": 0.75}
    assert "only be stopped at once" in me.order(f"jobs/{job.id}/finish", status=409)["detail"]
    me.order("interrupt")
    assert server.bench.hand.stops == [(job.id, "interrupt")]
    server.bench.hand.tell(Finished(job.id, ActionOutcome("done", (Image.new("RGB", (9, 7), "red"),))))
    [_, ended] = me.state()["jobs"]
    assert (ended["state"], ended["pictures"]) == ("done", 1)
    with Image.open(io.BytesIO(me.ask("GET", f"/{ended['thumb']}").content)) as small:
        assert small.size == (9, 7)
    assert me.get(f"jobs/{job.id}/pictures/0").headers["content-type"] == "image/png"
    assert me.get(f"jobs/{job.id}/parameters").json()["text"] == ""
    me.order(f"jobs/{job.id}/retry")
    assert [row["title"] for row in me.state()["jobs"]].count("Merge checkpoints") == 2
    me.order(f"jobs/{job.id}/delete")
    assert [row["title"] for row in me.state()["jobs"]].count("Merge checkpoints") == 1


class TestLogin:
    """Several log in: each sees their own jobs; the others count in the place in the queue."""

    @pytest.fixture
    def server(self, bench: Bench) -> Server:
        return Server(bench, users=(("ann", "secret"), ("bob", "secret")))

    def test_one_sees_ones_own_jobs(self, server: Server) -> None:
        ann, bob = server.browser("ann"), server.browser("bob")
        first, second = server.submit("ann", "hers"), server.submit("bob", "his")
        server.bench.hand.tell(Started(first.id))
        [row] = bob.state()["jobs"]
        assert (row["title"], row["mine"], row["position"]) == ("his", True, 1)
        assert [row["title"] for row in ann.state()["jobs"]] == ["hers"]
        for command in ("cancel", "finish", "retry", "delete"):
            bob.order(f"jobs/{first.id}/{command}", status=404)
        bob.order(f"jobs/{second.id}/move", {"before": first.id}, 404)
        assert server.bench.hand.stops == []

    def test_two_browsers_of_one_user_have_the_same_jobs(self, server: Server) -> None:
        server.submit("ann", "hers")
        for browser in (server.browser("ann"), server.browser("ann")):
            assert [row["mine"] for row in browser.state()["jobs"]] == [True]
        server.browser("ann").order("interrupt")

    def test_pictures_of_others_are_not_there(self, server: Server) -> None:
        ann, bob = server.browser("ann"), server.browser("bob")
        job = server.submit("ann", "hers")
        server.bench.hand.do(job)
        assert [one["id"] for one in ann.state()["history"]] == [f"{job.id}/0"]
        assert bob.state()["history"] == bob.get("history").json()["pictures"] == []
        for path in ("pictures/0", "pictures/0/thumb", "parameters"):
            ann.get(f"jobs/{job.id}/{path}")
            bob.get(f"jobs/{job.id}/{path}", 404)
        server.engine.queue.delete(job.id)  # out of memory
        ann.get(f"jobs/{job.id}/pictures/0")
        bob.get(f"jobs/{job.id}/pictures/0", 404)

    def test_nobody_else_is_let_in(self, server: Server) -> None:
        stranger = Browser(server)
        assert stranger.ask("GET", f"{PAGE}/events").status_code == 401
        assert stranger.ask("POST", f"{PAGE}/interrupt").status_code == 401

    def test_the_only_user_sees_everything(self, bench: Bench) -> None:
        server = Server(bench, users=(("ann", "secret"),))
        server.submit("", "from the command line")
        assert [row["mine"] for row in server.browser("ann").state()["jobs"]] == [False]


class TestForever:
    def test_the_last_request_is_sent_again_with_another_seed(self, server: Server, me: Browser) -> None:
        job = server.submit(me.owner, "more")
        me.order("forever", {"on": True})
        assert [row["forever"] for row in me.state()["jobs"]] == [True]
        assert me.state()["forever"]
        server.bench.hand.do(job)
        [again] = server.engine.queue.jobs()
        assert (again.work.with_(seed=5, subseed=job.work.subseed), again.owner) == (job.work, me.owner)
        assert again.work.seed not in (5, -1)
        me.order("forever", {"on": False})
        server.bench.hand.do(again)
        assert server.engine.queue.jobs() == ()
        assert not me.state()["forever"]

    def test_it_waits_for_what_else_one_has_sent(self, server: Server, me: Browser) -> None:
        first, second = server.submit(me.owner, "one"), server.submit(me.owner, "two")
        me.order("forever", {"on": True})
        server.bench.hand.do(first)
        assert server.engine.queue.jobs() == (second,)
        server.bench.hand.do(second)
        assert [job.work.prompt for job in server.engine.queue.jobs()] == ["two"]

    def test_it_may_be_wished_before_the_job_comes(self, server: Server, me: Browser) -> None:
        me.order("forever", {"on": True})
        server.bench.hand.do(server.submit(me.owner))
        assert len(server.engine.queue.jobs()) == 1

    @pytest.mark.parametrize("how", ["interrupt", "failure", "stopped", "result"])
    def test_it_ends(self, server: Server, me: Browser, how: str) -> None:
        job = server.submit(me.owner)
        me.order("forever", {"on": True})
        server.bench.hand.tell(Started(job.id))
        outcomes: dict[str, Any] = {
            "failure": Failed(job.id, NotFiniteError("no numbers")),
            "stopped": Failed(job.id, Cancelled("stopped")),
            "result": Finished(job.id, GenerationResult(job.work, (picture(job.work, 0),), FACTS, interrupted=True)),
        }
        if how == "interrupt":
            me.order("interrupt")
        server.bench.hand.tell(outcomes.get(how, outcomes["result"]))
        assert server.engine.queue.jobs() == ()
        assert not server.engine.forever.is_on(me.owner)

    def test_one_job_that_is_taken_out_before_its_turn_ends_nothing(self, server: Server, me: Browser) -> None:
        first, second = server.submit(me.owner, "one"), server.submit(me.owner, "two")
        me.order("forever", {"on": True})
        server.bench.hand.tell(Started(first.id))
        me.order(f"jobs/{second.id}/cancel")
        assert server.engine.forever.is_on(me.owner)
        server.bench.hand.tell(Finished(first.id, GenerationResult(first.work, (picture(first.work, 0),), FACTS)))
        assert [job.work.prompt for job in server.engine.queue.jobs()] == ["one"]

    def test_others_and_a_restart_are_not_concerned(self, server: Server, me: Browser, bench: Bench) -> None:
        me.order("forever", {"on": True})
        theirs = server.submit(server.browser().owner, "theirs")
        server.bench.hand.do(theirs)
        assert server.engine.queue.jobs() == ()
        mine = server.submit(me.owner, "mine")
        server.engine.close()
        later = Server(bench)
        [resumed] = later.engine.queue.jobs()
        assert resumed.id == mine.id
        bench.hand.do(resumed)
        assert later.engine.queue.jobs() == ()

    def test_a_browser_without_a_cookie_is_told_so(self, server: Server) -> None:
        assert "cookie" in Browser(server).order("forever", {"on": True}, 422)["detail"][0]["msg"]


class TestCookie:
    def test_the_page_brings_it_once_for_a_year(self, server: Server) -> None:
        browser = Browser(server)
        browser.ask("GET", "/")
        first = browser.set_cookie
        assert {part.strip() for part in first.split(";")[1:]} == {
            "Path=/", "Max-Age=31536000", "HttpOnly", "SameSite=Lax",
        }  # fmt: skip
        browser.ask("GET", "/")
        assert browser.set_cookie == first
        browser.ask("GET", "/health")
        assert browser.set_cookie == ""

    def test_it_is_only_for_https_where_the_page_came_by_https(self, server: Server) -> None:
        browser = Browser(server)
        browser.ask("GET", "/", headers={"x-forwarded-proto": "https"})
        assert browser.set_cookie.endswith("; Secure")

    @pytest.mark.parametrize("value", ["", "x", "a" * 33, "../../" * 5 + "aa", "a" * 31 + '"', "é" * 32])
    def test_what_is_no_value_of_ours_is_replaced(self, server: Server, value: str) -> None:
        browser = Browser(server)
        answer = browser.ask("GET", "/", headers={"cookie": f"webui_browser={value}".encode()})
        assert len(answer.cookies["webui_browser"]) == 32

    def test_two_browsers_are_two_owners(self, server: Server, me: Browser) -> None:
        other = server.browser()
        assert me.owner != other.owner
        server.submit(me.owner)
        assert [row["mine"] for row in me.state()["jobs"]] == [True]
        assert [row["mine"] for row in other.state()["jobs"]] == [False]

    def test_a_browser_that_keeps_no_cookies_sees_all_and_owns_nothing(self, server: Server) -> None:
        server.submit("", "of the API")
        stranger = Browser(server)
        stranger.cookies = httpx.Cookies()
        assert [row["mine"] for row in stranger.state()["jobs"]] == [False]
        stranger.cookies = httpx.Cookies()
        stranger.order("interrupt", status=409)
