"""Measures which of torch's kernels are the faster ones on this processor, on small samples of what a UNet computes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch
from diffusers.models.activations import GEGLU
from torch import Tensor, nn
from torch.nn import functional

from webui.weights.blocked_attention import QUERY_BLOCK, batched_attention, blocked_attention
from webui.weights.gated_units import gated, halves
from webui.weights.packed_convolutions import can_pack, convolved, packed_weight
from webui.weights.packed_linears import can_pack_linears, multiplied, packed_matrix
from webui.weights.precision import cpu_computes_bf16
from webui.weights.speed import CpuKernels, FormatKernels
from webui.weights.tiled_convolutions import tiled_convolution, tiled_weights

REPEATS = 3  # the fastest counts, since other programs only ever slow one down
# A choice that gains less than this is not made: the plain path is the one that torch's authors look after.
MARGIN = 0.95
EQUAL_MARGIN = 0.98  # for what changes no number
REORDERING = 1.15  # channels last spares reordering between layers, which a sample of one layer does not show
CONVOLUTIONS = ((320, 16), (640, 8))  # channels, side
PRODUCTS = ((1024, 320, 1280), (256, 1280, 1280))  # rows, width in, width out
GATES = (4096, 320, 1280)  # rows, width in, width out
# Weights that are laid out ahead take the memory of a second copy, so they have to gain more than other choices.
PACKED_MARGIN, PACKED_CHANNELS, PACKED_SIDES = 0.9, 640, (4, 8, 16)
TILED = ((320, 32), (640, 16), (1280, 8))  # channels, side: of convolutions by tiles, which have to gain as much
TEXT_ATTENTION = (1024, 80, 8, 79)  # tokens, width of a head, heads, tokens of a text, about as many as one chunk has
ATTENTION = ((256, 160, 2), (1024, 80, 1), (4096, 40, 1))  # tokens, width of a head, heads: SD1 at 128 to 512 pixels


def measured() -> CpuKernels:
    """The choice for this processor. It takes about 1.5 s of one core, once; process-wide switches of torch count as
    they are.
    """
    with _one_thread(), torch.inference_mode():
        plain, plain_seconds = _of(torch.float32)
        if not cpu_computes_bf16():
            return CpuKernels(_with_more(torch.float32, plain))
        half, half_seconds = _of(torch.bfloat16)
        prefers_half = half_seconds < MARGIN * plain_seconds
        if not prefers_half:  # else nobody asks for fast kernels of float32
            plain = _with_more(torch.float32, plain)
        return CpuKernels(plain, _with_more(torch.bfloat16, half), prefers_half)


def _of(dtype: torch.dtype) -> tuple[FormatKernels, float]:
    """The kernels for one number format, and the seconds that the samples took with them."""
    contiguous, last = (_convolutions(dtype, form) for form in (torch.contiguous_format, torch.channels_last))
    products = sum(_product(dtype, *sizes) for sizes in PRODUCTS)
    blocks_from: int | None = None
    seconds = 0.0
    for tokens, width, heads in reversed(ATTENTION):  # blocks pay from a length on, so the longest is looked at first
        ours, torchs = _attention(dtype, tokens, width, heads)
        seconds += min(ours, torchs)
        wins = ours < MARGIN * torchs
        if wins and (blocks_from is not None or tokens == ATTENTION[-1][0]):
            blocks_from = tokens if blocks_from is None else min(blocks_from, tokens)
        elif not wins:
            break
    layout = torch.channels_last if last < REORDERING * contiguous else torch.contiguous_format
    return FormatKernels(layout == torch.channels_last, blocks_from), min(contiguous, last) + products + seconds


def _with_more(dtype: torch.dtype, kernels: FormatKernels) -> FormatKernels:
    """What else is faster in a number format."""
    form = torch.channels_last if kernels.channels_last else torch.contiguous_format
    packs_to = _packs_to(dtype, form)
    halving, whole = _gating(dtype)
    batched, apart = _text_attention(dtype)
    return replace(
        kernels,
        packs_to=packs_to,
        tiled_from=_tiled_from(dtype, form, packs_to),
        halves_gates=halving < EQUAL_MARGIN * whole,
        packs_linears=can_pack_linears() and _packing_gains(dtype),
        batches_texts=batched < MARGIN * apart,
    )


def _packs_to(dtype: torch.dtype, form: torch.memory_format) -> int:
    """Pixels up to which convolutions gain by weights that are laid out ahead; 0: not even with few."""
    gains = 0
    for side in PACKED_SIDES if can_pack() else ():
        packed, plain = _packing(dtype, form, side)
        if packed >= PACKED_MARGIN * plain:
            break
        gains = 2 * side * side
    return gains


def _tiled_from(dtype: torch.dtype, form: torch.memory_format, packs_to: int) -> int:
    """Pixels of a row from which convolutions gain by tiles; 0: not even with many."""
    gains = 0
    for channels, side in TILED:
        tiled, usual = _tiling(dtype, form, channels, side, packed=2 * side * side <= packs_to)
        if tiled >= PACKED_MARGIN * usual:
            break
        gains = side * side
    return gains


def _tiling(
    dtype: torch.dtype, form: torch.memory_format, channels: int, side: int, *, packed: bool
) -> tuple[float, float]:
    """Seconds of a convolution of two rows by tiles, and as it would be computed else."""
    picture, layer = _sample(dtype, form, channels, side)
    tiles = tiled_weights(layer.weight.detach())
    usual = partial(convolved, layer, picture, packed_weight(layer, picture)) if packed else partial(layer, picture)
    return _seconds(partial(tiled_convolution, picture, tiles, layer.bias)), _seconds(usual)


def _packing(dtype: torch.dtype, form: torch.memory_format, side: int) -> tuple[float, float]:
    """Seconds of a convolution of two rows with its weight laid out ahead, and as it comes."""
    picture, layer = _sample(dtype, form, PACKED_CHANNELS, side)
    laid_out = packed_weight(layer, picture)
    return _seconds(partial(convolved, layer, picture, laid_out)), _seconds(partial(layer, picture))


def _sample(dtype: torch.dtype, form: torch.memory_format, channels: int, side: int) -> tuple[Tensor, nn.Conv2d]:
    """A picture of two rows, and a convolution for it."""
    layer = nn.Conv2d(channels, channels, 3, padding=1, dtype=dtype, device="meta").to_empty(device="cpu")
    layer.to(memory_format=form)  # type: ignore[call-overload]  # missing in torch's stubs
    for weight in layer.parameters():
        weight.fill_(1 / (9 * channels))
    return torch.ones(2, channels, side, side, dtype=dtype).to(memory_format=form), layer


def _convolutions(dtype: torch.dtype, form: torch.memory_format) -> float:
    total = 0.0
    for channels, side in CONVOLUTIONS:
        picture = torch.ones(1, channels, side, side, dtype=dtype).to(memory_format=form)
        weight = torch.ones(channels, channels, 3, 3, dtype=dtype).to(memory_format=form)
        total += _seconds(partial(functional.conv2d, picture, weight, padding=1))
    return total


def _product(dtype: torch.dtype, rows: int, inputs: int, outputs: int) -> float:
    tokens, weight, bias = (
        torch.ones(*shape, dtype=dtype) for shape in ((rows, inputs), (outputs, inputs), (outputs,))
    )
    return _seconds(lambda: functional.linear(tokens, weight, bias))


def _packing_gains(dtype: torch.dtype) -> bool:
    """Whether linear layers are faster with weights that are laid out ahead."""
    packed, plain = (sum(of(dtype, *sizes) for sizes in PRODUCTS) for of in (_packed, _product))
    return packed < EQUAL_MARGIN * plain


def _packed(dtype: torch.dtype, rows: int, inputs: int, outputs: int) -> float:
    """As `_product`, with a weight that is laid out ahead."""
    tokens, weight, bias = (
        torch.ones(*shape, dtype=dtype) for shape in ((rows, inputs), (outputs, inputs), (outputs,))
    )
    laid_out = packed_matrix(weight)
    return _seconds(lambda: multiplied(tokens, laid_out, bias))


def _gating(dtype: torch.dtype) -> tuple[float, float]:
    """Seconds of a gated unit whose halves are computed one after the other, and of diffusers'."""
    rows, inputs, outputs = GATES
    tokens, unit = torch.ones(rows, inputs, dtype=dtype), GEGLU(inputs, outputs).to(dtype)
    return _seconds(lambda: gated(*halves(tokens, unit.proj.weight, unit.proj.bias))), _seconds(lambda: unit(tokens))


