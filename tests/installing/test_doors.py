"""The doors: who may install through the API, plans and tokens, live switching, the command line."""

import dataclasses
import io
import json
import sys
from collections.abc import Collection
from pathlib import Path

import httpx
import pytest

from tests.api.fakes import FakeEngine, call, parts_of
from tests.extensions.toys import good
from tests.installing.making import folder_source, installer
from tests.narrowing import known
from webui.api.application import create
from webui.commands.cli import main
from webui.domain.errors import BadRequestError
from webui.domain.extensions import ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.domain.settings import Settings
from webui.installing.live import InstallDoor, LiveExtensions
from webui.installing.permission import NotAllowedError, Permission
from webui.plugins.catalog import Catalog
from webui.plugins.crashes import CrashGuard, CrashRegister
from webui.plugins.loader import folders, load_all, peek
from webui.server.app import install_door

LOCAL = {"host": "127.0.0.1:7860"}


class Program:
    """A catalog, an installer and a worker that only counts."""

    def __init__(self, folder: Path, permission: Permission = Permission()) -> None:
        self.folder = folder
        self.workers: list[tuple[str, ...]] = []
        self.installer = installer(folder)
        self.catalog = Catalog(self.look(()), folder / "data" / "settings.json")
        self.crashes = CrashRegister(folder / "extensions", folder / "crashes.json")
        self.live = LiveExtensions(
            self.catalog, self.installer, (), describe=self.look, renew=self.renew, forget=self.crashes.forget
        )
        self.live.open()
        door = InstallDoor(self.installer, self.live, permission)
        self.app = create(dataclasses.replace(parts_of(FakeEngine(extensions=self.catalog)), installing=door))

    def look(self, disabled: Collection[str]) -> tuple[ExtensionInfo, ...]:
        return tuple(peek(folder, disabled) for folder in folders(self.folder / "extensions"))

    def renew(self, disabled: tuple[str, ...], broken: tuple[tuple[str, str], ...]) -> None:
        self.workers.append(disabled)

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        return call(self.app, "POST", f"/api/extensions/{path}", json=body, headers=headers)


@pytest.mark.usefixtures("forked_describing")
def test_plan_apply_and_remove_over_http(tmp_path: Path) -> None:
    program = Program(tmp_path)
    plan = program.post("plan", {"source": str(folder_source(tmp_path))}).json()
    assert (plan["action"], plan["manifest"]["name"], plan["packages"]) == ("install", "good", [])
    assert program.workers == []
    installed = program.post("apply", {"token": plan["token"]}).json()["installed"]
    assert installed["sha256"] == plan["sha256"]
    assert [info.name for info in program.catalog.infos] == ["good"]
    assert program.workers == [()]
    assert program.post("plan", {"update": "good"}).json() == {"action": "none", "name": "good"}
    assert program.post("good/check", {}).json() == {"name": "good", "problems": []}
    assert call(program.app, "GET", "/api/extensions/installed").json()["good"]["now"] == installed
    again = program.post("apply", {"token": plan["token"]})
    assert (again.status_code, "no such plan" in again.json()["detail"]) == (422, True)
    assert program.post("good/enabled", {"enabled": False}).json()["restart_needed"] is False
    assert program.workers[-1] == ("good",)
    assert program.post("good/remove", {}).json() == {"removed": "good", "unneeded_packages": []}
    assert program.catalog.infos == ()


def test_one_that_was_set_aside_is_listed_with_the_reason_and_can_be_used_again(tmp_path: Path) -> None:
    good(tmp_path / "extensions")
    program = Program(tmp_path)
    for _ in range(2):
        program.crashes.note("good", "pre_step: exit code 9")
    reasons = CrashGuard(tmp_path / "extensions", tmp_path / "crashes.json").broken()
    program.catalog.note_worker(load_all(tmp_path / "extensions", aside=reasons).infos)

    def listed() -> tuple[str, str]:
        (one,) = call(program.app, "GET", "/api/extensions").json()
        return one["state"], one["error"]

    state, why = listed()
    assert state == "aside"
    assert "pre_step: exit code 9; pre_step: exit code 9" in why
    assert "switch it on under Extensions" in why
    program.catalog.check(GenerationRequest(extensions={"good": {"anything": 1}}))  # the job is made without it
    with pytest.raises(BadRequestError, match="set aside"):
        program.catalog.call("good", "do", {})
    assert program.post("good/enabled", {"enabled": True}).json()["restart_needed"] is False
    assert listed() == ("ok", "")
    assert program.workers == [()]
    assert CrashGuard(tmp_path / "extensions", tmp_path / "crashes.json").broken() == {}


