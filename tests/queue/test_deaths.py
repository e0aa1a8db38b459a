"""What becomes of jobs when their worker dies, when there is none, and when the program ends."""

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from tests.engine_bench import DATABASE, Bench
from tests.executors.prompted_back import picture
from tests.executors.watching import PATIENCE, until, wanted
from webui.domain.errors import BackUnavailableError, WorkerDiedError
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult, ModelFacts
from webui.engine.engine import Engine
from webui.engine.generating import GenerationJob
from webui.engine.mishaps import BREAKS
from webui.executors.protocol import Continuation, Failed, Finished, ImageMade, Started
from webui.jobs.store import JobStore

DIED = WorkerDiedError("the worker process ended (signal 9)")


pytestmark = pytest.mark.usefixtures("soon")


def crash(engine: Engine) -> None:
    """The program ends without a word: what it had in memory is gone."""
    engine._store.close()  # what follows of this engine is not noted
    engine._dispatcher.close()


def begin(bench: Bench, job: GenerationJob, *made: int) -> None:
    bench.hand.tell(Started(job.id))
    for index in made:
        bench.hand.tell(ImageMade(job.id, picture(job.work, index)))


def die(bench: Bench, job: GenerationJob, times: int = 1) -> None:
    """The worker ends during the job, and the job is handed over again unless it is held."""
    for _ in range(times):
        given = bench.hand.jobs.count(job.id)
        bench.hand.tell(Failed(job.id, DIED))
        until(lambda given=given: bench.hand.jobs.count(job.id) > given or job.state == "held")  # type: ignore[misc]


def finish(bench: Bench, job: GenerationJob, *made: int) -> GenerationResult:
    """Make these pictures and end."""
    begin(bench, job, *made)
    images = tuple(picture(job.work, index) for index in made)
    bench.hand.tell(Finished(job.id, GenerationResult(job.work, images, ModelFacts("tiny", ""))))
    return job.result(PATIENCE)


def test_a_job_goes_on_at_its_first_missing_picture(bench: Bench) -> None:
    engine = bench.engine()
    job = engine.submit(wanted("quick", n_iter=3, seed=-1), save=True)
    begin(bench, job, 0)
    die(bench, job)
    work = bench.hand.work[job.id]
    assert work == Continuation(job.work, frozenset({0}))
    assert job.work.seed >= 0
    result = finish(bench, job, 1, 2)
    assert [image.index for image in result.images] == [0, 1, 2]
    assert [image.request.seed - job.work.seed for image in result.images] == [0, 1, 2]
    assert len(list(bench.saver.folder.rglob("*.png"))) == 3
    assert [notice.source for notice in result.notices] == ["jobs"]


def test_a_picture_that_comes_twice_is_kept_once(bench: Bench) -> None:
    engine = bench.engine()
    job = engine.submit(wanted("quick", n_iter=2), save=True)
    begin(bench, job, 0, 0)
    assert len(finish(bench, job, 1).images) == 2
    assert len(list(bench.saver.folder.rglob("*.png"))) == 2


def test_one_that_kills_its_worker_twice_is_held_and_the_queue_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webui.engine.mishaps.DELAYS", (1.0, 1.0))  # so long that the other has its turn
    engine = bench.engine()
    poison, behind = (engine.submit(wanted("quick"), save=True) for _ in range(2))
    begin(bench, poison)
    bench.hand.tell(Failed(poison.id, DIED))
    assert (poison.state, bench.hand.jobs[-1]) == ("queued", behind.id)  # while the other rests
    bench.hand.do(behind)
    until(lambda: bench.hand.jobs[-1] == poison.id)
    begin(bench, poison)
    die(bench, poison)
    assert poison.state == "held"
    assert "2 workers ended during this job" in poison.error_text
    assert "signal 9" in poison.error_text
    after = engine.submit(wanted("quick"), save=True)
    bench.hand.do(after)
    assert after.state == "done"
    engine.queue.retry(poison)
    assert finish(bench, poison, 0).images


def test_a_picture_in_between_counts_the_deaths_anew(bench: Bench) -> None:
    engine = bench.engine()
    job = engine.submit(wanted("quick", n_iter=4), save=True)
    for index in range(3):
        begin(bench, job, index)
        die(bench, job)
    assert job.state == "queued"
    assert len(finish(bench, job, 3).images) == 4


