"""Experiments over the engine: their requests are jobs of the queue, told of as one, stopped as one."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.fakes import FakeEngine
from webui.domain.errors import Cancelled, WebuiError
from webui.domain.request import GenerationRequest
from webui.engine.experimenting import ExperimentJob
from webui.experiments.script import Surroundings
from webui.experiments.xyz_plot import XYZ_PLOT

PATIENCE = 20.0  # seconds
SMALL = GenerationRequest(prompt="a cat", seed=5, width=64, height=64)


def plot(seeds: str) -> list[Any]:
    return [1, seeds, [], 0, "", [], 0, "", [], False, True, False, False, False, False, False, 0, False]


def begun(engine: FakeEngine, seeds: str, *, save: bool = False) -> ExperimentJob:
    experiment = XYZ_PLOT.start(SMALL, plot(seeds), Surroundings())
    return engine.experiment(experiment, save=save, owner="ada", task="t")


@pytest.fixture
def holding() -> Iterator[FakeEngine]:
    engine = FakeEngine(hold=True)
    yield engine
    engine.close()


def wait_for_a_cell(job: ExperimentJob) -> None:
    assert job.wait_for(lambda now: bool(now.progress.job_id), PATIENCE)


def test_each_request_is_a_job_with_the_owner_and_the_task() -> None:
    engine = FakeEngine()
    job = begun(engine, "1,2,3")
    shown = job.result(PATIENCE)
    assert shown.seeds == (1, 2, 3)
    assert [(one.job.owner, one.job.task, one.save) for one in engine.jobs.values()] == [("ada", "t", False)] * 3
    assert (job.progress.done, job.progress.count) == (3, 3)


def test_where_every_request_fails_the_experiment_fails() -> None:
    with pytest.raises(WebuiError, match="no memory"):
        begun(FakeEngine(error=WebuiError("no memory")), "1,2").result(PATIENCE)


def test_a_stop_ends_the_request_in_work_and_sends_no_other(holding: FakeEngine) -> None:
    job = begun(holding, "1,2,3")
    wait_for_a_cell(job)
    job.cancel()
    with pytest.raises(Cancelled):
        job.result(PATIENCE)
    assert [one.job.state for one in holding.jobs.values()] == ["cancelled"]


def test_one_request_cancelled_alone_does_not_end_the_others(holding: FakeEngine) -> None:
    job = begun(holding, "1,2")
    wait_for_a_cell(job)
    first = job.progress.job_id
    next(iter(holding.running())).cancel()
    assert job.wait_for(lambda now: now.progress.job_id not in ("", first), PATIENCE)
    assert len(holding.jobs) == 2
    job.cancel()
    with pytest.raises(WebuiError):
        job.result(PATIENCE)


def test_a_program_that_stops_stops_experiments() -> None:
    engine = FakeEngine(hold=True)
    job = begun(engine, "1,2,3")
    wait_for_a_cell(job)
    closing = threading.Thread(target=engine.close)
    closing.start()
    closing.join(PATIENCE)
    assert job.wait_for(lambda now: now.ended, PATIENCE)
    assert len(engine.jobs) == 1
