"""Calls of a network that were captured once and are replayed: the host then launches one graph instead of about a
thousand kernels. Capturing itself is handed in, so that everything here is the same with and without a card.
"""

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from webui.weights.fast.network_inputs import Key, NetworkInputs
from webui.weights.recovery import is_out_of_memory

AFTER = 2  # calls of a shape that are computed as usual before it is captured
MOST = 5  # graphs; each keeps the memory of its activations
CLOSE = 2e-2  # of its norm: how far the first replay may be from the usual answer, in half precision

log = logging.getLogger(__name__)

Compute = Callable[[NetworkInputs], Tensor]


class Capture(Protocol):
    """Records what a function does on the device."""

    def __call__(self, work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """What does it again, and the tensor in which the answer then lies, at the same address each time.

        Raises:
            RuntimeError: the function does what cannot be captured.
        """


@dataclass(frozen=True, slots=True)
class _Captured:
    inputs: NetworkInputs
    replay: Callable[[], None]
    answer: Tensor


class GraphCache:
    """The captured calls of one network, by shape; those that were used last stay.

    Attributes:
        notices: what went wrong, in sentences; each once.
    """

    def __init__(self, capture: Capture, *, after: int = AFTER, most: int = MOST) -> None:
        self.notices: list[str] = []
        self._capture = capture
        self._after = after
        self._most = most
        self._graphs: OrderedDict[Key, _Captured] = OrderedDict()
        self._seen: Counter[Key] = Counter()
        self._refused: dict[Key, str] = {}
        self._addresses: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self._graphs)

    def answer(self, inputs: NetworkInputs, compute: Compute, addresses: tuple[int, ...]) -> tuple[Tensor, str]:
        """The answer to a call, and why it was not replayed; "" where it was.

        Args:
            compute: answers as usual.
            addresses: of the weights, which are those of a captured call for good.
        """
        if addresses != self._addresses:
            self.clear()
            self._addresses = addresses
        key = inputs.key
        if key in self._graphs:
            return self._replayed(key, inputs), ""
        if key in self._refused:
            return compute(inputs), self._refused[key]
        self._seen[key] += 1
        if self._seen[key] <= self._after:
            return compute(inputs), "this size is captured after its first calls"
        usual = compute(inputs)
        self._refused.update(filter(None, [self._captured(key, inputs, compute, usual)]))
        return usual, self._refused.get(key, "")

    def clear(self) -> bool:
        """Let go of all graphs and their memory. False where there were none."""
        had = bool(self._graphs)
        self._graphs.clear()
        self._seen.clear()
        return had

    def _captured(self, key: Key, inputs: NetworkInputs, compute: Compute, usual: Tensor) -> tuple[Key, str] | None:
        """Capture a call and compare its first replay with the usual answer; why it is not used, where it is not."""
        while len(self._graphs) >= self._most:
            self._graphs.popitem(last=False)
        own = inputs.copied()
        try:
            replay, answer = self._capture(lambda: compute(own))
            self._graphs[key] = _Captured(own, replay, answer)
            replayed = self._replayed(key, inputs)
        except RuntimeError as error:
            if is_out_of_memory(error):
                self.clear()
                return self._refuse(key, "there was no memory for a captured call")
            self._graphs.pop(key, None)
            return self._refuse(key, f"it could not be captured ({str(error).splitlines()[0]})")
        distance = float((replayed.float() - usual.float()).norm() / usual.float().norm().clamp(min=1e-12))
        if not distance <= CLOSE:  # NaN is not close
            del self._graphs[key]
            return self._refuse(key, f"its replay differed from the usual answer by {distance:.2g} of the norm")
        return None

    def _refuse(self, key: Key, why: str) -> tuple[Key, str]:
        log.warning("the network is called as usual: %s", why)
        if why not in self.notices:
            self.notices.append(why)
        return key, why

    def _replayed(self, key: Key, inputs: NetworkInputs) -> Tensor:
        self._graphs.move_to_end(key)
        captured = self._graphs[key]
        captured.inputs.take(inputs)
        captured.replay()
        return captured.answer.clone()  # the next replay writes to the same place
