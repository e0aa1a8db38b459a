"""Chooses device and number format for this machine."""

from typing import Literal

import torch

from webui.domain.errors import BadRequestError

Precision = Literal["auto", "fp32", "fp16", "bf16"]


def resolve(device: str = "auto", precision: Precision = "auto") -> tuple[torch.device, torch.dtype, bool]:
    """Device, dtype of the UNet, and whether the CPU may use faster code that rounds slightly more.

    Automatic precision is fp16 on GPUs; on CPUs bf16 where the processor computes in it, else fp32. fp32 on a CPU
    stays exact: the third value is then False.

    Args:
        device: "auto", "cpu", "cuda", "cuda:1", "mps" ...

    Raises:
        BadRequestError: no such device here, or a format it cannot compute in.
    """
    chosen = _device(device)
    on_cpu = chosen.type == "cpu"
    if on_cpu and precision == "fp16":
        raise BadRequestError("precision", "fp16 is not supported on the CPU; choose auto, fp32 or bf16")
    if precision == "auto":
        if not on_cpu:
            return chosen, torch.float16, False
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


def _device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadRequestError("device", f"{name!r} is not a device; use auto, cpu, cuda or mps") from error
    is_there = {
        "cpu": True,
        "cuda": (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not is_there.get(device.type, False):
        raise BadRequestError("device", f"{name!r} is not available on this machine; use auto or cpu")
    return device
