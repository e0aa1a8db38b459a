"""Captions as text: finding and replacing, and tags with commas between them. Pure functions."""

import re
from collections.abc import Iterable, Sequence

COMMA = ", "


def tags_of(caption: str) -> list[str]:
    """The parts between commas, without blanks around them; empty ones are left out."""
    return [tag for part in caption.split(",") if (tag := part.strip())]


def replaced(caption: str, find: str, put: str, *, whole_words: bool = False) -> str:
    """Every `find` as `put`; capitals do not matter. An empty `find` changes nothing."""
    if not find:
        return caption
    pattern = re.escape(find)
    if whole_words:
        pattern = rf"(?<!\w){pattern}(?!\w)"
    return re.sub(pattern, lambda _: put, caption, flags=re.IGNORECASE)


def with_tags(caption: str, added: Sequence[str], *, first: bool = False) -> str:
    """The caption with tags that it does not have yet, before or behind the others."""
    had = {tag.lower() for tag in tags_of(caption)}
    new = [tag for tag in _each(added) if tag.lower() not in had]
    if not new:
        return caption
    rest = [caption.strip().strip(",").strip()] if caption.strip().strip(",").strip() else []
    return COMMA.join([*new, *rest] if first else [*rest, *new])


def without_tags(caption: str, removed: Sequence[str]) -> str:
    """The caption without these tags; capitals do not matter. One that has none of them stays as it is."""
    gone = {tag.lower() for tag in _each(removed)}
    kept = [tag for tag in tags_of(caption) if tag.lower() not in gone]
    return COMMA.join(kept) if len(kept) < len(tags_of(caption)) else caption


def _each(tags: Iterable[str]) -> list[str]:
    """Single tags, each once, in their order."""
    return list(dict.fromkeys(tag for text in tags for tag in tags_of(text)))
