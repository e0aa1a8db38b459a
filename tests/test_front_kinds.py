"""A kind of job that lives in this file alone goes all the way: started, followed, stopped, and ended by its faults."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.engine_bench import Bench
from tests.executors.watching import PATIENCE, until
from webui.domain.errors import BusyError, Cancelled
from webui.domain.result import Notice
from webui.engine.engine import Engine
from webui.jobs.kind import FrontKind


@dataclass(frozen=True, slots=True)
class Counted:
    number: int = 0
    fraction: float = 0.0
    preview: bytes | None = None
    notices: tuple[Notice, ...] = ()


class Counting(FrontKind[int, Counted, Counted]):
    """Counts to a number; -1 is a fault, and 0 waits until it is told to go on."""

    name = "counting"
    kept = 2
    progress_type = Counted
    result_type = Counted

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def title(self, work: int) -> str:
        return f"count to {work}"

    def with_notices(self, result: Counted, notices: tuple[Notice, ...]) -> Counted:
        return replace(result, notices=notices)

    def do(self, work: int, report: Callable[[Counted], None]) -> Counted:
        if work < 0:
            raise ZeroDivisionError("a bug in the kind")
        if work == 0:
            self.go_on.wait(PATIENCE)
        for number in range(work + 1):
            report(Counted(number, number / max(1, work)))
        return Counted(work, 1.0)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Bench(tmp_path, max_queue=2).engine()
    yield engine
    engine.close()


def test_it_is_followed_to_its_result_and_found_by_its_kind(engine: Engine) -> None:
    kind = Counting()
    job = engine.start(kind, 3)
    numbers = [now.progress.number for now in job.watch(PATIENCE)]
    assert numbers == sorted(numbers)
    assert (job.result(PATIENCE).number, job.state, job.progress.number) == (3, "done", 3)
    assert (engine.find(job.id, kind), engine.job(job.id)) == (job, None)


def test_it_is_stopped_where_it_reports(engine: Engine) -> None:
    kind = Counting()
    job = engine.start(kind, 0)
    job.cancel()
    kind.go_on.set()
    with pytest.raises(Cancelled):
        job.result(PATIENCE)
    assert job.state == "cancelled"


def test_a_fault_ends_the_job_and_is_logged(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    job = engine.start(Counting(), -1)
    with pytest.raises(ZeroDivisionError):
        job.result(PATIENCE)
    assert job.error_text == "ZeroDivisionError: a bug in the kind"
    assert "count to -1" in caplog.text
    assert "Traceback" in caplog.text


def test_so_many_may_be_on_their_way_and_so_many_are_remembered(engine: Engine) -> None:
    kind = Counting()
    waiting = [engine.start(kind, 0) for _ in range(2)]
    with pytest.raises(BusyError):
        engine.start(kind, 0)
    kind.go_on.set()
    ended = [*waiting, *(engine.start(kind, 1) for job in waiting if job.result(PATIENCE))]
    for job in ended:
        job.result(PATIENCE)
    engine.start(kind, 1).result(PATIENCE)
    until(lambda: engine.find(ended[0].id, kind) is None)


def test_it_is_not_stored_and_ends_with_the_program(engine: Engine) -> None:
    kind = Counting()
    job = engine.start(kind, 0)
    engine.close()
    kind.go_on.set()
    with pytest.raises(Cancelled):
        job.result(PATIENCE)
    with pytest.raises(BusyError):
        engine.start(kind, 1)
