"""When a worker counts as hanging, and what follows from its end: no process, a clock that the test moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui.executors.health import AfterDeath, HangWatch, RestartPolicy, death_text

PATIENCE = 10.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> HangWatch:
    return HangWatch(PATIENCE, clock)


@pytest.fixture
def policy(clock: Clock) -> RestartPolicy:
    return RestartPolicy(3, 600.0, clock)


def test_silence_counts_from_the_last_sign_of_life(clock: Clock, watch: HangWatch) -> None:
    clock.now += 9
    assert (watch.remaining(), watch.fault()) == (1, "")
    watch.heard()
    clock.now += 9
    assert watch.fault() == ""
    clock.now += 1
    assert (watch.remaining(), watch.fault()) == (0, "it gave no sign of life for 10 s and was ended")


def test_a_stop_must_be_obeyed_however_lively_the_worker_is(clock: Clock, watch: HangWatch) -> None:
    watch.told_to_stop("job")
    clock.now += 6
    watch.heard()
    watch.told_to_stop("job")  # another wish gives no more time
    assert (watch.remaining(), watch.fault()) == (4, "")
    clock.now += 4
    assert watch.fault() == "it did not stop when it was told to for 10 s and was ended"


def test_a_stop_that_was_obeyed_is_forgotten(clock: Clock, watch: HangWatch) -> None:
    watch.told_to_stop("obeyed")
    clock.now += 6
    watch.told_to_stop("later")
    watch.heard()
    watch.ended("obeyed")
    watch.ended("unknown")
    assert watch.remaining() == PATIENCE
    clock.now += PATIENCE
    assert "no sign of life" in watch.fault()


def test_a_new_worker_has_all_the_time(clock: Clock, watch: HangWatch) -> None:
    watch.told_to_stop("job")
    clock.now += 20
    assert watch.fault()
    watch.restart()
    assert (watch.remaining(), watch.fault()) == (PATIENCE, "")
    clock.now += 9
    watch.heard()
    clock.now += 9  # the old wish is not held against the new worker
    assert watch.fault() == ""


@given(st.lists(st.tuples(st.sampled_from(["heard", "stop", "ended", "look"]), st.floats(0, 8)), max_size=40))
def test_no_worker_is_ended_that_is_heard_and_obeys_in_time(moments: list[tuple[str, float]]) -> None:
    clock = Clock()
    watch = HangWatch(PATIENCE, clock)
    heard, asked = clock.now, None
    for what, pause in moments:
        clock.now += pause
        if what == "heard":
            watch.heard()
            heard = clock.now
        elif what == "stop":
            watch.told_to_stop("job")
            asked = clock.now if asked is None else asked
        elif what == "ended":
            watch.ended("job")
            asked = None
        late = clock.now >= heard + PATIENCE or (asked is not None and clock.now >= asked + PATIENCE)
        assert bool(watch.fault()) == late == (watch.remaining() <= 0)


def test_one_death_leads_to_a_new_worker_and_spares_what_waits(policy: RestartPolicy) -> None:
    assert policy.may_start
    assert policy.died() == AfterDeath(False, "another one has been started")
    assert policy.may_start


def test_three_deaths_in_a_row_lead_to_rest_until_something_is_asked(policy: RestartPolicy) -> None:
    policy.died()
    policy.died()
    third = policy.died()
    assert third.gives_up
    assert "it has ended 3 times" in third.advice
    assert not policy.may_start
    policy.asked()
    assert policy.may_start
    assert policy.died().gives_up  # the earlier deaths are still held against it


def test_a_death_with_work_in_hand_is_no_reason_to_rest(policy: RestartPolicy) -> None:
    for _ in range(9):
        assert not policy.died(working=True).gives_up
        assert policy.may_start


def test_work_that_is_done_wipes_earlier_deaths_out(policy: RestartPolicy) -> None:
    for _ in range(5):
        assert not policy.died().gives_up
        assert not policy.died().gives_up
        policy.done()


def test_deaths_long_ago_do_not_count(clock: Clock, policy: RestartPolicy) -> None:
    for _ in range(5):
        assert not policy.died().gives_up
        clock.now += 301
    assert policy.may_start


def test_what_cannot_be_started_is_not_tried_again_by_itself(policy: RestartPolicy) -> None:
    policy.unstartable()
    assert not policy.may_start
    policy.done()
    assert not policy.may_start
    policy.asked()
    assert policy.may_start


def test_a_death_is_told_in_words() -> None:
    assert death_text("exit code 3", "loading 'x'", "do this") == (
        "the worker process ended (exit code 3) while loading 'x'; do this."
    )
    assert "memory may have run out" in death_text("signal 9", "sampling", "do this")
