"""What looks into the network during the calls that are recorded, and leaves it as it is."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from torch import Tensor

from webui.extension_api.tensors import Attend, Attention, LoadedModel, TakePart

from .activations import CHANNELS, SIDE, Activations
from .additions import Additions
from .network_parts import NetworkPart

Look = Callable[[Attention], None]
Answered = Callable[[Attention, Tensor], None]
Record = Callable[[str, bytes], None]


class Watched:
    """Takes part in a layer: looks at its attention, has it done, and tells what came of it."""

    def __init__(self, looks: Sequence[Look], inner: TakePart | None, answered: Answered) -> None:
        self._looks = tuple(looks)
        self._inner = inner
        self._answered = answered

    def __call__(self, attention: Attention, attend: Attend) -> Tensor:
        """(rows, S, H x d), as without it."""
        for look in self._looks:
            look(attention)
        output = attend(attention) if self._inner is None else self._inner(attention, attend)
        self._answered(attention, output)
        return output


class RunWatch:
    """Activations of the parts, and what others add to them."""

    def __init__(self, model: LoadedModel, parts: Sequence[NetworkPart]) -> None:
        self.activations = Activations([part.name for part in parts])
        self.additions = Additions(parts)
        self._model = model
        self._looks: list[int] = []
        self._places: list[dict[str, Any]] = []
        self._is_weighed = False
        self.is_busy = False

    @contextmanager
    def watching(self, patch: AbstractContextManager[Any] | None) -> Iterator[None]:
        """While entered, the network can be looked at; `patch` changes it before."""
        unet = self._model.unet
        with (
            patch or nullcontext(),
            self.activations.watching(unet.module),
            self.additions.watching(unet.module, unet.layers),
        ):
            yield

    def begin(self, row: int, *, with_cells: bool) -> None:
        """Look at the next call: at a row of it."""
        if not self._is_weighed:  # by now all networks of the prompt are in their places
            self.additions.weigh(self._model.unet.module)
            self._is_weighed = True
        self.additions.begin(row)
        self.activations.begin(row, with_cells=with_cells, seen=self.additions.seen)
        self.is_busy = True

    def end(self, place: int, record: Record) -> None:
        """The step that is recorded at this place has ended."""
        if not self.is_busy:
            return
        self.is_busy = False
        self.additions.end(place)
        cells = self.activations.end()
        if cells is not None:
            record(f"cells_{place}", bytes(cells.data))
            self._looks.append(place)
            self._places.append(cells.places)
            told = {
                "side": SIDE, "channels": CHANNELS, "steps": self._looks, "places": self._places,
                "shapes": self.activations.shapes,
            }  # fmt: skip
            record("activations", json.dumps(told).encode())
        record("adds", json.dumps(self.additions.told()).encode())
