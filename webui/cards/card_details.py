"""What the header of one model file says of itself, in full but bounded: strangers wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass

from webui.domain.errors import UnusableFileError
from webui.library.files import ModelFile
from webui.library.headers import read_header
from webui.library.library import ModelLibrary

MAX_ENTRIES = 200  # of metadata
MAX_VALUE = 2_000  # characters of an entry's value
MAX_KEY = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a header's metadata; `cut` says that the value was longer."""

    key: str
    value: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Details:
    """Attributes:
    left_out: how many entries of the metadata are not among `metadata`.
    problem: why the header cannot be read; "" where it can.
    """

    metadata: tuple[Entry, ...]
    left_out: int = 0
    problem: str = ""


def details_of(library: ModelLibrary, file: ModelFile) -> Details:
    """All that its header tells. Never raises for what stands in it."""
    problem = ""
    metadata: Mapping[str, str] = {}
    try:
        metadata = read_header(library.safetensors(file)).metadata
    except UnusableFileError as error:
        problem = str(error)
    entries = tuple(
        Entry(key[:MAX_KEY], value[:MAX_VALUE], len(value) > MAX_VALUE)
        for key, value in sorted(metadata.items())[:MAX_ENTRIES]
    )
    return Details(entries, max(0, len(metadata) - MAX_ENTRIES), problem)
