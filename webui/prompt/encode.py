"""Encodes prompts to `Conditioning`: expands prompt schedules, cuts chunks, runs text encoders, applies emphasis, and
builds SDXL's vector. The parsers are elsewhere.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from webui.domain.request import SDXL, PromptRules
from webui.library.family import SizeNumber
from webui.prompt.chunks import Chunk, Chunks, chunks, old_chunks
from webui.prompt.composition import split_and
from webui.prompt.conditioning import Conditioning, Part, Span
from webui.prompt.embedding_table import EmbeddingTable
from webui.prompt.embeddings import Embedding
from webui.prompt.ports import Splice, TextEncoder, TextStack
from webui.prompt.schedule import schedules
from webui.prompt.tokenize import ClipTokenizer, Dialect

ROWS = 32  # chunks encoded in one call, which bounds memory
NUMBER_WIDTH = 256  # channels for each embedded number in SDXL's vector


class PromptEncoder:
    """Turns the prompts of a batch into conditioning with one checkpoint's text encoders."""

    def __init__(self, stack: TextStack, tokenizer: ClipTokenizer, embeddings: Sequence[Embedding] = ()) -> None:
        """Embeddings that do not fit the widths of the encoders are left out; `embeddings` holds those that remain."""
        self.stack = stack
        self.tokenizer = tokenizer
        self.embeddings = tuple(embedding for embedding in embeddings if embedding.fits(stack))
        self._table = EmbeddingTable(self.embeddings, tokenizer)

    def encode(
        self,
        positives: Sequence[str],
        negatives: Sequence[str],
        *,
        calls: int,
        rules: PromptRules,
        clip_skip: int,
        size: tuple[int, int],
        sdxl: SDXL,
        base_calls: int | None = None,
    ) -> Conditioning:
        """Encode a batch.

        Args:
            positives, negatives: one text for each image, after styles, comments and network tags were handled.
            calls: planned denoiser calls of this pass.
            clip_skip: 1..12; some families ignore it.
            size: (width, height) in pixels of this pass.
            base_calls: planned calls of the first pass, where this is the second.

        Raises:
            BadRequestError: naming `prompt`, `negative_prompt` or `clip_skip`.
        """
        job = _Encoding(self, calls, base_calls, rules, self._skip(clip_skip, sdxl), size, sdxl)
        parts = [[(weight, job.spans(text)) for text, weight in split_and(prompt)] for prompt in positives]
        positive = tuple(tuple(Part(weight, spans) for weight, spans in image) for image in parts)
        negative = tuple(job.spans(text, negative=True) for text in negatives)
        lengths = {len(span.context) for image in positive for part in image for span in part.spans}
        lengths |= {len(span.context) for spans in negative for span in spans}
        return Conditioning(positive, negative, job.empty() if len(lengths) > 1 else None)

    def tokens_of(self, prompt: str, word: str, *, calls: int, rules: PromptRules) -> tuple[int, ...]:
        """The numbers of a word's tokens in the context of a prompt, wherever it stands there."""
        text = schedules(prompt, calls, old=rules.old_scheduling)[0][1]
        [wanted] = self.tokenizer.ids([word])
        found: list[int] = []
        for number, chunk in enumerate(self.chunks(text, self.stack.encoders[0], rules, "prompt").chunks):
            start = number * self.stack.side.window + 1  # behind BOS
            for place in range(len(chunk.tokens) - len(wanted) + 1):
                if wanted and list(chunk.tokens[place : place + len(wanted)]) == wanted:
                    found += range(start + place, start + place + len(wanted))
        return tuple(found)

    def chunks(self, text: str, encoder: TextEncoder, rules: PromptRules, field: str) -> Chunks[Embedding]:
        """One text of a prompt schedule, cut into chunks for one encoder."""
        side = self.stack.side
        if rules.old_emphasis and side.old_emphasis:
            return old_chunks(text, self.tokenizer, self._table, rules, size=side.chunk)
        dialect: Dialect = "open_clip" if encoder.pads_with_zero else "clip"
        return chunks(text, self.tokenizer, self._table, rules, size=side.chunk, dialect=dialect, name=field)

    def _skip(self, clip_skip: int, sdxl: SDXL) -> int:
        """Clip skip as text encoders take it: 0 where the family's own layer is used."""
        follows = self.stack.side.clip_skip
        return clip_skip if follows == "always" or (follows == "asked" and sdxl.clip_l_skip) else 0


