"""Cleans a text as CLIP's tokenizers do before they cut it into tokens.

OpenAI's and open_clip's tokenizers both repair Unicode first (the library ftfy). The parts of it that matter
for prompts are here: entities, typographic quotes, ligatures, full-width forms, control characters. Text that was
decoded with the wrong code page is not repaired.
"""

import html
import re
import unicodedata
from types import MappingProxyType

_ENTITY = re.compile(r"&#?[0-9A-Za-z]{1,24};")
_SPACE = re.compile(r"\s+")
_FULL_WIDTH = re.compile(r"[\u3000\uff01-\uffef]+")
_ESCAPE_SEQUENCE = re.compile(r"\x1b\[[0-9;]{0,40}[A-Za-z]")
_QUOTES = MappingProxyType(
    dict.fromkeys(map(ord, "\u02bc\u2018\u2019\u201a\u201b"), "'")
    | dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f"), '"')
)
_LIGATURES = MappingProxyType(
    {
        ord("\u0132"): "IJ",
        ord("\u0133"): "ij",
        ord("\u0149"): "\u02bcn",
        ord("\u01f1"): "DZ",
        ord("\u01f2"): "Dz",
        ord("\u01f3"): "dz",
        ord("\u01c4"): "D\u017d",
        ord("\u01c5"): "D\u017e",
        ord("\u01c6"): "d\u017e",
        ord("\u01c7"): "LJ",
        ord("\u01c8"): "Lj",
        ord("\u01c9"): "lj",
        ord("\u01ca"): "NJ",
        ord("\u01cb"): "Nj",
        ord("\u01cc"): "nj",
        ord("\ufb00"): "ff",
        ord("\ufb01"): "fi",
        ord("\ufb02"): "fl",
        ord("\ufb03"): "ffi",
        ord("\ufb04"): "ffl",
        ord("\ufb05"): "\u017ft",
        ord("\ufb06"): "st",
    }
)
_CONTROLS = MappingProxyType(
    dict.fromkeys(
        [*range(0x00, 0x09), 0x0B, *range(0x0E, 0x20), 0x7F, *range(0x206A, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFD)]
    )
)


def clean_clip(text: str) -> str:
    """As OpenAI's tokenizer does: repair Unicode, one space for any whitespace, lower case."""
    return _SPACE.sub(" ", _repair(text)).strip().lower()


def clean_open_clip(text: str) -> str:
    """As open_clip's tokenizer does: the same with HTML entities resolved twice in any case."""
    return _SPACE.sub(" ", html.unescape(html.unescape(_repair(text)))).strip().lower()


def _repair(text: str) -> str:
    if text.isascii() and "&" not in text and text.isprintable():
        return text  # by far the most common case
    if "<" not in text:  # with a "<" the entities may belong to markup and stay as they are
        text = _ENTITY.sub(lambda entity: html.unescape(entity.group()), text)
    text = _ESCAPE_SEQUENCE.sub("", text)
    text = text.translate(_LIGATURES)
    text = _FULL_WIDTH.sub(lambda run: unicodedata.normalize("NFKC", run.group()), text)
    text = text.translate(_QUOTES)
    return unicodedata.normalize("NFC", text.translate(_CONTROLS))
