"""Long work that has said how it goes on: ended by a death of its worker or of the program, it goes on by itself."""

import pytest

from tests.engine_bench import Bench
from tests.executors.watching import until
from webui.domain.errors import WorkerDiedError
from webui.domain.extensions import ActionCall, ActionOutcome
from webui.engine.acting import ActionJob
from webui.engine.engine import Engine
from webui.engine.mishaps import BREAKS
from webui.executors.protocol import Failed, Finished, Reached, Started

DIED = WorkerDiedError("the worker process ended (signal 9)")
REST = {"resume": "cat"}


pytestmark = pytest.mark.usefixtures("soon")


def begun(engine: Engine, bench: Bench, *places: int, owner: str = "") -> ActionJob:
    """An action in work that has said at these places how it goes on."""
    job = engine.start(engine._action, ActionCall("trainer", "train", {"steps": 9}, gives_way=True), owner=owner)
    bench.hand.tell(Started(job.id))
    reach(bench, job, *places)
    return job


def reach(bench: Bench, job: ActionJob, *places: int) -> None:
    for place in places:
        bench.hand.tell(Reached(job.id, REST, place))


def die(bench: Bench, job: ActionJob) -> None:
    """Its worker ends, and it is handed over again, unless it is held."""
    given = bench.hand.jobs.count(job.id)
    bench.hand.tell(Failed(job.id, DIED))
    until(lambda: bench.hand.jobs.count(job.id) > given or job.state == "held" or job.ended)
    if job.state != "held":
        bench.hand.tell(Started(job.id))


def crash(engine: Engine) -> None:
    """The program ends without a word: what it had in memory is gone."""
    engine._store.close()
    engine._dispatcher.close()


def test_after_the_death_of_its_worker_it_goes_on_where_it_said(bench: Bench) -> None:
    job = begun(bench.engine(), bench, 0, 100)
    die(bench, job)
    assert bench.hand.work[job.id] == ActionCall("trainer", "train", REST, gives_way=True, place=100)
    bench.hand.tell(Finished(job.id, ActionOutcome("Trained cat.")))
    result = job.result(1)
    assert result.text == "Trained cat."
    assert "signal 9" in result.notices[0].text
    assert "the last place that it had saved" in result.notices[0].text


def test_one_that_has_not_said_how_fails(bench: Bench) -> None:
    job = begun(bench.engine(), bench)
    bench.hand.tell(Failed(job.id, DIED))
    assert (job.state, job.error_text) == ("failed", str(DIED))


def test_two_deaths_at_one_place_hold_it_and_getting_further_counts_anew(bench: Bench) -> None:
    engine = bench.engine()
    job = begun(engine, bench, 0)
    for place in (100, 200, 300):
        die(bench, job)
        reach(bench, job, place - 100, place)
    assert job.deaths == 0
    for _ in range(2):
        die(bench, job)
        reach(bench, job, 300)
    assert job.status.is_stuck
    assert "2 workers ended during this job without getting any further in between" in job.error_text
    engine.queue.retry(job)
    bench.hand.tell(Started(job.id))
    bench.hand.tell(Finished(job.id, ActionOutcome("done")))
    assert job.state == "done"


def test_the_next_run_of_the_program_takes_it_up_for_the_same_owner(bench: Bench) -> None:
    engine = bench.engine()
    job = begun(engine, bench, 0, 40, owner="her")
    begun(engine, bench)  # this one has not said how it goes on, and is gone
    crash(engine)
    again = bench.engine()
    taken_up = again.action(job.id)
    assert taken_up is not None
    assert (taken_up.owner, taken_up.work) == ("her", ActionCall("trainer", "train", REST, gives_way=True, place=40))
    assert bench.hand.jobs == [job.id]
    bench.hand.tell(Started(job.id))
    bench.hand.tell(Finished(job.id, ActionOutcome("done")))
    assert bench.stored(job.id) == ("done", "")


def test_a_program_that_ends_again_and_again_during_it_begins_it_no_more(bench: Bench) -> None:
    engine = bench.engine()
    job = begun(engine, bench, 7)
    for _ in range(BREAKS - 1):
        crash(engine)
        engine = bench.engine()
        bench.hand.tell(Started(job.id))
        reach(bench, job, 7)
    crash(engine)
    engine = bench.engine()
    assert bench.stored(job.id)[0] == "held"
    held = engine.action(job.id)
    assert held is not None
    assert "without getting any further in between" in held.error_text


def test_a_program_that_is_stopped_in_order_goes_on_with_it_at_its_next_start(bench: Bench) -> None:
    engine = bench.engine()
    job = begun(engine, bench, 0)
    engine._records.stop()  # as closing does, before the worker is told to end and the action saves where it is
    reach(bench, job, 13)
    bench.hand.tell(Finished(job.id, ActionOutcome("paused", again=REST)))
    crash(engine)
    taken_up = bench.engine().action(job.id)
    assert taken_up is not None
    assert taken_up.work.place == 13


def test_one_that_the_user_stopped_stays_stopped(bench: Bench) -> None:
    engine = bench.engine()
    job = begun(engine, bench, 0)
    job.cancel()
    bench.hand.tell(Finished(job.id, ActionOutcome("paused", again=REST)))
    assert job.state == "done"
    crash(engine)
    assert bench.engine().action(job.id) is None


def test_what_is_kept_of_it_comes_back_equal(bench: Bench) -> None:
    kind = bench.engine()._action
    call = ActionCall("trainer", "train", {"resume": "猫", "deep": [1, {"x": None}]}, gives_way=True, place=3)
    assert kind.read(kind.write(call)) == call
    assert kind.read('{"extension": 3}') is None
