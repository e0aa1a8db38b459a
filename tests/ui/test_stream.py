"""The script that keeps Gradio's stream of answers whole, in a real browser against a server that the test plays."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from webui.ui.mount import STATIC, STREAM_SCRIPT

# A server of one page: `streams` are its open streams, newest last; `tell` sends messages on the newest.
SERVER = """
window.streams = [];
window.joined = 0;
window.fetch = async (target, options) => {
  const address = target instanceof Request ? target.url : String(target);
  if (address.includes("/queue/join")) return Response.json({ event_id: `e${joined++}` });
  if (!address.includes("/queue/data")) return new Response("another door");
  if (window.refusing) return new Response("no", { status: 503 });
  const one = {};
  const body = new ReadableStream({ start: (sink) => { one.sink = sink; } });
  options?.signal?.addEventListener("abort", () => { one.left = true; });
  streams.push(one);
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
};
window.tell = (...messages) => streams.at(-1).sink.enqueue(
  new TextEncoder().encode(messages.map((message) => `data: ${JSON.stringify(message)}\\n\\n`).join("")));
window.close_ = () => { tell({ msg: "close_stream" }); streams.at(-1).sink.close(); };
"""
# What Gradio's client does: opens a stream, keeps what it hears, sends events.
CLIENT = """
window.heard = [];
window.listen = async () => {
  const answer = await fetch(new Request("http://localhost/gradio_api/queue/data?session_hash=s"));
  if (!answer.ok) { heard.push(answer.status); return; }
  window.reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  (async () => {
    try {
      for (let next; !(next = await reader.read()).done;) heard.push(...next.value.trim().split("\\n\\n"));
      heard.push("the end");
    } catch (error) { heard.push("broken"); }
  })();
};
window.join_ = () => fetch("http://localhost/gradio_api/queue/join?", { method: "POST" });
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page()
    for script in (SERVER, (STATIC / STREAM_SCRIPT).read_text(), CLIENT):
        opened.evaluate(f"() => {{ {script} }}")
    yield opened
    opened.close()


def completed(event: str) -> dict[str, str]:
    return {"msg": "process_completed", "event_id": event}


def heard(page: Page, count: int) -> list[Any]:
    """What Gradio's client was told, once it is as much as `count`."""
    page.wait_for_function("count => heard.length >= count", arg=count)
    return [
        json.loads(one.removeprefix("data:")) if str(one).startswith("data:") else one for one in page.evaluate("heard")
    ]


def test_an_event_sent_while_the_stream_closes_is_answered(page: Page) -> None:
    page.evaluate("async () => { await join_(); await listen(); }")
    page.evaluate("message => tell(message)", completed("e0"))
    page.evaluate("async () => { await join_(); close_(); }")  # the server closed before it took the event
    page.wait_for_function("streams.length === 2")
    page.evaluate("message => tell(message)", completed("e1"))
    assert heard(page, 2) == [completed("e0"), completed("e1")]


def test_nothing_is_open_while_nothing_is_owed_and_the_next_event_opens_it(page: Page) -> None:
    page.evaluate("async () => { await join_(); await listen(); }")
    page.evaluate("message => { tell(message); close_(); }", completed("e0"))
    page.wait_for_timeout(300)
    assert page.evaluate("streams.length") == 1
    page.evaluate("async () => { await join_(); }")
    assert page.evaluate("streams.length") == 2
    page.evaluate("message => tell(message)", completed("e1"))
    assert heard(page, 2) == [completed("e0"), completed("e1")]


def test_an_answer_ahead_of_its_event_leaves_nothing_owed(page: Page) -> None:
    page.evaluate("async () => { await join_(); await listen(); }")
    page.evaluate("messages => { tell(...messages); close_(); }", [completed("e0"), completed("e1")])
    assert heard(page, 2) == [completed("e0"), completed("e1")]
    page.evaluate("async () => { await join_(); }")  # e1, whose answer has come
    page.wait_for_timeout(300)
    assert page.evaluate("streams.length") == 1


def test_messages_arrive_in_order_however_they_are_cut(page: Page) -> None:
    page.evaluate("async () => { await join_(); await listen(); }")
    told = [{"msg": "process_generating", "event_id": "e0", "output": "ä\\n\\n" * number} for number in range(3)]
    page.evaluate(
        """messages => {
          const bytes = new TextEncoder().encode(messages.map((one) => `data: ${JSON.stringify(one)}\\n\\n`).join(""));
          for (let at = 0; at < bytes.length; at += 7) streams.at(-1).sink.enqueue(bytes.slice(at, at + 7));
        }""",
        told,
    )
    assert heard(page, 3) == told


def test_a_stream_that_breaks_is_broken_for_the_page_too(page: Page) -> None:
    page.evaluate("async () => { await join_(); await listen(); }")
    page.evaluate("() => streams.at(-1).sink.error(new Error('the server died'))")
    assert heard(page, 1) == ["broken"]
    page.evaluate("async () => { await join_(); await listen(); }")  # the page connects anew, as Gradio's client does
    page.evaluate("message => tell(message)", completed("e1"))
    assert heard(page, 2)[1] == completed("e1")


def test_a_refused_stream_is_told_as_it_is(page: Page) -> None:
    page.evaluate("async () => { window.refusing = true; await join_(); await listen(); }")
    assert heard(page, 1) == [503]
    page.evaluate("async () => { window.refusing = false; await join_(); await listen(); }")
    page.evaluate("async (message) => { tell(message); close_(); window.refusing = true; }", completed("e1"))
    page.wait_for_timeout(300)
    page.evaluate("async () => { await join_(); }")
    assert heard(page, 3)[1:] == [completed("e1"), "broken"]


def test_leaving_the_stream_leaves_the_server(page: Page) -> None:
    page.evaluate("async () => { await join_(); await listen(); await reader.cancel(); }")
    page.wait_for_function("streams[0].left === true")


def test_other_doors_are_left_alone(page: Page) -> None:
    assert page.evaluate("async () => (await fetch('http://localhost/run/predict')).text()") == "another door"


def test_the_page_opens_no_stream_past_the_script(browser: Browser, address: str) -> None:
    """Gradio's client asks with a Request, the script with an address."""
    opened = browser.new_page()
    opened.add_init_script("""
      const before = window.fetch;
      window.asked = [];
      window.fetch = (target, options) => {
        const address = target instanceof Request ? target.url : String(target);
        if (address.includes("/queue/data")) asked.push(target instanceof Request ? "by Gradio" : "by the script");
        return before(target, options);
      };
    """)
    opened.goto(address)
    opened.wait_for_function("asked.length > 0")
    assert set(opened.evaluate("asked")) == {"by the script"}
    opened.close()