@pytest.mark.parametrize("path", ["plan", "apply", "discard", "good/remove", "good/rollback", "good/check"])
def test_every_route_asks_who_calls(tmp_path: Path, path: str) -> None:
    for program, headers in (
        (Program(tmp_path), {"X-Forwarded-For": "10.0.0.1"}),
        (Program(tmp_path, Permission(loopback_only=False)), {}),
    ):
        answer = program.post(path, {"source": "x", "token": "x"}, **headers)
        assert answer.status_code == 403
        assert "--allow-extension-install" in answer.json()["detail"]


def test_who_may_install() -> None:
    local = Permission()
    local.check("127.0.0.1", LOCAL)
    local.check("::1", {"host": "[::1]:7860"})
    local.check("127.0.0.1", {"host": "localhost"})
    Permission(everybody=True, loopback_only=False).check("10.0.0.1", {})
    for rule, client, headers in (
        (Permission(loopback_only=False), "127.0.0.1", LOCAL),
        (local, "10.0.0.1", LOCAL),
        (local, "", LOCAL),
        (local, "127.0.0.1", {"host": "evil.example:7860"}),
        (local, "127.0.0.1", {}),
        *((local, "127.0.0.1", LOCAL | {name: "x"}) for name in ("forwarded", "via", "x-real-ip")),
    ):
        with pytest.raises(NotAllowedError):
            rule.check(client, headers)


def test_a_server_that_others_can_reach_does_not_install() -> None:
    class Wired:
        installer = live = None

    def rule(**settings: object) -> Permission:
        return install_door(Settings.model_validate(settings), Wired()).permission  # type: ignore[arg-type]

    assert rule() == Permission(everybody=False, loopback_only=True)
    assert not rule(host="0.0.0.0").loopback_only
    assert not rule(allowed_hosts=("art.example.org",)).loopback_only
    assert rule(allow_extension_install=True).everybody


@pytest.mark.usefixtures("forked_describing")
def test_a_new_version_that_the_worker_cannot_load_is_rolled_back(tmp_path: Path) -> None:
    program = Program(tmp_path)
    source = folder_source(tmp_path)
    program.installer.apply(program.installer.plan_install(str(source)).token)
    (source / "extension.toml").write_text('name = "good"\nversion = "2"\ndescription = "A toy"\nhooks = 2\n')
    program.installer.apply(known(program.installer.plan_update("good")).token)
    assert known(program.catalog.get("good")).version == "2"
    before = len(program.workers)
    program.live._settle((ExtensionInfo("good", "good", "2", state="failed", error="dies here"),))
    assert known(program.catalog.get("good")).version == "1.0"
    assert len(program.workers) == before + 1


def _run(tmp_path: Path, *arguments: str) -> int:
    folders = ("--data-dir", str(tmp_path / "data"), "--extensions-dir", str(tmp_path / "extensions"))
    return main(["extensions", *arguments, *folders])


@pytest.mark.usefixtures("forked_describing")
def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    source = str(folder_source(tmp_path, manifest='permissions = ["network"]'))
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert _run(tmp_path, "install", source) == 1
    told = capsys.readouterr().out
    assert "Permissions:     network" in told
    assert "all your rights" in told
    assert "nothing was changed" in told
    assert _run(tmp_path, "check", source) == 0
    assert folders(tmp_path / "extensions") == ()
    assert _run(tmp_path, "install", source, "--yes") == 0
    assert _run(tmp_path, "check", "good") == 0
    assert _run(tmp_path, "update", "good") == 0
    assert "up to date" in capsys.readouterr().out
    assert _run(tmp_path, "disable", "good") == 0
    assert json.loads((tmp_path / "data" / "settings.json").read_text()) == {"disabled_extensions": ["good"]}
    assert _run(tmp_path, "enable", "good") == 0
    assert _run(tmp_path, "remove", "good", "--yes") == 0
    assert folders(tmp_path / "extensions") == ()
    assert _run(tmp_path, "install", "http://example.org/x", "--yes") == 1
    assert "over https only" in capsys.readouterr().err
