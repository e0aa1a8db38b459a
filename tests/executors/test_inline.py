"""The executor of tests: the same events as a worker's, in the caller's thread."""

import threading

from tests.executors.prompted_back import PromptedBack
from tests.executors.watching import Listener, wanted
from webui.domain.errors import Cancelled
from webui.domain.settings import BackSettings
from webui.executors.inline import InlineExecutor
from webui.executors.protocol import Finished, ImageMade, Progressed, Ready, Started


def test_a_job_is_done_when_submit_returns() -> None:
    heard = Listener()
    InlineExecutor(PromptedBack(), heard).submit("a", wanted("quick"))
    assert isinstance(heard.events[0], Ready)
    assert heard.kinds("a") == [Started, ImageMade, Finished]


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


def test_without_a_way_to_make_another_the_back_is_kept() -> None:
    heard = Listener()
    executor = InlineExecutor(PromptedBack(), heard)
    executor.renew(BackSettings())
    executor.submit("a", wanted("quick"))
    assert heard.finished("a")
    assert sum(isinstance(event, Ready) for event in heard.events) == 1
