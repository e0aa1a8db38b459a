"""Decides, from the settings and the device, how calls of networks are made faster."""

from collections.abc import Callable
from weakref import WeakSet

import torch

from webui.domain.settings import NetworkWay
from webui.weights.fast.cuda_graphs import CudaCapture
from webui.weights.fast.fast_calls import FastCalls
from webui.weights.fast.graph_cache import Capture, GraphCache
from webui.weights.residency import Residency
from webui.weights.unet import UnetWrapper


class FastNetwork:
    """Gives each network that is loaded its `FastCalls`."""

    def __init__(
        self,
        way: NetworkWay,
        device: torch.device,
        residency: Residency,
        make_capture: Callable[[torch.device], Capture] = CudaCapture,
        has_cuda: Callable[[], bool] = torch.backends.cuda.is_built,
    ) -> None:
        """Args:
        make_capture: makes what captures on a device.
        has_cuda: whether this torch can capture on CUDA.
        """
        self._captures = way == "captured" or (way == "auto" and device.type == "cuda" and has_cuda())
        self._device = device
        self._make_capture = make_capture
        self._known: WeakSet[FastCalls] = WeakSet()
        residency.on_shortage(self.clear)

    def attach(self, network: UnetWrapper, cell: int) -> None:
        """Have the calls of a network made faster; `cell` is the pixels along a side of a latent cell."""
        if self._captures:
            graphs = GraphCache(self._make_capture(self._device))
            network.fast = FastCalls(network.module, network.resident, graphs, cell=cell)
            self._known.add(network.fast)

    def clear(self) -> bool:
        """Let go of what is kept for speed, where memory is short. False where there was nothing."""
        cleared = [calls.clear() for calls in list(self._known)]  # all of them, whatever the first one says
        return any(cleared)
