"""Extensions that never return, or end their process, in a real worker: it is replaced, and the next job is done."""

import time
from pathlib import Path

from tests.extensions.toys import good, toy
from tests.forked import births
from webui.domain.errors import WorkerDiedError
from webui.domain.extensions import ActionCall, ActionOutcome, ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.domain.settings import BackSettings
from webui.executors.health import HANG_AFTER
from webui.executors.local import LocalExecutor
from webui.executors.protocol import Event, Failed, Finished, JobEvent, OnEvent, Progressed, Ready, Started

HANGING = """
    import time

    class Member:
        def edit_image(self, image, index):
            while True:
                time.sleep(0.01)

    @hookimpl
    def join_job(job):
        return Member() if "hang" in job.request.prompt else None
"""


DYING = """
    import os, time

    class Member:
        def __init__(self, job):
            self.job = job

        def edit_image(self, image, index):
            if self.job.request.prompt == "work":
                for _ in range(15):
                    time.sleep(0.2)
                    self.job.stopped()
            elif self.job.request.prompt == "hang":
                time.sleep(1000)
            else:
                os._exit(9)

    @hookimpl
    def join_job(job):
        return Member(job)
"""


def hooking(
    tmp_path: Path, on_event: OnEvent, hang_after: float = HANG_AFTER, hook_deadline: float = 0
) -> LocalExecutor:
    settings = BackSettings(data_dir=tmp_path, extensions_dir=tmp_path / "e", hook_deadline=hook_deadline)
    factory = "tests.extensions.hooking_back:build"
    return LocalExecutor(settings, on_event, factory=factory, hang_after=hang_after, births=births())


def last_found(events: list[Event]) -> tuple[ExtensionInfo, ...]:
    """What the newest back has told."""
    return [one.extensions for one in events if isinstance(one, Ready)][-1]


def wait_for(events: list[Event], kind: type[JobEvent], job_id: str, patience: float = 120.0) -> JobEvent:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        of_job = [one for one in events if not isinstance(one, Ready) and one.job_id == job_id]
        found = next((one for one in of_job if isinstance(one, kind)), None)
        if found is not None:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"no {kind.__name__} of {job_id} among {[type(one).__name__ for one in events]}")


def test_one_that_hangs_is_cut_off_by_cancelling(tmp_path: Path) -> None:
    toy(tmp_path / "e", "hanging", HANGING)
    good(tmp_path / "e")
    events: list[Event] = []
    executor = hooking(tmp_path, events.append, hang_after=15.0)
    try:
        executor.submit("first", GenerationRequest(prompt="hang"))
        executor.submit("second", GenerationRequest())
        wait_for(events, Progressed, "first")
        before = executor.pid
        executor.cancel("first")
        failed = wait_for(events, Failed, "first")
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, WorkerDiedError)
        wait_for(events, Finished, "second")
        assert executor.pid != before
        assert [info.state for info in last_found(events)] == ["ok", "ok"]
    finally:
        executor.close()


def test_a_light_action_is_done_while_a_job_runs_and_can_be_stopped(tmp_path: Path) -> None:
    toy(tmp_path / "e", "hanging", HANGING)
    events: list[Event] = []
    executor = hooking(tmp_path, events.append)
    try:
        executor.submit("job", GenerationRequest(prompt="hang"))
        wait_for(events, Progressed, "job")
        executor.submit("light", ActionCall("hanging", "wait", {}, light=True))
        wait_for(events, Started, "light")
        executor.cancel("light")
        done = wait_for(events, Finished, "light")
        assert isinstance(done, Finished)
        assert isinstance(done.outcome, ActionOutcome)
        assert done.outcome.text == "wait was stopped"
    finally:
        executor.close()


def test_a_worker_that_dies_twice_of_one_starts_without_it(tmp_path: Path) -> None:
    mark = tmp_path / "described"  # it behaves where it is only described
    toy(tmp_path / "e", "deadly", f"import os\nif os.path.exists({str(mark)!r}):\n    os._exit(9)")
    good(tmp_path / "e")
    mark.touch()
    events: list[Event] = []
    executor = hooking(tmp_path, events.append)
    try:
        for number in range(3):
            executor.submit(f"job{number}", GenerationRequest())
        wait_for(events, Finished, "job2")
        infos = {info.name: info for info in last_found(events)}
        assert "the worker ended 2 times while it was loaded" in infos["deadly"].error
        assert infos["good"].state == "ok"
    finally:
        executor.close()


def test_one_that_ends_or_holds_up_the_worker_twice_is_named_set_aside_and_done_without(tmp_path: Path) -> None:
    toy(tmp_path / "e", "deadly", DYING)
    good(tmp_path / "e")
    events: list[Event] = []
    executor = hooking(tmp_path, events.append, hook_deadline=1.0)

    def death(job_id: str, prompt: str) -> WorkerDiedError:
        executor.submit(job_id, GenerationRequest(prompt=prompt))
        failed = wait_for(events, Failed, job_id)
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, WorkerDiedError)
        assert failed.error.culprit == "deadly"
        assert "in edit_image of the extension deadly" in str(failed.error)
        return failed.error

    try:
        executor.submit("work", GenerationRequest(prompt="work"))
        wait_for(events, Finished, "work")  # it took three times the deadline, but asked whether to stop
        assert "if that happens once more, deadly is set aside" in str(death("first", "hang"))
        assert "deadly is set aside from now on" in str(death("second", "exit"))
        executor.submit("third", GenerationRequest(prompt="exit"))
        done = wait_for(events, Finished, "third")
        assert isinstance(done, Finished)
        assert isinstance(done.outcome, GenerationResult)
        (notice,) = done.outcome.notices
        assert (notice.source, "set aside" in notice.text) == ("deadly", True)
        assert "made no progress for 1 s" in notice.text
        assert {info.name: info.state for info in last_found(events)} == {"deadly": "aside", "good": "ok"}
    finally:
        executor.close()
    after_restart: list[Event] = []
    executor = hooking(tmp_path, after_restart.append)
    try:
        executor.submit("fourth", GenerationRequest(prompt="exit"))
        wait_for(after_restart, Finished, "fourth")
    finally:
        executor.close()


def test_an_action_and_an_import_that_hang_are_cut_off_and_named(tmp_path: Path) -> None:
    described = tmp_path / "described"  # it behaves where it is only described
    code = f"import os, time\nif os.path.exists({str(described)!r}):\n    time.sleep(1000)"
    toy(tmp_path / "e", "a_slow", code)
    toy(tmp_path / "e", "b_stuck", HANGING)
    events: list[Event] = []
    executor = hooking(tmp_path, events.append, hook_deadline=1.0)
    try:
        executor.submit("stuck", ActionCall("b_stuck", "hang", {}))
        failed = wait_for(events, Failed, "stuck")
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, WorkerDiedError)
        assert failed.error.culprit == "b_stuck"
        assert "in action hang of the extension b_stuck" in str(failed.error)
        executor.submit("between", GenerationRequest())
        wait_for(events, Finished, "between")
        described.touch()
        executor.renew(BackSettings(data_dir=tmp_path, extensions_dir=tmp_path / "e", hook_deadline=1.0))
        for number in range(3):  # two workers die of it, and the third starts without it
            executor.submit(f"job{number}", GenerationRequest())
        wait_for(events, Finished, "job2")
        infos = {info.name: info for info in last_found(events)}
        assert infos["a_slow"].state == "aside"
        assert "2 times while it was loaded" in infos["a_slow"].error
        assert infos["b_stuck"].state == "ok"
    finally:
        executor.close()
