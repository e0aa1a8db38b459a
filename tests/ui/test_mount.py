"""What Gradio leaves open by default stays closed: files of the machine, published handlers, foreign hosts."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from gradio.routes import App

from tests.narrowing import untyped
from tests.ui.fakes import FakeEngine
from webui.ui.mount import mount
from webui.ui.uploads import foreign_file

SECRET = "the secret of this machine"
REFUSED = {False: '{"error":', True: '"success":false'}  # by whether the event went through the queue


@pytest.fixture(autouse=True)
def _environment_stays() -> None:
    """The page of the file needs what mounting has set; `folder` puts it back."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the page of the file lies, beside a secret."""
    made = tmp_path_factory.mktemp("mount")
    (made / "secret.txt").write_text(SECRET)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):  # mounting sets both
            patch.setenv(name, "")
        yield made


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[FakeEngine]:
    (folder / "outputs").mkdir()
    made = FakeEngine(folder / "outputs")
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(engine: FakeEngine, folder: Path) -> Iterator[TestClient]:
    """One page for the file: what its tests ask for is refused."""
    app = FastAPI()
    app.get("/mine")(lambda: "ours")
    mounted = mount(app, engine, temp_dir=folder / "temp", outputs_dir=engine.outputs)
    with TestClient(mounted, raise_server_exceptions=False) as made:
        yield made


def file_data(path: object) -> dict[str, object]:
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


