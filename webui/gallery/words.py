"""Texts as the full-text index is given them: Chinese and Japanese characters apart, so that each is a word.

The tokeniser of SQLite takes a run of them for one word, by which nobody would find a part of it.
"""

import re

_IDEOGRAPH = re.compile(r"([\u2e80-\u2fdf\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff])")
MAX_INDEXED = 32_000  # characters of one text


def spaced(text: str) -> str:
    """The text with a space on both sides of every ideograph, kana and Hangul syllable."""
    return _IDEOGRAPH.sub(r" \1 ", text[:MAX_INDEXED])


def as_phrase(text: str, *, prefix: bool) -> str:
    """A text as a phrase of FTS5: its words in a row, whatever signs are in it.

    Args:
        prefix: its last word may be the beginning of one.
    """
    quoted = '"' + spaced(text).replace("\0", "").replace('"', '""') + '"'
    return quoted + (" *" if prefix else "")


def has_word(text: str) -> bool:
    """Whether there is anything in it that the tokeniser takes for a word."""
    return any(character.isalnum() for character in text)
