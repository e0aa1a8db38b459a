"""Chooses from many reference cases a few that together show everything that all of them show.

The further cases repeat each other: pairs of a sampler and a size, say, where each sampler and each size has been seen.
Where `python launch.py test --every-case` is asked for, all are made.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from tests.reference import OURS, Case

EVERY_CASE = "WEBUI_EVERY_CASE"  # the variable that launch.py sets
ALONE = ("settings", "prompts", "api", "networks", "lyco")  # groups whose cases differ in numbers and words: all stay
Fact = tuple[object, ...]


def chosen(found: Sequence[Case]) -> list[Case]:
    """The cases that are to be made, in their order: all of ours, and further ones until no fact is left unseen."""
    if os.environ.get(EVERY_CASE):
        return list(found)
    kept = {case.name for case in found if case.folder == OURS or case.group in ALONE}
    seen = {fact for case in found if case.name in kept for fact in facts(case)}
    rest = {case.name: facts(case) for case in found if case.name not in kept}
    while rest:
        name = max(rest, key=lambda one: len(rest[one] - seen))
        new = rest.pop(name) - seen
        if not new:
            break
        kept.add(name)
        seen |= new
    return [case for case in found if case.name in kept]


def facts(case: Case) -> set[Fact]:
    """What a case shows: its group, its way, and for each field of its request the word, or the kind of number."""
    return {("group", case.group), ("endpoint", case.endpoint), *_facts("", case.payload)}


def _facts(place: str, value: Any) -> Iterator[Fact]:
    match value:
        case dict():
            for name, part in value.items():
                yield from _facts(f"{place}.{name}", part)
        case list():
            yield (place, "parts", min(len(value), 2))
            for part in value:
                yield from _facts(place, part)
        case bool() | None:
            yield (place, value)
        case int() | float():
            yield (place, value if value in (-1, 0, 1) else "fraction" if 0 < value < 1 else "number")
        case str():
            yield (place, "file" if value.startswith("@") else value)
