"""Chooses device and number format for this machine."""

from typing import Literal

import torch

from webui.domain.devices import one_device
from webui.domain.errors import BadRequestError
from webui.weights.card_formats import card_at

Precision = Literal["auto", "fp32", "fp16", "bf16"]


def resolve(device: str = "auto", precision: Precision = "auto") -> tuple[torch.device, torch.dtype, bool]:
    """Device, dtype of the UNet, and whether the CPU may use faster code that rounds slightly more.

    Automatic precision is what the card computes well (`card_formats.py`); on CPUs bf16 where the processor computes
    in it, else fp32. fp32 on a CPU stays exact: the third value is then False.

    Args:
        device: "auto", "cpu", "cuda", "cuda:1", "mps", "xpu" ...

    Raises:
        BadRequestError: no such device here, or a format it cannot compute in.
    """
    chosen = _device(device)
    on_cpu = chosen.type == "cpu"
    if on_cpu and precision == "fp16":
        raise BadRequestError("precision", "fp16 is not supported on the CPU; choose auto, fp32 or bf16")
    if precision == "auto":
        if not on_cpu:
            return chosen, card_at(chosen).network_format, False
        return chosen, torch.bfloat16 if cpu_computes_bf16() else torch.float32, True
    dtype = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
    return chosen, dtype, on_cpu and dtype != torch.float32


def cpu_computes_bf16() -> bool:
    """Whether the processor multiplies bf16 in hardware (AVX512-BF16 or AMX). Elsewhere bf16 is slower than fp32."""
    flags = torch.backends.cpu.get_cpu_capability()
    return "AVX512" in flags and torch.cpu._is_avx512_bf16_supported()


def cpu_has_amx() -> bool:
    """Whether the processor has AMX, with which even `medium` float32 products would be rounded to bf16."""
    return torch.cpu._is_amx_tile_supported()


def allow_fast_products(fast_cpu: bool) -> None:
    """Let float32 matrix products take oneDNN's faster path where it still computes in float32 (process-wide).

    With AMX the same setting would round to bf16, so it stays off there, and where `fast_cpu` is False.
    """
    torch.set_float32_matmul_precision("medium" if fast_cpu and not cpu_has_amx() else "highest")


def set_up(device: torch.device, dtype: torch.dtype, *, fast_cpu: bool) -> None:
    """Set torch's switches for a device and the format of its networks (process-wide).

    On NVIDIA's cards convolutions are measured once for each shape, and networks that stay in fp32 beside those in half
    precision (upscalers, faces) multiply in TF32; where everything is asked for in fp32 it stays exact.
    """
    allow_fast_products(fast_cpu)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        if dtype != torch.float32:
            torch.set_float32_matmul_precision("high")


def _device(name: str) -> torch.device:
    try:
        chosen = one_device(name)
    except ValueError as error:
        raise BadRequestError("device", str(error)) from error
    is_there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "xpu": torch.xpu.is_available(),
        "cpu": True,
    }
    if chosen == "auto":
        return torch.device(next(kind for kind, there in is_there.items() if there))
    device = torch.device(chosen)
    count = {"cuda": torch.cuda.device_count, "xpu": torch.xpu.device_count}.get(device.type, lambda: 1)
    if not is_there[device.type] or (device.index or 0) >= count():
        raise BadRequestError(
            "device", f"{name!r} is not available on this machine; use auto or cpu (`python launch.py doctor` says why)"
        )
    return device
