"""The part of the interface for modules of extensions that work on tensors. It loads torch.

Types that are a part of the contract as they stand: what hooks are handed (`Step`, `Place`, `RunStart`, `ModelCall`,
`Window`, `Row`, `Residuals`, `Attention` with its `AttentionLayer` and the functions `Attend` and `TakePart`,
`Conditioning` with its `Part`s and `Span`s, `PromptTexts`, `Embedding`, `LoadedModel` with its `TextStack`, its
`ClipTower` and its VAE, whose `in_tiles` takes a `VaeTiling`), what a sampler's step is given and returns
(`SamplerStep`: `Denoiser`, `Past`, `StepNoise`, `SamplerOptions`, `Moved`), a file's tensors (`TensorFile`,
`TensorReader`), what a checkpoint is (`ModelSpec`, `Family`, `LatentFormat`), how its layers are named (`Layout`), and
networks that draw maps (`DepthNetwork`, `Segmenter`). The functions below stay as they are even where the code behind
them moves or changes.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from webui.domain.request import Schedule
from webui.library import layout
from webui.library.family import Family, LatentFormat, ModelSpec
from webui.library.layout import Layout
from webui.prompt import embeddings, encode
from webui.prompt.chunks import PLACEHOLDER, Chunk
from webui.prompt.conditioning import Conditioning, Part, PromptTexts, Span, at_call
from webui.prompt.embeddings import Embedding
from webui.prompt.ports import Encoded, Splice, TextEncoder, TextStack
from webui.prompt.tokenize import ClipTokenizer, Dialect
from webui.sampling import colours, guidance, stepping
from webui.sampling import reported_step as reports
from webui.sampling.attending import Attend, Attention, AttentionLayer, TakePart
from webui.sampling.padding import stack_spans
from webui.sampling.stepping import SamplerOptions, SamplerStep
from webui.sampling.steps import (
    Denoiser,
    ModelCall,
    Moved,
    Past,
    Place,
    Residuals,
    Row,
    RunStart,
    Step,
    StepNoise,
    Window,
)
from webui.weights import annotators, blip, build, owned, recognise, written_tensors
from webui.weights.annotators import Segmenter
from webui.weights.depth import DepthNetwork
from webui.weights.families.contract import networks_of
from webui.weights.model import LoadedModel
from webui.weights.tensors import TensorFile
from webui.weights.text_encoders import ClipTower, TensorReader
from webui.weights.vae_tiles import VaeTiling
from webui.weights.written_tensors import TensorEntry

__all__ = [
    "Attend",
    "Attention",
    "AttentionLayer",
    "ClipTower",
    "Conditioning",
    "Denoiser",
    "DepthNetwork",
    "Embedding",
    "Encoded",
    "Family",
    "LatentFormat",
    "Layout",
    "LoadedModel",
    "ModelCall",
    "ModelSpec",
    "Moved",
    "Part",
    "Past",
    "Place",
    "PromptTexts",
    "Residuals",
    "Row",
    "RunStart",
    "SamplerOptions",
    "SamplerStep",
    "Segmenter",
    "Span",
    "Splice",
    "Step",
    "StepNoise",
    "TakePart",
    "TensorEntry",
    "TensorFile",
    "TensorReader",
    "TextEncoder",
    "TextStack",
    "VaeTiling",
    "Window",
    "alphas_cumprod",
    "build_captioner",
    "build_depth",
    "build_segmenter",
    "build_text_stack",
    "caption_tokens",
    "check_finite",
    "checkpoint_weight",
    "embedded_numbers",
    "embedding_of",
    "is_finite",
    "latent_colours",
    "overwrite",
    "packed_tensors",
    "picture_network",
    "reported_step",
    "restore",
    "restores_faces",
    "span_at",
    "tangent",
    "text_at",
    "unet_layout",
    "with_spread_of",
    "write_safetensors",
]


def is_finite(tensor: Tensor) -> bool:
    """Whether no value is NaN or infinite; quick on large tensors."""
    return build.is_finite(tensor)


def check_finite(key: str, tensor: Tensor) -> None:
    """Refuse a weight that is NaN or infinite.

    Args:
        key: its name in the file, for the error.

    Raises:
        NotFiniteError: naming the key.
    """
    build.check_finite(key, tensor)


def overwrite(weight: Tensor, values: Tensor) -> None:
    """Write values into a layer's weight, where it lies; `restore` gives back those that it had. A patch that changes
    weights in this way leaves their addresses as they are, and what it replaces waits in main memory.

    Args:
        values: of the same shape, on any device.
    """
    owned.overwrite(weight, values)


def restore(weight: Tensor) -> None:
    """Undo the last `overwrite` of a weight. Raises ValueError where there was none."""
    owned.restore(weight)


def checkpoint_weight(weight: Tensor) -> Tensor:
    """The values that the checkpoint has for a layer's weight, whether or not patches have overwritten it. They may lie
    in main memory.
    """
    return owned.checkpoint_weight(weight)


def unet_layout(blocks: Sequence[int], decoder_attends: Sequence[bool]) -> Layout:
    """The names of a UNet's layers in LDM's writing and in diffusers'.

    Args:
        blocks: residual blocks of each level of the encoder, shallow to deep; the decoder has one more a level.
        decoder_attends: whether the last block of each level of the decoder holds a transformer.
    """
    return layout.unet_layout(blocks, decoder_attends)


def embedding_of(name: str, tensors: Mapping[str, Tensor], *, origin: str) -> Embedding:
    """A textual inversion whose tensors came inside another file, named as in a file of their own.

    Args:
        origin: the name of that file, for texts.

    Raises:
        UnusableFileError: they are no embedding.
    """
    return embeddings.embedding_of(name, tensors, origin=origin)


def latent_colours(latents: Tensor, form: LatentFormat) -> Tensor:
    """The colours that latents stand for, roughly: (C, h, w) of one image -> (h, w, 3) uint8 on the CPU."""
    return colours.latent_colours(latents, form)


def alphas_cumprod(spec: ModelSpec) -> Tensor:
    """(1000,) float32: the share of the signal's variance that is left at each timestep that a checkpoint was trained
    with (alpha-bar of Ho et al., arXiv:2006.11239).
    """
    return networks_of(spec.family).levels(spec, Schedule()).alphas_cumprod


def embedded_numbers(numbers: Tensor) -> Tensor:
    """(k,) numbers -> (k, 256) sines and cosines, as SDXL's vector has them behind the pooled text."""
    return encode.embed_numbers(numbers)


