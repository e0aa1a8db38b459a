"""How much main memory there is, and how much of it is free."""

from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_TOTAL = "MemTotal:"
_FREE = "MemAvailable:"  # in KiB; what programs can get without anything being written to disk


def free_main_memory(meminfo: Path = _MEMINFO) -> int:
    """Bytes of main memory that programs can still get; 0 on systems that do not tell in Linux's way."""
    return _bytes(_FREE, meminfo)


def total_main_memory(meminfo: Path = _MEMINFO) -> int:
    """Bytes of main memory of this machine; 0 on systems that do not tell in Linux's way."""
    return _bytes(_TOTAL, meminfo)


def _bytes(name: str, meminfo: Path) -> int:
    try:
        lines = meminfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    words = next((line.split() for line in lines if line.startswith(name)), [])
    return int(words[1]) * 1024 if len(words) > 1 and words[1].isdigit() else 0