def events(client: TestClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/config").json()["dependencies"]
    return found


def picture_event(client: TestClient) -> dict[str, Any]:
    config = client.get("/config").json()
    canvas = next(block["id"] for block in config["components"] if block["props"].get("elem_id") == "img2maskimg")
    return next(event for event in config["dependencies"] if canvas in event["inputs"])


def ask(client: TestClient, event: dict[str, Any], value: object, *, queue: bool = False) -> str:
    """Run an event as the page does, at once or through the queue, and give back everything it answers."""
    inputs = [value] * len(event["inputs"])
    body = {"data": inputs, "fn_index": event["id"], "session_hash": "s", "event_data": None, "trigger_id": None}
    if not queue:
        return client.post("/gradio_api/run/predict", json=body).text
    joined = client.post("/gradio_api/queue/join", json=body)
    if joined.status_code != 200:
        return joined.text
    return client.get("/gradio_api/queue/data", params={"session_hash": "s"}).text


def cached_files(folder: Path) -> list[Path]:
    return [path for path in (folder / "temp").rglob("*") if path.is_file()]


def test_the_page_and_the_routes_before_it_answer(client: TestClient) -> None:
    assert "gradio" in client.get("/").text
    assert client.get("/mine").json() == "ours"


@pytest.mark.parametrize("queue", [False, True])
@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ", "secret.txt", "../secret.txt"])
def test_an_event_cannot_name_a_file_of_the_machine(client: TestClient, folder: Path, path: str, queue: bool) -> None:
    named = folder / path if path == "secret.txt" else path
    answer = ask(client, picture_event(client), file_data(named), queue=queue)
    assert REFUSED[queue] in answer
    assert SECRET not in answer
    assert "root:" not in answer
    assert cached_files(folder) == []


@pytest.mark.parametrize("queue", [False, True])
def test_the_check_stands_apart_from_gradios_flag(
    client: TestClient, folder: Path, monkeypatch: pytest.MonkeyPatch, queue: bool
) -> None:
    monkeypatch.setattr(untyped(client.app).routes[-1].app.get_blocks(), "has_launched", False)
    answer = ask(client, picture_event(client), file_data(folder / "secret.txt"), queue=queue)
    assert REFUSED[queue] in answer
    assert cached_files(folder) == []


def test_the_page_is_made_an_application_once(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):  # mounting sets both
        monkeypatch.setenv(name, os.environ.get(name, ""))
    made: list[App] = []

    def counted(*given: Any, **more: Any) -> App:
        made.append(create_app(*given, **more))
        return made[-1]

    create_app = App.create_app
    monkeypatch.setattr(App, "create_app", counted)
    mounted = mount(FastAPI(), engine, temp_dir=tmp_path / "temp", outputs_dir=engine.outputs)
    [served] = made
    assert mounted.routes[-1].app is served
    assert served.get_blocks().app is served


def test_no_handler_waits_in_gradios_queue(client: TestClient) -> None:
    """An answer through the queue can be missed where the page's stream is just being closed."""
    page = untyped(client.app).routes[-1].app.get_blocks()
    assert page.fns
    assert [handler.fn for handler in page.fns.values() if handler.queue] == []
    assert page._queue.sleep_when_free >= 0.05  # so nothing waits for it, and a server at rest is at rest


@pytest.mark.parametrize("door", ["call", "run", "api", "call/v2"])
def test_handlers_have_no_published_door(client: TestClient, folder: Path, door: str) -> None:
    names = {event["api_name"] for event in events(client) if event["api_name"]} | {"fill", "generate"}
    assert client.get("/gradio_api/info").json()["named_endpoints"] == {}
    for name in names:
        # of one session: Gradio makes the state of a new one anew for each request
        body = {"data": [file_data("/etc/passwd")], "session_hash": "of the doors"}
        answer = client.post(f"/gradio_api/{door}/{name}", json=body)
        found = answer.text
        if answer.status_code == 200 and "event_id" in answer.json():
            found = client.get(f"/gradio_api/call/{name}/{answer.json()['event_id']}").text
        assert "root:" not in found
    assert cached_files(folder) == []


@pytest.mark.parametrize("door", ["file=", "file/", "proxy="])
def test_no_file_outside_the_private_folder_is_served(
    client: TestClient, engine: FakeEngine, folder: Path, door: str
) -> None:
    kept = engine.outputs / "kept.png"
    kept.write_bytes(b"a picture that was not shown")
    for path in ("/etc/passwd", folder / "secret.txt", kept, Path(__file__), "pyproject.toml"):
        assert client.get(f"/gradio_api/{door}{path}").status_code in (400, 403, 404)


def test_the_private_folder_is_emptied_and_closed_to_others(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):  # mounting sets both
        monkeypatch.setenv(name, os.environ.get(name, ""))
    old = tmp_path / "temp" / "gradio" / "old.png"
    old.parent.mkdir(parents=True)
    old.write_text("left by the last run")
    mount(FastAPI(), engine, temp_dir=tmp_path / "temp", outputs_dir=engine.outputs)
    assert not old.exists()
    assert stat.S_IMODE(old.parent.stat().st_mode) == 0o700


def test_the_page_names_no_foreign_font_or_script(client: TestClient) -> None:
    css = client.get("/theme.css").text
    assert "@import" not in css
    assert "url(http" not in css.replace('"', "").replace("'", "")


def test_a_link_in_the_upload_folder_does_not_lead_out(tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    (tmp_path / "secret.txt").write_text(SECRET)
    (uploads / "mine.png").write_text("mine")
    os.symlink(tmp_path / "secret.txt", uploads / "link.png")
    assert foreign_file([file_data(uploads / "mine.png")], uploads) is None
    for path in (uploads / "link.png", uploads / ".." / "secret.txt", "http://127.0.0.1/x", "a\0b", "/"):
        assert foreign_file([{"deep": [file_data(path)]}], uploads) == str(path)


def test_an_upload_that_is_too_big_is_refused(client: TestClient) -> None:
    answer = client.post("/gradio_api/upload", files={"files": ("a.png", b"0" * (65 * 1024 * 1024))})
    assert answer.status_code == 413


def test_the_page_loads_no_torch() -> None:
    code = "import sys, webui.ui.mount; sys.exit(sorted({'torch', 'transformers'} & set(sys.modules)) or 0)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)
