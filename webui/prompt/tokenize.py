"""Turns texts into token ids by CLIP's byte pair encoding. Chunks are made in `chunks.py`.

It needs no torch, because the page counts tokens with it in the front.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE

from webui.prompt.attention import ROUND, SQUARE
from webui.prompt.cleaning import clean_clip, clean_open_clip

START = 49406
END = 49407
COMMA = 267

SPECIAL = ("<|startoftext|>", "<|endoftext|>")  # each becomes one token, even where a prompt contains it as text
# Radford et al. 2021 (arXiv:2103.00020), as published with the vocabulary: contractions, words, single digits, the rest
WORD = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
WORD_END = "</w>"  # ends the last token of a word in the vocabulary
_BRACKETS = frozenset("()[]")
_INCOMPLETE = "\N{REPLACEMENT CHARACTER}"

Dialect = Literal["clip", "open_clip"]
_CLEANERS: Mapping[Dialect, Callable[[str], str]] = MappingProxyType({"clip": clean_clip, "open_clip": clean_open_clip})


class ClipTokenizer:
    """The CLIP byte pair encoding, which every Stable Diffusion text encoder uses.

    Its vocabulary is read once a process, and all tokenizers of a folder share it.
    """

    def __init__(self, folder: Path = Path(__file__).with_name("clip_vocabulary")) -> None:
        self._backend, self.bracket_weights = _read(folder)
        self._bytes = decoders.ByteLevel()

    def ids(self, texts: Sequence[str], dialect: Dialect = "clip") -> list[list[int]]:
        """Token ids of each text, without BOS and EOS, of any length."""
        clean = _CLEANERS[dialect]
        encodings = self._backend.encode_batch([clean(text) for text in texts], add_special_tokens=False)
        return [list(encoding.ids) for encoding in encodings]

    def piece(self, ids: Sequence[int]) -> tuple[str | None, bool]:
        """What tokens stand for, and whether a word ends with the last of them.

        Returns:
            None as the text where they are a part of a sign only.
        """
        tokens = [self._backend.id_to_token(ident) or "" for ident in ids]
        text = self._bytes.decode([token.removesuffix(WORD_END) for token in tokens])
        return None if _INCOMPLETE in text else text, tokens[-1].endswith(WORD_END)


@cache
def _read(folder: Path) -> tuple[Tokenizer, Mapping[int, float]]:
    """The encoding of a folder's vocabulary, and the factors of its brackets."""
    vocabulary: dict[str, int] = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
    merges = [_pair(line) for line in lines if line and not line.startswith("#version")]
    return _backend(vocabulary, merges), MappingProxyType(_bracket_weights(vocabulary))


def _backend(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
    """Byte pair encoding over bytes, word by word; texts are NFC, lower case, and any whitespace is one space."""
    backend = Tokenizer(BPE(vocab=vocabulary, merges=merges, end_of_word_suffix=WORD_END, unk_token=SPECIAL[1]))
    backend.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    backend.add_special_tokens(list(SPECIAL))
    return backend


def _pair(line: str) -> tuple[str, str]:
    first, second = line.split()
    return first, second


def _bracket_weights(vocabulary: Mapping[str, int]) -> dict[int, float]:
    """The factor of each token with unbalanced brackets in it, for the emphasis of A1111's first versions."""
    factors: dict[int, float] = {}
    for token, ident in vocabulary.items():
        if _BRACKETS.isdisjoint(token):
            continue
        rise = token.count("(") + token.count("]") - token.count(")") - token.count("[")
        if rise:
            factors[ident] = ROUND**rise if rise > 0 else SQUARE**-rise
    return factors
