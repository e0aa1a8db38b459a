"""Which file a name means: by its place, its name, the hash that was written beside it, or a part of its title."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from webui.domain.errors import UnusableFileError
from webui.library.files import ModelFile

HASHED_AT_ONCE = 2 * 2**30  # bytes of files that are read to find a hash that came without a name
_DIGEST = re.compile(r"(?:(?P<name>.+?)\s*\[)?\[?(?P<digits>[0-9a-fA-F]{8,64})\]?")
_OLD_DIGITS = 8
_BRACKETS = re.compile(r"\s*\[[^\]]*\]\s*$")
_LEVELS: tuple[Callable[[ModelFile], str], ...] = (
    lambda file: file.name,
    lambda file: file.name.removesuffix(file.path.suffix),
    lambda file: file.path.name,
    lambda file: file.stem,
    lambda file: file.model_name,
)


class Digests(Protocol):
    """The hashes of files, remembered or computed."""

    def known_sha256(self, file: ModelFile) -> str | None: ...
    def sha256(self, file: ModelFile) -> str: ...
    def old_hash(self, file: ModelFile) -> str: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """The file that a name means, and a sentence for the user where it was not clear; "" where it was."""

    file: ModelFile
    told: str = ""


def named(files: Iterable[ModelFile], alias: str) -> tuple[ModelFile, ...]:
    """The files of that very name: by their path inside the folder, else by their name alone, which several may have.

    The order is that of the list. Where some can be used, those that cannot are left out.
    """
    files = tuple(files)
    for level in _LEVELS:
        found = tuple(file for file in files if alias and level(file) == alias)
        if found:
            return tuple(file for file in found if file.usable) or found
    return ()


def first_of(alias: str, found: tuple[ModelFile, ...]) -> Choice:
    """The first of several files of one name, told if there are others."""
    if len(found) == 1:
        return Choice(found[0])
    names = " and ".join(file.name for file in found[:5])
    return Choice(found[0], f"{names} are both called {alias!r}; {found[0].name} was used; write the folder to choose")


def choose(files: tuple[ModelFile, ...], alias: str, digests: Digests) -> Choice | None:
    """The checkpoint that a text means; None where there is none.

    Args:
        alias: any name of A1111's: path, name, title `name [hash]`, a hash alone (8 digits: AutoV1, else the beginning
            of SHA-256), or a part of a title. Files of the name are hashed where their hash is not known.
    """
    exact = named(files, alias)
    if exact:
        return first_of(alias, exact)
    return _by_digest(files, alias, digests) or _by_part(files, alias, digests)


def _by_digest(files: tuple[ModelFile, ...], alias: str, digests: Digests) -> Choice | None:
    form = _DIGEST.fullmatch(alias.strip())
    if form is None:
        return None
    digits, namesakes = form["digits"].lower(), named(files, form["name"] or "")
    for file in namesakes:
        if _has(file, digits, digests, computes=True):
            return Choice(file)
    others = [file for file in files if file not in namesakes]
    for file in others:
        if _has(file, digits, digests, computes=False):
            return Choice(file)
    if namesakes:
        used = namesakes[0]
        return Choice(used, f"no file has the hash {digits} of {alias!r}; {_titled(used, digests)} was used")
    if form["name"] is not None or len(digits) == _OLD_DIGITS:
        return None
    found = (file for file in _affordable(others, digests) if _has(file, digits, digests, computes=True))
    return next((Choice(file) for file in found), None)


def _affordable(files: Iterable[ModelFile], digests: Digests) -> Iterator[ModelFile]:
    """Files whose hash is not known, as many as can be read in a short while."""
    left = HASHED_AT_ONCE
    for file in files:
        left -= _size(file) if digests.known_sha256(file) is None else 0
        if left >= 0:
            yield file


def _by_part(files: tuple[ModelFile, ...], alias: str, digests: Digests) -> Choice | None:
    by_length = sorted(files, key=lambda file: len(_titled(file, digests)))
    for text in (alias, _BRACKETS.sub("", alias)):
        found = next((file for file in by_length if text and text in _titled(file, digests)), None)
        if found is not None:
            return Choice(found, f"there is no checkpoint {alias!r}; {_titled(found, digests)} was used")
    return None


def _titled(file: ModelFile, digests: Digests) -> str:
    known = digests.known_sha256(file)
    return file.name if known is None else f"{file.name} [{known[:10]}]"


def _has(file: ModelFile, digits: str, digests: Digests, *, computes: bool) -> bool:
    """Whether a file has a hash; one that cannot be read has none."""
    try:
        if len(digits) == _OLD_DIGITS and digests.old_hash(file) == digits:
            return True
        sha256 = digests.sha256(file) if computes else digests.known_sha256(file)
    except UnusableFileError:
        return False
    return sha256 is not None and sha256.startswith(digits)


def _size(file: ModelFile) -> int:
    try:
        return file.path.stat().st_size
    except OSError:
        return 0
