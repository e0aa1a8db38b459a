"""Sources that try something: each is refused with a sentence that names the entry, and leaves nothing behind."""

import os
import stat
import struct
import subprocess
import time
import zipfile
from pathlib import Path

import psutil
import pytest

from tests.installing.making import Repository, folder_source, installer, zip_source
from webui.domain.errors import WebuiError
from webui.installing.archive import unpack
from webui.installing.git import fetch
from webui.installing.sources import FolderSource, GitSource, Places, ZipSource, parse_source
from webui.installing.tree import Limits, SourceError, checked_parts

SECRET = "../../evil.py"


def kind(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def refused(tmp_path: Path, source: Path, words: str) -> None:
    with pytest.raises(WebuiError, match=words):
        installer(tmp_path).plan_install(str(source))
    staging = tmp_path / "extensions" / ".staging"
    assert not staging.exists() or not list(staging.iterdir())
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (SECRET, r"'\.\./\.\./evil\.py' leads out"),
        ("top/../../evil.py", "leads out"),
        ("top\\..\\evil.py", "leads out"),
        ("/evil.py", "'/evil.py' has an absolute name"),
        ("C:/evil.py", "absolute name"),
        ("top/.git/hooks/evil", r"\.git folder"),
        ("top/.GIT./evil", r"\.git folder"),
        ("top/git~1/evil", r"\.git folder"),
        ("top/con.evil", "not every system allows"),
        ("top/evil.py ", "not every system allows"),
        ("top/evil\npy", "not every system allows"),
        ("top//evil.py", "not every system allows"),
        ("top/PLUGIN.py", "'top/plugin.py'|'plugin.py' and 'PLUGIN.py' are the same file"),
    ],
)
def test_entries_with_bad_names(tmp_path: Path, name: str, words: str) -> None:
    refused(tmp_path, zip_source(tmp_path, (name, "x = 1")), words)


@pytest.mark.parametrize(
    ("mode", "words"),
    [(stat.S_IFLNK | 0o777, "'top/evil' is a link"), (stat.S_IFCHR | 0o666, "device"), (stat.S_IFIFO | 0o666, "pipe")],
)
def test_entries_that_are_no_files(tmp_path: Path, mode: int, words: str) -> None:
    refused(tmp_path, zip_source(tmp_path, (kind("top/evil", mode), "/etc/passwd")), words)


def test_bombs(tmp_path: Path) -> None:
    refused(tmp_path, zip_source(tmp_path, ("top/evil.txt", b"\0" * 2**24)), "'top/evil.txt' grows more than 100 times")
    many = zip_source(tmp_path, *((f"top/evil{number}", "") for number in range(20)))
    with pytest.raises(SourceError, match="more than 10 files"):
        unpack(many, tmp_path / "out1", Limits(entries=10))
    with pytest.raises(SourceError, match="larger than 0 MiB"):
        unpack(zip_source(tmp_path, ("top/big", os.urandom(5000))), tmp_path / "out2", Limits(total=1000))


def test_an_archive_that_lies_about_a_size(tmp_path: Path) -> None:
    path = zip_source(tmp_path, ("top/liar.txt", b"a" * 5000))
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02", 0, data.rindex(b"top/liar.txt"))
    data[place + 24 : place + 28] = struct.pack("<I", 10)
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"larger than it says|damaged"):
        unpack(path, tmp_path / "out")
    path.write_bytes(data[:-40])
    refused(tmp_path, path, "damaged")


def test_a_hidden_name_behind_a_nul(tmp_path: Path) -> None:
    path = zip_source(tmp_path, ("top/fine.py_evil", "x"))
    path.write_bytes(path.read_bytes().replace(b"fine.py_evil", b"fine.py\0evil"))
    refused(tmp_path, path, "not every system allows|damaged")


def test_links_and_pipes_in_a_folder(tmp_path: Path) -> None:
    source = folder_source(tmp_path)
    (source / "evil").symlink_to("/etc")
    with pytest.raises(WebuiError, match="'evil' is a link"):
        installer(tmp_path).plan_install(str(source))
    (source / "evil").unlink()
    os.mkfifo(source / "evil")
    with pytest.raises(WebuiError, match="'evil' is neither a file nor a folder"):
        installer(tmp_path).plan_install(str(source))


