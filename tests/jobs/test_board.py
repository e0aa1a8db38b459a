"""The board: who is before whom, how many may wait, and what is kept of those that ended."""

import asyncio

import pytest

from tests.jobs.toys import TOY, Toy, a_job, image, result
from webui.domain.errors import BusyError, Cancelled, WebuiError
from webui.jobs.board import JobBoard

MEGABYTE = 2**20


def test_the_limit_counts_those_that_wait_besides_the_one_in_work() -> None:
    board = JobBoard(2)
    jobs = [a_job(str(number)) for number in range(4)]
    for job in jobs[:3]:
        board.add(job)
    with pytest.raises(BusyError, match="2 jobs wait"):
        board.add(jobs[3])
    assert board.find("3") is None
    assert [job.position for job in jobs] == [0, 1, 2, 0]
    jobs[0].note_started()
    assert board.running(TOY) == (jobs[0],)
    assert board.queued(TOY) == (jobs[1], jobs[2])
    jobs[1].note_end(Cancelled("stopped"))
    board.settle()
    board.add(jobs[3])
    assert [job.position for job in jobs] == [0, 0, 1, 2]


def test_where_several_jobs_are_done_at_once_that_many_do_not_wait() -> None:
    board = JobBoard(2, capacity=lambda: 3)
    jobs = [a_job(str(number)) for number in range(6)]
    for job in jobs[:5]:
        board.add(job)
    with pytest.raises(BusyError, match="2 jobs wait"):
        board.add(jobs[5])
    assert [job.position for job in jobs] == [0, 0, 0, 1, 2, 0]
    for job in jobs[:3]:
        job.note_started()
    assert board.running(TOY) == tuple(jobs[:3])
    jobs[1].note_end(Cancelled("stopped"))
    board.settle()
    assert [job.position for job in jobs[3:]] == [0, 1, 0]


def test_light_jobs_stand_beside_the_queue_and_have_a_limit_of_their_own() -> None:
    board = JobBoard(1)
    heavy = [a_job(name) for name in "ab"]
    for job in (heavy[0], a_job("light one", "light"), heavy[1]):
        board.add(job)
    assert [job.position for job in heavy] == [0, 1]
    for job in (a_job("c"), a_job("light two", "light")):
        with pytest.raises(BusyError, match="1 jobs wait"):
            board.add(job)


def test_jobs_of_several_kinds_wait_in_one_queue_and_are_found_by_their_kind() -> None:
    board, other = JobBoard(9), Toy()
    first, second = a_job("a", kind=other), a_job("b")
    board.add(first)
    board.add(second)
    assert (second.position, board.queued(TOY), board.queued(other)) == (1, (second,), (first,))
    assert (board.get("a", TOY), board.get("a", other), board.find("a")) == (None, first, first)


def test_one_that_waits_hears_that_it_moves_up() -> None:
    board = JobBoard(9)
    jobs = [a_job(str(number)) for number in range(3)]

    async def positions() -> list[int]:
        heard = []
        async for now in jobs[2].changes():
            heard.append(now.position)
            if now.position:
                ending = jobs[2 - now.position]
                ending.note_end(result())
                board.settle()
            else:
                break
        return heard

    for job in jobs:
        board.add(job)
    assert asyncio.run(positions()) == [2, 1, 0]


def test_only_the_last_ended_jobs_are_kept_and_few_pixels_of_them() -> None:
    board, kind = JobBoard(100, kept_bytes=7 * MEGABYTE), Toy(kept=3)
    jobs = [a_job(str(number), kind=kind) for number in range(6)]
    other = a_job("of another kind")
    for job in (other, *jobs):
        board.add(job)
    other.note_end(Cancelled("stopped"))
    for job in jobs[:5]:
        job.note_end(result(image(side=1024, path=f"{job.id}.png")))  # 3 MB each
        board.settle()
    assert [board.find(job.id) is not None for job in jobs] == [False, False, True, True, True, True]
    assert board.find(other.id) is other
    assert [len(job.images) for job in jobs[2:5]] == [0, 1, 1]
    with pytest.raises(WebuiError, match=r"saved as: 2\.png"):
        jobs[2].result()
    assert jobs[2].state == "done"


def test_the_newest_result_is_kept_however_large() -> None:
    board = JobBoard(1, kept_bytes=1)
    job = a_job()
    board.add(job)
    job.note_end(result(image()))
    board.settle()
    assert len(job.result().images) == 1
