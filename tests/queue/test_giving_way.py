"""Long work that gives way: it is asked to end early where others wait, and what is left of it waits behind them."""

from tests.engine_bench import Bench
from tests.executors.watching import wanted
from webui.domain.extensions import ActionCall, ActionOutcome
from webui.engine.acting import ActionJob, ActionOfExtension
from webui.engine.engine import Engine
from webui.executors.protocol import Finished, Started

REST = {"resume": "x"}


def begun(bench: Bench, engine: Engine, *, gives_way: bool = True) -> ActionJob:
    """A long action that runs."""
    call = ActionCall("toy", "long", {"steps": 9}, gives_way=gives_way)
    job = engine.start(ActionOfExtension(lambda: None), call, job_id="long")
    bench.hand.tell(Started("long"))
    return job


def test_it_is_asked_once_another_waits_and_goes_on_behind_it(bench: Bench) -> None:
    engine = bench.engine()
    job = begun(bench, engine)
    assert bench.hand.stops == []
    pictures = [engine.submit(wanted("quick"), save=True, job_id=name) for name in ("a", "b")]
    assert ("long", "finish") in bench.hand.stops
    bench.hand.tell(Finished("long", ActionOutcome("paused", again=REST)))
    assert (job.state, job.work.options) == ("queued", REST)
    assert bench.hand.jobs == ["long", "a"]
    for one in pictures:
        bench.hand.do(one)
    assert bench.hand.jobs == ["long", "a", "b", "long"]
    assert bench.hand.work["long"] == ActionCall("toy", "long", REST, gives_way=True)
    bench.hand.tell(Started("long"))
    bench.hand.tell(Finished("long", ActionOutcome("done")))
    assert (job.state, job.result(1).text) == ("done", "done")


def test_one_that_does_not_give_way_is_not_asked(bench: Bench) -> None:
    engine = bench.engine()
    begun(bench, engine, gives_way=False)
    engine.submit(wanted("quick"), save=True)
    assert bench.hand.stops == []


def test_one_that_was_told_to_stop_does_not_come_again(bench: Bench) -> None:
    engine = bench.engine()
    job = begun(bench, engine)
    job.cancel()
    bench.hand.tell(Finished("long", ActionOutcome("paused", again=REST)))
    assert job.ended
    assert bench.hand.jobs == ["long"]
