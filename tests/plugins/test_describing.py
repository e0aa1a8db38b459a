"""Describing extensions from outside: a hang or a death costs one of them, and what is known is not asked again."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.extensions.toys import good, toy
from tests.narrowing import known
from webui.domain.extensions import ExtensionInfo
from webui.plugins import describing
from webui.plugins.crashes import CrashGuard
from webui.plugins.describing import content_hash, describe_all


def described(folder: Path, cache: Path, **more: Any) -> dict[str, ExtensionInfo]:
    return {info.folder: info for info in describe_all(folder, cache, **more)}


def test_hangs_and_deaths_cost_one_extension_and_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = tmp_path / "e", tmp_path / "c" / "extensions.json"
    toy(folder, "a_hangs", "import time\ntime.sleep(600)")
    toy(folder, "b_dies", "import os\nprint('{\"info\": 1}')\nos._exit(7)")
    good(folder, "c_good")
    infos = described(folder, cache, time_limit=8)
    assert "took more than 8 s" in infos["a_hangs"].error
    assert "exit code 7" in infos["b_dies"].error
    assert infos["c_good"].state == "ok"
    assert known(infos["c_good"].options)["properties"].keys() == {"strength", "word"}

    monkeypatch.setattr(describing, "_described", lambda *given: pytest.fail(f"asked again: {given[1]}"))
    assert described(folder, cache) == infos
    cache.write_text("[{]")
    monkeypatch.setattr(describing, "_described", lambda place, names, limit: {name: infos[name] for name in names})
    assert described(folder, cache) == infos


def test_the_process_that_asks_never_runs_the_code(tmp_path: Path) -> None:
    good(tmp_path / "e")
    script = (
        "import sys; from pathlib import Path; from webui.plugins.describing import describe_all\n"
        "(info,) = describe_all(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "assert info.state == 'ok'\n"
        "assert not [name for name in sys.modules if name.startswith('webui_extensions')]"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "e"), str(tmp_path / "cache.json")], check=True)


def test_the_hash_follows_the_contents(tmp_path: Path) -> None:
    place = good(tmp_path)
    before = content_hash(place)
    (place / "__pycache__").mkdir()
    (place / "__pycache__" / "plugin.pyc").write_bytes(b"1")
    assert content_hash(place) == before
    (place / "work.py").write_text("def mark(word):\n    return word\n")
    assert content_hash(place) != before


def test_an_extension_that_ends_the_worker_twice_is_left_out_until_it_changes(tmp_path: Path) -> None:
    place, marks = good(tmp_path / "e"), tmp_path / "marks.json"

    def start() -> CrashGuard:
        return CrashGuard(tmp_path / "e", marks)

    for _ in range(2):
        assert start().broken() == {}
        start().around("good").__enter__()  # and the process ends here
    assert "ended 2 times" in start().broken()["good"]
    (place / "plugin.py").write_text("")
    guard = start()
    assert guard.broken() == {}
    with guard.around("good"):
        pass
    assert start().broken() == {}
