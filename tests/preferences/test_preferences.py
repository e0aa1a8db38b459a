"""Settings of a running program: the table, changes and resets, who may change what, and the file they are kept in."""

import errno
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from webui.domain.errors import WebuiError
from webui.domain.saving import Saving
from webui.domain.settings import Settings, merge
from webui.preferences import settings_file
from webui.preferences.name_example import name_example
from webui.preferences.preferences import LOCAL_ONLY, Live, Preferences, as_json, default_of
from webui.preferences.setting import GROUPS, control_of
from webui.preferences.setting_rows import BY_NAME, ROWS
from webui.preferences.settings_file import SettingsFile

OPEN_TO_ALL = [row for row in ROWS if not row.elsewhere]
OTHERS: dict[str, Any] = {  # a value of each setting that may be changed and is no switch, choice or number
    "filename_pattern": "[seed]",
    "folder_pattern": "",
    "language": "zh_CN",
    "quicksettings": ["checkpoint"],
    "default_checkpoint": "mini",
    "default_vae": "soft",
    "device": "cpu",
    "executor": "elsewhere",
    "model_folders": ["lora=/data/loras"],
    "cors_origin_pattern": "https://.*",
    "subpath": "/sd",
    "host": "0.0.0.0",
}


def another(name: str) -> Any:
    """A valid value that is not the default."""
    row, control = BY_NAME[name], control_of(BY_NAME[name])
    if name in OTHERS:
        return OTHERS[name]
    if control.kind == "switch":
        return not default_of(name)
    if control.kind == "choice":
        return next(one for one in control.choices if one != default_of(name))
    if control.kind == "number":
        return (control.low or 0) + 7
    return ["there"] if control.kind == "list" else f"there/{row.name}"


def made(folder: Path, given: dict[str, str] | None = None) -> Preferences:
    file = folder / "settings.json"
    settings = merge(json.loads(file.read_text()) if file.exists() else {}, {}, {})
    preferences = Preferences(settings, SettingsFile(file), given=given or {})
    preferences.connect(Live({row.name: lambda now: None for row in ROWS if row.counts == "now"}))
    return preferences


def test_every_setting_stands_in_the_table_once() -> None:
    assert sorted(row.name for row in ROWS) == sorted(Settings.model_fields)
    assert {row.group for row in ROWS} == set(GROUPS)
    assert len({row.label for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert row.label[0].isupper(), row.name
        assert row.help.endswith("."), row.name


def test_groups_stand_together() -> None:
    order = [row.group for row in ROWS]
    assert sorted(order, key=GROUPS.index) == order


@pytest.mark.parametrize("row", OPEN_TO_ALL, ids=lambda row: row.name)
def test_a_change_is_kept_for_the_next_start_and_a_reset_takes_it_back(row: Any, tmp_path: Path) -> None:
    preferences = made(tmp_path)
    value = another(row.name)
    outcome = preferences.change({row.name: value}, may_widen=True)[row.name]
    assert outcome.state == row.counts, outcome.text
    assert preferences.value(row) == value
    assert preferences.is_changed(row)
    assert made(tmp_path).value(row) == value
    assert preferences.exported() == {row.name: value}
    assert preferences.reset([row.name], may_widen=True)[row.name].state == row.counts
    assert json.loads((tmp_path / "settings.json").read_text()) == {}
    assert preferences.value(row) == as_json(default_of(row.name))


def test_only_what_counts_now_is_in_force_at_once(tmp_path: Path) -> None:
    preferences, told = made(tmp_path), list[str]()
    preferences.connect(Live({"image_format": lambda now: told.append(now.image_format)}, lambda: told.append("renew")))
    preferences.change({"image_format": "webp", "device": "cpu", "port": 8000}, may_widen=True)
    assert told == ["webp", "renew"]
    assert (preferences.running.image_format, preferences.running.device, preferences.running.port) == (
        "webp", "cpu", 7860,
    )  # fmt: skip
    assert preferences.is_pending(BY_NAME["port"])
    assert not preferences.is_pending(BY_NAME["device"])


def test_a_value_that_the_program_cannot_use_is_taken_back(tmp_path: Path) -> None:
    preferences = made(tmp_path)

    def refuse(now: Settings) -> None:
        raise WebuiError(f"there is no checkpoint {now.default_checkpoint}")

    preferences.connect(Live({"default_checkpoint": refuse}))
    outcome = preferences.change({"default_checkpoint": "gone"}, may_widen=True)["default_checkpoint"]
    assert (outcome.state, outcome.text) == ("refused", "there is no checkpoint gone")
    assert preferences.wanted == preferences.running == Settings()
    assert json.loads((tmp_path / "settings.json").read_text()) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", 70_000), ("port", "many"), ("image_format", "bmp"), ("cors_origin_pattern", "("), ("subpath", "/../x"),
     ("model_folders", ["loras"]), ("outputs_dir", "a\0b"), ("filename_pattern", "x" * 201), ("nothing", 1)],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_a_sentence_and_changes_nothing(name: str, value: Any, tmp_path: Path) -> None:
    preferences = made(tmp_path)
    outcomes = preferences.change({name: value, "sidecar_text": True}, may_widen=True)
    assert outcomes[name].state == "refused"
    assert outcomes[name].text
    assert outcomes["sidecar_text"].state == "now"
    assert preferences.exported() == {"sidecar_text": True}


def test_what_widens_access_is_changed_only_by_people_at_the_machine(tmp_path: Path) -> None:
    preferences = made(tmp_path)
    for row in ROWS:
        if row.widens:
            outcome = preferences.change({row.name: another(row.name)}, may_widen=False)[row.name]
            assert (outcome.state, outcome.text) == ("refused", LOCAL_ONLY)
    assert not (tmp_path / "settings.json").exists()
    assert preferences.wanted == Settings()


def test_what_a_flag_gives_is_not_changed(tmp_path: Path) -> None:
    preferences = made(tmp_path, {"port": "--port"})
    assert "--port" in preferences.change({"port": 8000}, may_widen=True)["port"].text
    assert preferences.reset(["port"], may_widen=True)["port"].state == "refused"


def test_secrets_leave_the_program_in_no_way(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"api_auth": "me:hidden", "webhook_secret": "hidden"}))
    preferences = made(tmp_path)
    assert preferences.value(BY_NAME["api_auth"]) is True
    assert "hidden" not in json.dumps([preferences.value(row) for row in ROWS])
    assert preferences.exported() == {}
    assert preferences.change({"api_auth": ""}, may_widen=True)["api_auth"].state == "refused"
    assert preferences.reset(may_widen=True) == {}
    assert made(tmp_path).wanted.api_auth == "me:hidden"


