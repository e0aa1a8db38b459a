"""The life of an installed extension: from a repository, used, updated badly and well, rolled back, removed."""

import json
from pathlib import Path

import pytest

from tests.installing.making import SMALL, Repository, folder_source, installer, zip_source
from tests.narrowing import known
from webui.domain.errors import WebuiError
from webui.domain.extensions import ExtensionInfo
from webui.installing.lockfile import LockFile
from webui.plugins.loader import folders

BROKEN = "import does_not_exist_anywhere\n"


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("forked_describing")
def test_a_repository_is_planned_installed_updated_and_removed(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    first = repository.commit("1.0", manifest='permissions = ["network"]')
    changes: list[str] = []
    mine = installer(tmp_path)
    mine.when_changed(lambda: changes.append("changed"))

    plan = mine.plan_install(repository.path.as_uri())
    assert (plan.action, plan.manifest.permissions, plan.entry.commit) == ("install", ("network",), first)
    assert folders(tmp_path / "extensions") == ()  # nothing is there yet
    mine.apply(plan.token)
    assert files(tmp_path / "extensions") == {"good/extension.toml", "good/plugin.py", "good/work.py"}
    assert mine.check("good") == []
    assert mine.plan_update("good") is None

    repository.commit("1.1", code=BROKEN)
    broken = mine.plan_update("good")
    assert broken is not None
    with pytest.raises(WebuiError, match=r"good 1.1 needs the package does_not_exist_anywhere.*version 1.0 stays"):
        mine.apply(broken.token)
    assert mine.check("good") == []
    assert known(mine.records()["good"].now).commit == first

    third = repository.commit("1.2", manifest='permissions = ["network", "files"]')
    better = mine.plan_update("good")
    assert better is not None
    assert better.warnings == ("it asks for more than before: files",)
    mine.apply(better.token)
    record = mine.records()["good"]
    assert (known(record.now).commit, known(record.previous).commit) == (third, first)
    assert mine.remove("good") == ()
    assert files(tmp_path / "extensions") == set()
    assert json.loads((tmp_path / "data" / "extensions.lock.json").read_text()) == {}
    assert len(changes) == 3


@pytest.mark.usefixtures("forked_describing")
def test_a_branch_a_tag_and_a_commit_are_pinned(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    first = repository.commit("1.0")
    repository.git("tag", "--annotate", "v1", "--message", "v1")
    second = repository.commit("2.0")
    repository.git("branch", "feature/x", first)
    mine = installer(tmp_path)
    for ref, commit in (("", second), ("v1", first), ("feature/x", first), (first, first), ("main", second)):
        assert mine.plan_install(str(repository.path), ref).entry.commit == commit
    with pytest.raises(WebuiError, match="all its 40 digits"):
        mine.plan_install(str(repository.path), first[:10])
    with pytest.raises(WebuiError, match="no branch or tag 'v9'"):
        mine.plan_install(str(repository.path), "v9")
    mine.apply(mine.plan_install(str(repository.path), "v1").token)
    assert mine.plan_update("good") is None  # pinned
    assert mine.plan_update("good", ref="main") is not None


@pytest.mark.usefixtures("forked_describing")
def test_a_new_version_that_does_not_start_gives_way_to_the_one_before(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.commit("1.0")
    mine = installer(tmp_path)
    mine.apply(mine.plan_install(str(repository.path)).token)
    repository.commit("2.0")
    mine.apply(known(mine.plan_update("good")).token)

    mine.settle([ExtensionInfo("good", "good", "1.0")])  # an old worker's word counts nothing
    assert mine.records()["good"].previous is not None
    mine.settle([ExtensionInfo("good", "good", "2.0", state="failed", error="dies on this machine")])
    record = mine.records()["good"]
    assert (known(record.now).version, record.previous) == ("1.0", None)
    assert "2.0 was rolled back: dies on this machine" in record.note
    assert 'version = "1.0"' in (tmp_path / "extensions" / "good" / "extension.toml").read_text()

    mine.apply(known(mine.plan_update("good")).token)
    mine.settle([ExtensionInfo("good", "good", "2.0")])
    assert mine.records()["good"].previous is None
    with pytest.raises(WebuiError, match="no earlier generation"):
        mine.roll_back("good")


@pytest.mark.usefixtures("forked_describing")
def test_zips_and_folders_are_installed_too(tmp_path: Path) -> None:
    mine = installer(tmp_path)
    mine.apply(mine.plan_install(str(zip_source(tmp_path))).token)
    source = folder_source(tmp_path, "other")
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "x.pyc").write_bytes(b"hidden")
    mine.apply(mine.plan_install(str(source)).token)
    assert files(tmp_path / "extensions") == {
        "good/extension.toml", "good/plugin.py", "other/extension.toml", "other/plugin.py"
    }  # fmt: skip
    assert mine.plan_update("other") is None
    (source / "plugin.py").write_text("from webui.extension_api import *\n" + SMALL + "X = 1\n")
    assert mine.plan_update("other") is not None


def test_nothing_runs_before_it_is_agreed_and_never_in_this_process(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    code = f"import os, pathlib\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\n{SMALL}"
    source = folder_source(tmp_path, code=code)
    (source / "setup.py").write_text("raise SystemExit('run')")
    (source / "install.py").write_text("raise SystemExit('run')")
    mine = installer(tmp_path)
    plan = mine.plan_install(str(source))
    assert not mark.exists()
    mine.apply(plan.token)
    assert int(mark.read_text()) != __import__("os").getpid()


@pytest.mark.usefixtures("forked_describing")
def test_what_was_staged_is_what_is_installed(tmp_path: Path) -> None:
    mine = installer(tmp_path)
    plan = mine.plan_install(str(folder_source(tmp_path)))
    (plan.staged / "plugin.py").write_text("other = 1")
    with pytest.raises(WebuiError, match="changed since"):
        mine.apply(plan.token)
    with pytest.raises(WebuiError, match="no such plan"):
        mine.apply(plan.token)
    meddling = 'import pathlib\npathlib.Path(__file__).with_name("more.py").write_text("x = 1")\n' + SMALL
    with pytest.raises(WebuiError, match="changed while they were checked"):
        mine.apply(mine.plan_install(str(folder_source(tmp_path, "meddling", meddling))).token)
    assert folders(tmp_path / "extensions") == ()


@pytest.mark.usefixtures("forked_describing")
def test_changed_files_are_noticed(tmp_path: Path) -> None:
    mine = installer(tmp_path)
    source = folder_source(tmp_path)
    mine.apply(mine.plan_install(str(source)).token)
    (tmp_path / "extensions" / "good" / "plugin.py").write_text(
        "from webui.extension_api import *\n" + SMALL + "X = 2\n"
    )
    assert "not those that were installed" in mine.check("good")[0]
    (source / "new.py").write_text("")
    assert "changed by hand" in known(mine.plan_update("good")).warnings[0]


def test_one_that_hangs_is_cut_off(tmp_path: Path) -> None:
    mine = installer(tmp_path, check_limit=4.0)
    source = folder_source(tmp_path, code="import time\ntime.sleep(1000)\n")
    with pytest.raises(WebuiError, match=r"good 1\.0 took more than 4 s to load"):
        mine.apply(mine.plan_install(str(source)).token)
    assert folders(tmp_path / "extensions") == ()
    assert mine.records() == {}


@pytest.mark.usefixtures("forked_describing")
def test_names_that_are_taken_are_refused(tmp_path: Path) -> None:
    (tmp_path / "extensions" / "Good").mkdir(parents=True)
    bundled = tmp_path / "bundled"
    folder_source(bundled, "controlnet")
    mine = installer(tmp_path, bundled_dir=bundled / "sources")
    with pytest.raises(WebuiError, match="would hide it"):
        mine.plan_install(str(folder_source(tmp_path)))
    with pytest.raises(WebuiError, match="controlnet is that of a bundled extension"):
        mine.plan_install(str(folder_source(tmp_path, "controlnet")))
    with pytest.raises(WebuiError, match="not installed by this program"):
        mine.remove("Good")
    mine.apply(mine.plan_install(str(folder_source(tmp_path, "mine"))).token)
    with pytest.raises(WebuiError, match="installed already"):
        mine.plan_install(str(tmp_path / "sources" / "mine"))
    (tmp_path / "sources" / "mine" / "extension.toml").write_text(
        'name = "theirs"\nversion = "2"\ndescription = "A toy"\nhooks = 2\n'
    )
    with pytest.raises(WebuiError, match="calls itself theirs"):
        mine.plan_update("mine")


def test_a_damaged_lock_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    path.write_text("{")
    with pytest.raises(WebuiError, match="move it away"):
        LockFile(path).read()
    assert path.read_text() == "{"
