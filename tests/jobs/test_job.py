"""A job as the doors see it, and the queue that holds it."""

import asyncio
import threading
from dataclasses import dataclass, field

import pytest
from PIL import Image

from webui.domain.errors import BusyError, Cancelled, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Notice, Progress
from webui.jobs.job import Job
from webui.jobs.queue import JobQueue

REQUEST = GenerationRequest()
MEGABYTE = 2**20


@dataclass
class Control:
    asked: list[str] = field(default_factory=list)

    def cancel(self, job_id: str) -> None:
        self.asked.append(f"cancel {job_id}")

    def skip(self, job_id: str) -> None:
        self.asked.append(f"skip {job_id}")

    def position(self, job_id: str) -> int:
        return 0


def a_job(name: str = "a") -> Job:
    return Job(name, REQUEST, Control(), save=False)


def image(index: int = 0, side: int = 8, path: str = "") -> GeneratedImage:
    return GeneratedImage(Image.new("RGB", (side, side)), REQUEST, "", index, 0, path)


def result(*images: GeneratedImage) -> GenerationResult:
    return GenerationResult(REQUEST, images, ModelFacts("fake", ""))


def test_watching_gives_every_state_that_lasts_and_ends_with_the_job() -> None:
    job = a_job()
    watched = job.watch()
    assert next(watched) == Progress()
    job.note_started()
    job.note_progress(Progress("sampling", 1, 2))
    assert next(watched).step == 1
    job.note_end(result(image()))
    assert list(watched) == [Progress("sampling", 1, 2)]
    assert list(job.watch()) == [Progress("sampling", 1, 2)]


def test_watching_a_silent_job_gives_the_caller_a_turn() -> None:
    watched = a_job().watch(timeout=0.01)
    assert [next(watched) for _ in range(3)] == [Progress()] * 3


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
    job.note_progress(Progress("sampling", 1, 2))
    assert (job.eta() or -1) >= 0
    job.note_end(result(image()))
    assert job.eta() is None


def test_many_wait_without_a_thread_and_one_that_gives_up_harms_nobody() -> None:
    job = a_job()

    async def wait() -> list[object]:
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
    for wait in (job.result, lambda: asyncio.run(job.wait())):
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
    job = Job("a", REQUEST, control, save=False)
    job.skip()  # it does not run yet
    job.cancel()
    job.note_end(Cancelled("stopped"))
    job.cancel()
    assert control.asked == ["cancel a"]
    assert job.state == "cancelled"


def test_the_limit_counts_those_that_wait_besides_the_one_in_work() -> None:
    queue = JobQueue(2)
    jobs = [a_job(str(number)) for number in range(4)]
    for job in jobs[:3]:
        queue.add(job)
    with pytest.raises(BusyError, match="2 jobs wait"):
        queue.add(jobs[3])
    assert [queue.position(job.id) for job in jobs] == [0, 1, 2, 0]
    jobs[0].note_started()
    assert queue.current() is jobs[0]
    assert queue.queued() == (jobs[1], jobs[2])
    jobs[1].note_end(Cancelled("stopped"))
    queue.add(jobs[3])
    assert [queue.position(job.id) for job in jobs] == [0, 0, 1, 2]


def test_only_the_last_ended_jobs_are_kept_and_few_pixels_of_them() -> None:
    queue = JobQueue(100, kept=3, kept_bytes=7 * MEGABYTE)
    jobs = [a_job(str(number)) for number in range(6)]
    for job in jobs:
        queue.add(job)
    for job in jobs[:5]:
        job.note_end(result(image(side=1024, path=f"{job.id}.png")))  # 3 MB each
        queue.trim()
    assert [queue.get(job.id) is not None for job in jobs] == [False, False, True, True, True, True]
    assert [len(job.images) for job in jobs[2:5]] == [0, 1, 1]
    with pytest.raises(WebuiError, match=r"saved as: 2\.png"):
        jobs[2].result()


def test_the_newest_result_is_kept_however_large() -> None:
    queue = JobQueue(1, kept_bytes=1)
    job = a_job()
    queue.add(job)
    job.note_end(result(image()))
    queue.trim()
    assert len(job.result().images) == 1
