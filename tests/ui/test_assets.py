"""Scripts, styles and fonts of the page: found by a table alone, kept by the browser, and renewed by their version."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from webui.ui.assets import KINDS, Assets
from webui.ui.mount import STATIC, STYLES
from webui.ui.packed_files import FOR_EVER

FILES = {"a.css": b"a {}", "b.js": b"b()", "fonts/c.woff2": b"c"}


def client_of(assets: Assets) -> TestClient:
    app = FastAPI()
    app.add_route(assets.route, assets.endpoint(), methods=["GET"])
    return TestClient(app)


def test_a_file_is_answered_with_its_kind_and_kept_for_ever() -> None:
    assets = Assets.of(FILES)
    client = client_of(assets)
    for name, data in FILES.items():
        answer = client.get("/" + assets.address(name))
        assert (answer.status_code, answer.content) == (200, data)
        assert answer.headers["content-type"] == KINDS[Path(name).suffix]
        assert answer.headers["cache-control"] == FOR_EVER


@pytest.mark.parametrize(
    "changed",
    [
        {**FILES, "a.css": b"a { }"},
        {**FILES, "d.js": b""},
        {"a.css": b"a {}", "b.js": b"b()"},
        {"a.css": b"a {}", "b.js": b"b()", "fonts/d.woff2": b"c"},
        {"a.cs": b"sa {}", "b.js": b"b()", "fonts/c.woff2": b"c"},
    ],
)
def test_any_change_of_a_file_is_another_version(changed: dict[str, bytes]) -> None:
    assert Assets.of(changed).version != Assets.of(FILES).version


def test_the_version_does_not_depend_on_the_order() -> None:
    assert Assets.of(dict(reversed(FILES.items()))).version == Assets.of(FILES).version


@pytest.mark.parametrize(
    "name",
    ["x.js", "../assets.py", "..%2fassets.py", "fonts/../a.css", "%2e%2e/a.css", "/etc/passwd", "a.css/", "A.css", ""],
)
def test_only_names_of_the_table_are_answered(name: str) -> None:
    assets = Assets.read(STATIC)
    client = client_of(assets)
    address = f"/internal/page/static/{assets.version}/"
    assert client.get(address + "tokens.css").status_code == 200
    assert client.get(address + name).status_code == 404


def test_another_version_is_not_answered() -> None:
    assets = Assets.of(FILES)
    answer = client_of(assets).get("/" + assets.address("b.js").replace(assets.version, "0" * 16))
    assert answer.status_code == 404
    assert "reload" in answer.text


def test_an_address_is_given_for_known_files_only() -> None:
    with pytest.raises(KeyError, match=r"d\.js"):
        Assets.of(FILES).address("d.js")


def test_the_folder_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "fonts").mkdir()
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "fonts" / "c.LICENSE").write_text("not served")
    assets = Assets.read(tmp_path, {"words/de.json": b"{}"})
    assert dict(assets.files) == {**FILES, "words/de.json": b"{}"}


def test_the_page_has_its_own_files() -> None:
    files = Assets.read(STATIC).files
    assert {*STYLES, "boot.js", "page.js", "fonts/inter.woff2"} <= set(files)
    assert (STATIC / "fonts" / "inter.LICENSE").is_file()
