"""What was sent and is no job yet: stopping ends it too, whichever of the server's messages comes first."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.ui.bare import ORIGIN, bare_page, job_row, whole_state

MODULES = """async () => {
  window.sent = await import("/static/submissions.js");
  window.stream = await import("/static/stream.js");
  const { hear } = await import("/static/bus.js");
  window.notices = [];
  hear("notice", ({ text }) => window.notices.push(text));
  window.asked = [];
  const { fetch } = window;
  window.fetch = (address, more) => {
    window.asked.push(address.split("internal/page/")[1]);
    return fetch(address, more);
  };
}"""


class Opened:
    """A page that knows of no job."""

    def __init__(self, page: Page) -> None:
        self._page = page
        page.goto(ORIGIN)
        page.evaluate(MODULES)

    def do(self, script: str, argument: Any = None) -> Any:
        """What a function body answers, which has `sent`, the module."""
        return self._page.evaluate(f"async (argument) => {{ {script} }}", argument)

    def hear(self, *jobs: dict[str, Any], **more: Any) -> None:
        """The server tells all jobs."""
        self.do("stream.take('state', argument)", whole_state([*jobs], **more))

    @property
    def asked(self) -> list[str]:
        """What it has asked of the server."""
        return list(self._page.evaluate("asked"))


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    with bare_page(browser) as page:
        yield page


@pytest.fixture
def opened(tab: Page) -> Opened:
    return Opened(tab)


def test_what_is_stopped_before_the_server_answers_is_cancelled_when_it_does(opened: Opened) -> None:
    assert opened.do("window.one = sent.begin(); return sent.isUnderWay()")
    opened.do("await sent.interrupt()")
    assert opened.asked == []
    assert not opened.do("return sent.isUnderWay()")
    opened.do("sent.answered(one, '7')")
    assert opened.asked == ["jobs/7/cancel"]


def test_what_the_server_has_taken_is_cancelled_at_once_until_it_is_known_as_a_job(opened: Opened) -> None:
    opened.do("sent.answered(sent.begin(), '7'); await sent.interrupt()")
    assert opened.asked == ["jobs/7/cancel"]
    opened.do("sent.answered(sent.begin(), '8')")
    opened.hear(job_row("8", "running"))
    assert not opened.do("return sent.isUnderWay()")
    opened.do("await sent.interrupt()")
    assert opened.asked == ["jobs/7/cancel", "interrupt"]


def test_a_job_that_is_known_before_the_answer_is_interrupted_as_one(opened: Opened) -> None:
    opened.do("window.one = sent.begin()")
    opened.hear(job_row("7", "running"))
    opened.do("await sent.interrupt(); sent.answered(one, '7')")
    assert opened.asked == ["interrupt"]
    assert not opened.do("return sent.isUnderWay()")


def test_a_job_that_is_over_before_the_answer_leaves_nothing_to_stop(opened: Opened) -> None:
    opened.do("window.one = sent.begin()")
    opened.hear(job_row("7", "running"))
    opened.hear()
    opened.do("sent.answered(one, '7'); await sent.interrupt()")
    assert opened.asked == []
    assert opened.do("return notices") == ["Nothing of yours is running."]


def test_each_press_stops_the_newest_that_is_not_stopped_though_answers_cross(opened: Opened) -> None:
    opened.do("window.all = [sent.begin(), sent.begin(), sent.begin()]")
    opened.do("await sent.interrupt(); await sent.interrupt()")
    opened.do("sent.answered(all[2], 'third'); sent.answered(all[0], 'first'); sent.answered(all[1], 'second')")
    assert opened.asked == ["jobs/third/cancel", "jobs/second/cancel"]


@pytest.mark.parametrize("end", ["sent.answered(one)", "sent.failed()"], ids=["refused", "unanswered"])
def test_what_the_server_did_not_take_leaves_nothing_to_stop(opened: Opened, end: str) -> None:
    opened.do(f"window.one = sent.begin(); {end}; await sent.interrupt()")
    assert opened.asked == []
    assert opened.do("return notices") == ["Nothing of yours is running."]


def test_what_was_taken_stays_when_another_is_not_answered(opened: Opened) -> None:
    opened.do("sent.answered(sent.begin(), '7'); sent.begin(); sent.failed(); await sent.interrupt()")
    assert opened.asked == ["jobs/7/cancel"]


def test_generating_forever_ends_with_what_was_sent(opened: Opened) -> None:
    opened.hear(forever=True)
    opened.do("window.one = sent.begin(); await sent.interrupt(); sent.answered(one, '7')")
    assert opened.asked == ["interrupt", "jobs/7/cancel"]
