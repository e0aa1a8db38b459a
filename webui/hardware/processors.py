"""The processor as this process may use it: how many cores, how its threads wait for each other, and its name."""

import os
import platform
from collections.abc import Mapping
from math import floor
from pathlib import Path
from types import MappingProxyType

# Read by the OpenMP runtimes when torch loads them. By default a thread that waits for another spins. On a machine that
# others use, the other has no core meanwhile, since the spinning one has it: a step then takes up to 50 times as long.
WAITING: Mapping[str, str] = MappingProxyType({"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"})
_CPUINFO = Path("/proc/cpuinfo")
_CGROUPS = Path("/sys/fs/cgroup")


def usable_cores(cgroups: Path = _CGROUPS) -> int:
    """How many cores this process may use: those it may run on, and no more than a container's share of time allows.

    Args:
        cgroups: Linux's folder of control groups; where it is missing, there is no limit.
    """
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, floor(min(ours, _share(cgroups))))


def processor_name(cpuinfo: Path = _CPUINFO) -> str:
    """The model of the processor, as the system names it; "" where nobody knows."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found = dict(_pair(line) for line in reversed(lines))  # the first processor's are the last to be put in
    return " ".join(found.get(key, "") for key in ("model name", "cpu family", "model", "stepping")).strip()


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


def _share(cgroups: Path) -> float:
    """Cores' worth of time that a control group (version 2 or 1) gives; infinite where it sets no limit."""
    try:
        quota, _, period = (cgroups / "cpu.max").read_text(encoding="ascii").partition(" ")
    except OSError:
        try:
            quota = (cgroups / "cpu" / "cpu.cfs_quota_us").read_text(encoding="ascii")
            period = (cgroups / "cpu" / "cpu.cfs_period_us").read_text(encoding="ascii")
        except OSError:
            return float("inf")
    try:
        cores = float(quota) / float(period)
    except (ValueError, ZeroDivisionError):  # "max" is no limit
        return float("inf")
    return cores if cores > 0 else float("inf")
