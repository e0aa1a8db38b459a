"""Settings and presets over the whole of the server: who may do what, what is answered, and what never is."""

import json
from typing import Any

import pytest

from tests.api.page.browsers import PAGE, Browser, Server
from tests.engine_bench import Bench
from webui.domain.settings import merge
from webui.installing.permission import Permission
from webui.preferences.door import PreferencesDoor
from webui.preferences.preferences import LOCAL_ONLY, Live, Preferences
from webui.preferences.presets import Presets
from webui.preferences.setting_rows import ROWS
from webui.preferences.settings_file import SettingsFile

SECRET = "a-word-that-nobody-may-read"


def server_in(bench: Bench, *, loopback_only: bool = True, **more: Any) -> Server:
    secrets = {"api_auth": f"me:{SECRET}", "webhook_secret": SECRET}
    preferences = Preferences(merge(secrets, {}, {}), SettingsFile(bench.folder / "settings.json"))
    preferences.connect(Live({row.name: lambda now: None for row in ROWS if row.counts == "now"}))
    permission = Permission(loopback_only=loopback_only)
    door = PreferencesDoor(preferences, Presets(bench.folder / "presets.json"), permission.allows)
    return Server(bench, preferences=door, **more)


def settings(browser: Browser) -> dict[str, Any]:
    return {one["name"]: one for one in browser.get("preferences").json()["settings"]}


def test_a_change_is_told_with_the_setting_as_it_is_now(bench: Bench) -> None:
    me = server_in(bench).browser()
    answer = me.order("preferences", {"values": {"image_format": "webp", "jpeg_quality": 0}})
    assert answer["outcomes"]["image_format"] == {"state": "now", "text": ""}
    assert answer["outcomes"]["jpeg_quality"]["state"] == "refused"
    assert {one["name"]: one["value"] for one in answer["settings"]} == {"image_format": "webp", "jpeg_quality": 80}
    assert settings(me)["image_format"]["changed"]
    me.order("preferences/reset", {"names": None})
    assert not settings(me)["image_format"]["changed"]


def test_people_at_the_machine_may_widen_access(bench: Bench) -> None:
    me = server_in(bench).browser()
    assert settings(me)["host"]["locked"] == ""
    assert me.order("preferences", {"values": {"host": "0.0.0.0"}})["outcomes"]["host"]["state"] == "next start"
    assert settings(me)["host"]["pending"]


@pytest.mark.parametrize(
    ("loopback_only", "headers"), [(False, {}), (True, {"x-forwarded-for": "10.0.0.7"}), (True, {"forwarded": "for=a"})]
)
def test_others_may_not(bench: Bench, loopback_only: bool, headers: dict[str, str]) -> None:
    me = server_in(bench, loopback_only=loopback_only).browser()
    body = {"values": {row.name: row.name for row in ROWS if row.widens}}
    answer = me.ask("POST", f"{PAGE}/preferences", body, headers=headers).json()
    assert {one["text"] for one in answer["outcomes"].values()} == {LOCAL_ONLY}
    assert not (bench.folder / "settings.json").exists()


def test_other_sites_change_nothing(bench: Bench) -> None:
    me = server_in(bench).browser()
    for path, body in (
        ("preferences", {"values": {"image_format": "webp"}}),
        ("preferences/reset", {}),
        ("presets", {"name": "one"}),
        ("presets/delete", {"name": "one"}),
    ):
        answer = me.ask("POST", f"{PAGE}/{path}", body, headers={"origin": "https://elsewhere.example"})
        assert answer.status_code == 403, path
    assert not settings(me)["image_format"]["changed"]


def test_secrets_are_in_no_answer(bench: Bench) -> None:
    me = server_in(bench).browser()
    for path in ("preferences", "preferences/export", "presets", "first_run"):
        assert SECRET not in me.get(path).text
    answer = me.order("preferences", {"values": {"api_auth": "", "webhook_secret": ""}})
    assert SECRET not in json.dumps(answer)
    assert {one["state"] for one in answer["outcomes"].values()} == {"refused"}
    assert SECRET not in json.dumps(me.order("preferences/reset", {"names": ["api_auth", "webhook_secret"]}))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("preferences", {"values": 3}),
        ("preferences", {"value": {}}),
        ("preferences/reset", {"names": "host"}),
        ("preferences/example", {"filename_pattern": "x" * 201, "folder_pattern": ""}),
        ("presets", {"name": "", "fields": {}}),
        ("presets", {"name": "large", "fields": {"prompt": "x" * 70_000}}),
    ],
)
def test_what_makes_no_sense_is_refused(bench: Bench, path: str, body: Any) -> None:
    server_in(bench).browser().order(path, body, 422)


def test_presets_are_kept_and_deleted(bench: Bench) -> None:
    me = server_in(bench).browser()
    kept = {"name": "small", "checkpoint": "", "fields": {"width": 128}, "prefix": "best"}
    assert me.order("presets", kept) == me.get("presets").json() == {"presets": [kept]}
    assert me.order("presets/delete", {"name": "small"}) == {"presets": []}


def test_an_example_is_a_name_and_no_file(bench: Bench) -> None:
    me = server_in(bench).browser()
    patterns = {"filename_pattern": "[seed]", "folder_pattern": "[width]", "image_format": "jpg"}
    assert me.order("preferences/example", patterns) == {"name": "512/1234567890.jpg"}


def test_the_first_page_tells_others_no_place_of_this_machine(bench: Bench) -> None:
    here = server_in(bench).browser().get("first_run").json()
    elsewhere = server_in(bench, loopback_only=False).browser().get("first_run").json()
    assert [one["kind"] for one in here["places"]] == ["Checkpoints", "LoRA", "VAE"]
    assert elsewhere["programs"] == elsewhere["used"] == []
    assert all(not one["folder"].startswith("/") for one in elsewhere["places"])
