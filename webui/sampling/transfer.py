"""Copies from the CPU to a device that the host does not wait for, and how far the host may run ahead of a device."""

from typing import Any

import torch
from torch import Tensor

_PINS = ("cuda", "xpu")  # mps copies out of memory that is not pinned only while the host waits


def uploaded(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device, in its own format. On a CPU it is the tensor itself."""
    if device.type not in _PINS or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


class Pace:
    """Keeps the host one step ahead of the device, so that progress is true and a wish to stop is heard.

    The device is never idle meanwhile: when the host waits for a step, the next one is already handed over.
    """

    def __init__(self) -> None:
        self._before: Any = None

    def step(self, device: torch.device) -> None:
        """To be called when the work of a step was handed over; waits for the step before it."""
        kinds = {"cuda": torch.cuda, "xpu": torch.xpu, "mps": torch.mps}
        if device.type not in kinds:
            return
        now: Any = kinds[device.type].Event()
        now.record()
        if self._before is not None:
            self._before.synchronize()
        self._before = now
