"""What a job's reporter sends, what a stop means, and which errors cross to the parent."""

import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui.domain.errors import BadRequestError, Cancelled, UnknownModelError, WebuiError, WorkerDiedError
from webui.domain.result import Progress
from webui.executors.protocol import Event, Progressed
from webui.executors.running import PROGRESS_EVERY, JobReporter, Stop
from webui.executors.wire import portable, resolve

TIMED = st.lists(
    st.tuples(st.floats(0, 0.3), st.booleans(), st.integers(0, 2)), max_size=60
)  # seconds since the last, whether there is a preview, batch


@given(TIMED)
def test_progress_is_rare_but_no_preview_and_no_new_batch_is_lost(moments: list[tuple[float, bool, int]]) -> None:
    now = 0.0
    sent: list[tuple[float, Progress]] = []

    def emit(event: Event) -> None:
        assert isinstance(event, Progressed)
        assert isinstance(event.progress, Progress)
        sent.append((now, event.progress))

    reporter = JobReporter("a", Stop(), emit, lambda: now)
    given_: list[Progress] = []
    for step, (pause, shown, batch) in enumerate(moments):
        now += pause
        given_.append(Progress("sampling", step, 60, batch, 3, b"jpeg" if shown else None))
        reporter.progress(given_[-1])
    heard = [progress for _, progress in sent]
    assert [progress for progress in given_ if progress.preview] == [p for p in heard if p.preview]
    if given_:
        assert heard[0] == given_[0]
    assert all(
        progress.preview or progress.batch != heard[index].batch or when - sent[index][0] >= PROGRESS_EVERY
        for index, (when, progress) in enumerate(sent[1:])
    )
    for progress in given_:
        assert any(replace(progress, step=0, preview=None) == replace(p, step=0, preview=None) for p in heard)


def test_a_skip_is_for_one_batch_an_interrupt_for_all() -> None:
    stop = Stop()
    assert stop.take() == ""
    stop.ask("skip")
    assert [stop.take(), stop.take()] == ["skip", ""]
    stop.ask("interrupt")
    stop.ask("skip")
    assert [stop.take(), stop.take()] == ["interrupt", "interrupt"]


class OutsideError(WebuiError):
    """Of a library that the front must not import."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadRequestError("steps", "too many"), BadRequestError),
        (UnknownModelError("none"), UnknownModelError),
        (WorkerDiedError("gone"), WorkerDiedError),
        (Cancelled("stopped"), Cancelled),
        (OutsideError("outside"), WebuiError),
        (RuntimeError("plain"), RuntimeError),
        (KeyError("key"), RuntimeError),
        (UnicodeDecodeError("utf8", b"x", 0, 1, "why"), RuntimeError),
    ],
)
def test_errors_cross_a_process_boundary(error: Exception, kind: type[Exception]) -> None:
    arrived = pickle.loads(pickle.dumps(portable(error)))
    assert type(arrived) is kind
    assert str(error) in str(arrived)


@pytest.mark.parametrize("name", ["json", "json:", ":dumps", "json:nothing"])
def test_a_name_that_is_no_function_is_refused(name: str) -> None:
    with pytest.raises(WebuiError, match=r"module:function|no function"):
        resolve(name)
