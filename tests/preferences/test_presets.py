"""Presets: kept in a file, bounded, and a damaged file costs none of what comes later."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from webui.domain.errors import WebuiError
from webui.preferences import presets as room
from webui.preferences.presets import LARGEST, MOST, Preset, Presets


def test_presets_are_there_at_the_next_start_in_the_order_of_their_names(tmp_path: Path) -> None:
    presets = Presets(tmp_path / "presets.json")
    presets.keep(Preset(name="small", fields={"width": 128}))
    presets.keep(Preset(name="Portrait", checkpoint="mini.safetensors", fields={"task.hires.enabled": True}))
    presets.keep(Preset(name="small", fields={"width": 64}))
    again = Presets(tmp_path / "presets.json")
    assert [(one.name, one.checkpoint, one.fields) for one in again.all()] == [
        ("Portrait", "mini.safetensors", {"task.hires.enabled": True}),
        ("small", "", {"width": 64}),
    ]
    again.delete("small")
    assert [one.name for one in Presets(tmp_path / "presets.json").all()] == ["Portrait"]


@pytest.mark.parametrize("text", ["", "[]", '{"presets": 1}', '{"presets": [{"name": ""}]}', '{"presets": [{}]}'])
def test_a_damaged_file_is_kept_aside(tmp_path: Path, text: str) -> None:
    file = tmp_path / "presets.json"
    file.write_text(text)
    presets = Presets(file)
    assert presets.all() == ()
    presets.keep(Preset(name="one"))
    assert len(Presets(file).all()) == 1
    assert [one.read_text() for one in tmp_path.glob("presets.json.damaged-*")] == [text]


def test_there_are_bounds(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        Preset(name="large", fields={"prompt": "x" * LARGEST})
    with pytest.raises(ValidationError):
        Preset(name="  ")
    file = tmp_path / "presets.json"
    file.write_text(json.dumps({"presets": [{"name": str(number)} for number in range(MOST)]}))
    presets = Presets(file)
    presets.keep(Preset(name="7", fields={"width": 8}))
    with pytest.raises(WebuiError, match="delete one"):
        presets.keep(Preset(name="one more"))
    assert len(presets.all()) == MOST


def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    presets = Presets(tmp_path / "presets.json")
    presets.keep(Preset(name="one"))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(room, "write_atomically", full)
    with pytest.raises(WebuiError, match="No space left"):
        presets.keep(Preset(name="two"))
    assert [one.name for one in presets.all()] == ["one"]
