"""What the parts of the network make during a run: shapes, and a few channels of each as small pictures."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 32  # cells a side, at most
CHANNELS = 8
MOST_LOOKS = 5  # steps of a run
_DULL = 1e-8

Seen = Callable[[str, Tensor], None]


@dataclass(slots=True)
class Cells:
    """Pictures of the parts at one step.

    Attributes:
        data: uint8, one part after another, CHANNELS x h x w of each.
        places: of each part by its name: `at` in the data, `size` (h, w), the `channels` in order, `low` and `high` of
            each, which are 0 and 255.
    """

    data: bytearray = field(default_factory=bytearray)
    places: dict[str, dict[str, Any]] = field(default_factory=dict)


class Activations:
    """Looks at the parts during one call of the network, between `begin` and `end`.

    Attributes:
        shapes: of each part by its name, what went in and what came out, without the rows.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.shapes: dict[str, dict[str, list[int]]] = {}
        self._names = tuple(names)
        self._row: int | None = None
        self._seen: Seen | None = None
        self._done: set[str] = set()
        self._cells: Cells | None = None

    @contextmanager
    def watching(self, unet: nn.Module) -> Iterator[None]:
        """While entered, the network's parts tell what they make."""
        handles = [
            unet.get_submodule(name).register_forward_hook(partial(self._look, name)) for name in self._names
        ]  # fmt: skip
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def begin(self, row: int, *, with_cells: bool, seen: Seen) -> None:
        """Look at the next call: at a row of it. `seen` gets each part's output for that row."""
        self._row, self._seen, self._done = row, seen, set()
        self._cells = Cells() if with_cells else None

    def end(self) -> Cells | None:
        """The pictures, where some were made."""
        made, self._row, self._seen, self._cells = self._cells, None, None, None
        return made if made is not None and made.places else None

    def _look(self, name: str, module: Any, given: tuple[Any, ...], output: Any) -> None:
        if self._row is None or self._seen is None or name in self._done:
            return
        self._done.add(name)
        made: Tensor = output if isinstance(output, Tensor) else output[0]
        self.shapes[name] = {"enters": list(given[0].shape[1:]), "leaves": list(made.shape[1:])}
        if made.ndim != 4 or self._row >= len(made):
            return
        own = made[self._row].detach().float()
        self._seen(name, own)
        if self._cells is not None:
            _add(self._cells, name, own)


def _add(cells: Cells, name: str, made: Tensor) -> None:
    small = _small(made)
    channels = telling(small)
    chosen = small[channels]
    low, high = chosen.amin((1, 2)), chosen.amax((1, 2))
    span = (high - low).clamp(min=_DULL)[:, None, None]
    bytes_ = ((chosen - low[:, None, None]) / span * 255).round().to("cpu", torch.uint8)
    place = {"at": len(cells.data), "size": list(small.shape[1:]), "channels": channels}
    cells.places[name] = {**place, "low": _rounded(low), "high": _rounded(high)}
    cells.data += bytes_.numpy().tobytes()


def telling(made: Tensor) -> list[int]:
    """The CHANNELS channels of (C, h, w) with most shape and least grain, in their order: those whose variance after
    means over 2 x 2 is largest, times the share that is left of it.
    """
    whole = made.flatten(1).var(1, unbiased=False)
    coarse = functional.avg_pool2d(made[None], 2, ceil_mode=True)[0].flatten(1).var(1, unbiased=False)
    score = coarse * coarse / whole.clamp(min=_DULL)
    count = min(CHANNELS, len(made))
    return sorted(score.topk(count).indices.tolist())


def _small(made: Tensor) -> Tensor:
    scale = SIDE / max(made.shape[-2:])
    if scale >= 1:
        return made
    height, width = (max(1, round(side * scale)) for side in made.shape[-2:])
    return functional.adaptive_avg_pool2d(made, (height, width))


def _rounded(values: Tensor) -> list[float]:
    return [round(float(value), 4) for value in values.cpu()]
