"""Latent mode: a run of the network for each region, of which each cell takes the one that lies there.

The estimate of the clean latents is an affine function of the network's output, and the shares are 1 in sum; so mixing
outputs is mixing what guidance makes of them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from webui.extension_api.tensors import Conditioning, ModelCall, Row, Span, span_at

from .regional_networks import Tags
from .regional_text import RegionalText, RowRegions

Network = Callable[[ModelCall], Tensor]
Acting = Callable[[Row, int], tuple[Tags, ...] | None]


def all_act(row: Row, regions: int) -> None:
    """Every network acts in every run."""


def mixed_runs(call: ModelCall, network: Network, text: RegionalText, acting: Acting = all_act) -> Tensor:
    """(rows, C, h, w): the network's output, that of each region in its place.

    Args:
        acting: which networks of the prompt act in the run of each region of a row.
    """
    regions = [text.of(row) for row in call.rows]
    apart = [row for row, one in enumerate(regions) if one.division is not None and len(one.spans) > 1]
    rest = [row for row in range(len(regions)) if row not in apart]
    longest = max(length for row in apart for length in regions[row].lengths)
    answers = _Answers(len(regions))
    for number in range(max(len(regions[row].spans) for row in apart)):
        here = [row for row in apart if number < len(regions[row].spans)]
        asked: dict[int, Span | None] = {
            row: _as_long(span_at(regions[row].spans[number], call.place.call), longest) for row in here
        }
        if number == 0 and call.context.shape[1] == longest:  # the negative prompt fits into the same call
            asked |= dict.fromkeys(rest)
            rest = []
        tags = {row: _tags(acting, call.rows[row], regions[row], number if row in here else 0) for row in asked}
        for row, answer in _answered(call, network, asked, tags):
            division = regions[row].division if row in here else None
            coverage = None if division is None else division.coverage
            share = 1.0 if coverage is None else coverage.shares(*call.cells)[number].to(answer)
            answers.add(row, answer * share)
    tags = {row: _tags(acting, call.rows[row], regions[row], 0) for row in rest}
    for row, answer in _answered(call, network, dict.fromkeys(rest), tags):
        answers.add(row, answer)
    return answers.whole


def _tags(acting: Acting, told: Row, row: RowRegions, number: int) -> Tags | None:
    """The networks in the run of a region; None: all."""
    found = acting(told, len(row.spans))
    return None if found is None else found[number]


def _answered(
    call: ModelCall, network: Network, asked: Mapping[int, Span | None], tags: Mapping[int, Tags | None]
) -> Iterator[tuple[int, Tensor]]:
    """Rows with the network's output, in one call for those in which the same networks act."""
    groups: dict[Tags | None, dict[int, Span | None]] = {}
    for row, span in asked.items():
        groups.setdefault(tags[row], {})[row] = span
    for acting, rows in groups.items():
        yield from zip(rows, network(replace(_asked(call, rows), networks=acting)), strict=True)


def run_plain(call: ModelCall, network: Network, plain: Conditioning) -> Tensor:
    """(rows, C, h, w): the network's output for the prompts as they stand, without regions."""
    answers = _Answers(len(call.rows))
    spans: dict[int, Span | None] = {}
    for number, told in enumerate(call.rows):
        whole = plain.positive[told.image][told.part].spans if told.positive else plain.negative[told.image]
        spans[number] = span_at(whole, call.place.call)
    for length in sorted({len(span.context) for span in spans.values() if span}):
        same = {row: span for row, span in spans.items() if span and len(span.context) == length}
        for row, answer in zip(same, network(_asked(call, same)), strict=True):
            answers.add(row, answer)
    return answers.whole


class _Answers:
    """The output of all rows, put together of calls for some."""

    def __init__(self, rows: int) -> None:
        self._sums: list[Tensor | float] = [0.0] * rows

    def add(self, row: int, answer: Tensor) -> None:
        self._sums[row] = self._sums[row] + answer

    @property
    def whole(self) -> Tensor:
        return torch.stack([one for one in self._sums if isinstance(one, Tensor)])


def _asked(call: ModelCall, texts: Mapping[int, Span | None]) -> ModelCall:
    """The call about some rows alone.

    Args:
        texts: by row, a text of its own; None: the one that the row has.
    """
    chosen = list(texts)
    contexts = [call.context[row] if span is None else span.context.to(call.context) for row, span in texts.items()]
    vector: Tensor | None = None
    if call.vector is not None:
        mine = call.vector
        vector = torch.stack(
            [mine[row] if span is None or span.vector is None else span.vector.to(mine) for row, span in texts.items()]
        )
    return replace(
        call,
        sample=call.sample[chosen],
        timestep=call.timestep[chosen],
        positive=call.positive[chosen],
        context=torch.stack(contexts),
        vector=vector,
        rows=tuple(call.rows[row] for row in chosen),
    )


def _as_long(span: Span, length: int) -> Span:
    """The text made longer by its last vector, as texts joined by AND are."""
    missing = length - len(span.context)
    if missing <= 0:
        return span
    return replace(span, context=torch.cat([span.context, span.context[-1:].expand(missing, -1)]))
