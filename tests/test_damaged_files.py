"""Files of the data folder that are cut, empty, of wrong types or nested without end: the program starts, what the user
wrote is kept aside, and what is only a cache is made anew.
"""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import pytest
from PIL import Image

from tests.extensions.hooking_back import HookingBack
from tests.extensions.toys import good
from tests.forked_describing import forked_describing
from tests.narrowing import untyped
from webui.commands.cli import read_settings
from webui.domain.errors import UnusableFileError
from webui.domain.images import Picture
from webui.domain.request import GenerationRequest
from webui.domain.settings import Settings
from webui.domain.upscale import Upscale
from webui.executors.inline import InlineExecutor
from webui.installing.lockfile import FILE as LOCK_FILE
from webui.installing.lockfile import LockFile
from webui.jobs.starting_values import StartingValues
from webui.jobs.store import JobStore
from webui.library.json_object import MAX_DEPTH, json_value, read_json
from webui.library.library import ModelLibrary
from webui.plugins.catalog import write_switch
from webui.plugins.crashes import CrashGuard, CrashRegister
from webui.plugins.describing import describe_all
from webui.plugins.manifest import ManifestError, read_manifest
from webui.processing.texts import Texts
from webui.server import app
from webui.server.app import wired
from webui.server.datalock import DataLock
from webui.weights.families.registry import FAMILIES

__all__ = ["forked_describing"]

DAMAGES: Mapping[str, bytes] = MappingProxyType(
    {
        "empty": b"",
        "cut": b'{"good": {"hash": "12',
        "nested": b"[" * 100_000,
        "nested and closed": b"[" * 100_000 + b"]" * 100_000,
        "objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "nested a little": b"[" * 900 + b"]" * 900,
        "a list": b"[1, null]",
        "a number": b"7",
        "null": b"null",
        "no text": b"\xff\xfe\x00\x01",
        "wrong types": b'{"good": {"hash": 5, "deaths": "x", "loading": []}, "sha256": [], "entries": {}}',
        "wrong inside": b'{"good": [1], "steps": "many", "port": {"a": 1}, "disabled_extensions": 4}',
        "long": b'{"a": "' + b"x" * (17 * 1024 * 1024) + b'"}',
    }
)
each_damage = pytest.mark.parametrize("content", DAMAGES.values(), ids=DAMAGES.keys())


@each_damage
def test_a_bad_cache_is_made_anew(tmp_path: Path, content: bytes) -> None:
    good(tmp_path / "e")
    cache = tmp_path / "data" / "cache"
    cache.mkdir(parents=True)
    for name in ("extension-crashes.json", "model-files.json"):
        (cache / name).write_bytes(content)
    guard = CrashGuard(tmp_path / "e", cache / "extension-crashes.json")
    assert guard.broken() == {}
    with guard.around("good"):
        pass
    assert not CrashRegister(tmp_path / "e", cache / "extension-crashes.json").note("good", "pre_step: signal 9")
    library = ModelLibrary(tmp_path / "models", cache, FAMILIES)
    library.refresh()
    assert library.checkpoints() == ()


