"""Flags of other programs on our command line: declared for the parser, and turned into settings and remarks."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from webui.commands.foreign.known_flag import KnownFlag
from webui.commands.foreign.with_effect import HONOURED
from webui.commands.foreign.without_effect import IDLE

KNOWN: tuple[KnownFlag, ...] = (*HONOURED, *IDLE)


@dataclass(frozen=True, slots=True)
class Translation:
    """Attributes:
    settings: what the flags set.
    remarks: a sentence for each reason why flags have no effect, or only a part of it.
    spared: which extensions run although all were switched off: none or the bundled ones; None: nothing is off.
    """

    settings: Mapping[str, Any]
    remarks: tuple[str, ...]
    spared: Literal["none", "bundled"] | None


def foreign_flags() -> argparse.ArgumentParser:
    """A parser of every flag in the table that is no flag of ours, for others to take as their parent. Their help does
    not tell of them.
    """
    made = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in KNOWN:
        if flag.is_own:
            continue
        options: dict[str, Any] = {"dest": flag.dest, "default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
        match flag.takes:
            case "nothing":
                options |= {"action": "store_const", "const": ()}
            case "perhaps a value":
                options |= {"action": "append", "nargs": "?", "const": ""}
            case "a value" | "values":
                options |= {"action": "append"}
        made.add_argument(flag.name, **options)
    return made


def one_value_each(words: Sequence[str]) -> list[str]:
    """The words with `--use-cpu all interrogate` written as `--use-cpu=all --use-cpu=interrogate`.

    Otherwise a command after it would be taken for a value.
    """
    lists = {flag.name: flag.among for flag in KNOWN if flag.takes == "values"}
    written: list[str] = []
    among: tuple[str, ...] = ()
    name = ""
    for position, word in enumerate(words):
        if word in lists and position + 1 < len(words) and words[position + 1].lower() in lists[word]:
            name, among = word, lists[word]
        elif word.lower() in among:
            written.append(f"{name}={word.lower()}")
        else:
            among = ()
            written.append(word)
    return written


def translated(given: argparse.Namespace) -> Translation:
    """What the foreign flags of a command line mean.

    Raises:
        WebuiError: a file of passwords cannot be read.
    """
    values = vars(given)
    used = [(flag, tuple(values[flag.dest])) for flag in KNOWN if flag.dest in values]
    meanings = [(flag, flag.means(those)) for flag, those in used if flag.means is not None]
    idle = sorted((flag for flag, _ in used if not flag.has_effect), key=lambda flag: flag.says)
    remarks = [
        f"without effect here: {', '.join(flag.name for flag in flags)} ({reason})"
        for reason, flags in groupby(idle, key=lambda flag: flag.says)
    ]
    remarks += [f"{flag.name}: {meaning.remark}" for flag, meaning in meanings if meaning.remark]
    spared = {meaning.spared for _, meaning in meanings}
    return Translation(
        joined(meaning.settings for _, meaning in meanings),
        tuple(remarks),
        "none" if "none" in spared else "bundled" if "bundled" in spared else None,
    )


def joined(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One mapping of several: tuples one after the other, users of `api_auth` too; of other values the first."""
    found: dict[str, Any] = {}
    for name, value in (item for part in parts for item in part.items()):
        if isinstance(value, tuple | list):
            found[name] = (*found.get(name, ()), *value)
        elif name == "api_auth":
            found[name] = ",".join(filter(None, (found.get(name, ""), value)))
        else:
            found.setdefault(name, value)
    return found


def table() -> str:
    """The table of flags in Markdown, as docs/compatibility.md holds it."""
    lines = ["| flag | here |", "| --- | --- |"]
    for says, flags in groupby(HONOURED, key=lambda flag: flag.says):
        lines.append(f"| {', '.join(f'`{flag.name}`' for flag in flags)} | {says} |")
    for says, flags in groupby(IDLE, key=lambda flag: flag.says):
        lines.append(f"| {', '.join(f'`{flag.name}`' for flag in flags)} | without effect: {says} |")
    return "\n".join(lines)
