"""The types of encoded prompts, which go from the text encoders to the denoiser."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Span:
    """One encoded text of a prompt schedule. It is used up to and including the call of number `until`.

    Attributes:
        context: (T, D) float32, T a multiple of the encoders' window.
        vector: (D_y,) SDXL's pooled text and sizes; None for the others.
    """

    until: int
    context: Tensor
    vector: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an AND: its weight and its prompt schedule."""

    weight: float
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Conditioning:
    """The encoded prompts of a batch.

    Attributes:
        positive: for each image its AND parts.
        negative: for each image one prompt schedule.
        empty: (W, D) encoding of the empty prompt, for padding; None where not needed.
    """

    positive: tuple[tuple[Part, ...], ...]
    negative: tuple[tuple[Span, ...], ...]
    empty: Tensor | None = None


@dataclass(frozen=True, slots=True)
class PromptTexts:
    """The texts of a batch, and what encodes others in their place.

    Attributes:
        prompts, negatives: one for each image, without tags of networks.
        encode: (prompts, negatives), as many -> their conditioning; raises BadRequestError where a text cannot be read.
        tokens_of: (prompt, word) -> the numbers of the word's tokens in the prompt's context, wherever it stands there;
            of prompt editing the first text counts.
    """

    prompts: tuple[str, ...]
    negatives: tuple[str, ...]
    encode: Callable[[Sequence[str], Sequence[str]], Conditioning]
    tokens_of: Callable[[str, str], tuple[int, ...]] = lambda prompt, word: ()


def at_call(spans: tuple[Span, ...], call: int) -> Span:
    """The span to use at the call of this number (from 0): the first with call <= until, else the first of all.

    As in A1111, a sampler that makes more calls than planned returns to the first text.
    """
    return next((span for span in spans if call <= span.until), spans[0])
