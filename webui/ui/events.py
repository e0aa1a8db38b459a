"""Binds all events of the page, never published as HTTP endpoints, and with values as the page sent them."""

import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component
from gradio.context import Context

from webui.ui import markup


def bind(
    event: Callable[..., Any],
    handler: Callable[..., Any] | None,
    inputs: Component | Sequence[Component] | set[Component] | None = None,
    outputs: Block | Sequence[Block] | None = None,
    **more: Any,
) -> Any:
    """Bind a handler to an event such as `button.click`; None where a script (`js`) does all the work.

    The event is private, because otherwise Gradio publishes each handler as an endpoint even without `--api`. Any
    number may run at once: handlers are short or asynchronous, and the engine has its own queue.

    Only a handler that yields goes through Gradio's queue, whose answers come over one stream for the whole page
    (`static/whole_stream.js` says what can go wrong there). Any other answers in the request that asked.
    """
    settings: dict[str, Any] = {
        "show_progress": "hidden",
        "concurrency_limit": None,
        "queue": inspect.isasyncgenfunction(handler) or inspect.isgeneratorfunction(handler),
        **more,
    }
    return event(handler, inputs=inputs, outputs=outputs, api_visibility="private", **settings)


def bind_stop(
    button: gr.Button, handler: Callable[[str | None], Any], job: Component, status: Component, note: str
) -> None:
    """Bind a button that stops (a part of) a job.

    The browser itself shows the note. An answer of the server could arrive after the end of the job and replace its
    last status.

    Args:
        handler: stops the job of that id; returns a sentence where there is nothing to stop.
        note: plain text, shown at once.
    """
    bind(button.click, None, None, [status], js=f"() => {json.dumps(markup.message('notice', note))}")
    bind(button.click, lambda job_id: handler(job_id) or gr.skip(), [job], [status])


def bind_load(handler: Callable[..., Any], outputs: Sequence[Block]) -> None:
    """Bind a handler to every loading of the page that is being drawn."""
    page = Context.root_block
    if page is None:
        raise RuntimeError("no page is being drawn")
    bind(page.load, handler, None, outputs)
