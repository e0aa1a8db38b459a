"""Keeps what was measured of a processor's kernels in a file: a machine measures once for each build of torch."""

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError

from webui.hardware.processors import processor_name
from webui.weights.kernel_timing import measured
from webui.weights.precision import Precision
from webui.weights.speed import CpuKernels, FormatKernels

FILE = "cpu_kernels.json"
MEASURED = "3"  # counts up when something else is measured, so that a choice from before is made anew
MOST = 20  # processors remembered: a data folder may travel from machine to machine

log = logging.getLogger(__name__)
_KNOWN: TypeAdapter[dict[str, CpuKernels]] = TypeAdapter(dict[str, CpuKernels])


def settled(
    folder: Path, precision: Precision, dtype: torch.dtype, *, fast_cpu: bool
) -> tuple[torch.dtype, FormatKernels | None]:
    """The number format of networks, and the kernels for them; None where nothing may be chosen: on a device, and in
    exact fp32. Call it after `precision.set_up`, since a measurement holds for the switches of that.

    Args:
        folder: for caches.
        precision: as it was asked for; only `auto` leaves the format to the measurement.
        dtype, fast_cpu: as `precision.resolve` gives them.
    """
    if not fast_cpu:
        return dtype, None
    choice = kernels_for_this_cpu(folder)
    if precision == "auto":
        dtype = torch.bfloat16 if choice.prefers_half else torch.float32
    return dtype, choice.of(dtype)


def kernels_for_this_cpu(folder: Path, measure: Callable[[], CpuKernels] = measured) -> CpuKernels:
    """The kernels for this processor: from the file, or measured now and written to it.

    A file that cannot be read is replaced; one that cannot be written costs another measurement next time, and is told
    in the log.

    Args:
        folder: for caches; made if it is not there.
    """
    path, key = folder / FILE, processor()
    known = _read(path)
    if key in known:
        return known[key]
    found = measure()
    log.info("measured this processor's kernels: %s", found)
    kept = dict([*known.items(), (key, found)][-MOST:])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.part")
        partial.write_text(json.dumps(_KNOWN.dump_python(kept, mode="json"), indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        log.warning("%s cannot be written (%s); the processor is measured again at the next start", path, error)
    return found


def processor() -> str:
    """What a measurement holds for: the processor's model, its instruction sets as torch sees them, the build of torch,
    and how products of float32 may be computed.
    """
    capability = torch.backends.cpu.get_cpu_capability()
    sets = [
        name
        for name, there in (
            ("bf16", torch.cpu._is_avx512_bf16_supported()),
            ("amx", torch.cpu._is_amx_tile_supported()),
        )
        if there
    ]
    precision = torch.get_float32_matmul_precision()
    return " | ".join(
        (MEASURED, processor_name(), " ".join((capability, *sets)), f"torch {torch.__version__}", precision)
    )


def _read(path: Path) -> dict[str, CpuKernels]:
    try:
        return _KNOWN.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        log.warning("%s cannot be read, so the processor is measured anew: %s", path, error)
        return {}
