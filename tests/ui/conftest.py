"""A page over an engine without models."""

from pathlib import Path

import pytest

from tests.ui.fakes import FakeEngine


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    return FakeEngine(outputs)


@pytest.fixture(autouse=True)
def _environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mounting sets two of Gradio's variables; they are put back after each test."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