def test_resetting_all_leaves_what_may_not_be_changed(tmp_path: Path) -> None:
    preferences = made(tmp_path)
    preferences.change({"host": "0.0.0.0", "preview_every": 1}, may_widen=True)
    assert [*preferences.reset(may_widen=False)] == ["preview_every"]
    assert preferences.exported() == {"host": "0.0.0.0"}


def test_keys_that_nobody_knows_stay_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"of_tomorrow": [1]}')
    SettingsFile(file).change({"port": 1})
    assert json.loads(file.read_text()) == {"of_tomorrow": [1], "port": 1}


def test_a_damaged_file_is_kept_aside(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"port": ')
    SettingsFile(file).change({"port": 1})
    assert json.loads(file.read_text()) == {"port": 1}
    assert [one.read_text() for one in tmp_path.glob("settings.json.damaged-*")] == ['{"port": ']


def test_a_full_disk_changes_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preferences = made(tmp_path)
    preferences.change({"port": 8000}, may_widen=True)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(settings_file, "write_atomically", full)
    outcome = preferences.change({"image_format": "webp"}, may_widen=True)["image_format"]
    assert (outcome.state, outcome.text) == (
        "refused", "settings.json cannot be written: No space left on device; nothing was changed",
    )  # fmt: skip
    assert preferences.running.image_format == "png"
    assert json.loads((tmp_path / "settings.json").read_text()) == {"port": 8000}


@pytest.mark.parametrize(
    ("file_pattern", "folder_pattern", "image_format", "name"),
    [
        ("[number]-[seed]", "[date]", "png", "2026-05-03/00012-1234567890.png"),
        ("[seed]", "", "jpg", "1234567890.jpg"),
        ("[model_name] [width]x[height]", "[steps]", "webp", "20/mini 512x768.webp"),
        ("../[prompt_words<2>]", "..", "png", "_/_.._a red.png"),
    ],
)
def test_the_example_is_the_name_that_a_picture_would_get(
    file_pattern: str, folder_pattern: str, image_format: Any, name: str
) -> None:
    saving = Saving(filename_pattern=file_pattern, folder_pattern=folder_pattern, image_format=image_format)
    assert name_example(saving, datetime(2026, 5, 3, 12, tzinfo=UTC)) == name
