"""A job as the doors see it: its states, and the ways to follow it and to wait for its end from threads and loops."""

import asyncio
import gc
import threading
from collections.abc import Callable

import pytest

from tests.jobs.toys import TOY, Control, ToyJob, a_job, image, result
from webui.domain.errors import Cancelled, WebuiError
from webui.domain.result import GenerationResult, Notice, Progress
from webui.jobs.job import Job, JobStatus

Status = JobStatus[Progress, GenerationResult]


def test_watching_gives_every_state_that_lasts_and_ends_with_the_job() -> None:
    job = a_job()
    watched = job.watch()
    assert next(watched).progress == Progress()
    job.note_started()
    job.note_progress(Progress("sampling", 1, 2))
    assert next(watched).progress.step == 1
    job.note_end(result(image()))
    for last in (list(watched), list(job.watch())):
        assert [(now.state, now.progress) for now in last] == [("done", Progress("sampling", 1, 2))]


def test_watching_a_silent_job_gives_the_caller_a_turn() -> None:
    watched = a_job().watch(timeout=0.01)
    assert [next(watched).progress for _ in range(3)] == [Progress()] * 3


def test_the_latest_preview_is_kept_until_the_end() -> None:
    job = a_job()
    job.note_started()
    job.note_progress(Progress("sampling", 1, 2, preview=b"jpeg"))
    job.note_progress(Progress("sampling", 2, 2))
    assert (job.progress.preview, job.preview) == (None, b"jpeg")
    job.note_end(result(image()))
    assert job.preview is None


def test_the_remaining_time_is_told_once_there_is_something_to_judge_by() -> None:
    job = a_job()
    assert job.eta() is None
    job.note_started()
    assert job.eta() is None
    job.note_progress(Progress("loading", 0, 2), working=False)
    job.note_progress(Progress("encoding", 0, 2))
    assert job.eta() is None
    job.note_progress(Progress("sampling", 1, 2))
    assert (job.eta() or -1) >= 0
    job.note_end(result(image()))
    assert job.eta() is None


def test_many_wait_without_a_thread_and_one_that_gives_up_harms_nobody() -> None:
    job = a_job()

    async def wait() -> list[GenerationResult | BaseException]:
        tasks = [asyncio.create_task(job.wait()) for _ in range(200)]
        await asyncio.sleep(0)
        before = threading.active_count()
        tasks[0].cancel()
        await asyncio.sleep(0)
        assert not job.ended
        ending = threading.Thread(target=job.note_end, args=(result(image()),))
        ending.start()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        ending.join()
        assert threading.active_count() <= before
        return ended

    first, *others = asyncio.run(wait())
    assert isinstance(first, asyncio.CancelledError)
    assert others == [job.result()] * 199


def test_a_loop_that_was_closed_meanwhile_is_no_trouble() -> None:
    job = a_job()
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(job.wait())
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()  # while the task is inside `wait`
    job.note_end(result(image()))
    assert job.state == "done"
    assert not waiting.done()


def test_all_ways_to_wait_raise_the_jobs_error() -> None:
    job = a_job()
    with pytest.raises(TimeoutError):
        job.result(timeout=0.01)
    job.note_end(WebuiError("steps: too many"))
    assert (job.state, job.error_text) == ("failed", "steps: too many")
    ways: tuple[Callable[[], object], ...] = (job.result, lambda: asyncio.run(job.wait()))
    for wait in ways:
        with pytest.raises(WebuiError, match="too many"):
            wait()


def test_a_job_ends_once() -> None:
    job = a_job()
    job.note_notice(Notice("output", "not saved"))
    job.note_end(result(image()))
    job.note_end(Cancelled("too late"))
    assert job.state == "done"
    assert job.result().notices == (Notice("output", "not saved"),)


