"""Copies from the CPU to a device, made so that the host does not wait for them."""

import torch
from torch import Tensor

_PINS = ("cuda", "xpu")  # mps copies out of memory that is not pinned only while the host waits


def uploaded(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device, in its own format. On a CPU it is the tensor itself."""
    if device.type not in _PINS or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
