"""What every executor keeps to; see `webui/executors/protocol.py`. Another one joins by a line in `MAKERS`."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.executors.contract import Maker, Trial, refuses
from tests.executors.pooled import PooledExecutor
from tests.executors.prompted_back import build
from tests.executors.stand_in_ray import StandInRay
from tests.executors.watching import PATIENCE, until, wanted
from tests.forked import births
from webui.domain.errors import BackUnavailableError, BadRequestError, Cancelled, UnusableFileError, WebuiError
from webui.domain.extensions import ActionCall, ActionOutcome, ActionProgress
from webui.domain.result import Progress
from webui.domain.settings import BackSettings
from webui.executors.inline import InlineExecutor
from webui.executors.lanes import LanePlan
from webui.executors.local import LocalExecutor
from webui.executors.pool import PoolExecutor
from webui.executors.protocol import Continuation, Failed, Finished, ImageMade, Progressed, Ready, Started, Work
from webui.executors.ray_hosts import HostLane

BACK = "tests.executors.prompted_back:build"


def two_lanes(settings: BackSettings) -> Sequence[LanePlan]:
    """Two backs in threads, for whatever device; `test_pool.py` has processes."""
    return [LanePlan(name, name, settings, partial(PooledExecutor, build)) for name in ("first", "second")]


def two_actors(ray: StandInRay, settings: BackSettings) -> Sequence[LanePlan]:
    """Two actors, for whatever device."""
    return [LanePlan(name, name, settings, partial(HostLane, ray, BACK, name)) for name in ("first", "second")]


MAKERS: Mapping[str, Maker] = MappingProxyType(
    {
        "inline": lambda settings, on_event: InlineExecutor(build(settings), on_event, rebuild=build),
        "local": lambda settings, on_event: LocalExecutor(settings, on_event, factory=BACK, births=births()),
        "pool": lambda settings, on_event: PoolExecutor(settings, on_event, two_lanes),
        "ray": lambda settings, on_event: PoolExecutor(settings, on_event, partial(two_actors, StandInRay())),
        "pooled": lambda settings, on_event: PooledExecutor(build, settings, on_event),
    }
)


@pytest.fixture(scope="module", params=MAKERS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """One executor for the tests that neither close nor renew it."""
    trial = Trial(MAKERS[request.param], BackSettings(data_dir=tmp_path_factory.mktemp("data"), device="cuda:1"))
    yield trial
    trial.close()
    trial.check()


@pytest.fixture
def shared(made: Trial) -> Iterator[Trial]:
    yield made
    made.check()


@pytest.fixture(params=MAKERS)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trial]:
    trial = Trial(MAKERS[request.param], BackSettings(data_dir=tmp_path, device="cuda:1"))
    yield trial
    trial.close()
    trial.check()


def test_a_new_executor_runs_nothing_and_tells_of_its_back_first(own: Trial) -> None:
    assert own.executor.capacity >= 1
    assert own.executor.running() == ()
    assert own.heard.backs(1) == ["cuda:1"]
    assert isinstance(own.heard.events[0], Ready)


def test_jobs_that_come_before_the_back_is_there_are_done(own: Trial) -> None:
    own.submit("early", wanted("quick"))
    assert len(own.heard.result("early").images) == 1


def test_a_generation_tells_its_start_its_images_and_its_end(shared: Trial) -> None:
    shared.submit("order", wanted("slow", steps=20, n_iter=2))
    result = shared.heard.result("order")
    assert shared.heard.kinds("order") == [Started, ImageMade, ImageMade, Finished]
    assert [image.request.seed for image in result.images] == [5, 6]
    steps = [event.progress for event in shared.heard.of("order") if isinstance(event, Progressed)]
    assert steps
    assert all(isinstance(step, Progress) for step in steps)


def test_of_a_job_that_goes_on_only_what_is_missing_is_made(shared: Trial) -> None:
    shared.submit("rest", Continuation(wanted("quick", n_iter=4), frozenset({0, 2})))
    result = shared.heard.result("rest")
    assert [image.index for image in result.images] == [1, 3]
    assert [image.request.seed for image in result.images] == [6, 8]
    assert shared.heard.images("rest") == 2


def test_a_job_of_which_all_is_there_just_ends(shared: Trial) -> None:
    shared.submit("nothing left", Continuation(wanted("quick", n_iter=2), frozenset({0, 1})))
    assert shared.heard.result("nothing left").images == ()
    assert shared.heard.kinds("nothing left") == [Started, Finished]


def test_more_jobs_than_run_at_once_wait_for_their_turn(shared: Trial) -> None:
    busy = shared.fill("turn")
    for job_id in ("turn 1", "turn 2", "turn 3"):
        shared.queue(job_id, wanted("quick"))
    assert shared.executor.running() == tuple(busy)
    assert shared.heard.of("turn 1") == []
    shared.free(busy)
    for job_id in ("turn 1", "turn 2", "turn 3"):
        assert shared.heard.result(job_id).images


def test_a_job_that_is_sent_from_an_event_comes_after_the_one_in_work(shared: Trial) -> None:
    shared.heard.reactions[Started("sender")] = lambda: shared.queue("sent", wanted("quick"))
    shared.submit("sender", wanted("quick"))
    assert shared.heard.finished("sender")
    assert shared.heard.finished("sent")


def test_a_job_cancelled_before_its_turn_never_starts(shared: Trial) -> None:
    busy = shared.fill("before")
    shared.queue("unwanted", wanted("quick"))
    shared.executor.cancel("unwanted")
    assert isinstance(shared.heard.failed("unwanted").error, Cancelled)
    assert shared.heard.kinds("unwanted") == [Failed]
    assert shared.executor.running() == tuple(busy)
    shared.free(busy)


def test_a_job_cancelled_at_work_ends_with_what_it_has(shared: Trial) -> None:
    shared.begin("without", wanted("slow", steps=150))
    shared.executor.cancel("without")
    assert isinstance(shared.heard.failed("without").error, Cancelled)
    shared.begin("with", wanted("slow", steps=5, n_iter=1000))
    shared.heard.wait_for("with", ImageMade)
    shared.executor.cancel("with")
    result = shared.heard.result("with")
    assert result.interrupted
    assert 1 <= len(result.images) == shared.heard.images("with") < 1000


def test_a_skip_ends_one_batch_of_a_job_at_work(shared: Trial) -> None:
    shared.begin("skipping", wanted("slow", steps=100, n_iter=2))
    shared.heard.wait_for("skipping", Progressed)
    shared.executor.skip("skipping")
    result = shared.heard.result("skipping")
    assert ([image.index for image in result.images], result.interrupted) == ([1], False)


def test_a_job_that_is_to_finish_ends_after_the_batch_in_work(shared: Trial) -> None:
    shared.begin("finishing", wanted("slow", steps=50, n_iter=1000))
    shared.heard.wait_for("finishing", Progressed)
    shared.executor.finish("finishing")
    result = shared.heard.result("finishing")
    in_work = len(result.images)
    assert 1 <= in_work <= shared.executor.capacity
    assert ([image.index for image in result.images], result.interrupted) == ([*range(in_work)], True)


def test_a_job_may_be_told_to_finish_as_soon_as_it_has_its_turn(own: Trial) -> None:
    own.heard.reactions[Started("early")] = lambda: own.executor.finish("early")
    own.submit("early", wanted("slow", steps=5, n_iter=1000))
    result = own.heard.result("early")
    assert ([image.index for image in result.images], result.interrupted) == ([0], True)


def test_a_job_that_waits_cannot_finish(shared: Trial) -> None:
    busy = shared.fill("finish")
    shared.queue("whole", wanted("quick", n_iter=2))
    shared.executor.finish("whole")
    shared.free(busy)
    result = shared.heard.result("whole")
    assert (len(result.images), result.interrupted) == (2, False)


def test_a_skip_of_a_job_that_waits_is_no_skip(shared: Trial) -> None:
    busy = shared.fill("skip")
    shared.queue("not skipped", wanted("slow", n_iter=2))
    shared.executor.skip("not skipped")
    shared.free(busy)
    assert len(shared.heard.result("not skipped").images) == 2


def test_stopping_what_is_unknown_or_over_does_nothing(shared: Trial) -> None:
    shared.submit("over", wanted("quick"))
    shared.heard.finished("over")
    before = list(shared.heard.events)
    for job_id in ("over", "nobody"):
        shared.executor.cancel(job_id)
        shared.executor.skip(job_id)
    shared.submit("after over", wanted("quick", n_iter=2))
    assert len(shared.heard.result("after over").images) == 2
    later = shared.heard.events[len(before) :]
    assert {event.job_id for event in later if not isinstance(event, Ready)} == {"after over"}


@pytest.mark.parametrize(
    ("prompt", "text"),
    [("raise", "a bug in the back"), ("quit", "sys.exit(3)"), ("unpicklable", "held by a lock")],
)
def test_a_bug_in_the_back_fails_the_job_with_a_traceback(shared: Trial, prompt: str, text: str) -> None:
    shared.submit(prompt, wanted(prompt))
    failed = shared.heard.failed(prompt)
    assert text in str(failed.error)
    assert not isinstance(failed.error, WebuiError)
    assert "Traceback" in failed.traceback
    shared.submit(f"after {prompt}", wanted("quick"))
    assert shared.heard.finished(f"after {prompt}")


def test_an_expected_failure_keeps_its_kind(shared: Trial) -> None:
    shared.submit("refuse", wanted("refuse"))
    error = shared.heard.failed("refuse").error
    assert isinstance(error, BadRequestError)
    assert (error.field, error.message) == ("steps", "too many for this model")


def test_a_load_is_waited_for_and_raises(shared: Trial) -> None:
    shared.executor.load("tiny")
    with pytest.raises(UnusableFileError, match="truncated"):
        shared.executor.load("broken")


def test_a_load_goes_before_the_jobs_that_wait(shared: Trial) -> None:
    busy = shared.fill("load")
    shared.queue("behind", wanted("slow", steps=150, n_iter=1000))
    loading = threading.Thread(target=shared.executor.load, args=("tiny",))
    loading.start()
    shared.heard.wait_for(busy[0], ImageMade)  # which takes so long that the load has come
    assert loading.is_alive()
    shared.free(busy)
    loading.join(PATIENCE)
    assert not loading.is_alive(), "the load waits for a job that never ends"
    shared.heard.wait_for("behind", Started)
    shared.free(["behind"])


def test_an_action_takes_its_turn_and_tells_how_far_it_is(shared: Trial) -> None:
    busy = shared.fill("action")
    shared.queue("heavy", ActionCall("toy", "merge", {}))
    assert shared.heard.of("heavy") == []
    shared.free(busy)
    assert shared.heard.finished("heavy").outcome == ActionOutcome(text="merge is done")
    told = [event.progress for event in shared.heard.of("heavy") if isinstance(event, Progressed)]
    assert told == [ActionProgress(1, 2, "merge")]


def test_a_bug_in_an_action_fails_it_with_a_traceback(shared: Trial) -> None:
    shared.submit("bad action", ActionCall("toy", "raise", {}))
    failed = shared.heard.failed("bad action")
    assert "a bug in the action" in str(failed.error)
    assert "Traceback" in failed.traceback


def test_light_actions_overtake_and_count_for_no_capacity(shared: Trial) -> None:
    busy = shared.fill("light")
    shared.queue("light behind", wanted("quick"))
    shared.begin("light", ActionCall("toy", "wait", {}, light=True))
    assert shared.executor.running() == (*busy, "light")
    assert shared.heard.of("light behind") == []
    shared.submit("light too", ActionCall("toy", "look", {}, light=True))
    shared.heard.wait_for("light", Progressed)  # it was sent when it started; from now on it is under way
    shared.executor.cancel("light")
    assert shared.heard.finished("light").outcome == ActionOutcome(text="wait is done")
    assert shared.heard.finished("light too")
    shared.free(busy)
    assert shared.heard.finished("light behind")


def test_a_new_back_takes_over_when_the_jobs_in_work_have_ended(own: Trial) -> None:
    busy = own.fill("renew")
    own.queue("new", wanted("quick"))
    own.executor.renew(own.settings.model_copy(update={"device": "cuda:2"}))
    own.heard.wait_for(busy[0], ImageMade)  # in work, they are left alone
    own.free(busy)
    assert own.heard.result("new").images
    assert own.heard.backs(2) == ["cuda:1", "cuda:2"]
    (ready,) = [
        event for event in own.heard.events if isinstance(event, Ready) and event.extensions[0].version != "cuda:1"
    ]
    place = own.heard.events.index
    assert place(own.heard.end(busy[-1])) < place(ready) < place(own.heard.wait_for("new", ImageMade))


@pytest.mark.parametrize("work", [wanted("quick"), ActionCall("toy", "look", {}, light=True)], ids=["job", "light"])
def test_a_new_back_may_be_asked_for_from_an_event(own: Trial, work: Work) -> None:
    second = own.settings.model_copy(update={"device": "cuda:2"})
    own.heard.reactions[Started("asks")] = lambda: own.executor.renew(second)
    own.submit("asks", work)
    assert own.heard.finished("asks")
    assert own.heard.backs(2) == ["cuda:1", "cuda:2"]
    own.submit("after", wanted("quick"))
    assert own.heard.finished("after")


def test_a_new_back_comes_while_nothing_is_done(own: Trial) -> None:
    own.heard.backs(1)
    for device in ("cuda:2", "cuda:3"):
        own.executor.renew(own.settings.model_copy(update={"device": device}))
    until(lambda: own.heard.backs(2)[-1] == "cuda:3")
    own.submit("after", wanted("quick"))
    assert own.heard.finished("after")


def test_a_back_that_cannot_be_made_fails_jobs_until_others_settings_come(own: Trial) -> None:
    own.heard.backs(1)
    own.executor.renew(own.settings.model_copy(update={"device": "none"}))
    for job_id in ("one", "two"):
        own.submit(job_id, wanted("quick"))
        error = own.heard.failed(job_id).error
        assert (type(error), str(error)) == (BackUnavailableError, "device: there is no none")
    assert refuses(lambda: own.executor.load("tiny"))
    own.executor.renew(own.settings)
    own.submit("three", wanted("quick"))
    assert own.heard.finished("three")


def test_a_fault_in_the_listener_stops_no_job(own: Trial) -> None:
    own.heard.fault = KeyError("a bug in the listener")
    for job_id in ("one", "two"):
        own.submit(job_id, wanted("quick"))
        assert own.heard.finished(job_id)


def test_closing_fails_what_is_open_and_can_be_repeated(own: Trial) -> None:
    busy = own.fill("closing")
    own.queue("waits", wanted("quick"))
    own.executor.close()
    own.executor.close()
    for job_id in (*busy, "waits"):
        error = own.heard.failed(job_id).error
        assert isinstance(error, WebuiError)
        assert not isinstance(error, Cancelled)
    assert own.heard.kinds("waits") == [Failed]
    told = list(own.heard.events)
    assert refuses(lambda: own.executor.submit("late", wanted("quick")))
    assert refuses(lambda: own.executor.load("tiny"))
    own.executor.cancel("late")
    own.executor.skip(busy[0])
    own.executor.renew(own.settings)
    assert (own.heard.events, own.executor.running()) == (told, ())


def test_an_event_may_close_the_executor(own: Trial) -> None:
    own.heard.reactions[Started("last")] = own.executor.close
    own.submit("last", wanted("slow", steps=150, n_iter=1000))
    assert isinstance(own.heard.failed("last").error, WebuiError)
