"""Captions as the network sees them: cut to tokens, encoded, and with SDXL's vector of sizes."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from webui.extension_api import UnusableFileError
from webui.extension_api.tensors import (
    ClipTower,
    LoadedModel,
    Splice,
    TensorEntry,
    TensorFile,
    TextStack,
    caption_tokens,
    embedded_numbers,
)

from .buckets import Fit
from .tensor_files import write_tensors


class Text(NamedTuple):
    """A caption, encoded: context (n, W, D) of n chunks, and pooled (P,) where the family has such a vector."""

    context: Tensor
    pooled: Tensor | None


class TextEncoding:
    """Encodes captions with the towers of a checkpoint.

    Args:
        clip_skip: counts where the family follows it.
        most: chunks of a caption that are read.
        vectors: of new words, for each tower: word -> (v, D).
    """

    def __init__(
        self, stack: TextStack, *, clip_skip: int, most: int, vectors: Sequence[Mapping[str, Tensor]] = ()
    ) -> None:
        if stack.side.joining != "channels":
            raise UnusableFileError("a checkpoint whose text encoders are joined otherwise than SDXL's is not trained")
        self._stack = stack
        self.towers = tuple(one for one in stack.encoders if isinstance(one, ClipTower))
        self._skip = clip_skip if stack.side.clip_skip == "always" else 0
        self._chunks = most
        self._vectors = vectors or [{} for _ in self.towers]

    def of(self, captions: Sequence[str]) -> list[Text]:
        """Each caption, encoded; gradients flow where towers or vectors are trained."""
        parts: list[list[Tensor]] = [[] for _ in captions]
        pooled: list[Tensor | None] = [None] * len(captions)
        for tower, vectors in zip(self.towers, self._vectors, strict=True):
            lengths = {word: len(values) for word, values in vectors.items()}
            cut = [caption_tokens(tower, self._stack, text, lengths, self._chunks) for text in captions]
            splices = [
                [Splice(offset, vectors[word]) for offset, word in chunk] for _, places in cut for chunk in places
            ]
            made = tower.traced(torch.cat([rows for rows, _ in cut]), splices, clip_skip=self._skip)
            start = 0
            for number, (rows, _) in enumerate(cut):
                parts[number].append(made.hidden[start : start + len(rows)])
                if made.pooled is not None:
                    pooled[number] = made.pooled[start]
                start += len(rows)
        texts = []
        for contexts, own in zip(parts, pooled, strict=True):
            longest = max(map(len, contexts))
            texts.append(Text(torch.cat([_longer(one, longest) for one in contexts], dim=-1), own))
        return texts


class TextCache:
    """Captions that were encoded once, in memory and on the disk, for encoders that are not trained."""

    def __init__(self, encoding: TextEncoding, folder: Path) -> None:
        self._encoding = encoding
        self._folder = folder
        self._kept: dict[str, Text] = {}

    @torch.no_grad()
    def of(self, captions: Sequence[str]) -> list[Text]:
        """As `TextEncoding.of`."""
        return [self._one(caption) for caption in captions]

    def _one(self, caption: str) -> Text:
        if caption in self._kept:
            return self._kept[caption]
        path = self._folder / f"{hashlib.sha256(caption.encode()).hexdigest()[:32]}.safetensors"
        if path.is_file():
            with TensorFile(path) as file:
                pooled = file.read("pooled") if "pooled" in file else None
                text = Text(file.read("context"), pooled)
        else:
            made = self._encoding.of([caption])[0]
            text = Text(made.context.cpu(), None if made.pooled is None else made.pooled.cpu())
            tensors = {"context": text.context} | ({} if text.pooled is None else {"pooled": text.pooled})
            write_tensors(path, TensorEntry.all_of(tensors), tensors.__getitem__, {}, replaces=True)
        self._kept[caption] = text
        return text


def together(texts: Sequence[Text], empty: Text) -> tuple[Tensor, Tensor | None]:
    """The captions of a batch: context (B, n x W, D) with chunks of the empty caption where one is shorter, and pooled
    (B, P) or None.
    """
    longest = max(len(text.context) for text in texts)
    rows = []
    for text in texts:
        spare = empty.context[:1].to(text.context).expand(longest - len(text.context), -1, -1)
        rows.append(torch.cat([text.context, spare]).flatten(0, 1))
    pooled = [text.pooled for text in texts if text.pooled is not None]
    return torch.stack(rows), torch.stack(pooled) if pooled else None


def size_vector(model: LoadedModel, pooled: Tensor, fits: Sequence[tuple[tuple[int, int], Fit]]) -> Tensor:
    """SDXL's vector (arXiv:2307.01952, section 2.2) of a batch: the pooled text, then size of the picture before it was
    scaled, what was cut off, and its size now.

    Args:
        pooled: (B, P).
        fits: for each picture its (width, height), and how it got into its bucket.
    """
    rows = []
    for (width, height), fit in fits:
        seen: dict[str, int] = {}
        numbers = []
        for name in model.spec.family.text.numbers:
            later = seen.get(name, 0) > 0
            seen[name] = seen.get(name, 0) + 1
            bucket = fit.bucket
            known = {
                "width": bucket.width if later else width, "height": bucket.height if later else height,
                "crop_top": fit.top, "crop_left": fit.left, "aesthetic_score": 6,
            }  # fmt: skip
            numbers.append(float(known[name]))
        rows.append(embedded_numbers(torch.tensor(numbers)).flatten())
    return torch.cat([pooled, torch.stack(rows).to(pooled)], dim=-1)


def _longer(context: Tensor, chunks: int) -> Tensor:
    """(n, W, D) with its last chunk repeated up to `chunks`: towers cut a text alike, but for new words of SDXL."""
    return torch.cat([context, context[-1:].expand(chunks - len(context), -1, -1)])
