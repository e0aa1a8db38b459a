"""What an extension records of a job beside its pictures: named bytes, which the front keeps in memory for a while."""

import re
from dataclasses import dataclass

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MOST_BYTES = 8 * 2**20  # of one part


@dataclass(frozen=True, slots=True)
class RecordedPart:
    """One part of a recording. A later one of the same name takes its place.

    Attributes:
        extension: whose it is.
        name: letters, digits and _, at most 40.
        data: at most `MOST_BYTES`.
    """

    extension: str
    name: str
    data: bytes

    def __post_init__(self) -> None:
        if NAME.fullmatch(self.name) is None:
            raise ValueError(f"{self.name!r}: a recorded part is named by at most 40 lower-case letters, digits and _")
        if len(self.data) > MOST_BYTES:
            raise ValueError(f"{self.name}: {len(self.data)} bytes; a recorded part has at most {MOST_BYTES}")
