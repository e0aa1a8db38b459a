"""The executor of tests: the same events as a worker's, in the caller's thread."""

import threading

import pytest

from tests.executors.prompted_back import PromptedBack
from tests.executors.watching import Listener, wanted
from webui.domain.errors import Cancelled, WebuiError
from webui.executors.inline import InlineExecutor
from webui.executors.protocol import Event, Finished, ImageMade, Progressed, Ready, Started


def test_a_job_is_done_when_submit_returns() -> None:
    heard = Listener()
    InlineExecutor(PromptedBack(), heard).submit("a", wanted("quick"))
    assert isinstance(heard.events[0], Ready)
    assert heard.kinds("a") == [Started, ImageMade, Finished]


def test_a_job_sent_from_an_event_comes_after_the_one_in_work() -> None:
    heard = Listener()

    def hear(event: Event) -> None:
        heard(event)
        if event == Started("a"):
            executor.submit("b", wanted("quick"))

    executor = InlineExecutor(PromptedBack(), hear)
    executor.submit("a", wanted("quick"))
    order = [event.job_id for event in heard.events if isinstance(event, Started | Finished)]
    assert order == ["a", "a", "b", "b"]


def test_another_thread_stops_a_job() -> None:
    heard = Listener()
    executor = InlineExecutor(PromptedBack(), heard)
    thread = threading.Thread(target=executor.submit, args=("a", wanted("slow", steps=150)))
    thread.start()
    heard.wait_for("a", Progressed)
    for job in ("b", "c"):
        executor.submit(job, wanted("quick"))
    executor.cancel("b")
    executor.cancel("a")
    thread.join()
    assert isinstance(heard.failed("a").error, Cancelled)
    assert isinstance(heard.failed("b").error, Cancelled)
    assert Started not in heard.kinds("b")
    assert heard.finished("c")


def test_loading_raises_what_the_back_raises() -> None:
    executor = InlineExecutor(PromptedBack(), Listener())
    executor.load("fine")
    with pytest.raises(WebuiError, match="broken"):
        executor.load("broken")
    executor.close()
    executor.close()