def test_an_ended_job_asks_nothing_more_of_anyone() -> None:
    control = Control()
    job = Job("a", TOY, "", control)
    job.skip()  # it does not run yet
    job.cancel()
    job.note_end(Cancelled("stopped"))
    job.cancel()
    assert control.asked == ["cancel a"]
    assert job.state == "cancelled"


def test_a_job_that_has_ended_does_not_run_again() -> None:
    job = a_job()
    job.note_end(Cancelled("stopped"))
    job.note_started()
    assert (job.state, job.status.started) == ("cancelled", None)


def test_a_wait_for_a_condition_tells_whether_it_came_true() -> None:
    job = a_job()
    assert not job.wait_for(lambda now: bool(now.images), 0.01)
    making = threading.Thread(target=job.note_image, args=(image(),))
    making.start()
    assert job.wait_for(lambda now: bool(now.images), 30)
    making.join()


def test_changes_from_another_thread_are_heard_in_several_loops_and_end_with_the_job() -> None:
    job = a_job()
    heard: list[list[Status]] = []
    listening = threading.Barrier(4)

    async def follow() -> None:
        statuses = []
        async for now in job.changes():
            statuses.append(now)
            if len(statuses) == 1:
                await asyncio.to_thread(listening.wait)
        heard.append(statuses)

    loops = [threading.Thread(target=asyncio.run, args=(follow(),)) for _ in range(3)]
    for loop in loops:
        loop.start()
    listening.wait()
    job.note_started()
    for step in range(50):
        job.note_progress(Progress("sampling", step, 50))
    job.note_end(result(image()))
    for loop in loops:
        loop.join()
    for statuses in heard:
        steps = [now.progress.step for now in statuses]
        assert steps == sorted(steps)
        assert (statuses[0].state, statuses[-1].state, len(statuses[-1].images)) == ("queued", "done", 1)


def test_a_slow_reader_gets_the_newest_and_nothing_is_kept_for_it() -> None:
    job = a_job()

    async def follow() -> list[Status]:
        statuses = []
        async for now in job.changes():
            statuses.append(now)
            if len(statuses) == 1:
                for step in range(1000):
                    job.note_progress(Progress("sampling", step, 1000))
            elif len(statuses) == 2:
                job.note_end(result())
        return statuses

    assert [now.progress.step for now in asyncio.run(follow())] == [0, 999, 999]


def test_between_two_changes_lies_a_while_but_the_end_does_not_wait() -> None:
    job = a_job()

    async def follow() -> list[Status]:
        statuses = []
        async for now in job.changes(every=60):
            statuses.append(now)
            if len(statuses) == 1:
                asyncio.get_running_loop().call_soon(job.note_progress, Progress("sampling", 1, 2))
                asyncio.get_running_loop().call_later(0.05, job.note_end, result())
        return statuses

    assert [now.state for now in asyncio.run(asyncio.wait_for(follow(), 30))] == ["queued", "done"]
    job = a_job()

    async def first_two() -> list[int]:
        steps = []
        async for now in job.changes(every=0.05):
            steps.append(now.progress.step)
            if len(steps) == 2:
                return steps
            for step in range(1, 4):
                asyncio.get_running_loop().call_later(step / 1000, job.note_progress, Progress("sampling", step, 9))
        return steps

    assert asyncio.run(first_two()) == [0, 3]


@pytest.mark.parametrize("way", ["break", "cancel", "forget"])
def test_who_stops_listening_leaves_nothing_behind(way: str) -> None:
    job = a_job()

    async def listen() -> None:
        async for _ in job.changes():
            if way == "break":
                break

    async def go() -> None:
        if way == "forget":
            changes = job.changes()
            await anext(changes)
            del changes
        else:
            task = asyncio.create_task(listen())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)
        assert waiting(job) == 0

    asyncio.run(go())
    gc.collect()
    job.note_end(result())


def waiting(job: ToyJob) -> int:
    """How many event loops the job would wake."""
    return len(job._status._waiting)
