"""Small faults that somebody might make, and the tests that should notice them; `listed.toml` holds all."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

LISTED = Path(__file__).with_name("listed.toml")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One fault.

    Attributes:
        name: what goes wrong, in a few words.
        file: below the project's root.
        text: the text to replace, which occurs exactly once.
        replacement: the faulty text.
        tests: test files (or `file::test`) that should fail.
    """

    name: str
    file: str
    text: str
    replacement: str
    tests: tuple[str, ...]


def listed() -> tuple[Mutation, ...]:
    """All mutations, in the order of the list."""
    files = tomllib.loads(LISTED.read_text(encoding="utf-8"))["files"]
    return tuple(
        Mutation(fault["name"], file["path"], fault["text"], fault["replacement"], tuple(file["tests"]))
        for file in files
        for fault in file["faults"]
    )
