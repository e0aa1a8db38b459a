"""How the calls of a network are computed: as usual, or faster where nothing stands in the way. What stands in the way
is told, never passed over.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from webui.sampling.steps import ModelCall
from webui.weights.fast.graph_cache import Compute, GraphCache
from webui.weights.fast.network_inputs import NetworkInputs
from webui.weights.resident import Resident
from webui.weights.streaming import is_stream


class FastCalls:
    """The calls of one UNet.

    Attributes:
        told: how the last call was computed, for users: "captured 512x512", "eager: weights stream".
    """

    def __init__(
        self,
        module: nn.Module,
        resident: Resident,
        graphs: GraphCache | None,
        *,
        cell: int = 8,
        on_device: Callable[[torch.device], bool] = lambda device: device.type == "cuda",
    ) -> None:
        """Args:
        graphs: None where nothing is to be captured.
        cell: pixels along a side of a latent cell, for texts.
        on_device: whether calls on a device can be captured.
        """
        self.told = ""
        self._module = module
        self._resident = resident
        self._graphs = graphs
        self._cell = cell
        self._on_device = on_device
        self._attending: tuple[nn.Module, ...] = tuple(one for one in module.modules() if hasattr(one, "processor"))
        self._processors = self._now()

    @property
    def notices(self) -> tuple[str, ...]:
        """What went wrong since the last time that this was asked, in sentences."""
        if self._graphs is None or not self._graphs.notices:
            return ()
        told = tuple(f"the network was not captured: {why}" for why in self._graphs.notices)
        self._graphs.notices.clear()
        return told

    def answer(self, call: ModelCall, inputs: NetworkInputs, compute: Compute) -> Tensor:
        """The network's answer to a call. `compute` answers as usual."""
        if self._graphs is None:
            return compute(inputs)
        why = self._why_usual(call, inputs)
        if why:
            answer = compute(inputs)
        else:
            answer, why = self._graphs.answer(inputs, compute, self._resident.addresses)
        height, width = (side * self._cell for side in inputs.sample.shape[-2:])
        self.told = f"eager: {why}" if why else f"captured {width}x{height}"
        return answer

    def clear(self) -> bool:
        """Let go of what is kept for speed. False where there was nothing."""
        return self._graphs is not None and self._graphs.clear()

    def _why_usual(self, call: ModelCall, inputs: NetworkInputs) -> str:
        """What stands in the way of a captured call; "" where nothing does."""
        device, resident = inputs.sample.device, self._resident
        if not self._on_device(device):
            return f"calls are captured on CUDA, not on {device.type}"
        if not resident.is_whole or resident.is_streamed:
            return "weights stream"
        if resident.parts > 1:
            return "rows are computed one after the other"
        if call.taking_part:
            return "an extension takes part in the attention"
        if not is_plain(self._module):
            return "an extension or an approximation acts inside the network"
        if self._now() != self._processors:
            return "the attention is not the network's own"
        return ""

    def _now(self) -> tuple[int, ...]:
        return tuple(id(one.processor) for one in self._attending)


def is_plain(module: nn.Module) -> bool:
    """Whether nobody has put hooks or methods of their own into a network."""
    for layer in module.modules():
        hooks = (*layer._forward_hooks.values(), *layer._forward_pre_hooks.values())
        if "forward" in layer.__dict__ or not all(map(is_stream, hooks)):
            return False
    return True
