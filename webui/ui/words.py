"""The dictionaries of the page: English texts and what they are called in another language.

The form is A1111's: one JSON object for each language, in a file `<language>.json`. A file of the user replaces single
texts of ours, or brings another language.
"""

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path

OURS = Path(__file__).parent / "localizations"
NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
MAX_FILE = 4 * 2**20  # bytes
TITLE = "English"  # this text of a dictionary, translated, is the title of its language

log = logging.getLogger(__name__)


def dictionaries(folders: Sequence[Path] = ()) -> dict[str, bytes]:
    """The dictionaries by language, as JSON; where several have the same text, that of the last folder counts."""
    found: dict[str, dict[str, str]] = {}
    for folder in (OURS, *folders):
        for path in sorted(folder.glob("*.json")):
            if NAME.fullmatch(path.stem) is None:
                log.warning("%s: the name of a language has letters, digits, _ and - only", path)
            elif (texts := _read(path)) is not None:
                found[path.stem] = found.get(path.stem, {}) | texts
    return {name: json.dumps(texts, ensure_ascii=False).encode() for name, texts in found.items()}


def title_of(dictionary: bytes) -> str:
    """What a language calls itself; "" where its dictionary does not say so."""
    return str(json.loads(dictionary).get(TITLE, ""))


def _read(path: Path) -> dict[str, str] | None:
    """The texts of a file; None where it is no dictionary, which is logged."""
    try:
        text = path.read_bytes()[: MAX_FILE + 1]
        texts = json.loads(text.decode("utf-8-sig")) if len(text) <= MAX_FILE else None
    except (OSError, ValueError, RecursionError) as error:
        log.warning("%s: cannot be read as a dictionary: %s", path, error)
        return None
    if not isinstance(texts, dict):
        limit = MAX_FILE >> 20
        log.warning("%s: should be a JSON object from English texts to others, of at most %d MiB", path, limit)
        return None
    return {key: value for key, value in texts.items() if isinstance(value, str) and value}
