"""LocalExecutor with real worker processes: they crash, hang, will not start; jobs fail in words and others go on.

What it shares with every executor is in `test_contract.py`.
"""

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.executors.prompted_back import PIDS
from tests.executors.watching import PATIENCE, Listener, is_alive, kill_worker, local, pids, until, wanted
from webui.domain.errors import BackUnavailableError, BadRequestError, Cancelled, WebuiError, WorkerDiedError
from webui.domain.result import Progress
from webui.executors.local import LocalExecutor
from webui.executors.protocol import Finished, ImageMade, Progressed, Started
from webui.executors.running import JobReporter, Stop

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalExecutor, Listener]]:
    """One worker for the tests that do not kill it."""
    listener = Listener()
    executor = local(tmp_path_factory.mktemp("shared"), listener)
    yield executor, listener
    executor.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[LocalExecutor, Listener, Path]]:
    listener = Listener()
    executor = local(tmp_path, listener)
    yield executor, listener, tmp_path
    executor.close()


def test_submit_is_enqueue_and_events_come_in_order(shared: tuple[LocalExecutor, Listener]) -> None:
    executor, heard = shared
    executor.submit("order", wanted("slow", steps=20, n_iter=2))
    assert not heard.images("order")  # it returned before anything was made
    result = heard.result("order")
    assert heard.kinds("order") == [Started, ImageMade, ImageMade, Finished]
    assert [image.request.seed for image in result.images] == [5, 6]
    assert [image.image.getpixel((0, 0)) for image in result.images] == [(0, 100, 200), (1, 100, 200)]


def test_one_is_watched_and_cancelled_while_another_waits(shared: tuple[LocalExecutor, Listener]) -> None:
    executor, heard = shared
    executor.submit("first", wanted("slow", steps=150, n_iter=1000))
    executor.submit("second", wanted("quick"))
    previews = until(
        lambda: [e.progress.preview for e in heard.of("first") if isinstance(e, Progressed) and e.progress.preview]
    )
    assert previews[0].startswith(b"\xff\xd8")
    assert not heard.of("second")
    executor.cancel("first")
    assert isinstance(heard.failed("first").error, Cancelled)
    assert heard.result("second").images


@pytest.mark.parametrize(
    ("prompt", "kind", "text", "has_traceback"),
    [
        ("raise", RuntimeError, "ValueError: a bug in the back", True),
        ("refuse", BadRequestError, "steps: too many for this model", None),
        ("quit", RuntimeError, "sys.exit(3)", True),
        ("unpicklable", RuntimeError, "LocalError: held by a lock", True),
        ("unpicklable result", RuntimeError, "pickle", True),
    ],
)
def test_a_failure_is_told_and_the_worker_lives(
    shared: tuple[LocalExecutor, Listener], prompt: str, kind: type, text: str, has_traceback: bool | None
) -> None:
    executor, heard = shared
    pid = executor.pid
    executor.submit(prompt, wanted(prompt))
    failed = heard.failed(prompt)
    assert type(failed.error) is kind
    assert text in str(failed.error)
    if has_traceback is not None:
        assert ("Traceback" in failed.traceback) == has_traceback
    pickle.loads(pickle.dumps(failed))
    executor.submit(f"{prompt} after", wanted("quick"))
    heard.finished(f"{prompt} after")
    assert executor.pid == pid


def test_kill_nine_fails_the_job_in_words_and_the_next_succeeds(own: tuple[LocalExecutor, Listener, Path]) -> None:
    executor, heard, _ = own
    executor.submit("killed", wanted("slow", steps=150))
    executor.submit("next", wanted("quick"))
    heard.wait_for("killed", Progressed)
    killed = executor.pid
    os.kill(killed, signal.SIGKILL)
    error = heard.failed("killed").error
    assert isinstance(error, WorkerDiedError)
    assert "signal 9" in str(error)
    assert "sampling" in str(error)
    heard.finished("next")
    assert executor.pid not in (0, killed)
    assert not is_alive(killed)


def test_images_made_before_a_death_are_reported(own: tuple[LocalExecutor, Listener, Path]) -> None:
    executor, heard, _ = own
    executor.submit("two", wanted("two images then die", n_iter=3))
    assert isinstance(heard.failed("two").error, WorkerDiedError)
    assert heard.images("two") == 2


def test_a_job_that_waits_survives_any_number_of_deaths_before_it(own: tuple[LocalExecutor, Listener, Path]) -> None:
    executor, heard, data = own
    for job in ("1", "2", "3", "4"):
        executor.submit(job, wanted("die"))
    executor.submit("5", wanted("quick"))
    for job in ("1", "2", "3", "4"):
        assert isinstance(heard.failed(job).error, WorkerDiedError)
    heard.finished("5")
    assert len(pids(data)) == 5


def test_three_deaths_with_nothing_to_do_stop_the_restarting_until_the_next_job(tmp_path: Path) -> None:
    heard = Listener()
    executor = local(tmp_path, heard, "build_dies")
    try:
        executor.submit("1", wanted("quick"))
        error = heard.failed("1").error
        assert isinstance(error, BackUnavailableError)
        assert "ended 3 times" in str(error)
        assert executor.pid == 0
        assert len(pids(tmp_path)) == 3
        executor.submit("2", wanted("quick"))
        assert isinstance(heard.failed("2").error, BackUnavailableError)
        assert len(pids(tmp_path)) == 4
    finally:
        executor.close()


