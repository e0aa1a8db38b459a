"""What Gradio does again and again while a page is built, and for each session of it, is done once: a third of the time
that the page takes until it is mounted.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gradio import blocks
from gradio.blocks import Block

_BLOCKS: Any = blocks


class _NoApp:
    """In the place of Gradio's `App` while a page is built."""

    @staticmethod
    def create_app(page: Any, **more: Any) -> None:
        """Make no application."""


@contextmanager
def built_once() -> Iterator[None]:
    """A page that is begun and finished within is an application only when it is mounted.

    Gradio makes one of it when it is begun and one when it is finished, with all routes; mounting makes a third, which
    is the one that is served. The page has none (`page.app`) until somebody says so.
    """
    _keep_signatures(Block)
    made, _BLOCKS.App = _BLOCKS.App, _NoApp
    try:
        yield
    finally:
        _BLOCKS.App = made


def _keep_signatures(cls: type[Any]) -> None:
    """Keep the signatures of components, for `inspect` to take them from `__signature__`: Gradio reads that of each
    component which it makes or describes, and it describes all of a page for each session anew.
    """
    maker: Any = inspect.unwrap(cls.__init__)
    if inspect.isfunction(maker) and not hasattr(maker, "__signature__"):
        maker.__signature__ = inspect.signature(maker)  # type: ignore[attr-defined]
    for one in cls.__subclasses__():
        _keep_signatures(one)
