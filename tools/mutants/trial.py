"""Tries mutations: each is made in a copy of the project, and the tests that should notice are run there."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tools.mutants.mutation import Mutation

Verdict = Literal["caught", "survived", "cannot be tried"]
COPIED = ("webui", "extensions", "tests", "tools", "pyproject.toml", "launch.py")
SHOWN = ("models",)  # large folders to which no test writes: the copy holds links to them
PATIENCE = 120  # seconds for one test; a mutation may make a loop endless
FAILED = 1  # pytest's exit code where tests ran and some failed


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one mutation. `told` is the end of what the tests printed, or why it cannot be tried."""

    mutation: Mutation
    verdict: Verdict
    seconds: float
    told: str = ""


class Copy:
    """A copy of the project that can be changed. Files outside the project are not copied."""

    def __init__(self, root: Path, place: Path) -> None:
        self._place = place
        self._changes = 0
        for name in COPIED:
            source = root / name
            if source.is_dir():
                shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, place / name)
        for name in SHOWN:
            (place / name).symlink_to(root / name)
        (place / "outputs").mkdir()

    def run(self, tests: Iterable[str]) -> tuple[int, str]:
        """pytest's exit code for these test files, and what it printed."""
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"--timeout={PATIENCE}"]
        keeping = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        done = subprocess.run(
            [*command, *tests], cwd=self._place, env=keeping, capture_output=True, text=True, check=False,
            preexec_fn=_step_back if hasattr(os, "nice") else None,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def read(self, file: str) -> str:
        return (self._place / file).read_text(encoding="utf-8")

    def write(self, file: str, text: str) -> None:
        path = self._place / file
        path.write_text(text, encoding="utf-8")
        self._changes += 1
        later = time.time() + 2 * self._changes  # Python compares the times of compiled modules in whole seconds
        os.utime(path, (later, later))


def tried(copy: Copy, mutations: Iterable[Mutation]) -> Iterator[Outcome]:
    """Try one mutation after the other; each begins with the project as it is."""
    for mutation in mutations:
        began = time.monotonic()
        before = copy.read(mutation.file)
        found = before.count(mutation.text)
        if found != 1:
            told = f"{mutation.file} holds the text {found} times instead of once: {mutation.text!r}; mend the list"
            yield Outcome(mutation, "cannot be tried", 0.0, told)
            continue
        copy.write(mutation.file, before.replace(mutation.text, mutation.replacement))
        try:
            code, printed = copy.run(mutation.tests)
        finally:
            copy.write(mutation.file, before)
        verdict: Verdict = "survived" if code == 0 else "caught" if code == FAILED else "cannot be tried"
        yield Outcome(mutation, verdict, time.monotonic() - began, printed[-2000:])


def _step_back() -> None:
    """Lower the priority of this process."""
    os.nice(10)
