"""The page with the routes of settings behind it, over an engine that a test drives."""

from pathlib import Path

from fastapi import FastAPI

from tests.api.fakes import encode
from tests.ui.fakes import FakeEngine
from webui.api.application import create
from webui.api.parts import Parts
from webui.domain.settings import Settings
from webui.preferences.door import PreferencesDoor
from webui.preferences.preferences import Live, Preferences
from webui.preferences.presets import Presets
from webui.preferences.setting_rows import ROWS
from webui.preferences.settings_file import SettingsFile
from webui.ui.mount import mount


def preferences_in(folder: Path) -> Preferences:
    """Settings as a fresh program has them, started with `--port`."""
    made = Preferences(Settings(), SettingsFile(folder / "settings.json"), given={"port": "--port"})
    made.connect(Live({row.name: lambda now: None for row in ROWS if row.counts == "now"}))
    return made


def settings_app(
    engine: FakeEngine,
    preferences: Preferences,
    folder: Path,
    *,
    presets: Presets | None = None,
    is_local: bool = False,
) -> FastAPI:
    """The application.

    Args:
        folder: for everything that it writes.
        presets: those that the page has; None: its own, none at first.
        is_local: whether whoever opens the page counts as somebody at the machine.
    """
    presets = presets or Presets(folder / "presets.json")
    door = PreferencesDoor(preferences, presets, lambda client, headers: is_local)
    app = create(Parts(engine, encode, preferences=door, cache_dir=folder / "cache"), with_api=False)
    made: FastAPI = mount(
        app,
        engine,
        temp_dir=folder / "temp",
        outputs_dir=engine.outputs,
        look=lambda: (preferences.running.theme, preferences.running.language),
        first_run=True,
        saves=lambda: preferences.running.save_images,
    )
    return made
