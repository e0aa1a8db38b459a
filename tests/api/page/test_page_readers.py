"""Many pages, slow pages, pages that leave, and the end of the server."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.page.open_page import ME, Kept, Opened
from tests.engine_bench import Bench
from tests.executors.prompted_back import jpeg, picture
from tests.executors.watching import wanted
from webui.api.page.messages import JobProgressed, WholeState
from webui.api.page.reader import MOST_UNREAD, Reader
from webui.api.page.viewer import Viewer
from webui.domain.result import Progress
from webui.executors.protocol import ImageMade, Progressed, Started


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, max_queue=1000)
    yield bench
    for engine in bench.made:
        engine.close()


def test_fifty_pages_are_one_watcher_and_no_thread(bench: Bench) -> None:
    async def live() -> None:
        opened = Opened(bench.engine())
        pages = [opened.page() for _ in range(50)]
        kept = [await page.__aenter__() for page in pages]
        watching = opened.engine.overview.changes.watchers
        await opened.until(lambda: watching() == 1)
        tasks = [task for task in asyncio.all_tasks() if task.get_name() == "page feed"]
        assert len(tasks) == 1
        opened.engine.submit(wanted("a cat"), save=True, owner=ME)
        await opened.until(lambda: all(one.rows for one in kept))
        for page in pages:
            await page.__aexit__(None, None, None)
        await opened.until(lambda: watching() == 0)
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "page feed"]

    asyncio.run(live())


def test_a_page_that_opens_when_the_last_has_just_gone_is_told_of_changes(bench: Bench) -> None:
    async def live() -> None:
        opened = Opened(bench.engine())
        for _ in range(3):
            async with opened.page():
                pass
            async with opened.page() as kept:
                job = opened.engine.submit(wanted("a cat"), save=True)
                await opened.until(lambda job=job: job.id in kept.rows)  # type: ignore[misc]

    asyncio.run(live())


def test_of_a_slow_page_a_bounded_number_of_events_is_kept_and_it_begins_anew(bench: Bench) -> None:
    async def live() -> None:
        engine = bench.engine()
        opened, kept = Opened(engine), Kept()
        slow = opened.feed.events(Viewer(ME), silence=0.05)
        event = await anext(slow)
        assert isinstance(event, WholeState)
        kept.apply(event)
        async with opened.page() as quick:
            for number in range(MOST_UNREAD + 50):
                job = engine.submit(wanted(f"{number}"), save=True, owner=ME)
                await opened.until(lambda job=job: job.id in quick.rows)  # type: ignore[misc]
            async for event in slow:
                if event is None:
                    break
                kept.apply(event)
            assert sum(isinstance(one, WholeState) for one in kept.seen) == 2
            assert len(kept.seen) < 10
            await opened.agree(kept)
        await slow.aclose()

    asyncio.run(live())


def test_what_is_unread_of_a_jobs_progress_is_the_newest(bench: Bench) -> None:
    async def live() -> None:
        reader = Reader(Viewer(ME))
        for step in range(1000):
            for job_id in ("a", "b"):
                reader.put(
                    JobProgressed(
                        id=job_id, fraction=0.0, step=step, steps=1000, phase="sampling", image=1, images=1,
                        seconds_left=None, preview=None,
                    )
                )  # fmt: skip
        assert [(one.id, one.step) for one in reader.unread if isinstance(one, JobProgressed)] == [
            ("a", 999), ("b", 999),
        ]  # fmt: skip
        assert not reader.lost

    asyncio.run(live())


def test_progress_is_told_five_times_a_second_and_the_last_of_it_always(bench: Bench) -> None:
    async def live() -> None:
        engine = bench.engine()
        opened = Opened(engine, progress_every=0.2)
        job = engine.submit(wanted("a cat"), save=True, owner=ME)
        bench.hand.tell(Started(job.id))
        async with opened.page() as kept:
            loop = asyncio.get_running_loop()
            began = loop.time()
            for step in range(1, 101):
                bench.hand.tell(Progressed(job.id, Progress("sampling", step, 100, 0, 1, jpeg(step))))
                await asyncio.sleep(0.005)
            await opened.until(lambda: kept.progress[job.id].step == 100)
            took = loop.time() - began
            told = [one for one in kept.seen if isinstance(one, JobProgressed)]
            assert len(told) <= 2 + took / 0.2
            numbers = [int(one.preview.rpartition("/")[2]) for one in told if one.preview is not None]
            assert numbers == sorted(set(numbers)), "each preview has an address of its own"
            await opened.agree(kept)

    asyncio.run(live())


def test_streams_end_when_the_server_stops(bench: Bench) -> None:
    async def live() -> None:
        opened = Opened(bench.engine())

        async def whole_life() -> int:
            return sum([1 async for _ in opened.feed.events(Viewer(ME), silence=60)])

        streams = [asyncio.create_task(whole_life()) for _ in range(5)]
        await opened.until(lambda: opened.engine.overview.changes.watchers() == 1)
        opened.closing.set()
        assert await asyncio.wait_for(asyncio.gather(*streams), 10) == [1] * 5
        assert await asyncio.wait_for(whole_life(), 10) == 0, "one that comes later ends at once"

    asyncio.run(live())


def test_a_quiet_stream_tells_that_it_lives(bench: Bench) -> None:
    async def live() -> None:
        opened = Opened(bench.engine())
        stream = opened.feed.events(Viewer(ME), silence=0.01)
        assert [await anext(stream) for _ in range(3)][1:] == [None, None]
        await stream.aclose()

    asyncio.run(live())


def test_a_fault_ends_the_streams_so_that_pages_begin_anew(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    async def live() -> None:
        engine = bench.engine()
        opened = Opened(engine)
        async with opened.page() as kept:
            opened.history.made = None  # type: ignore[assignment, method-assign]
            job = engine.submit(wanted("a cat"), save=True)
            bench.hand.tell(Started(job.id))
            bench.hand.tell(ImageMade(job.id, picture(job.work, 0)))
            await opened.until(lambda: opened.feed.is_quiet)
            del opened.history.made
        async with opened.page() as kept:
            assert kept.pictures
            assert kept.rows

    asyncio.run(live())
    assert "followed no longer" in caplog.text