def caption_tokens(
    encoder: TextEncoder, stack: TextStack, text: str, words: Mapping[str, int], most: int
) -> tuple[Tensor, list[list[tuple[int, str]]]]:
    """A text as an encoder reads it in training: without emphasis and prompt editing.

    Args:
        words: words that stand for vectors, each with how many.
        most: chunks; what is longer is cut off.

    Returns:
        ids (n, window) int64 of n >= 1 chunks, and for each chunk where vectors belong: (offset, word).
    """
    dialect: Dialect = "open_clip" if encoder.pads_with_zero else "clip"
    pieces = re.split(f"({'|'.join(map(re.escape, sorted(words, key=len, reverse=True)))})", text) if words else [text]
    size = stack.side.chunk
    chunks: list[tuple[list[int], list[tuple[int, str]]]] = [([], [])]
    for piece in pieces:
        ids = [PLACEHOLDER] * words[piece] if piece in words else _tokenizer().ids([piece], dialect)[0]
        if piece in words and len(chunks[-1][0]) + len(ids) > size:
            chunks.append(([], []))
        if piece in words:
            chunks[-1][1].append((len(chunks[-1][0]), piece))
        for ident in ids:
            if len(chunks[-1][0]) == size:
                chunks.append(([], []))
            chunks[-1][0].append(ident)
    kept = chunks[:most]
    rows = [Chunk(tuple(ids)).padded_tokens(size, with_zero=encoder.pads_with_zero) for ids, _ in kept]
    return torch.tensor(rows), [found for _, found in kept]


@cache
def _tokenizer() -> ClipTokenizer:
    return ClipTokenizer()


