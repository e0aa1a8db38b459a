"""The engine between its doors and a back: what is refused, what is kept, and what outlives a crash or a restart."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine_bench import DATABASE, Bench
from tests.executors.pooled import PooledExecutor
from tests.executors.prompted_back import PromptedBack, build
from tests.executors.watching import PATIENCE, until, wanted
from webui.domain.errors import (
    BadRequestError,
    BusyError,
    Cancelled,
    UnknownModelError,
    UnusableFileError,
    WebuiError,
)
from webui.domain.extensions import ActionOutcome, ActionProgress, ExtensionInfo
from webui.domain.request import Refiner
from webui.domain.result import GenerationResult
from webui.domain.settings import BackSettings
from webui.engine.engine import Engine
from webui.engine.generating import Generation
from webui.executors.inline import InlineExecutor
from webui.executors.protocol import Failed, Finished, Progressed, Ready, Started
from webui.executors.running import Stop, perform
from webui.jobs.store import JobStore

ROOT = Path(__file__).parents[1]
LONG = {"steps": 150, "n_iter": 100}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Bench(tmp_path)) as bench:
        yield bench


def inline(bench: Bench) -> Engine:
    return bench.engine(lambda on_event: InlineExecutor(PromptedBack(), on_event))


def test_where_two_jobs_run_at_once_both_are_shown_and_stopped(bench: Bench) -> None:
    bench.max_queue = 1
    engine = bench.engine(lambda on_event: PooledExecutor(build, BackSettings(data_dir=bench.folder), on_event))
    jobs = [engine.submit(wanted("slow", **LONG), save=False) for _ in range(3)]
    until(lambda: engine.running() == tuple(jobs[:2]))
    assert (engine.current(), engine.queued(), jobs[2].position) == (jobs[0], (jobs[2],), 1)
    with pytest.raises(BusyError, match="1 jobs wait"):
        engine.submit(wanted("quick"), save=False)
    engine.interrupt()
    for job in jobs[:2]:
        with pytest.raises(Cancelled):
            job.result(PATIENCE)
    until(lambda: engine.running() == (jobs[2],))
    assert jobs[2].position == 0


def test_the_front_never_loads_torch() -> None:
    modules = "webui.engine.engine, webui.worker.main, webui.executors.registry"
    code = f"import sys, {modules}; sys.exit(sorted({{'torch', 'diffusers', 'transformers'}} & set(sys.modules)) or 0)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_images_are_saved_as_they_are_made_and_remembered(bench: Bench) -> None:
    engine = inline(bench)
    job = engine.submit(wanted("quick", n_iter=2), save=True)
    paths = [image.path for image in job.result().images]
    assert all(Path(path).parent.name == "txt2img-images" and Path(path).is_file() for path in paths)
    assert len(set(paths)) == 2
    assert [(image.path, image.seed) for image in engine.history()] == [(paths[1], 6), (paths[0], 5)]
    assert (job.state, engine.job(job.id), bench.stored(job.id)) == ("done", job, ("done", ""))


def test_images_that_nobody_wants_saved_have_no_file(bench: Bench) -> None:
    engine = inline(bench)
    assert engine.submit(wanted("quick"), save=False).result().images[0].path == ""
    assert not bench.saver.folder.exists()
    assert engine.history() == ()


@pytest.mark.parametrize("fault", [WebuiError("not saved: no space left"), ValueError("a bug in the saver")])
def test_an_image_that_cannot_be_saved_is_shown_with_a_notice(bench: Bench, fault: Exception) -> None:
    bench.saver.error = fault
    result = inline(bench).submit(wanted("quick"), save=True).result()
    (spooled,) = (bench.folder / "spool").glob("*.png")
    assert result.images[0].path == str(spooled)
    (notice,) = result.notices
    assert notice.source == "output"
    assert str(fault) in notice.text


def test_an_image_that_was_not_reported_on_the_way_is_saved_at_the_end(bench: Bench) -> None:
    engine = bench.engine()
    job = engine.submit(wanted("quick"), save=True)
    ended = perform(PromptedBack(), job.id, job.work, Stop(), lambda _: None)
    assert isinstance(ended, Finished)
    bench.hand.tell(Started(job.id))
    bench.hand.tell(ended)
    assert Path(job.result().images[0].path).is_file()


def test_what_a_new_back_found_of_the_extensions_is_told_on(bench: Bench) -> None:
    engine = bench.engine()
    described = ExtensionInfo("folder", "toy")
    engine.extensions.replace([described])
    told: list[tuple[ExtensionInfo, ...]] = []
    engine.extensions.when_noted(told.append)
    found = replace(described, state="failed", error="a package is missing")
    bench.hand.tell(Ready((found,)))
    assert (engine.extensions.infos, told) == ((found,), [(found,)])


def test_a_database_that_fails_loses_no_image(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise WebuiError("database: the disk is full")

    monkeypatch.setattr(JobStore, "add_image", full)
    monkeypatch.setattr(JobStore, "note_ended", full)
    result = inline(bench).submit(wanted("quick"), save=True).result()
    assert Path(result.images[0].path).is_file()
    assert [notice.text for notice in result.notices] == ["database: the disk is full"]


@pytest.mark.parametrize(
    ("prompt", "kind", "text"),
    [("refuse", BadRequestError, "steps: too many for this model"), ("raise", ValueError, "a bug in the back")],
)
def test_a_failed_job_tells_why(bench: Bench, prompt: str, kind: type[Exception], text: str) -> None:
    job = inline(bench).submit(wanted(prompt), save=True)
    with pytest.raises(kind, match=text):
        job.result()
    assert job.state == "failed"
    assert text in job.error_text
    assert bench.stored(job.id) == ("failed", text)


def test_a_cancelled_job_says_so_everywhere(bench: Bench) -> None:
    engine = bench.engine()
    job = engine.submit(wanted("quick"), save=True)
    bench.hand.tell(Failed(job.id, Cancelled("stopped by the user")))
    with pytest.raises(Cancelled):
        job.result()
    assert (job.state, engine.current(), engine.queued()) == ("cancelled", None, ())
    assert bench.stored(job.id) == ("cancelled", "stopped by the user")


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        ({"checkpoint": "nowhere"}, UnknownModelError, "checkpoint: no 'nowhere'"),
        ({"checkpoint": "torn"}, UnusableFileError, "torn: truncated"),
        ({"vae": "nowhere"}, UnknownModelError, "vae: no 'nowhere'"),
        ({"refiner": Refiner(checkpoint="nowhere")}, BadRequestError, "refiner.checkpoint: no 'nowhere'"),
        ({"refiner": Refiner(checkpoint="torn")}, BadRequestError, "refiner.checkpoint: torn: truncated"),
    ],
)
def test_files_that_cannot_be_used_are_refused_at_once(
    bench: Bench, fields: dict[str, object], kind: type[Exception], text: str
) -> None:
    engine = bench.engine()
    with pytest.raises(kind) as error:
        engine.submit(wanted("quick", **fields), save=True)
    assert str(error.value) == text
    assert (bench.hand.jobs, engine.queued()) == ([], ())


def test_a_checkpoint_that_was_just_copied_is_found(bench: Bench) -> None:
    bench.library.on_disk = ["late"]
    assert bench.engine().submit(wanted("quick", checkpoint="late"), save=True).work.checkpoint == "late"


def test_without_a_name_the_starting_value_counts_then_the_first_there_is(bench: Bench) -> None:
    bench.library.names = ["tiny", "other"]
    engine = bench.engine()
    assert engine.submit(wanted("quick", checkpoint=""), save=True).work.checkpoint == "other"
    engine.change_starting_values({"checkpoint": "tiny"})
    assert engine.submit(wanted("quick", checkpoint=""), save=True).work.checkpoint == "tiny"


def test_no_checkpoint_at_all_tells_where_to_put_one(bench: Bench) -> None:
    bench.library.names = []
    with pytest.raises(UnknownModelError, match="Stable-diffusion"):
        bench.engine().submit(wanted("quick", checkpoint=""), save=True)


def test_a_full_queue_is_busy_until_there_is_room(bench: Bench) -> None:
    bench.max_queue = 1
    engine = bench.engine()
    running, waiting = (engine.submit(wanted("quick"), save=False) for _ in range(2))
    with pytest.raises(BusyError):
        engine.submit(wanted("quick"), save=False)
    bench.hand.tell(Started(running.id))
    assert (engine.current(), engine.queued(), waiting.position) == (running, (waiting,), 1)
    bench.hand.do(running)
    assert (engine.current(), waiting.position) == (None, 0)
    engine.submit(wanted("quick"), save=False)


def test_the_same_job_sent_twice_is_one_job(bench: Bench) -> None:
    engine = bench.engine()
    first = engine.submit(wanted("quick"), save=True, job_id="mine")
    assert engine.submit(wanted("quick"), save=True, job_id="mine") is first
    assert bench.hand.jobs == ["mine"]
    with pytest.raises(BadRequestError, match="job_id"):
        engine.submit(wanted("another"), save=True, job_id="mine")


def test_many_threads_get_one_order(bench: Bench) -> None:
    bench.max_queue = 20
    engine = bench.engine()
    threads = [
        threading.Thread(target=engine.submit, args=(wanted("quick"),), kwargs={"save": False, "job_id": str(number)})
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    order = [job.id for job in engine.queued()]
    assert sorted(order, key=int) == [str(number) for number in range(20)]
    for job_id in order:
        job = engine.job(job_id)
        assert job is not None
        bench.hand.do(job)
    assert bench.hand.jobs == order


def test_many_wait_in_several_event_loops_and_threads(bench: Bench) -> None:
    job = bench.engine().submit(wanted("quick"), save=False)
    results: list[GenerationResult] = []

    async def wait() -> None:
        results.extend(await asyncio.gather(*(job.wait() for _ in range(20))))

    threads = [threading.Thread(target=asyncio.run, args=(wait(),)) for _ in range(3)]
    threads += [threading.Thread(target=lambda: results.append(job.result(PATIENCE))) for _ in range(3)]
    for thread in threads:
        thread.start()
    bench.hand.do(job)
    for thread in threads:
        thread.join()
    assert results == [job.result()] * 63


def test_old_jobs_are_forgotten(bench: Bench) -> None:
    engine = bench.engine()
    jobs = []
    for _ in range(Generation.kept + 2):
        jobs.append(engine.submit(wanted("quick"), save=False))
        bench.hand.do(jobs[-1])
    assert [engine.job(job.id) is None for job in jobs] == [True] * 2 + [False] * Generation.kept


def test_interrupt_and_skip_reach_the_running_job_only(bench: Bench) -> None:
    engine = bench.engine()
    engine.interrupt()
    engine.skip()
    running, waiting = (engine.submit(wanted("quick"), save=False) for _ in range(2))
    bench.hand.tell(Started(running.id))
    engine.interrupt()
    engine.skip()
    waiting.cancel()
    assert bench.hand.stops == [(running.id, "interrupt"), (running.id, "skip")]
    assert (waiting.state, bench.hand.jobs) == ("cancelled", [running.id])


def test_late_and_foreign_events_change_nothing(bench: Bench) -> None:
    engine = bench.engine()
    job = engine.submit(wanted("quick"), save=False)
    bench.hand.tell(Failed(job.id, Cancelled("stopped")))
    bench.hand.do(job)
    bench.hand.tell(Started("nobody"))
    assert (job.state, job.images, engine.current()) == ("cancelled", (), None)


def test_load_checks_the_name_and_waits(bench: Bench) -> None:
    bench.library.on_disk = ["late"]
    engine = bench.engine()
    engine.load("tiny")
    asyncio.run(engine.aload("late"))
    assert bench.hand.loaded == ["tiny", "late"]
    with pytest.raises(UnknownModelError):
        engine.load("nowhere")


def test_starting_values_last_and_a_wrong_one_changes_nothing(bench: Bench) -> None:
    engine = bench.engine()
    engine.change_starting_values({"steps": 7, "noise.eta": 0.5})
    for changes in ({"steps": 0}, {"steps": 8, "checkpoint": "nowhere"}):
        with pytest.raises(WebuiError):
            engine.change_starting_values(changes)
    engine.close()
    again = bench.engine().starting_values()
    assert (again.steps, again.noise.eta) == (7, 0.5)


def test_what_a_stop_broke_off_is_done_at_the_next_start_in_order(bench: Bench) -> None:
    engine = bench.engine()
    jobs = [engine.submit(wanted("quick", seed=seed), save=True) for seed in range(4)]
    bench.hand.do(jobs[0])
    bench.hand.tell(Started(jobs[1].id))
    hand = bench.hand

    def close() -> None:
        hand.tell(Failed(jobs[1].id, WebuiError("the program was stopped")))

    hand.close = close  # type: ignore[method-assign]  # an executor fails what it leaves undone
    engine.close()
    engine.close()
    for job in jobs[1:]:
        with pytest.raises(WebuiError, match="stopped"):
            job.result(PATIENCE)
    with pytest.raises(BusyError):
        engine.submit(wanted("quick"), save=True)
    again = bench.engine()
    assert bench.hand.jobs == [jobs[1].id]
    assert [(job.id, job.work) for job in again.queued()] == [(job.id, job.work) for job in jobs[1:]]


def test_a_job_whose_checkpoint_has_gone_is_held_at_the_next_start(bench: Bench) -> None:
    job = bench.engine().submit(wanted("quick"), save=True)
    bench.made[0].close()
    bench.library.names = ["other"]
    held = bench.engine().job(job.id)
    assert bench.hand.jobs == []
    assert held is not None
    assert (held.state, held.error_text) == ("held", "checkpoint: no 'tiny'")


def test_a_stored_request_comes_back_equal(bench: Bench) -> None:
    request = wanted("\U0001f600 \"'", cfg_scale=0.1 + 0.2)
    job = bench.engine().submit(request, save=True)
    bench.made[0].close()
    again = bench.engine().job(job.id)
    assert again is not None
    assert (again.work, again.created, again.state) == (job.work, job.created, "queued")


@pytest.mark.parametrize("change", ["work = '{\"no such field\": 1}'", "kind = 'of a later version'"])
def test_a_job_that_this_version_cannot_read_is_no_obstacle(bench: Bench, change: str) -> None:
    strange, behind = (bench.engine().submit(wanted("quick"), save=True, job_id=name) for name in ("strange", "behind"))
    for engine in bench.made:
        engine.close()
    with sqlite3.connect(bench.folder / DATABASE) as connection:
        connection.execute(f"UPDATE jobs SET {change} WHERE id = 'strange'")
    connection.close()
    engine = bench.engine()
    assert (engine.job(strange.id), bench.hand.jobs) == (None, [behind.id])
    assert bench.stored(strange.id) == ("failed", "the program was stopped; this version cannot read the job")


def test_what_a_kind_does_not_know_ends_its_job_and_disturbs_no_other(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    engine = bench.engine()
    odd, other = (engine.submit(wanted("quick"), save=False) for _ in range(2))
    bench.hand.tell(Started(odd.id))
    bench.hand.tell(Progressed(odd.id, ActionProgress(1, 2)))
    assert "is ActionProgress" in caplog.text
    bench.hand.tell(Finished(odd.id, ActionOutcome()))
    assert (odd.state, odd.error_text) == ("failed", "TypeError: a generation was answered with ActionOutcome")
    bench.hand.do(other)
    assert other.state == "done"


def test_a_result_that_cannot_be_dealt_with_ends_its_job(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: object) -> None:
        raise ZeroDivisionError("a bug in the kind")

    monkeypatch.setattr(Generation, "finish", fault)
    job = bench.engine().submit(wanted("quick"), save=True)
    bench.hand.do(job)
    assert (job.state, bench.stored(job.id)) == ("failed", ("failed", "a bug in the kind"))