def test_a_job_whose_turn_has_come_waits_for_the_next_worker(tmp_path: Path) -> None:
    heard = Listener()
    executor = local(tmp_path, heard, "build_dies_once")
    try:
        executor.submit("job", wanted("quick"))
        heard.finished("job")
        assert heard.kinds("job") == [Started, ImageMade, Finished]
        assert len(pids(tmp_path)) == 2
    finally:
        executor.close()


def test_a_load_that_kills_the_worker_raises(own: tuple[LocalExecutor, Listener, Path]) -> None:
    executor, _heard, _ = own
    with pytest.raises(WorkerDiedError, match="deadly"):
        executor.load("deadly")


def test_a_worker_that_dies_idle_is_replaced(own: tuple[LocalExecutor, Listener, Path]) -> None:
    executor, heard, data = own
    killed = kill_worker(data)
    until(lambda: executor.pid not in (0, killed))
    executor.submit("job", wanted("quick"))
    heard.finished("job")


def test_a_back_that_cannot_be_built_fails_each_job_with_its_text(tmp_path: Path) -> None:
    heard = Listener()
    executor = local(tmp_path, heard, "build_fails")
    try:
        for job in ("one", "two"):
            executor.submit(job, wanted("quick"))
            assert str(heard.failed(job).error) == "device: there is no auto"
        with pytest.raises(WebuiError, match="there is no auto"):
            executor.load("tiny")
    finally:
        executor.close()


@pytest.mark.parametrize("name", ["missing", "a:b"])
def test_a_factory_that_does_not_exist_is_named(tmp_path: Path, name: str) -> None:
    heard = Listener()
    executor = local(tmp_path, heard, name)
    try:
        executor.submit("job", wanted("quick"))
        assert name in str(heard.failed("job").error)
    finally:
        executor.close()


def test_a_worker_that_does_not_obey_is_ended(tmp_path: Path) -> None:
    heard = Listener()
    executor = local(tmp_path, heard, hang_after=4.0)
    try:
        executor.submit("deaf", wanted("slow deaf", steps=150, n_iter=1000))
        heard.wait_for("deaf", Progressed)
        os.kill(executor.pid, signal.SIGSTOP)  # neither works nor gives signs of life
        executor.cancel("deaf")
        assert "was ended" in str(heard.failed("deaf").error)
    finally:
        executor.close()


def test_close_fails_what_is_open_and_leaves_no_process_or_thread(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    heard = Listener()
    executor = local(tmp_path, heard)
    executor.submit("runs", wanted("slow deaf", steps=150))
    executor.submit("waits", wanted("quick"))
    heard.wait_for("runs", Progressed)
    executor.close()
    executor.close()
    for job in ("runs", "waits"):
        assert isinstance(heard.failed(job).error, WebuiError)
    assert not [pid for pid in pids(tmp_path) if is_alive(pid)]
    until(lambda: not {t for t in set(threading.enumerate()) - threads if t.name.startswith(("executor", "worker"))})
    with pytest.raises(WebuiError, match="stopping"):
        executor.submit("late", wanted("quick"))
    executor.cancel("runs")


PARENT = """
    if __name__ == "__main__":  # the processes that it makes need nothing of this
        import sys, time
        from pathlib import Path
        from tests.executors.watching import Listener, wanted
        from webui.domain.settings import BackSettings
        from webui.executors.local import LocalExecutor
        settings = BackSettings(data_dir=Path({data!r}))
        executor = LocalExecutor(settings, Listener(), factory="tests.executors.prompted_back:build")
        executor.submit("job", wanted({prompt!r}, steps=150, n_iter=1000))
        {then}
"""


def start_parent(tmp_path: Path, prompt: str, then: str) -> subprocess.Popen[bytes]:
    script = tmp_path / "parent.py"
    script.write_text(textwrap.dedent(PARENT.format(data=str(tmp_path), prompt=prompt, then=then)))
    return subprocess.Popen([sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_the_worker_ends_with_its_parent(tmp_path: Path) -> None:
    with start_parent(tmp_path, "slow deaf", "time.sleep(60)") as parent:
        until(lambda: pids(tmp_path), "no worker was built")
        family = [child.pid for child in psutil.Process(parent.pid).children(recursive=True)]
        assert set(pids(tmp_path)) < set(family)  # there is also the process that it was forked from
        parent.kill()
    end = time.monotonic() + 5
    while any(is_alive(pid) for pid in family):
        assert time.monotonic() < end, "a process outlived its parent"
        time.sleep(0.01)


def test_a_program_that_forgets_to_close_still_ends(tmp_path: Path) -> None:
    built = f"Path({str(tmp_path / PIDS)!r}).exists"
    with start_parent(tmp_path, "slow", f"[time.sleep(0.01) for _ in iter({built}, True)]") as parent:
        assert parent.wait(PATIENCE) == 0
    assert not [pid for pid in pids(tmp_path) if is_alive(pid)]


def test_progress_that_says_nothing_new_is_thinned_out() -> None:
    heard: list[Any] = []
    now = [0.0]
    reporter = JobReporter("job", Stop(), heard.append, clock=lambda: now[0])
    for step in range(100):
        now[0] += 0.01
        reporter.progress(Progress("sampling", step, 100))
    assert len(heard) <= 6
    reporter.progress(Progress("sampling", 100, 100, preview=b"jpeg"))
    assert heard[-1].progress.preview == b"jpeg"
