"""Loading: what is wrong with an extension stays with it, and is told in a sentence with what to do."""

import gc
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.extensions.toys import good, toy
from tests.narrowing import known, untyped
from webui.domain.extensions import ExtensionInfo
from webui.plugins.extension_modules import ExtensionModules
from webui.plugins.loader import Loaded, load_all


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
    for number, name in enumerate(("first", "a-b", "a_b", "a.b")):
        place = toy(tmp_path, name, f"from .work import WHO\nassert WHO == {name!r}\n", work=f"WHO = {name!r}\n")
        manifest = place / "extension.toml"
        manifest.write_text(manifest.read_text().replace(f'"{name}"', f'"number_{number}"'))
    found = load_all(tmp_path)
    assert {info.state for info in found.infos} == {"ok"}
    for one in found.extensions.values():
        module = sys.modules[one.modules.name_of(one.info.folder, "work")]
        assert vars(module)["WHO"] == one.info.folder


LATE = """
    from .kinds import Kind

    class Member:
        def late(self):
            from . import late
            return late.Late(Kind)

    @hookimpl
    def join_job(job):
        return Member()
"""


def late_import(found: Loaded) -> tuple[type, type]:
    """The class that an extension imported when it was loaded, and the one that its neighbour, imported now, has."""
    join = found.extensions["lazy"].join
    assert join is not None
    answer: tuple[type, type] = untyped(join.function(untyped(None))).late()
    return answer


def names_in(*packages: str) -> set[str]:
    """The modules of loads that are known once another load has begun; their packages, which are empty, stay."""
    gc.collect()
    ExtensionModules()
    assert not any(name for package in packages for name in vars(sys.modules[package]) if not name.startswith("__"))
    return {name for name in sys.modules if name.partition(".")[0] in packages} - {*packages}


def test_loads_of_one_folder_have_modules_of_their_own_while_they_live(tmp_path: Path) -> None:
    toy(
        tmp_path, "lazy", LATE, kinds="class Kind: ...\n",
        late="from .kinds import Kind\ndef Late(kind):\n    return kind, Kind\n",
    )  # fmt: skip
    first, second = load_all(tmp_path), load_all(tmp_path)
    packages = [one.extensions["lazy"].modules.package for one in (first, second)]
    kinds = [late_import(one) for one in (first, second)]
    assert all(at_load is later for at_load, later in kinds)
    assert kinds[0][0] is not kinds[1][0]
    del second
    assert names_in(packages[1]) == set()
    assert late_import(first)[0] is kinds[0][0]
    del first
    assert names_in(*packages) == set()
    third = load_all(tmp_path)
    assert third.extensions["lazy"].modules.package not in packages


def test_a_load_of_which_nothing_works_leaves_no_modules(tmp_path: Path) -> None:
    toy(tmp_path, "bad", "import sys\nfrom . import work\nsys.made_by = __name__\nraise ValueError", work="")
    assert loaded(tmp_path)["bad"].state == "failed"
    package = sys.__dict__.pop("made_by").partition(".")[0]
    assert names_in(package) == set()