def test_what_waits_is_spared_by_any_number_of_deaths(bench: Bench) -> None:
    engine = bench.engine()
    poisons = [engine.submit(wanted("quick"), save=True) for _ in range(4)]
    waiting = [engine.submit(wanted("quick"), save=True) for _ in range(4)]
    done = 0
    while any(job.state == "queued" for job in (*poisons, *waiting)):
        until(lambda: len(bench.hand.jobs) > done)  # noqa: B023 (asked at once)
        current = engine.job(bench.hand.jobs[done])
        done += 1
        assert current is not None
        if current in poisons:
            bench.hand.tell(Started(current.id))
            bench.hand.tell(Failed(current.id, DIED))
        else:
            bench.hand.do(current)
    assert [job.state for job in poisons] == ["held"] * 4
    assert [job.state for job in waiting] == ["done"] * 4
    assert done == 12


def test_without_a_worker_the_queue_is_paused_and_not_emptied(bench: Bench) -> None:
    engine = bench.engine()
    jobs = [engine.submit(wanted("quick"), save=True) for _ in range(3)]
    bench.hand.tell(Started(jobs[0].id))
    bench.hand.tell(Failed(jobs[0].id, BackUnavailableError("device: there is no none")))
    assert [job.state for job in jobs] == ["queued"] * 3
    assert "device: there is no none" in engine.queue.reason
    assert all("device: there is no none" in job.status.reason for job in jobs)
    assert bench.hand.jobs == [jobs[0].id]
    engine.queue.resume()
    assert (bench.hand.jobs, engine.queue.reason, jobs[1].status.reason) == ([jobs[0].id] * 2, "", "")
    for job in jobs:
        bench.hand.do(job)
    assert [job.state for job in jobs] == ["done"] * 3


def test_a_new_job_is_a_reason_to_look_for_a_worker_again(bench: Bench) -> None:
    engine = bench.engine()
    first = engine.submit(wanted("quick"), save=True)
    bench.hand.tell(Failed(first.id, BackUnavailableError("gone")))
    engine.submit(wanted("quick"), save=True)
    assert (bench.hand.jobs, engine.queue.reason) == ([first.id] * 2, "")


def test_a_job_that_was_told_to_stop_is_not_done_again(bench: Bench) -> None:
    engine = bench.engine()
    job = engine.submit(wanted("quick", n_iter=2), save=True)
    begin(bench, job, 0)
    job.cancel()
    bench.hand.tell(Failed(job.id, DIED))
    assert (job.state, len(job.images)) == ("cancelled", 1)


def test_a_job_that_was_told_to_finish_ends_with_what_it_has(bench: Bench) -> None:
    engine = bench.engine()
    job = engine.submit(wanted("quick", n_iter=3), save=True)
    job.finish()
    assert bench.hand.stops == [], "it does not run yet"
    begin(bench, job, 0)
    job.finish()
    assert bench.hand.stops == [(job.id, "finish")]
    bench.hand.tell(Failed(job.id, DIED))
    assert (job.state, len(job.images), bench.hand.jobs) == ("cancelled", 1, [job.id])


def test_after_a_restart_a_job_goes_on_with_what_is_in_its_files(bench: Bench) -> None:
    engine = bench.engine()
    first, second = (engine.submit(wanted("quick", n_iter=3, seed=-1), save=True) for _ in range(2))
    begin(bench, first, 0, 2)
    crash(engine)
    engine = bench.engine()
    again = engine.job(first.id)
    assert again is not None
    assert bench.hand.work[first.id] == Continuation(first.work, frozenset({0, 2}))
    result = finish(bench, again, 1)
    assert [image.index for image in result.images] == [0, 1, 2]
    assert [image.image.getpixel((0, 0)) for image in result.images] == [(0, 100, 200), (1, 100, 200), (2, 100, 200)]
    assert [image.path for image in result.images] == [image.path for image in engine.queue.record(first.id).pictures]  # type: ignore[union-attr]
    assert engine.job(second.id).work == second.work  # type: ignore[union-attr]


