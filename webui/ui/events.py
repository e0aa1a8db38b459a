"""Binds all events of the page, never published as HTTP endpoints, and with values as the page sent them."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from gradio.blocks import Block
from gradio.components import Component
from gradio.context import Context


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

    No handler yields, so that none goes through Gradio's queue: each answers in the request that asked. What goes on
    for longer is a job, of which the page's own stream of events tells (`static/stream.js`).

    Gradio tells the state of an event to all of its outputs, and at each change of any event once more to every
    component that was ever told one. So it is told to the first output alone, over which a failure is written.

    Raises:
        TypeError: the handler yields.
    """
    if inspect.isasyncgenfunction(handler) or inspect.isgeneratorfunction(handler):
        raise TypeError(f"{handler.__qualname__} yields; answer once, and tell of jobs by the stream of events")
    settings: dict[str, Any] = {
        "show_progress": "hidden",
        "concurrency_limit": None,
        "queue": False,
        **more,
    }
    if isinstance(outputs, Sequence) and len(outputs) > 1:
        settings["show_progress_on"] = outputs[0]
    return event(handler, inputs=inputs, outputs=outputs, api_visibility="private", **settings)


def bind_load(handler: Callable[..., Any], outputs: Sequence[Block]) -> None:
    """Bind a handler to every loading of the page that is being drawn."""
    page = Context.root_block
    if page is None:
        raise RuntimeError("no page is being drawn")
    bind(page.load, handler, None, outputs)
