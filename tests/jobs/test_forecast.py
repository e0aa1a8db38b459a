"""How long jobs will take: loading and work are told apart, what comes before is counted, nothing is made up."""

from collections.abc import Callable

import pytest

from tests.jobs.toys import Control, Toy, ToyJob, result
from webui.domain.result import Progress
from webui.jobs.board import JobBoard
from webui.jobs.forecast import Forecast
from webui.jobs.job import Job


class Sized(Toy):
    """Work that says how much it is and with which models: "10 a"."""

    name = "sized"

    def effort(self, work: str) -> float:
        return float(work.split()[0])

    def models(self, work: str) -> str:
        return work.split()[1]


SIZED = Sized()


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("webui.jobs.job.time.monotonic", clock)
    return clock


def sized(work: str, forecast: Callable[[ToyJob], float | None] | None = None) -> ToyJob:
    return Job(work, SIZED, work, Control(), forecast=forecast)


def done(clock: Clock, work: str, loading: float, working: float) -> ToyJob:
    """A job that took so long."""
    job = sized(work)
    begin(clock, job, loading)
    clock.now += working
    job.note_progress(Progress("sampling", 1, 1))
    job.note_end(result())
    return job


def begin(clock: Clock, job: ToyJob, loading: float) -> None:
    job.note_started()
    job.note_progress(Progress("loading", 0, 1), working=False)
    clock.now += loading
    job.note_progress(Progress("encoding", 0, 1))


def test_nothing_is_said_before_anything_was_measured(clock: Clock) -> None:
    forecast = Forecast(clock)
    job = sized("10 a")
    assert forecast.of(job, (), 1) is None
    job.note_started()
    assert forecast.of(job, (), 1) is None


def test_work_goes_by_its_size_and_other_models_are_loaded_first(clock: Clock) -> None:
    forecast = Forecast(clock)
    forecast.learn(done(clock, "10 a", loading=8, working=20))
    forecast.learn(done(clock, "10 a", loading=0, working=20))
    assert forecast.of(sized("5 a"), (), 1) == pytest.approx(10)
    assert forecast.of(sized("5 b"), (), 1) == pytest.approx(8 + 10)


def test_what_comes_before_is_counted_with_its_loading(clock: Clock) -> None:
    forecast = Forecast(clock)
    forecast.learn(done(clock, "10 a", loading=8, working=20))
    forecast.learn(done(clock, "10 a", loading=0, working=20))
    before = [sized("10 a"), sized("10 b")]
    assert forecast.of(sized("10 b"), before, 1) == pytest.approx(20 + (8 + 20) + 20)
    assert forecast.of(sized("10 b"), before, 2) == pytest.approx((20 + 28) / 2 + 20)


def test_a_running_job_counts_the_loading_that_is_left_then_its_own_pace(clock: Clock) -> None:
    forecast = Forecast(clock)
    forecast.learn(done(clock, "10 a", loading=8, working=20))
    forecast.learn(done(clock, "10 a", loading=0, working=20))
    job = sized("10 b")
    job.note_started()
    clock.now += 3
    assert forecast.of(job, (), 1) == pytest.approx(5 + 20)
    clock.now += 2
    job.note_progress(Progress("encoding", 0, 4))
    assert forecast.of(job, (), 1) == pytest.approx(20)
    clock.now += 6
    job.note_progress(Progress("sampling", 1, 4))
    assert forecast.of(job, (), 1) == pytest.approx(18)  # a quarter took 6 s, whatever was measured before
    assert job.eta() == pytest.approx(18)


def test_on_the_board_each_job_waits_for_those_before_it(clock: Clock) -> None:
    board = JobBoard(9)
    first = sized("10 a", board.eta)
    board.add(first)
    begin(clock, first, 0)
    clock.now += 20
    first.note_progress(Progress("sampling", 1, 1))
    first.note_end(result())
    board.settle()
    jobs = [Job(name, SIZED, "10 a", Control(), forecast=board.eta) for name in "bcd"]
    for job in jobs:
        board.add(job)
    assert [job.eta() for job in jobs] == [pytest.approx(20), pytest.approx(40), pytest.approx(60)]
    jobs[1].note_held("by hand")
    assert [job.eta() for job in jobs] == [pytest.approx(20), None, pytest.approx(40)]
    assert first.eta() is None