@pytest.mark.usefixtures("forked_describing")
def test_a_bad_cache_of_descriptions_is_made_anew(tmp_path: Path) -> None:
    good(tmp_path / "e")
    cache = tmp_path / "extensions.json"
    first = describe_all(tmp_path / "e", cache)
    whole = cache.read_bytes()
    for content in (DAMAGES["nested"], whole[: len(whole) // 2], whole.replace(b'"properties"', b'"propertied"')):
        cache.write_bytes(content)
        assert describe_all(tmp_path / "e", cache) == first
        assert cache.read_bytes() == whole


@each_damage
def test_bad_settings_are_kept_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    assert read_settings(path) in ({}, {"disabled_extensions": (), "steps": 1})
    aside = list(tmp_path.glob("settings.json.damaged-*"))
    assert path.exists() is (not aside)
    assert [one.read_bytes() for one in aside] in ([], [content])


@each_damage
def test_bad_starting_values_are_kept_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "starting_values.json"
    path.write_bytes(content)
    values = StartingValues(path)
    assert values.get() == GenerationRequest()
    assert values.change({"steps": 7}).steps == 7
    assert StartingValues(path).get().steps == 7


def test_a_switch_is_written_whatever_the_list_of_switches_is(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(DAMAGES["wrong inside"])
    write_switch(path, ("good", "good"), on=False)
    assert read_json(path)["disabled_extensions"] == ["good"]


def _other_tables(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.executescript("CREATE TABLE jobs (a); CREATE TABLE other (b); PRAGMA user_version = 2;")


def _no_tables(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 2")


def _tables_of_no_form(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE images (a)")


def _older_without_tables(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 1")


def _cut(path: Path) -> None:
    store = JobStore(path)
    for number in range(100):
        store.add(str(number), "generation", "word " * 200, save=True, created=0)
    store.close()
    path.write_bytes(path.read_bytes()[:20_000])


@pytest.mark.parametrize(
    "make", [_other_tables, _no_tables, _tables_of_no_form, _older_without_tables, _cut, Path.mkdir]
)
def test_a_bad_database_is_kept_aside(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "webui.sqlite3"
    make(path)
    store = JobStore(path)
    assert store.moved_aside is not None
    assert store.moved_aside.exists()
    store.add("a", "generation", "{}", save=True, created=0)
    assert [row.id for row in store.unfinished()] == ["a"]
    store.close()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"name", b'"', b"a,b\n1,2", b'name\n"' + b"x" * 200_000])
def test_bad_styles_stop_no_job_and_are_told_where_they_are_wanted(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "styles.csv").write_bytes(content)
    texts = Texts(ModelLibrary(tmp_path / "models", tmp_path / "cache", FAMILIES), tmp_path / "styles.csv")
    assert texts.styles() == {}
    model = untyped(SimpleNamespace(text=None, spec=SimpleNamespace(family=FAMILIES[0])))
    assert texts.problems((), model) == ()
    assert texts.styles(("mine",)) == {}
    if content != b"name":  # which is a file without styles
        (notice,) = texts.problems((), model)
        assert "styles.csv" in notice.text
        assert "made without the styles mine" in notice.text


@pytest.mark.parametrize("content", [b"[" * 100_000, b"a = " + b"[" * 100_000, b"", b"\xff", b"name = 5"])
def test_a_bad_manifest_costs_its_extension(tmp_path: Path, content: bytes) -> None:
    place = good(tmp_path)
    (place / "extension.toml").write_bytes(content)
    with pytest.raises(ManifestError, match=r"extension\.toml"):
        read_manifest(place)


def test_depth_is_bounded_and_what_lies_below_is_read() -> None:
    for depth in (1, MAX_DEPTH):
        assert json_value("it", "[" * depth + "]" * depth) is not None
    for depth in (MAX_DEPTH + 1, 900, 100_000):
        with pytest.raises(UnusableFileError, match="damaged"):
            json_value("it", "[" * depth + "]" * depth)


def test_a_lock_that_is_a_folder_or_no_text_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    DataLock(tmp_path).close()
    (tmp_path / "lock").write_bytes(b"\xff\xfe")
    DataLock(tmp_path).close()


@pytest.mark.usefixtures("forked_describing")
@pytest.mark.parametrize("name", ["empty", "cut", "nested and closed", "no text", "wrong types"])
def test_a_start_and_a_job_with_every_file_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    data = tmp_path / "data"
    (data / "cache").mkdir(parents=True)
    files = (LOCK_FILE, "styles.csv", "settings.json", "starting_values.json", "webui.sqlite3", "lock")
    for file in (*files, "cache/extensions.json", "cache/extension-crashes.json", "cache/model-files.json"):
        (data / file).write_bytes(DAMAGES[name])
    good(tmp_path / "e")
    assert read_settings(data / "settings.json") == {}
    folders = {"data_dir": data, "models_dir": tmp_path / "m", "extensions_dir": tmp_path / "e"}
    settings = Settings(**folders, outputs_dir=tmp_path / "o", webui=False, api=True)
    monkeypatch.setattr(
        app, "executor_named", lambda _: lambda back, on_event: InlineExecutor(HookingBack(back), on_event)
    )
    with wired(settings, resume=True) as parts:
        result = parts.engine.submit(
            GenerationRequest(task=Upscale(images=(Picture.of(Image.new("RGB", (8, 8))),))), save=False
        ).result()
        assert len(result.images) == 1
        assert parts.engine.extensions.infos[0].state == "ok"
        assert LockFile(data / LOCK_FILE).read().records == {}
