"""Loading: what is wrong with an extension stays with it, and is told in a sentence with what to do."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.extensions.toys import good, toy
from tests.narrowing import known
from webui.domain.extensions import ExtensionInfo
from webui.plugins.loader import load_all


def loaded(folder: Path, **more: Any) -> dict[str, ExtensionInfo]:
    return {info.folder: info for info in load_all(folder, **more).infos}


def test_a_good_one_is_described_with_its_options(tmp_path: Path) -> None:
    good(tmp_path)
    info = loaded(tmp_path)["good"]
    assert (info.state, info.name, info.version, info.error) == ("ok", "good", "1.0", "")
    assert list(known(info.options)["properties"]) == ["strength", "word"]
    assert known(info.options)["properties"]["strength"]["maximum"] == 1


def test_no_folder_means_no_extensions(tmp_path: Path) -> None:
    assert load_all(tmp_path / "none").infos == ()


BROKEN = {
    "import error": ("import json\njson.nothing", "AttributeError", True),
    "missing package": ("import not_there.at_all", "pip install not_there", True),
    "missing neighbour": ("from .nowhere import x", "nowhere", True),
    "syntax error": ("def broken(:\n    pass", "syntax error in plugin.py, line", True),
    "unknown hook": ("@hookimpl\ndef join_work(job):\n    pass", "join_work", True),
    "unknown argument": ("@hookimpl\ndef join_job(work):\n    pass", "work", True),
    "options of another kind": ("@hookimpl\ndef request_options():\n    return dict", "subclass of Options", False),
    "actions of another kind": ("@hookimpl\ndef actions():\n    return [1]", "list of Action", False),
    "sys.exit": ("import sys\nsys.exit(0)", "sys.exit", True),
    "gradio": ("import gradio as gr", "imports gradio", False),
    "monkey patch": (
        "import webui.plugins.jobhooks as j\ndef mine(self, step, latents):\n    return 1\nj.JobHooks.pre_step = mine",
        "replaced JobHooks.pre_step",
        False,
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_one_says_why_and_the_others_work(tmp_path: Path, name: str) -> None:
    from webui.plugins.jobhooks import JobHooks

    before = JobHooks.pre_step
    code, sentence, traced = BROKEN[name]
    toy(tmp_path, "bad", code)
    good(tmp_path)
    infos = loaded(tmp_path)
    assert infos["bad"].state == "failed"
    assert sentence in infos["bad"].error
    assert bool(infos["bad"].traceback) is traced
    assert infos["good"].state == "ok"
    assert JobHooks.pre_step is before


def test_the_manifest_decides_before_any_code_runs(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    code = f"open({str(mark)!r}, 'w')"
    toy(tmp_path / "e", "older", code, hooks=0)
    toy(tmp_path / "e", "newer", code, hooks=99)
    toy(tmp_path / "e", "needy", code, manifest='needs = ["not-there-at-all>=2"]')
    toy(tmp_path / "e", "wordy", code, manifest='author = "me"')
    toy(tmp_path / "e", "odd", code, manifest='needs = ["x @ file:///etc"]')
    (tmp_path / "e" / "empty").mkdir()
    infos = loaded(tmp_path / "e")
    assert "look for a newer version of the extension" in infos["older"].error
    assert "update the program" in infos["newer"].error
    assert f"{sys.executable} -m pip install 'not-there-at-all>=2'" in infos["needy"].error
    assert "author" in infos["wordy"].error
    assert "needs" in infos["odd"].error
    assert "has no extension.toml" in infos["empty"].error
    assert {info.state for info in infos.values()} == {"failed"}
    assert not mark.exists()


def test_one_that_is_switched_off_does_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    toy(tmp_path / "e", "bad", f"open({str(mark)!r}, 'w')")
    assert loaded(tmp_path / "e", disabled=("bad",))["bad"].state == "disabled"
    assert loaded(tmp_path / "e", broken={"bad": "it hangs"})["bad"].error == "it hangs"
    assert not mark.exists()


def test_two_of_one_name_are_one(tmp_path: Path) -> None:
    good(tmp_path)
    second = good(tmp_path, "twin")
    (second / "extension.toml").write_text((tmp_path / "good" / "extension.toml").read_text())
    infos = loaded(tmp_path)
    assert infos["good"].state == "ok"
    assert "the folder good has an extension of the same name" in infos["twin"].error


def test_modules_of_one_name_in_two_extensions_stay_apart(tmp_path: Path) -> None:
    for name in ("first", "second"):
        toy(tmp_path, name, "from .work import WHO\n", work=f"WHO = {name!r}\n")
    assert {info.state for info in loaded(tmp_path).values()} == {"ok"}
    assert sys.modules["webui_extensions.first.work"].WHO == "first"
    assert sys.modules["webui_extensions.second.work"].WHO == "second"
