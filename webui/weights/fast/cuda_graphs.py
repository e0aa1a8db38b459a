"""Captures work on a CUDA device into graphs that share one pool of memory. No card has run this yet."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

WARM_UPS = 2  # as torch's notes on CUDA graphs ask for: libraries set themselves up outside the graph


class CudaCapture:
    """Implements `graph_cache.Capture`."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool: Any = None  # a handle, whose type differs between versions of torch

    def __call__(self, work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """See `Capture`."""
        with torch.cuda.device(self._device):
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(WARM_UPS):
                    work()
            torch.cuda.current_stream().wait_stream(side)
            if self._pool is None:
                self._pool = torch.cuda.graph_pool_handle()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool):
                answer = work()
        return graph.replay, answer
