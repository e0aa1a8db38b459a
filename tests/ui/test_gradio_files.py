"""Gradio's own files: a browser is told at once of all that the page will ask for, and gets them packed once."""

import gzip
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from webui.ui.gradio_files import GradioFiles
from webui.ui.packed_files import FOR_EVER


@pytest.mark.parametrize("kind", ["textbox", "html", "slider"])
def test_only_the_files_of_kinds_that_are_on_the_page_are_named(kind: str) -> None:
    files = GradioFiles.read()
    none, one, all_of_them = files.needed(()), files.needed({kind}), files.needed({kind, "chatbot"})
    assert set(none) < set(one) < set(all_of_them)
    assert all(name in files.files for name in all_of_them)
    assert any(name.startswith("Blocks-") for name in none)
    assert not any(name.startswith("ApiDocs-") for name in all_of_them)


def test_a_file_is_read_and_packed_once_and_only_names_of_the_folder_are_answered(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "secret.js").write_text("no")
    script = tmp_path / "assets" / "a.js"
    script.write_text("let a;" * 1000)
    app = FastAPI()
    app.add_route("/assets/{name}", GradioFiles.read(tmp_path).endpoint(), methods=["GET"])
    client = TestClient(app)
    first = client.get("/assets/a.js")
    script.unlink()
    again = client.get("/assets/a.js")
    assert first.text == again.text == "let a;" * 1000
    assert (first.headers["content-encoding"], first.headers["cache-control"]) == ("gzip", FOR_EVER)
    assert int(first.headers["content-length"]) == len(gzip.compress(b"let a;" * 1000, 9, mtime=0))
    for name in ("b.js", "../secret.js", "..%2fsecret.js", ""):
        assert client.get(f"/assets/{name}").status_code == 404
