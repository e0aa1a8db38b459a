"""`internal/page/extensions` and `internal/page/files`: what forms of extensions ask for, with and without `--api`."""

import dataclasses
from pathlib import Path

from tests.api.fakes import FakeEngine, call, parts_of
from tests.installing.making import folder_source
from tests.installing.test_doors import Program
from webui.api.application import create
from webui.api.page.model_rows import rows_of
from webui.installing.live import InstallDoor
from webui.installing.permission import Permission
from webui.library.library import ModelLibrary
from webui.weights.families.registry import FAMILIES

MODELS = Path(__file__).parents[2] / "models"
PAGE = "/internal/page"


def test_the_page_installs_by_a_plan_also_without_the_api(tmp_path: Path) -> None:
    program = Program(tmp_path)
    door = InstallDoor(program.installer, program.live, Permission())
    parts = dataclasses.replace(parts_of(FakeEngine(extensions=program.catalog)), installing=door)
    app = create(parts, with_api=False)
    local = {"host": "127.0.0.1:7860"}

    def post(path: str, body: object) -> dict[str, object]:
        answer = call(app, "POST", f"{PAGE}/extensions/{path}", json=body, headers=local)
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        return found

    plan = post("plan", {"source": str(folder_source(tmp_path))})
    assert program.workers == []  # nothing ran
    post("apply", {"token": plan["token"]})
    [row] = call(app, "GET", f"{PAGE}/extensions").json()
    assert (row["name"], row["state"]) == ("good", "ok")
    assert call(app, "GET", f"{PAGE}/extensions/installed").json()["good"]["now"]["version"] == "1.0"
    stale = call(app, "POST", f"{PAGE}/extensions/apply", json={"token": plan["token"]}, headers=local)
    assert (stale.status_code, "no such plan" in stale.json()["detail"]) == (422, True)
    assert call(app, "GET", "/api/extensions").status_code == 404


def test_who_may_not_install_may_not_by_the_page_either(tmp_path: Path) -> None:
    program = Program(tmp_path)
    headers = {"host": "127.0.0.1:7860", "X-Forwarded-For": "10.0.0.1"}
    answer = call(program.app, "POST", f"{PAGE}/extensions/plan", json={"source": "x"}, headers=headers)
    assert answer.status_code == 403


def test_a_row_tells_what_a_checkpoint_is(tmp_path: Path) -> None:
    library = ModelLibrary(MODELS, tmp_path, FAMILIES)
    rows = {row["name"]: row for row in rows_of(library, "checkpoint")}
    mini = rows["mini.safetensors"]
    assert (mini["stem"], mini["family"], mini["prediction"], mini["numbers"]) == ("mini", "SD1", "epsilon", "fp16")
    assert mini["size"].endswith(" MB")
    assert [row["kind"] for row in rows_of(library, "lora")][:1] == ["lora"]


def test_a_file_that_cannot_be_used_is_listed_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "models" / "Stable-diffusion").mkdir(parents=True)
    (tmp_path / "models" / "Stable-diffusion" / "torn.safetensors").write_bytes(b"1234")
    [row] = rows_of(ModelLibrary(tmp_path / "models", tmp_path / "cache", FAMILIES), "checkpoint")
    assert (row["usable"], row["family"]) == (False, "")
    assert row["reason"]


def test_kinds_of_files_are_those_that_there_are() -> None:
    app = create(parts_of(FakeEngine()), with_api=False)
    assert call(app, "GET", f"{PAGE}/files/checkpoint").status_code == 200
    answer = call(app, "GET", f"{PAGE}/files/../secret")
    assert answer.status_code == 404
    assert "there are: checkpoint" in call(app, "GET", f"{PAGE}/files/gone").json()["detail"]
