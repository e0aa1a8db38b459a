"""Finds the graphics cards of this machine without torch, with what its drivers and its system tell.

This room needs nothing but Python, because launch.py uses it before anything is installed.
"""

import platform
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Maker = Literal["nvidia", "amd", "intel", "apple"]
Ask = Callable[[Sequence[str]], str]  # runs a command; what it printed, "" where it is not there or failed

_SYSFS = Path("/sys/class/drm")
_VENDORS = (("0x1002", "amd"), ("0x8086", "intel"))
_INTEL_FOR_TORCH = re.compile(r"0x(?:56|e2|7d|64|b0)")  # Arc, and Core Ultra's: older ones are not for torch
_WINDOWS = "Get-CimInstance Win32_VideoController | ForEach-Object { $_.Name + '|' + $_.DriverVersion }"
_SECONDS = 20


@dataclass(frozen=True, slots=True)
class GraphicsCard:
    """One card.

    Attributes:
        driver: its version; "" where nobody tells.
        memory: in MiB; 0 where nobody tells.
        capability: NVIDIA's compute capability; (0, 0) for others.
    """

    maker: Maker
    name: str
    driver: str = ""
    memory: int = 0
    capability: tuple[int, int] = (0, 0)

    @property
    def told(self) -> str:
        """The card in a few words."""
        parts = [f"driver {self.driver}" if self.driver else "", f"{self.memory} MiB" if self.memory else ""]
        return f"{self.name} ({', '.join(part for part in parts if part)})" if any(parts) else self.name


def ask(command: Sequence[str]) -> str:
    """Run a command and give back what it printed; "" where it is not there, fails, or does not end."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def cards_here(ask: Ask = ask, sysfs: Path = _SYSFS, system: str = "", machine: str = "") -> tuple[GraphicsCard, ...]:
    """The cards that torch could use, those of NVIDIA first.

    Args:
        sysfs: where Linux lists cards.
        system, machine: what `platform` calls them; "" asks it.
    """
    system, machine = system or platform.system(), machine or platform.machine()
    if system == "Darwin":
        return (GraphicsCard("apple", "Apple " + (ask(["uname", "-m"]).strip() or machine)),) * (machine == "arm64")
    others = _of_windows(ask) if system == "Windows" else _of_linux(sysfs)
    return (*_nvidia(ask), *others)


def _nvidia(ask: Ask) -> tuple[GraphicsCard, ...]:
    told = ask(
        ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,compute_cap", "--format=csv,noheader,nounits"]
    )
    found = []
    for line in told.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) == 4:
            name, driver, memory, capability = parts
            found.append(GraphicsCard("nvidia", name, driver, _number(memory), _capability(capability)))
    return tuple(found)


def _of_linux(sysfs: Path) -> tuple[GraphicsCard, ...]:
    found: list[GraphicsCard] = []
    for device in sorted(sysfs.glob("card[0-9]*/device")):
        vendor, number = (_text(device / name) for name in ("vendor", "device"))
        for code, maker in _VENDORS:
            if vendor == code and maker == "amd":
                name = _text(device / "product_name") or f"AMD card {number}"
                found.append(GraphicsCard("amd", name, memory=_number(_text(device / "mem_info_vram_total")) >> 20))
            elif vendor == code and _INTEL_FOR_TORCH.match(number):
                found.append(GraphicsCard("intel", f"Intel card {number}"))
    return tuple(dict.fromkeys(found))


def _of_windows(ask: Ask) -> tuple[GraphicsCard, ...]:
    found: list[GraphicsCard] = []
    for line in ask(["powershell", "-NoProfile", "-Command", _WINDOWS]).splitlines():
        name, _, driver = (part.strip() for part in line.partition("|"))
        if "Intel" in name and "Arc" in name:
            found.append(GraphicsCard("intel", name, driver))
        elif "AMD" in name or "Radeon" in name:
            found.append(GraphicsCard("amd", name, driver))
    return tuple(found)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _capability(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return _number(major), _number(minor)
