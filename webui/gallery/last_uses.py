"""When checkpoints and LoRAs were used last, by the pictures that were made with them."""

import threading
from collections.abc import Mapping
from types import MappingProxyType

from webui.gallery.index_file import IndexFile

Times = Mapping[str, float]  # by the name in a picture's text, in seconds since 1970
_QUESTIONS: Mapping[str, str] = MappingProxyType(
    {
        "checkpoint": "SELECT t.checkpoint, max(p.created) FROM pictures AS p JOIN traits AS t ON t.id = p.trait"
        " WHERE t.checkpoint <> '' GROUP BY t.checkpoint",
        "lora": "SELECT l.name, max(p.created) FROM loras AS l JOIN pictures AS p ON p.id = l.picture GROUP BY l.name",
    }
)
KINDS = tuple(_QUESTIONS)
_NONE: Times = MappingProxyType({})


class LastUses:
    """Answers from memory until the index has changed. Thread-safe."""

    def __init__(self, index: IndexFile) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._known: Mapping[str, tuple[int, Times]] = MappingProxyType({})

    def of(self, kind: str) -> Times:
        """The times of a kind; nothing for a kind that pictures do not tell of. Raises WebuiError as the index does."""
        if kind not in _QUESTIONS:
            return _NONE
        with self._lock:
            changes = self._index.changes
            known = self._known.get(kind)
            if known is not None and known[0] == changes:
                return known[1]
            with self._index.reading() as connection:
                found = MappingProxyType({row[0]: float(row[1]) for row in connection.execute(_QUESTIONS[kind])})
            self._known = MappingProxyType({**self._known, kind: (changes, found)})
            return found