def test_links_submodules_and_attributes_in_a_repository(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    commit = repository.commit("1", files={".gitattributes": "* filter=evil\n*.py text eol=crlf\n"})
    repository.git("config", "filter.evil.smudge", "touch evil-ran; cat")
    repository.git("config", "core.fsmonitor", "touch evil-ran")
    for hook in ("post-checkout", "post-merge", "pre-auto-gc", "reference-transaction"):
        path = repository.path / ".git" / "hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\ntouch {tmp_path}/evil-ran\n")
        path.chmod(0o755)
    fetch(GitSource(repository.path.as_uri()), tmp_path / "out")
    assert b"\r" not in (tmp_path / "out" / "plugin.py").read_bytes()
    assert not list(tmp_path.rglob("evil-ran"))

    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},deps/evil")
    repository.git("commit", "--quiet", "--message", "submodule")
    refused(tmp_path, repository.path, "'deps/evil' is a submodule")
    repository.git("update-index", "--force-remove", "deps/evil")
    blob = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=repository.path, input=b"/etc", capture_output=True, check=True
    ).stdout.decode().strip()  # fmt: skip
    repository.git("update-index", "--add", "--cacheinfo", f"120000,{blob},evil")
    repository.git("commit", "--quiet", "--message", "link")
    refused(tmp_path, repository.path, "'evil' is a link")


def test_a_tree_with_a_name_that_git_itself_would_not_make(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.commit("1")
    blob = repository.git("rev-parse", "HEAD:plugin.py")
    tree = b"100644 ..\0" + bytes.fromhex(blob)
    made = subprocess.run(
        ["git", "hash-object", "-w", "-t", "tree", "--literally", "--stdin"],
        cwd=repository.path, input=tree, capture_output=True, check=True,
    ).stdout.decode().strip()  # fmt: skip
    commit = repository.git("commit-tree", made, "-m", "evil")
    repository.git("update-ref", "refs/heads/main", commit)
    with pytest.raises(SourceError, match=r"hasDotdot|leads out|contains '\.\.'"):
        fetch(GitSource(repository.path.as_uri()), tmp_path / "out")


def test_a_repository_without_end(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.commit("1", files={"big.txt": "x" * 5000})
    with pytest.raises(SourceError, match="larger than 0 MiB"):
        fetch(GitSource(repository.path.as_uri()), tmp_path / "out", Limits(total=1000))


def test_a_git_that_hangs_is_ended_with_its_helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nsleep 1000\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(SourceError, match="took more than 1 s"):
        fetch(GitSource("https://example.org/x"), tmp_path / "out", time_limit=1.0)
    group = int((tmp_path / "pid").read_text())
    for _ in range(100):  # a killed helper is gone a moment later
        left = [one for one in psutil.process_iter(["status"]) if one.info["status"] != psutil.STATUS_ZOMBIE]
        if not [one for one in left if _group(one.pid) == group]:
            return
        time.sleep(0.05)
    raise AssertionError(f"processes of group {group} live on")


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


@pytest.mark.parametrize(
    "text",
    [
        "http://example.org/x", "git://example.org/x", "ssh://example.org/x", "git@example.org:x/y", "ext::sh -c id",
        "ext://x", "https://", "https://user:secret@example.org/x", "https://example.org/x?y=1", "file://other/x",
        "--upload-pack=evil", "", "//server/share", "\\\\server\\share", "https://example.org/\nx", "fd::7",
    ],
)  # fmt: skip
def test_addresses_that_are_refused(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_source(text, "", Places(typed_paths=True))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("ref", ["--upload-pack=evil", "a..b", "a b", "a:b", "-x", "a\n", "x.lock", "^a", "a~1"])
def test_refs_that_are_refused(ref: str) -> None:
    with pytest.raises(SourceError, match="no branch, tag or commit"):
        parse_source("https://example.org/x", ref, Places())


def test_places_on_this_machine(tmp_path: Path) -> None:
    source = folder_source(tmp_path)
    inside, nowhere, typed = Places((tmp_path / "sources",)), Places(), Places(typed_paths=True)
    assert isinstance(parse_source(str(source), "", inside), FolderSource)
    assert isinstance(parse_source(source.as_uri(), "", inside), FolderSource)
    assert isinstance(parse_source(str(source), "", typed), FolderSource)
    assert isinstance(parse_source(str(zip_source(tmp_path)), "", inside), ZipSource)
    (tmp_path / "sources" / "way_out").symlink_to(tmp_path)
    for places, text in (
        (nowhere, str(source)),
        (typed, source.as_uri()),
        (inside, "file:///etc"),
        (inside, f"{tmp_path}/sources/../elsewhere"),
        (inside, str(tmp_path / "sources" / "way_out")),
    ):
        with pytest.raises(SourceError, match="lies outside"):
            parse_source(text, "", places)


def test_usual_names_are_fine() -> None:
    for name in ("plugin.py", ".gitignore", ".github/workflows/ci.yml", "a/b c/ü.txt", "console.py", "x.git.py"):
        assert "/".join(checked_parts(name)) == name