def _attention(dtype: torch.dtype, tokens: int, width: int, heads: int) -> tuple[float, float]:
    """Seconds of attention in blocks, and of torch's."""
    whole = torch.linspace(-1, 1, heads * tokens * width).reshape(1, heads, tokens, width).to(dtype)
    some = whole[:, :, :QUERY_BLOCK]  # each block of queries takes as long as any other
    return (
        _seconds(lambda: blocked_attention(some, whole, whole)),
        _seconds(lambda: functional.scaled_dot_product_attention(some, whole, whole)),
    )


def _text_attention(dtype: torch.dtype) -> tuple[float, float]:
    """Seconds of attention to a text of all heads at once, and of torch's."""
    tokens, width, heads, length = TEXT_ATTENTION
    query, text = (
        torch.linspace(-1, 1, heads * count * width).reshape(1, heads, count, width).to(dtype)
        for count in (tokens, length)
    )
    return (
        _seconds(lambda: batched_attention(query, text, text)),
        _seconds(lambda: functional.scaled_dot_product_attention(query, text, text)),
    )


def _seconds(work: Callable[[], Tensor]) -> float:
    """Processor time of this thread, which other programs change little; the first call is not counted."""
    work()
    times = []
    for _ in range(REPEATS):
        began = time.thread_time()
        work()
        times.append(time.thread_time() - began)
    return min(times)


@contextmanager
def _one_thread() -> Iterator[None]:
    """While entered, torch computes in this thread alone, whose time can be told."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
