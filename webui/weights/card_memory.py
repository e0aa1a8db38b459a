"""How much memory a device has, what is free of it, and the residency that follows from that and from the settings."""

import logging
from collections.abc import Callable

import torch

from webui.domain.settings import Vram
from webui.weights.card_formats import card_at
from webui.weights.residency import GIB, Residency
from webui.weights.streaming import has_cuda

log = logging.getLogger(__name__)


def residency_for(device: torch.device, *, vram: Vram = "auto", reserve: float = 0.7, fp8: bool = False) -> Residency:
    """What has charge of the networks on a device.

    Args:
        vram: auto: what fits stays; low: all weights stream; high: nothing leaves but where memory runs out.
        reserve: GiB for the driver, workspaces of libraries, and what is lost between blocks.
        fp8: linear layers and convolutions of networks that denoise are kept in 8 bits.
    """
    total = memory_of(device)
    kept = int(reserve * GIB)
    budget = max(total - kept, 0) if total and vram != "high" else None
    real = has_cuda(device)
    free = _free_on(device, kept) if real and budget is not None else None
    residency = Residency(
        device,
        budget,
        low=vram == "low" and budget is not None,
        fp8=fp8,
        free=free,
        peak=(lambda: torch.cuda.max_memory_allocated(device)) if real else None,
        begin=(lambda: _begun(device)) if real else None,
    )
    log.info("memory: %s", told(device, vram, total, budget, fp8=fp8))
    return residency


def told(device: torch.device, vram: Vram, total: int, budget: int | None, *, fp8: bool) -> str:
    """What was decided, in a sentence for the log."""
    small = "; weights of networks that denoise are kept in fp8" if fp8 else ""
    if budget is None:
        why = "--vram high" if vram == "high" and total else "main memory is where they are"
        return f"networks stay on {device} ({why}) but where memory runs out{small}"
    size = f"{budget / GIB:.1f} of {total / GIB:.1f} GiB of {device} are for networks and what they compute"
    return f"{size}; {'all weights stream (--vram low)' if vram == 'low' else 'what is not needed leaves'}{small}"


def memory_of(device: torch.device) -> int:
    """Bytes of a device's own memory; 0 where it computes in main memory."""
    if device.type == "xpu" and torch.xpu.is_available():
        return int(torch.xpu.get_device_properties(device).total_memory)
    return card_at(device).memory


def _free_on(device: torch.device, kept: int) -> Callable[[], int]:
    """Bytes that can still be allocated, with those that torch has but does not use."""

    def free() -> int:
        there = torch.cuda.mem_get_info(device)[0]
        return there + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device) - kept // 2

    return free


def _begun(device: torch.device) -> int:
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)
