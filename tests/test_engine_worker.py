"""The engine over a real worker process: it is there before its worker, is watched and stopped, and outlives it."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.engine_bench import Bench
from tests.executors.prompted_back import HELD, PIDS
from tests.executors.watching import PATIENCE, local, until, wanted
from webui.domain.errors import Cancelled
from webui.engine.engine import Engine
from webui.executors.local import LocalExecutor
from webui.executors.protocol import OnEvent

LONG = {"steps": 150, "n_iter": 100}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Bench(tmp_path)) as bench:
        yield bench


def with_worker(bench: Bench) -> tuple[Engine, LocalExecutor]:
    made: list[LocalExecutor] = []

    def make(on_event: OnEvent) -> LocalExecutor:
        made.append(local(bench.folder, on_event))
        return made[-1]

    return bench.engine(make), made[-1]


def test_the_engine_is_there_before_its_worker(bench: Bench) -> None:
    held = bench.folder / HELD
    held.touch()
    engine, _ = with_worker(bench)
    assert not (bench.folder / PIDS).exists()  # no back was built yet
    held.unlink()
    assert len(engine.submit(wanted("quick"), save=False).result(PATIENCE).images) == 1


def test_one_has_progress_and_preview_and_is_stopped_while_another_waits(bench: Bench) -> None:
    engine, _ = with_worker(bench)
    first, second = engine.submit(wanted("slow", **LONG), save=True), engine.submit(wanted("quick"), save=True)
    assert (first.images, second.position) == ((), 1)  # nothing was made inside `submit`
    shown = next(now.preview for now in first.watch(PATIENCE) if now.preview)
    assert shown.startswith(b"\xff\xd8")
    assert (first.eta() or 0) > 0
    assert (engine.current(), second.state) == (first, "queued")
    until(lambda: first.images)
    engine.interrupt()
    result = first.result(PATIENCE)
    assert (first.state, result.interrupted) == ("done", True)
    assert all(Path(image.path).is_file() for image in result.images)
    assert len(second.result(PATIENCE).images) == 1


def test_a_client_that_hangs_up_stops_its_job_and_no_other(bench: Bench) -> None:
    engine, _ = with_worker(bench)
    left = engine.submit(wanted("slow", steps=150), save=False)
    other = engine.submit(wanted("quick"), save=False)

    async def hang_up() -> None:
        waiting = asyncio.create_task(left.wait())
        while left.progress.phase != "sampling":
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert left.state == "running"  # giving up the wait alone does not stop it
        left.cancel()
        with pytest.raises(Cancelled):
            await left.wait()

    asyncio.run(hang_up())
    assert left.state == "cancelled"
    assert len(other.result(PATIENCE).images) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
@pytest.mark.parametrize("save", [True, False])
def test_a_killed_worker_costs_neither_its_job_nor_the_next(bench: Bench, save: bool) -> None:
    engine, executor = with_worker(bench)
    request = wanted("slow", steps=20, n_iter=4)
    killed, following = engine.submit(request, save=save), engine.submit(wanted("quick"), save=save)
    until(lambda: killed.images)
    before = killed.images[0]
    os.kill(executor.pid, signal.SIGKILL)
    result = killed.result(PATIENCE)
    assert [image.index for image in result.images] == [0, 1, 2, 3]
    assert [image.request.seed for image in result.images] == [5, 6, 7, 8]
    assert result.images[0].path == before.path
    assert len(list(bench.saver.folder.rglob("*.png"))) == (4 if save else 0) + len(following.images) * save
    assert "signal 9" in result.notices[0].text
    assert len(following.result(PATIENCE).images) == 1