class _Encoding:
    """One call of `PromptEncoder.encode`, within which equal texts are encoded once."""

    def __init__(
        self,
        prompts: PromptEncoder,
        calls: int,
        base_calls: int | None,
        rules: PromptRules,
        skip: int,
        size: tuple[int, int],
        sdxl: SDXL,
    ) -> None:
        self.prompts = prompts
        self.calls = calls
        self.base_calls = base_calls
        self.rules = rules
        self.skip = skip
        self.size = size
        self.sdxl = sdxl
        self.side = prompts.stack.side
        self._done: dict[tuple[str, bool], tuple[Span, ...]] = {}

    def spans(self, text: str, *, negative: bool = False) -> tuple[Span, ...]:
        if (text, negative) not in self._done:
            self._done[text, negative] = self._spans(text, negative=negative)
        return self._done[text, negative]

    def empty(self) -> Tensor:
        """The encoding (W, D) of the empty prompt, which is never replaced by zeros."""
        return self._encode([""], "prompt")[0][0]

    def _spans(self, text: str, *, negative: bool) -> tuple[Span, ...]:
        entries = schedules(text, self.calls, self.base_calls, old=self.rules.old_scheduling)
        texts = [entry for _, entry in entries]
        contexts, pooled = self._encode(texts, "negative_prompt" if negative else "prompt")
        if pooled is None:
            return tuple(Span(until, context) for (until, _), context in zip(entries, contexts, strict=True))
        if negative and self.side.zeroes_empty_negative and not any(texts):
            contexts, pooled = [torch.zeros_like(c) for c in contexts], [torch.zeros_like(p) for p in pooled]
        numbers = self._numbers(negative=negative).to(pooled[0])
        return tuple(
            Span(until, context, torch.cat([vector, numbers]))
            for (until, _), context, vector in zip(entries, contexts, pooled, strict=True)
        )

    def _numbers(self, *, negative: bool) -> Tensor:
        """SDXL's size conditioning, embedded (arXiv:2307.01952, section 2.2)."""
        width, height = self.size
        score = self.sdxl.negative_aesthetic_score if negative else self.sdxl.aesthetic_score
        known: Mapping[SizeNumber, float] = {
            "height": height,
            "width": width,
            "crop_top": self.sdxl.crop_top,
            "crop_left": self.sdxl.crop_left,
            "aesthetic_score": score,
        }
        return embed_numbers(torch.tensor([float(known[name]) for name in self.side.numbers])).flatten()

    def _encode(self, texts: Sequence[str], field: str) -> tuple[list[Tensor], list[Tensor] | None]:
        """Encode the texts of one prompt: contexts (T, D) of equal length, and pooled vectors."""
        unique = Counter(texts)
        counts = torch.tensor(list(unique.values()), dtype=torch.float32)
        encoders = self.prompts.stack.encoders
        cut = [
            [self.prompts.chunks(text, encoder, self.rules, field).chunks for text in unique] for encoder in encoders
        ]
        length = max(len(text) for texts_of_encoder in cut for text in texts_of_encoder)
        contexts: list[Tensor] = []
        pooled: Tensor | None = None
        for encoder, texts_of_encoder in zip(encoders, cut, strict=True):
            padded = [[*text, *[Chunk()] * (length - len(text))] for text in texts_of_encoder]
            hidden, first = self._run(encoder, padded, counts)
            contexts.append(hidden)
            pooled = pooled if first is None else first
        joined = torch.cat(contexts, dim=-1 if self.side.joining == "channels" else -2)
        context = dict(zip(unique, joined.unbind(), strict=True))
        vectors = None if pooled is None else dict(zip(unique, pooled.unbind(), strict=True))
        return [context[text] for text in texts], None if vectors is None else [vectors[text] for text in texts]

    def _run(
        self, encoder: TextEncoder, texts: list[list[Chunk[Embedding]]], counts: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Encode U texts of n chunks each: context (U, W n, D), and pooled (U, D_p) of each first chunk, or None."""
        flat = [chunk for text in texts for chunk in text]
        size, window = self.side.chunk, self.side.window
        tokens = torch.tensor([chunk.padded_tokens(size, with_zero=encoder.pads_with_zero) for chunk in flat])
        weights = torch.tensor([chunk.padded_weights(size) for chunk in flat], dtype=torch.float32)
        splices = [[Splice(offset, found.vectors(encoder)) for offset, found in chunk.embeddings] for chunk in flat]
        answers = [
            encoder.encode(tokens[row : row + ROWS], splices[row : row + ROWS], clip_skip=self.skip)
            for row in range(0, len(flat), ROWS)
        ]
        hidden = torch.cat([answer.hidden for answer in answers]).view(len(texts), -1, window, encoder.width)
        factors = weights.to(hidden).view(len(texts), -1, window)
        if self.rules.emphasis in {"Original", "No norm"}:
            keep_mean = self.rules.emphasis == "Original"
            hidden = torch.stack(
                [
                    emphasize(hidden[:, index], factors[:, index], counts.to(hidden), keep_mean=keep_mean)
                    for index in range(hidden.shape[1])
                ],
                dim=1,
            )
        pooled = [answer.pooled for answer in answers if answer.pooled is not None]
        first = torch.cat(pooled)[:: len(texts[0])] if pooled else None
        return hidden.flatten(1, 2), first


def emphasize(hidden: Tensor, weights: Tensor, counts: Tensor, *, keep_mean: bool) -> Tensor:
    """Multiply encoded tokens by their weights.

    Args:
        hidden: (U, W, D), one chunk of each text.
        weights: (U, W).
        counts: (U,) how often each text occurs in its prompt schedule; the mean is taken over all of these.
        keep_mean: whether the result is scaled by one number so that its mean stays the same.
    """
    weighted = hidden * weights[..., None]
    if not keep_mean or bool((weights == 1).all()):
        return weighted
    share = counts / counts.sum()
    before = (hidden.mean(dim=(1, 2)) * share).sum()
    after = (weighted.mean(dim=(1, 2)) * share).sum()
    return weighted * (before / after)


def embed_numbers(numbers: Tensor) -> Tensor:
    """Sinusoidal embedding (arXiv:1706.03762) of (k,) numbers, (k, 256): cosines then sines, periods to 10000."""
    half = NUMBER_WIDTH // 2
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half, dtype=torch.float32) / half)
    angles = numbers.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)
