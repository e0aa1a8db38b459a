"""A served page over an engine that paints: mounted once for many tests, and as at first for each of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.ui.driving import served, whole_page
from tests.ui.fakes import FakeEngine


@dataclass(frozen=True)
class House:
    """Attributes: `folder`: for all that the program behind the page writes."""

    address: str
    engine: FakeEngine
    folder: Path

    @contextmanager
    def lent(self) -> Iterator[FakeEngine]:
        """The engine for one test, which leaves it as it was."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GRADIO_TEMP_DIR", str(self.folder / "temp" / "gradio"))  # as mounting has set it
            yield self.engine
            self.engine.forget()


@contextmanager
def house(folder: Path, port: int = 0, app: Callable[[FakeEngine, Path], FastAPI] = whole_page) -> Iterator[House]:
    """Serve a page on this port, or on a free one.

    Args:
        app: makes the application, given the engine and the folder.
    """
    outputs = folder / "outputs"
    outputs.mkdir()
    engine = FakeEngine(outputs)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):  # mounting sets both
                patch.setenv(name, "")
            mounted = app(engine, folder)
        with served(mounted, port) as address:
            yield House(address, engine, folder)
    finally:
        engine.close()
