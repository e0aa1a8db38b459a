"""A kind of job that lives in this file alone is done by the back: behind others, in its own process, to its end."""

import functools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.engine_bench import Bench
from tests.executors.prompted_back import PromptedBack, build
from tests.executors.watching import PATIENCE, until
from tests.forked import births
from webui.domain.errors import BadRequestError, Cancelled
from webui.domain.result import Notice
from webui.domain.settings import BackSettings
from webui.engine.engine import Engine
from webui.executors.inline import InlineExecutor
from webui.executors.local import LocalExecutor
from webui.executors.protocol import BackWork, OnEvent
from webui.jobs.job import Job
from webui.jobs.kind import JobKind, JobProgress


@dataclass(frozen=True, slots=True)
class Reckoned:
    number: int = 0
    fraction: float = 0.0
    preview: bytes | None = None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class Reckoning(BackWork):
    """Counts in the back; -1 is a fault, -2 is refused, and 0 waits until it is stopped."""

    to: int

    def describe(self) -> str:
        return f"reckoning to {self.to}"

    def perform(self, back: object, report: Callable[[JobProgress], None], stopped: Callable[[], bool]) -> Reckoned:
        assert isinstance(back, PromptedBack)
        if self.to == -1:
            raise ZeroDivisionError("a bug in the kind")
        if self.to == -2:
            raise BadRequestError("to", "should be at least 0")
        report(Reckoned(1, 0.5))
        while self.to == 0:
            if stopped():
                raise Cancelled("stopped by the user")
        return Reckoned(self.to, 1.0)


class Reckonings(JobKind[Reckoning, Reckoned, Reckoned]):
    name = "reckoning"
    kept = 2
    progress_type = Reckoned
    result_type = Reckoned

    def title(self, work: Reckoning) -> str:
        return work.describe()

    def with_notices(self, result: Reckoned, notices: tuple[Notice, ...]) -> Reckoned:
        return replace(result, notices=notices)


def _inline(settings: BackSettings, on_event: OnEvent) -> object:
    return InlineExecutor(build(settings), on_event, rebuild=build)


def _local(settings: BackSettings, on_event: OnEvent) -> object:
    return LocalExecutor(settings, on_event, factory="tests.executors.prompted_back:build", births=births())


@pytest.fixture(scope="module", params=[_inline, _local])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("engine")
    engine = Bench(folder).engine(functools.partial(request.param, BackSettings(data_dir=folder)))
    yield engine
    engine.close()


def start(engine: Engine, to: int) -> Job[Reckoning, Reckoned, Reckoned]:
    return engine.start(Reckonings(), Reckoning(to))


def test_it_tells_how_far_it_is_and_what_it_came_to(engine: Engine) -> None:
    job = start(engine, 3)
    fractions = [now.progress.fraction for now in job.watch(PATIENCE)]
    assert fractions == sorted(fractions)
    assert (job.result(PATIENCE), job.state) == (Reckoned(3, 1.0), "done")


def test_it_is_stopped(engine: Engine) -> None:
    kind = Reckonings()
    threading.Thread(target=engine.start, args=(kind, Reckoning(0)), kwargs={"job_id": "endless"}, daemon=True).start()
    until(lambda: (job := engine.find("endless", kind)) is not None and job.progress.number == 1)
    job = engine.find("endless", kind)
    assert job is not None
    job.cancel()
    with pytest.raises(Cancelled):
        job.result(PATIENCE)


def test_a_fault_in_it_is_told_with_its_kind(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    job = start(engine, -1)
    with pytest.raises((ZeroDivisionError, RuntimeError), match="a bug in the kind"):
        job.result(PATIENCE)
    assert "reckoning to -1" in caplog.text


def test_an_expected_failure_keeps_its_words(engine: Engine) -> None:
    with pytest.raises(BadRequestError, match="should be at least 0"):
        start(engine, -2).result(PATIENCE)
    assert start(engine, 1).result(PATIENCE).number == 1, "the back goes on"
