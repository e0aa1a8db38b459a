"""The order of what a worker is given, without a worker."""

import pytest

from tests.executors.watching import wanted
from webui.domain.errors import WebuiError
from webui.domain.extensions import ActionCall, ActionProgress
from webui.domain.result import Progress
from webui.executors.worklist import JobEntry, LoadEntry, Worklist


def job(name: str) -> JobEntry:
    return JobEntry(name, wanted("quick"))


def light(name: str) -> JobEntry:
    return JobEntry(name, ActionCall("toy", name, {}, light=True))


def filled(*entries: JobEntry | LoadEntry) -> Worklist:
    work = Worklist()
    for entry in entries:
        work.add(entry)
    return work


def test_jobs_have_their_turn_in_order_and_one_at_a_time() -> None:
    first, second = job("first"), job("second")
    work = filled(first, second)
    assert work.running() == ()
    assert (work.give_turn(), work.give_turn()) == (first, None)
    assert work.running() == ("first",)
    assert work.unsent() == (first,)
    first.sent = True
    assert work.unsent() == ()
    work.end("first")
    assert (work.give_turn(), work.running(), work.unsent()) == (second, ("second",), (second,))


def test_a_load_has_its_turn_before_the_jobs_that_wait() -> None:
    load = LoadEntry("tiny")
    work = filled(job("first"), job("second"))
    work.give_turn()
    work.add(load)
    assert work.end_load() is None  # its turn has not come
    work.end("first")
    assert work.give_turn() is None  # a load is no job that could be told to be started
    assert (work.unsent(), work.running(), work.is_idle) == ((load,), (), False)
    assert work.describe() == "loading 'tiny'"
    assert work.end_load() is load
    assert getattr(work.give_turn(), "id", None) == "second"


def test_a_light_action_waits_for_nobody_and_runs_once_it_is_sent() -> None:
    busy, quick = job("busy"), light("quick")
    work = filled(busy, quick)
    work.give_turn()
    busy.sent = True
    assert (work.unsent(), work.running()) == ((quick,), ("busy",))
    quick.sent = True
    assert (work.unsent(), work.running()) == ((), ("busy", "quick"))
    work.end("quick")
    assert (work.running(), work.is_idle) == (("busy",), False)
    work.end("nobody")
    work.end("busy")
    assert work.is_idle


def test_only_what_waits_can_be_withdrawn() -> None:
    work = filled(job("turn"), job("waits"), light("light"))
    work.give_turn()
    assert [work.in_turn(name) is not None for name in ("turn", "waits", "light", "nobody")] == [
        True,
        False,
        True,
        False,
    ]
    assert [work.withdraw(name) for name in ("turn", "waits", "waits", "nobody")] == [False, True, False, False]
    work.end("turn")
    assert work.give_turn() is None


def test_running_is_true_while_entries_are_dropped_one_by_one() -> None:
    first, beside, load = job("first"), light("beside"), LoadEntry("tiny")
    work = filled(first, beside, job("second"))
    work.give_turn()
    work.add(load)
    first.sent = beside.sent = True
    seen = [(entry, work.running()) for entry in work.drop_in_work()]
    assert seen == [(beside, ("first",)), (first, ())]
    assert not work.is_in_work
    assert [getattr(entry, "id", "load") for entry in work.drop_all()] == ["second", "load"]
    assert (work.give_turn(), work.unsent(), work.is_idle) == (None, (), True)


def test_what_the_worker_has_not_got_yet_stays_for_the_next_one() -> None:
    first, beside = job("first"), light("beside")
    work = filled(first, beside, job("second"))
    work.give_turn()
    assert (list(work.drop_in_work()), work.is_in_work) == ([], False)
    beside.sent = True
    assert work.is_in_work
    assert list(work.drop_in_work()) == [beside]
    assert (work.give_turn(), work.unsent(), work.running()) == (None, (first,), ("first",))
    assert [getattr(entry, "id", "load") for entry in work.drop_all()] == ["first", "second"]


def test_a_load_lets_the_one_who_waits_go_on() -> None:
    good, bad = LoadEntry("good"), LoadEntry("bad")
    good.end(None)
    bad.end(WebuiError("torn"))
    assert good.done.result(0) is None
    with pytest.raises(WebuiError, match="torn"):
        bad.done.result(0)


def test_what_a_job_does_is_told_in_words() -> None:
    one = job("one")
    assert one.describe() == "starting"
    one.sent = True
    assert one.describe() == "beginning the job"
    one.note(Progress("sampling", 2, 20, 0, 3))
    one.note(ActionProgress(1, 2))
    assert one.describe() == "sampling, step 2 of 20, batch 1 of 3"
    assert light("merge").describe() == "doing merge of the extension toy"
    assert Worklist().describe() == "waiting for a job"
