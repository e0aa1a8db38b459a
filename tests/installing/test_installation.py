"""Installing as a job: it says what it does, can be stopped, and the page shows both."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine_bench import Bench
from tests.executors.watching import PATIENCE
from tests.installing.making import folder_source, installer
from tests.narrowing import untyped
from webui.domain.errors import Cancelled, WebuiError
from webui.engine.engine import Engine
from webui.installing.installation import Apply, Check, Installation, PlanInstall, PlanUpdate
from webui.installing.service import Installer


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Bench(tmp_path / "front").engine()
    yield engine
    engine.close()


@pytest.fixture
def mine(tmp_path: Path) -> Installer:
    return installer(tmp_path)


@pytest.mark.usefixtures("forked_describing")
def test_an_installation_is_a_job_beside_the_queue(engine: Engine, mine: Installer, tmp_path: Path) -> None:
    kind = Installation(mine)
    planned = engine.start(kind, PlanInstall(str(folder_source(tmp_path))))
    plan = planned.result(PATIENCE).plan
    assert plan is not None
    assert (planned.state, planned.position, planned.progress.text) == (
        "done", 0, "looking which packages good needs",
    )  # fmt: skip
    applied = engine.start(kind, Apply(plan.token)).result(PATIENCE)
    assert applied.entry == mine.records()["good"].now
    assert engine.start(kind, Check("good")).result(PATIENCE).problems == ()
    assert engine.start(kind, PlanUpdate("good")).result(PATIENCE).plan is None
    assert engine.find(planned.id, kind) is planned
    assert (engine.job(planned.id), engine.action(planned.id), engine.queued()) == (None, None, ())


def test_what_is_refused_is_told_in_its_own_words(engine: Engine, mine: Installer) -> None:
    job = engine.start(Installation(mine), Apply("no plan of mine"))
    with pytest.raises(WebuiError, match="no such plan"):
        job.result(PATIENCE)
    assert job.state == "failed"


def test_it_is_stopped_between_two_steps_and_leaves_nothing(engine: Engine, mine: Installer, tmp_path: Path) -> None:
    source = folder_source(tmp_path)
    reached, go_on = threading.Event(), threading.Event()
    fetch = mine._fetch

    def slowly(*given: Any) -> str:
        reached.set()
        go_on.wait(PATIENCE)
        return fetch(*given)

    untyped(mine)._fetch = slowly
    job = engine.start(Installation(mine), PlanInstall(str(source)))
    reached.wait(PATIENCE)
    assert job.progress.text == f"fetching {source}"
    job.cancel()
    go_on.set()
    with pytest.raises(Cancelled, match="stopped by the user"):
        job.result(PATIENCE)
    assert job.state == "cancelled"
    assert [path for path in (tmp_path / "extensions").rglob("*") if path.is_file()] == []
