"""Attention mode: in each cross-attention a token of the picture asks the text of its region, and no other.

out = sum_i m_i x Attention(q, K_i, V_i), with the shares m_i of `coverage.py`, which are 1 in sum. Self-attention stays
as it is, so that regions know of each other.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from webui.extension_api.tensors import Attend, Attention, ModelCall, TakePart, Window

from .coverage import Coverage, nearest
from .regional_text import RegionalText, RowRegions


def parts_in(call: ModelCall, text: RegionalText) -> dict[str, TakePart]:
    """Who takes part in the attention of a call: every cross-attention, where a row has regions that are known."""
    if len(call.rows) != len(call.sample):
        return {}  # another extension asks about rows that it made itself
    regions = [text.of(row) for row in call.rows]
    if not any(_shares_of(one) for one in regions):
        return {}
    if max(sum(one.lengths) for one in regions) > call.context.shape[1]:
        return {}  # another extension asks with a text of its own
    part = _Regional(call, regions)
    return {name: part.answer for name, layer in call.layers.items() if layer.kind == "cross"}


def _shares_of(row: RowRegions) -> Coverage | None:
    return row.division.coverage if row.division is not None and len(row.lengths) > 1 else None


class _Regional:
    """The regions of one call in all its layers."""

    def __init__(self, call: ModelCall, regions: Sequence[RowRegions]) -> None:
        self._call = call
        self._regions = regions
        self._known: dict[tuple[int, int | None, tuple[int, int]], Tensor] = {}

    def answer(self, attention: Attention, attend: Attend) -> Tensor:
        """(rows, S, width): each row with its own regions."""
        groups: dict[tuple[int, int | None], list[int]] = {}
        for place, number in enumerate(attention.rows):
            window = self._window(number)
            groups.setdefault((id(self._regions[number]), window), []).append(place)
        if len(groups) == 1:
            return self._of_rows(attention, attend, list(range(len(attention.rows))))
        out = torch.empty_like(attention.query.transpose(1, 2).flatten(2))
        for places in groups.values():
            out[places] = self._of_rows(attention, attend, places)
        return out

    def _of_rows(self, attention: Attention, attend: Attend, places: list[int]) -> Tensor:
        """Those of some rows, which have the same regions and see the same part of the picture."""
        own = attention if len(places) == len(attention.rows) else attention.of(places)
        row = self._regions[own.rows[0]]
        coverage = _shares_of(row)
        if coverage is None:
            return attend(own)
        shares = self._shares(coverage, own).to(own.query)
        context = self._call.context[list(own.rows)]
        out: Tensor | None = None
        start = 0
        for share, length in zip(shares, row.lengths, strict=True):
            if bool(share.any()):
                answer = attend(own.about(context[:, start : start + length])) * share[:, None]
                out = answer if out is None else out + answer
            start += length
        return attend(own) if out is None else out

    def _window(self, number: int) -> int | None:
        windows = self._call.windows
        return number // (len(self._call.rows) // len(windows)) if windows else None

    def _shares(self, coverage: Coverage, attention: Attention) -> Tensor:
        """(N, S) of a layer."""
        window = self._window(attention.rows[0])
        key = (id(coverage), window, attention.size)
        if key not in self._known:
            if window is None:
                found = coverage.shares(*attention.size)
            else:
                found = _in_window(coverage, self._call.windows[window], self._call.cells, attention.size)
            self._known[key] = found.flatten(1)
        return self._known[key]


def _in_window(coverage: Coverage, window: Window, cells: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """(N, h, w) of a layer that sees a part of the latents."""
    return nearest(window.of(coverage.shares(*cells)), *size)
