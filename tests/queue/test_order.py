"""Operations on the queue: order, priority, turns of owners, pause, hold, edit, delete, clear; what is remembered."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.engine_bench import Bench
from tests.executors.watching import wanted
from webui.domain.errors import UnknownModelError, WrongStateError
from webui.engine.engine import Engine
from webui.executors.protocol import Started, Work


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Bench(tmp_path, max_queue=50)) as bench:
        yield bench


def order(engine: Engine) -> str:
    return " ".join(job.id for job in engine.queue.jobs())


def filled(bench: Bench, names: str = "busy a b c d") -> Engine:
    """An engine with jobs of these names, of which the first runs."""
    engine = bench.engine()
    for name in names.split():
        engine.submit(wanted("quick"), save=True, job_id=name)
    bench.hand.tell(Started(names.split()[0]))
    return engine


def again(bench: Bench, engine: Engine) -> Engine:
    engine.close()
    return bench.engine()


def test_jobs_are_moved_to_a_place_up_and_down_and_stay_there(bench: Bench) -> None:
    engine = filled(bench)
    jobs = {job.id: job for job in engine.queue.jobs()}
    engine.queue.move(jobs["d"], 0)
    assert order(engine) == "busy d a b c"
    engine.queue.move_by(jobs["d"], 2)
    assert order(engine) == "busy a b d c"
    engine.queue.move_by(jobs["c"], -9)
    assert order(engine) == "busy c a b d"
    engine.queue.move(jobs["a"], 99)
    assert order(engine) == "busy c b d a"
    assert [jobs[name].position for name in "cbda"] == [1, 2, 3, 4]
    engine = again(bench, engine)
    assert order(engine) == "busy c b d a"


def test_more_priority_goes_first_and_moves_stay_inside_it(bench: Bench) -> None:
    engine = filled(bench)
    jobs = {job.id: job for job in engine.queue.jobs()}
    engine.queue.prioritise(jobs["c"], 5)
    engine.queue.prioritise(jobs["d"], 5)
    engine.queue.prioritise(jobs["a"], -1)
    assert order(engine) == "busy c d b a"
    engine.queue.move(jobs["b"], 0)
    engine.queue.move(jobs["c"], 99)
    assert order(engine) == "busy d c b a"
    engine.submit(wanted("quick"), save=True, job_id="late")
    assert order(engine) == "busy d c b late a"
    engine = again(bench, engine)
    assert order(engine) == "d c busy b late a"  # nothing runs, so priority alone counts
    assert engine.job("d").priority == 5  # type: ignore[union-attr]


def test_owners_have_turns(bench: Bench) -> None:
    engine = bench.engine()
    for name in ("a1", "a2", "a3", "b1", "b2", "c1", "a4", "b3"):
        engine.submit(wanted("quick"), save=True, job_id=name, owner=name[0])
    assert order(engine) == "a1 b1 c1 a2 b2 a3 b3 a4"
    assert order(again(bench, engine)) == "a1 b1 c1 a2 b2 a3 b3 a4"


def test_who_has_had_a_turn_waits_for_one_who_has_not(bench: Bench) -> None:
    engine = bench.engine()
    for name in ("a1", "a2", "a3"):
        engine.submit(wanted("quick"), save=True, job_id=name, owner="a")
    bench.hand.tell(Started("a1"))
    engine.submit(wanted("quick"), save=True, job_id="b1", owner="b")
    assert order(engine) == "a1 b1 a2 a3"


def test_a_pause_lets_the_running_job_end_and_outlives_a_restart(bench: Bench) -> None:
    engine = filled(bench, "busy a")
    engine.queue.pause("lunch")
    assert (engine.queue.state().is_paused, engine.queue.reason) == (True, "lunch")
    bench.hand.do(engine.job("busy"))  # type: ignore[arg-type]
    assert bench.hand.jobs == ["busy"]
    assert engine.job("a").status.reason == ""  # type: ignore[union-attr]  # nobody need be told: it was meant
    engine = again(bench, engine)
    assert (bench.hand.jobs, engine.queue.reason) == ([], "lunch")
    engine.queue.resume()
    assert bench.hand.jobs == ["a"]
    engine = again(bench, engine)
    assert engine.queue.reason == ""


def test_a_held_job_lets_others_pass_and_keeps_its_place(bench: Bench) -> None:
    engine = filled(bench, "busy a b")
    engine.queue.hold(engine.job("a"))  # type: ignore[arg-type]
    assert (engine.queue.state().held, engine.job("b").position) == (1, 1)  # type: ignore[union-attr]
    engine = again(bench, engine)
    held = engine.job("a")
    assert held is not None
    assert (held.state, held.error_text) == ("held", "held by hand")
    bench.hand.do(engine.job("busy"))  # type: ignore[arg-type]
    assert bench.hand.jobs == ["busy", "b"]
    engine.queue.retry(held)
    assert order(engine) == "a b"


def test_nothing_is_handed_on_while_a_job_is_being_changed(bench: Bench) -> None:
    engine = filled(bench, "busy a b")
    job = engine.job("a")
    assert job is not None
    engine.queue.hold(job)
    bench.hand.do(engine.job("busy"))  # type: ignore[arg-type]
    bench.hand.do(engine.job("b"))  # type: ignore[arg-type]
    lock, held = engine._dispatcher._changed, []
    submit = bench.hand.submit

    def watched(job_id: str, work: Work) -> None:
        held.append(lock._is_owned())  # type: ignore[attr-defined]
        submit(job_id, work)

    bench.hand.submit = watched  # type: ignore[method-assign]
    engine.queue.retry(job)
    assert (bench.hand.jobs[-1], held) == ("a", [False])  # or an executor that tells events under a lock would hang


def test_a_job_is_changed_before_it_runs_and_checked_anew(bench: Bench) -> None:
    engine = filled(bench, "busy a")
    job = engine.job("a")
    assert job is not None
    with pytest.raises(UnknownModelError):
        engine.queue.edit(job, wanted("quick", checkpoint="nowhere"))
    engine.queue.edit(job, wanted("another", seed=-1))
    assert job.work.prompt == "another"
    assert job.work.seed >= 0
    assert again(bench, engine).job("a").work == job.work  # type: ignore[union-attr]


def test_a_running_job_is_neither_moved_nor_held_nor_changed_nor_deleted(bench: Bench) -> None:
    engine = filled(bench, "busy a")
    busy = engine.job("busy")
    assert busy is not None
    asks: tuple[Callable[[], object], ...] = (
        lambda: engine.queue.move(busy, 0),
        lambda: engine.queue.prioritise(busy, 3),
        lambda: engine.queue.hold(busy),
        lambda: engine.queue.edit(busy, wanted("quick")),
        lambda: engine.queue.retry(busy),
        lambda: engine.queue.delete("busy"),
    )
    for ask in asks:
        with pytest.raises(WrongStateError):
            ask()
    assert order(engine) == "busy a"


def test_deleted_and_cleared_jobs_are_gone_from_the_list_and_their_pictures_are_not(bench: Bench) -> None:
    engine = filled(bench, "busy a b c")
    bench.hand.do(engine.job("busy"))  # type: ignore[arg-type]
    engine.queue.delete("b")
    assert order(engine) == "a c"
    assert [one.id for one in engine.queue.ended()] == ["busy"]
    engine.queue.hold(engine.job("c"))  # type: ignore[arg-type]
    assert engine.queue.clear("held") == 1
    engine.queue.clear("ended")
    assert engine.queue.ended() == ()
    assert len(engine.history()) == 1
    assert Path(engine.history()[0].path).is_file()
    bench.hand.tell(Started("a"))
    engine.submit(wanted("quick"), save=True, job_id="d")
    assert engine.queue.clear("waiting") == 1
    assert order(engine) == "a"
    assert order(again(bench, engine)) == "a"


def test_what_ended_is_known_after_a_restart(bench: Bench) -> None:
    engine = bench.engine()
    done = engine.submit(wanted("quick", n_iter=2), save=True, owner="o", task="task(t)")
    bench.hand.do(done, images=2)
    unsaved = engine.submit(wanted("quick"), save=False)
    bench.hand.do(unsaved)
    before = [engine.queue.record(job.id) for job in (done, unsaved)]
    engine = again(bench, engine)
    assert engine.job(done.id) is None
    after = [engine.queue.record(job.id) for job in (done, unsaved)]
    for old, new in zip(before, after, strict=True):
        assert old is not None
        assert new is not None
        assert (new.state, new.pictures, new.notices) == (old.state, old.pictures, old.notices)
    assert [one.seed for one in after[0].pictures] == [5, 6]  # type: ignore[union-attr]
    assert after[1].pictures[0].path == ""  # type: ignore[union-attr]
    assert [one.id for one in engine.queue.ended()] == [unsaved.id, done.id]
    assert engine.queue.record_of_task("task(t)") == after[0]
    assert [image.job_id for image in engine.history()] == [done.id] * 2


def test_the_same_id_and_request_are_one_job_though_its_seed_was_drawn(bench: Bench) -> None:
    engine = bench.engine()
    first = engine.submit(wanted("quick", seed=-1, subseed=-1), save=True, job_id="mine")
    assert first.work.seed >= 0
    assert engine.submit(wanted("quick", seed=-1, subseed=-1), save=True, job_id="mine") is first
    assert engine.queue.is_same("mine", wanted("quick", seed=-1))
    assert not engine.queue.is_same("mine", wanted("other", seed=-1))
