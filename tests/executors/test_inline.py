"""The executor of tests: the same events as a worker's, in the caller's thread."""

import threading

import pytest

from tests.executors.fake_back import FakeBack
from tests.executors.listener import Listener
from webui.domain.errors import Cancelled, WebuiError
from webui.domain.request import GenerationRequest
from webui.executors.inline import InlineExecutor
from webui.executors.protocol import Event, Failed, Finished, ImageMade, Progressed, Started


def test_a_job_is_done_when_submit_returns() -> None:
    listener = Listener()
    InlineExecutor(FakeBack(), listener).submit("a", GenerationRequest())
    assert [type(event) for event in listener.events] == [Started, Progressed, ImageMade, Finished]


def test_a_job_sent_from_an_event_comes_after_the_one_in_work() -> None:
    listener = Listener()

    def hear(event: Event) -> None:
        listener(event)
        if event == Started("a"):
            executor.submit("b", GenerationRequest())

    executor = InlineExecutor(FakeBack(), hear)
    executor.submit("a", GenerationRequest())
    order = [event.job_id for event in listener.events if isinstance(event, Started | Finished)]
    assert order == ["a", "a", "b", "b"]


def test_another_thread_stops_a_job() -> None:
    listener = Listener()
    executor = InlineExecutor(FakeBack(), listener)
    prompt = GenerationRequest(prompt="steps=100000 pause=0.01")
    thread = threading.Thread(target=executor.submit, args=("a", prompt))
    thread.start()
    listener.sampling("a")
    executor.submit("b", GenerationRequest())
    executor.cancel("a")
    thread.join()
    end = listener.end("a")
    assert isinstance(end, Failed)
    assert isinstance(end.error, Cancelled)
    assert isinstance(listener.end("b"), Finished)


def test_loading_raises_what_the_back_raises() -> None:
    executor = InlineExecutor(FakeBack(), Listener())
    executor.load("fine")
    with pytest.raises(WebuiError, match="broken"):
        executor.load("broken")
    executor.close()
    executor.close()
