"""Sources of extensions for tests: git repositories, zips, and an installer over folders of the test."""

import os
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.extensions.toys import GOOD, HEAD, toy
from webui.installing.packages import Packages, PackagesError
from webui.installing.service import Installer
from webui.installing.sources import Places

WORK = "def mark(word):\n    return word.upper()\n"
SMALL = "@hookimpl\ndef join_job(job):\n    return None\n"
QUIET = {
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
}  # fmt: skip


def no_pip(*arguments: str) -> None:
    raise PackagesError("ERROR: this test needs no pip")


def installer(folder: Path, **more: Any) -> Installer:
    """Over `folder/extensions`; sources may lie in `folder/sources`."""
    requirements = folder / "requirements.txt"
    if not requirements.exists():
        requirements.write_text("numpy==2.4.6\npillow==12.3.0\n")
    given: dict[str, Any] = {
        "packages": Packages(requirements, no_pip),
        "places": Places((folder / "sources",)),
        "check_limit": 60.0,
        **more,
    }
    made = Installer(folder / "extensions", folder / "data" / "extensions.lock.json", **given)
    made.recover()
    return made


class Repository:
    """A git repository with an extension in it, at `folder/sources/repo`."""

    def __init__(self, folder: Path, name: str = "good") -> None:
        self.name = name
        self.path = folder / "sources" / "repo"
        self.path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", *arguments]
        done = subprocess.run(
            command, cwd=self.path, check=True, capture_output=True, text=True, env=os.environ | QUIET
        )
        return done.stdout.strip()

    def commit(self, version: str, *, code: str = "", manifest: str = "", files: Mapping[str, str] = {}) -> str:
        """Write a version, commit it, and return the commit."""
        (self.path / "extension.toml").write_text(
            f'name = "{self.name}"\nversion = "{version}"\ndescription = "A toy"\nhooks = 2\n{manifest}\n'
        )
        (self.path / "plugin.py").write_text(HEAD + (code or SMALL))
        (self.path / "work.py").write_text(WORK)
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", version)
        return self.git("rev-parse", "HEAD")


def folder_source(folder: Path, name: str = "good", code: str = SMALL, manifest: str = "") -> Path:
    """A folder to install from."""
    return toy(folder / "sources", name, code, manifest=manifest)


def zip_source(folder: Path, *entries: tuple[zipfile.ZipInfo | str, str | bytes], name: str = "good") -> Path:
    """A zip of a small extension with further entries; entries of the same name take the place of the usual ones."""
    path = folder / "sources" / "source.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    manifest = f'name = "{name}"\nversion = "1"\ndescription = "A toy"\nhooks = 2\n'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("top/extension.toml", manifest)
        archive.writestr("top/plugin.py", HEAD + SMALL)
        for entry, content in entries:
            archive.writestr(entry, content)
    return path


__all__ = ["GOOD", "Repository", "folder_source", "installer", "zip_source"]
