"""Pictures of jobs: the exact file, kept for good by the browser, also after a restart, and small ones."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.api.page.browsers import Browser, Server, saved
from tests.engine_bench import FACTS, Bench
from tests.executors.prompted_back import jpeg, picture
from tests.executors.watching import wanted
from tests.narrowing import known
from webui.domain.images import Picture
from webui.domain.request import Img2Img
from webui.domain.result import GenerationResult, Notice, Progress
from webui.executors.protocol import Finished, ImageMade, Progressed, Started
from webui.output.metadata import read_text
from webui.output.parse import parse, to_request


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, max_queue=1000)
    yield bench
    for engine in bench.made:
        engine.close()


def test_the_stream_is_one_that_proxies_pass_on_at_once(server: Server, me: Browser) -> None:
    job = server.submit(me.owner)
    server.bench.hand.tell(Started(job.id))
    head, events = me.stream(lambda events: len(events) >= 2)
    assert (head["status"], head["content-type"]) == ("200", "text/event-stream; charset=utf-8")
    assert head["cache-control"] == "no-store, no-transform"
    assert head["x-accel-buffering"] == "no"
    assert "content-encoding" not in head
    assert [name for name, _ in events] == ["state", "progress"]


def test_a_picture_is_the_file_that_was_saved(server: Server, me: Browser) -> None:
    job = server.submit(me.owner, n_iter=2)
    server.bench.hand.tell(Started(job.id))
    server.bench.hand.tell(ImageMade(job.id, picture(job.work, 0)))
    [shown] = me.state()["history"]
    [file] = saved(server.bench.folder)
    answer = me.ask("GET", f"/{shown['url']}")
    assert answer.content == file.read_bytes()
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["content-disposition"] == f'inline; filename="{file.name}"'
    tag = answer.headers["etag"]
    again = me.ask("GET", f"/{shown['url']}", headers={"if-none-match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)


def test_a_restart_gives_the_same_history(server: Server, me: Browser, bench: Bench) -> None:
    jobs = [server.submit(me.owner, f"picture {number}") for number in range(70)]
    for job in jobs:
        bench.hand.do(job)
    before = me.state()
    assert (len(before["history"]), before["more"]) == (60, True)
    assert [one["job"] for one in before["history"]] == [job.id for job in reversed(jobs)][:60]
    server.engine.close()
    me.server = Server(bench)
    after = me.state()
    assert after["history"] == before["history"]
    assert after["server"] != before["server"]
    older = me.get(f"history?before={before['history'][-1]['id']}&limit=4").json()
    assert [one["job"] for one in older["pictures"]] == [job.id for job in reversed(jobs)][60:64]
    assert older["more"]
    last = me.get(f"history?before={older['pictures'][-1]['id']}").json()
    assert (len(last["pictures"]), last["more"]) == (6, False)
    shown = last["pictures"][0]
    assert me.ask("GET", f"/{shown['url']}").content
    assert me.get(f"jobs/{shown['job']}/parameters").json()["text"] == shown["text"]
    me.get("history?before=nobody/0", 422)
    me.get("history?limit=0", 422)


def test_pictures_whose_files_are_gone_are_passed_over(server: Server, me: Browser) -> None:
    for number in range(5):
        server.bench.hand.do(server.submit(me.owner, f"picture {number}"))
    for file in saved(server.bench.folder)[1:4]:
        file.unlink()
    page = me.get("history?limit=2").json()
    assert ([one["text"][:9] for one in page["pictures"]], page["more"]) == (["picture 4", "picture 0"], False)


def test_a_picture_that_was_not_saved_is_shown_as_long_as_the_server_lives(server: Server, me: Browser) -> None:
    job = server.engine.submit(wanted("a cat"), save=False, owner=me.owner)
    server.bench.hand.do(job)
    [shown] = me.state()["history"]
    first = me.ask("GET", f"/{shown['url']}").content
    assert read_text(Image.open(io.BytesIO(first))).startswith("a cat")
    job.note_forgotten()
    assert me.ask("GET", f"/{shown['url']}").content == first
    assert me.state()["history"] == [shown]
    assert saved(server.bench.folder) == []
    server.engine.close()
    me.server = Server(server.bench)
    assert me.state()["history"] == []
    me.get(f"jobs/{job.id}/pictures/0", 404)


def test_a_thumbnail_is_small_made_once_and_outlives_a_restart(server: Server, me: Browser) -> None:
    job = server.submit(me.owner)
    large = replace(picture(job.work, 0), image=Image.new("RGB", (1000, 500), (250, 120, 10)))
    server.bench.hand.tell(Started(job.id))
    server.bench.hand.tell(ImageMade(job.id, large))
    [shown] = me.state()["history"]
    assert (shown["width"], shown["height"]) == (1000, 500)
    answer = me.ask("GET", f"/{shown['thumb']}")
    with Image.open(io.BytesIO(answer.content)) as small:
        assert (small.format, small.size) == ("JPEG", (320, 160))
        assert small.getpixel((9, 9)) == pytest.approx((250, 120, 10), abs=8)
    assert "immutable" in answer.headers["cache-control"]
    saved(server.bench.folder)[0].write_bytes(b"no picture any more")
    server.engine.close()
    me.server = Server(server.bench)
    assert me.ask("GET", f"/{shown['thumb']}").content == answer.content


def test_a_preview_comes_from_memory_and_is_kept_nowhere(server: Server, me: Browser) -> None:
    job = server.submit(me.owner)
    server.bench.hand.tell(Started(job.id))
    server.bench.hand.tell(Progressed(job.id, Progress("sampling", 1, 10, 0, 1, jpeg(40))))
    _, events = me.stream(lambda events: len(events) >= 2)
    answer = me.ask("GET", f"/{events[1][1]['preview']}")
    assert (answer.content, answer.headers["cache-control"]) == (jpeg(40), "no-store")
    server.bench.hand.tell(Finished(job.id, GenerationResult(job.work, (picture(job.work, 0),), FACTS)))
    me.get(f"jobs/{job.id}/preview/1", 204)


def test_a_client_that_wants_no_previews_has_none_on_the_page(server: Server, me: Browser) -> None:
    job = server.submit("")
    server.parts.previews.hide(job.id)
    server.bench.hand.tell(Started(job.id))
    server.bench.hand.tell(Progressed(job.id, Progress("sampling", 1, 10, 0, 1, jpeg(40))))
    _, events = me.stream(lambda events: len(events) >= 2)
    assert events[1][1]["preview"] is None
    me.get(f"jobs/{job.id}/preview/1", 204)


def test_a_job_that_starts_from_a_picture_shows_it_until_it_has_one(server: Server, me: Browser) -> None:
    given = Picture.of(Image.new("RGB", (640, 400), "red"))
    job = server.submit(me.owner, task=Img2Img(image=given))
    [row] = me.state()["jobs"]
    assert row["kind"] == "img2img"
    with Image.open(io.BytesIO(me.ask("GET", f"/{row['thumb']}").content)) as small:
        assert small.size == (320, 200)
    told = me.get(f"jobs/{job.id}/parameters").json()
    assert me.ask("GET", f"/{told['source']}").content == given.png
    server.bench.hand.do(job)
    [row] = me.state()["jobs"]
    assert row["thumb"] == f"internal/page/jobs/{job.id}/pictures/0/thumb"


def test_notices_and_maps_of_extensions_stand_beside_the_pictures(server: Server, me: Browser) -> None:
    job = server.submit(me.owner)
    server.bench.hand.tell(Started(job.id))
    job.note_notice(Notice("prompt", "a tag was left out"))
    assert me.state()["jobs"][0]["notices"] == ["prompt: a tag was left out"]
    made = (picture(job.work, 0),)
    result = GenerationResult(job.work, made, FACTS, extras=(Image.new("L", (30, 20), 90),))
    server.bench.hand.tell(Finished(job.id, result))
    [row] = me.state()["jobs"]
    assert (row["extras"], row["pictures"], row["notices"]) == (1, 1, ["prompt: a tag was left out"])
    with Image.open(io.BytesIO(me.get(f"jobs/{job.id}/extras/0").content)) as drawn:
        assert (drawn.size, drawn.getpixel((3, 3))) == ((30, 20), 90)
    me.get(f"jobs/{job.id}/extras/1", 404)


def test_parameters_of_a_job_that_waits_fill_a_form(server: Server, me: Browser) -> None:
    job = server.submit(me.owner, "a (cat:1.2)", negative_prompt="dog", steps=7, n_iter=3, cfg_scale=3.5, styles=["x"])
    told = me.get(f"jobs/{job.id}/parameters").json()
    assert {name: told[name] for name in ("n_iter", "batch_size", "styles", "source")} == {
        "n_iter": 3, "batch_size": 1, "styles": ["x"], "source": None,
    }  # fmt: skip
    read = to_request(parse(told["text"]))
    same = read.with_(n_iter=3, styles=("x",), subseed=job.work.subseed)
    different = {name for name, value in dict(same).items() if value != getattr(job.work, name)}
    assert different == {"scheduler"}, "a text names the schedule that Automatic means"
    assert "tiny" in read.checkpoint


def test_everything_hangs_below_a_path(bench: Bench) -> None:
    server = Server(bench, subpath="/sd")
    server.engine.queue.pause()
    for subpath in ("/sd", ""):  # a proxy keeps the path, or takes it off
        browser = server.browser(subpath=subpath)
        assert "; Path=/sd;" in browser.set_cookie
        browser.subpath = "/sd"
        job = server.submit(browser.owner)
        assert known(next(row for row in browser.state()["jobs"] if row["id"] == job.id))["mine"]
        browser.order("interrupt")
        assert job.state == "cancelled"


def test_without_a_folder_nothing_is_kept(bench: Bench) -> None:
    server = Server(bench, cache_dir=None)
    me = server.browser()
    job = server.engine.submit(wanted("a cat"), save=False, owner=me.owner)
    bench.hand.do(job)
    me.get(f"jobs/{job.id}/pictures/0")
    me.get(f"jobs/{job.id}/pictures/0/thumb")
    job.note_forgotten()
    me.get(f"jobs/{job.id}/pictures/0", 404)
    assert not (bench.folder / "cache").exists()
