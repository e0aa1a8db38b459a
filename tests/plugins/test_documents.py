"""The documents and the skeleton say what the code does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from webui.domain.errors import WebuiError
from webui.plugins.document import document
from webui.plugins.skeleton import write_skeleton

ROOT = Path(__file__).parents[2]


def test_the_document_of_the_hooks_is_made_of_the_specs() -> None:
    assert (ROOT / "docs" / "hooks.md").read_text() == document(), (
        "run: python -m webui.plugins.document > docs/hooks.md"
    )


def test_the_skeleton_passes_its_own_test(tmp_path: Path) -> None:
    files = write_skeleton("soft_glow", tmp_path / "extensions", tmp_path / "tests")
    assert len(files) == 5
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(files[-1])]
    environment = os.environ | {"PYTHONPATH": paths}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    ruff = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--config",
        str(ROOT / "pyproject.toml"),
        "--ignore",
        "I001,TID252,S101",
    ]
    linted = subprocess.run([*ruff, str(tmp_path)], capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize("name", ["Soft", "soft-glow", "../x", "", "1st"])
def test_only_good_names_begin_an_extension(tmp_path: Path, name: str) -> None:
    with pytest.raises(WebuiError, match="cannot be the name"):
        write_skeleton(name, tmp_path, tmp_path)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_skeleton("soft_glow", tmp_path, tmp_path)
    with pytest.raises(WebuiError, match="is there already"):
        write_skeleton("soft_glow", tmp_path, tmp_path)