def test_a_picture_whose_file_is_gone_is_made_again(bench: Bench) -> None:
    engine = bench.engine()
    job = engine.submit(wanted("quick", n_iter=2), save=True)
    begin(bench, job, 0, 1)
    Path(job.images[1].path).unlink()
    crash(engine)
    bench.engine()
    assert bench.hand.work[job.id] == Continuation(job.work, frozenset({0}))


@pytest.mark.parametrize("written", [True, False])
def test_a_kill_between_a_file_and_its_row_is_found_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    engine = bench.engine()
    job = engine.submit(wanted("quick", n_iter=2), save=True)
    monkeypatch.setattr(JobStore, "add_image", lambda *_, **__: None)  # as if it had been killed before
    begin(bench, job, 0)
    path = Path(job.images[0].path)
    if not written:
        path.write_bytes(b"of another picture")
    monkeypatch.undo()
    crash(engine)
    engine = bench.engine()
    assert bench.hand.work[job.id] == (Continuation(job.work, frozenset({0})) if written else job.work)
    assert [image.path for image in engine.history()] == ([str(path)] if written else [])


def test_a_job_during_which_the_program_ends_again_and_again_is_held_at_last(bench: Bench) -> None:
    engine = bench.engine()
    job_id = engine.submit(wanted("quick"), save=True).id
    for _ in range(BREAKS):
        job = engine.job(job_id)
        assert job is not None
        assert job.state == "queued"
        bench.hand.tell(Started(job_id))
        crash(engine)
        engine = bench.engine()
    held = engine.job(job_id)
    assert held is not None
    assert (held.state, bench.hand.jobs) == ("held", [])
    assert f"ended {BREAKS} times" in held.error_text
    engine.queue.retry(held)
    assert bench.hand.jobs == [job_id]


def test_an_orderly_stop_is_not_held_against_the_job_in_work(bench: Bench) -> None:
    engine = bench.engine()
    job = engine.submit(wanted("quick"), save=True)
    for _ in range(BREAKS + 1):
        bench.hand.tell(Started(job.id))
        engine.close()
        engine = bench.engine()
    assert bench.hand.jobs == [job.id]


def test_unsaved_jobs_of_an_earlier_run_are_not_done(bench: Bench) -> None:
    engine = bench.engine()
    job = engine.submit(wanted("quick"), save=False, task="task(x)")
    crash(engine)
    engine = bench.engine()
    assert (bench.hand.jobs, engine.job(job.id)) == ([], None)
    record = engine.queue.record_of_task("task(x)")
    assert record is not None
    assert (record.state, record.id) == ("cancelled", job.id)


def test_a_database_of_an_older_form_goes_on_too(bench: Bench) -> None:
    sample = Path(__file__).parents[1] / "jobs" / "forms" / "form_2.sql"
    connection = sqlite3.connect(bench.folder / DATABASE)
    connection.executescript(sample.read_text(encoding="utf-8"))
    connection.execute("UPDATE jobs SET work = replace(work, '{\"wildcards\":{\"on\":[1,null]}}', '{}')")
    connection.execute("UPDATE jobs SET work = replace(work, '\"seed\":7', '\"seed\":-1') WHERE id = 'running'")
    connection.commit()
    connection.close()
    engine = bench.engine()
    job = engine.job("running")
    assert job is not None
    assert (job.work.seed, job.work.n_iter) == (7, 3)  # as the picture that is there tells
    assert isinstance(job.work, GenerationRequest)
    assert [one.id for one in engine.queue.jobs()] == ["running", "waiting"]


def test_no_job_is_forgotten_whose_time_comes_while_nobody_looks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = bench.engine()
    job = engine.submit(wanted("quick", n_iter=2), save=True)
    dispatcher = engine._dispatcher
    look = dispatcher.look
    missed = threading.Event()

    def late() -> None:
        """The first look, made before the job's time; the thread that waits for it comes when it has passed."""
        if not missed.is_set():
            missed.set()
            return
        look()

    begin(bench, job, 0)
    monkeypatch.setattr(dispatcher, "look", late)
    monkeypatch.setattr(dispatcher, "_wake", lambda: None)
    bench.hand.tell(Failed(job.id, DIED))
    time.sleep(0.05)
    assert bench.hand.jobs == [job.id]
    dispatcher._watch()
    assert bench.hand.jobs == [job.id] * 2
