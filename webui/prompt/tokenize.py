"""Texts as token ids of CLIP's byte pair encoding. Chunks of 75 are made in `chunks.py`."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from transformers import CLIPTokenizer

from webui.prompt.attention import ROUND, SQUARE
from webui.prompt.cleaning import clean_clip, clean_open_clip

START = 49406
END = 49407
COMMA = 267

Dialect = Literal["clip", "open_clip"]
_CLEANERS: Mapping[Dialect, Callable[[str], str]] = MappingProxyType({"clip": clean_clip, "open_clip": clean_open_clip})


class ClipTokenizer:
    """The CLIP byte pair encoding, which every Stable Diffusion text encoder uses."""

    def __init__(self, folder: Path = Path(__file__).with_name("clip_vocabulary")) -> None:
        vocabulary: dict[str, int] = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
        lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
        merges: Any = [tuple(line.split()) for line in lines if line and not line.startswith("#version")]
        self._backend = CLIPTokenizer(vocab=vocabulary, merges=merges).backend_tokenizer
        self.bracket_weights = MappingProxyType(_bracket_weights(vocabulary))

    def ids(self, texts: Sequence[str], dialect: Dialect = "clip") -> list[list[int]]:
        """Token ids of each text, without BOS and EOS, of any length."""
        clean = _CLEANERS[dialect]
        encodings = self._backend.encode_batch([clean(text) for text in texts], add_special_tokens=False)
        return [list(encoding.ids) for encoding in encodings]


def _bracket_weights(vocabulary: Mapping[str, int]) -> dict[int, float]:
    """Factor of each token with unbalanced brackets in it, for the emphasis of the first versions."""
    factors: dict[int, float] = {}
    for token, ident in vocabulary.items():
        rise = token.count("(") + token.count("]") - token.count(")") - token.count("[")
        if rise:
            factors[ident] = ROUND**rise if rise > 0 else SQUARE**-rise
    return factors
