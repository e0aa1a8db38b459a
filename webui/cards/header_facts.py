"""What the header of a model file says of it, as far as a list of cards needs it. Everything is bounded."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from webui.cards.sidecar_kinds import MAX_WORDS, Told, from_modelspec, words_in
from webui.domain.errors import UnusableFileError
from webui.library.base_model import base_in, base_of
from webui.library.files import ModelFile
from webui.library.headers import read_header
from webui.library.json_object import json_value
from webui.library.library import ModelLibrary
from webui.library.networks import ALIAS_KEY
from webui.library.pictures import is_picture

MAX_COUNTS = 4 * 1024 * 1024  # characters of the table of tags in a header
MAX_NAME = 300  # characters
OFTEN = 0.9  # share of a folder's pictures from which on a tag is taken for a trigger word
_REPEATS = re.compile(r"\d+_(?P<word>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """Attributes:
    alias: the name that its trainer gave it; "" for none.
    base: for which kind of checkpoint it is, by its tensors or by what its trainer wrote.
    told: what stands in it for people (ModelSpec).
    guesses: trigger words guessed from the tags of the training pictures.
    """

    alias: str = ""
    base: str = ""
    told: Told = field(default_factory=Told)
    guesses: tuple[str, ...] = ()


def header_facts(library: ModelLibrary, file: ModelFile) -> HeaderFacts:
    """Open a file and read them. Never raises for what stands in it: a damaged file says nothing."""
    if is_picture(file.path):
        return HeaderFacts(base=base_of(library, file))
    try:
        header = read_header(library.safetensors(file))
    except UnusableFileError:
        return HeaderFacts()
    base = base_in(library, file, header) if file.kind == "lora" else base_of(library, file)
    metadata = header.metadata
    alias = metadata.get(ALIAS_KEY, "")[:MAX_NAME] if file.kind == "lora" else ""
    return HeaderFacts(alias, base, from_modelspec(metadata), words_in(often(metadata.get("ss_tag_frequency", ""))))


def often(table: str) -> list[str]:
    """Tags of (nearly) every training picture, and the words of the folders, of kohya's `ss_tag_frequency`."""
    if not table or len(table) > MAX_COUNTS:
        return []
    try:
        folders = json_value("ss_tag_frequency", table)
    except UnusableFileError:
        return []
    if not isinstance(folders, dict):
        return []
    words: list[str] = []
    for folder, tags in list(folders.items())[:MAX_WORDS]:
        counts = _counts(tags)
        if named := _REPEATS.fullmatch(folder):
            words.append(named["word"])
        most = max(counts.values(), default=0)
        words += [tag for tag, count in counts.items() if count >= OFTEN * most][:MAX_WORDS]
    return words


def _counts(tags: Any) -> Mapping[str, int]:
    pairs = tags.items() if isinstance(tags, dict) else ()
    return {tag.strip(): count for tag, count in pairs if type(count) is int and count > 0 and tag.strip()}