def build_text_stack(source: TensorReader, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> TextStack:
    """The text encoders of a checkpoint, built anew from tensors that are named as in its file.

    Raises:
        UnusableFileError: a tensor is missing, or has another shape than its neighbours imply.
        NotFiniteError: a weight is NaN or infinite.
    """
    return networks_of(spec.family).build_text(source, spec, device, dtype)


def build_depth(source: TensorFile, config: str, processor: str, device: torch.device) -> DepthNetwork:
    """The depth network of a folder in Hugging Face's form, in float32.

    Args:
        source: of its `model.safetensors`.
        config: the text of its `config.json`.
        processor: the text of its `preprocessor_config.json`; "" without one.

    Raises:
        UnusableFileError: it is no such network. NotFiniteError: a weight is NaN or infinite.
    """
    return annotators.build_depth(source, config, processor, device)


def build_segmenter(source: TensorFile, config: str, processor: str, device: torch.device, classes: int) -> Segmenter:
    """The segmentation network of a folder, for so many classes. Arguments and errors are those of `build_depth`."""
    return annotators.build_segmenter(source, config, processor, device, classes)


def build_captioner(source: TensorFile) -> Any:
    """The network of a BLIP file for captions (`model_base_caption_capfilt_large.pth`), on the CPU, in float32:
    transformers' `BlipForConditionalGeneration`.

    Raises:
        UnusableFileError: it is no such network.
    """
    return blip.build_blip(source)


def picture_network(source: TensorFile, name: str, device: torch.device) -> Any:
    """The network in a file that makes a picture from a picture (upscalers, face restorers), in float32, ready to be
    used: spandrel's `ImageModelDescriptor`, which recognises it by the names of its tensors.

    Args:
        name: of the file, for error texts.

    Raises:
        UnusableFileError: the network is unknown, or does something else.
    """
    return recognise.recognise(source, name, device)


def reported_step(sampler: str, call: ModelCall) -> int:
    """The number of the step, from 0, that A1111 would have reported at a call of the network. It lags behind.

    Args:
        sampler: the label of the sampler of the pass.
    """
    return reports.reported_step(sampler, call.step.index, call.place.call_in_step, call.place.call)


def restores_faces(network: Any) -> bool:
    """Whether a network, from `picture_network`, was made to restore faces."""
    return bool(network.purpose == recognise.FACES)


def span_at(spans: Sequence[Span], call: int) -> Span:
    """The encoded text of a prompt schedule that is due at the call of this number (`call.place.call`)."""
    return at_call(tuple(spans), call)


def tangent(latents: Tensor, denoised: Tensor, sigma: Tensor) -> Tensor:
    """The direction in which a step of Euler goes, (latents - denoised) / sigma: the noise that the network sees."""
    return stepping.tangent(latents, denoised, sigma)


def text_at(conditioning: Conditioning, call: ModelCall) -> tuple[Span, Span]:
    """The text of the prompts and that of the negative prompts which is due at a call of the network: each a span whose
    tensors have a row for each part of each image (rows, T, D), or for each image.
    """
    number = call.place.call
    parts = [at_call(part.spans, number) for image in conditioning.positive for part in image]
    return stack_spans(parts), stack_spans([at_call(spans, number) for spans in conditioning.negative])


def with_spread_of(guided: Tensor, cond: Tensor, strength: float) -> Tensor:
    """CFG rescale (arXiv:2305.08891, equations 15 and 16): `guided` with the standard deviation of `cond`, image by
    image; both (B, C, h, w).

    Args:
        strength: 0 changes nothing, 1 takes the whole deviation over.
    """
    return guidance.with_spread_of(guided, cond, strength)


def write_safetensors(
    path: Path,
    entries: Iterable[TensorEntry],
    metadata: Mapping[str, str],
    pieces: Callable[[str], Iterable[Tensor]],
    before: Callable[[int, str], None] = lambda done, name: None,
    *,
    replaces: bool = False,
) -> None:
    """Write a safetensors file tensor by tensor, or nothing: a file that is not whole has no name.

    Args:
        pieces: the values of a tensor, in one or more pieces of any shape, in order and of the entry's dtype.
        before: called before each tensor with how many are done; what it raises (Cancelled) ends the writing.
        replaces: whether a file of that name may be there.

    Raises:
        WebuiError: a file of that name is there, the disk is full, or `pieces` did not give what the entry says.
    """
    written_tensors.write_safetensors(path, entries, metadata, pieces, before, replaces=replaces)


def packed_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    """What a safetensors file of these tensors would hold: its header, then the values of each."""
    return written_tensors.packed(tensors, metadata)
