"""The types of a measurement and of the machine it was made on, and how both are printed and saved."""

import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torch", "diffusers", "transformers", "gradio")
HEADS = ("part", "what", "value", "target", "met", "note")


@dataclass(frozen=True, slots=True)
class Row:
    """One measured number.

    Attributes:
        target: the bound, in the row's unit; None where there is none.
        at_least: whether the bound is a lower one (as for speed-ups) instead of an upper one.
        spread: smallest and largest of the repeats, in the row's unit.
        note: how it was measured, or why it may be off.
    """

    part: str
    what: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False
    spread: tuple[float, float] | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine of a measurement, and how busy other programs kept it."""

    processor: str
    cores: int
    memory_gib: float
    features: tuple[str, ...]
    python: str
    packages: dict[str, str]
    load_average: float
    when: str


def machine() -> Machine:
    """This machine, now."""
    facts = _cpuinfo()
    flags = facts.get("flags", "").split()
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    return Machine(
        processor=facts.get("model name", platform.processor()),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        features=tuple(flag for flag in wanted if flag in flags),
        python=platform.python_version(),
        packages={name: version(name) for name in PACKAGES},
        load_average=round(os.getloadavg()[0], 2),
        when=time.strftime("%Y-%m-%d %H:%M"),
    )


def table(rows: Sequence[Row]) -> str:
    """The rows as aligned text."""
    lines = [HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def keep(path: Path, rows: Sequence[Row], where: Machine) -> None:
    """Write the rows; parts that were not run this time stay as they were, with the machine they were run on."""
    old = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    parts = dict.fromkeys(row.part for row in rows)
    for part in parts:
        old[part] = {
            "machine": asdict(where),
            "rows": [{**asdict(row), "met": row.met} for row in rows if row.part == part],
        }
    path.write_text(json.dumps(old, indent=1) + "\n", encoding="utf-8")


def _cells(row: Row) -> tuple[str, ...]:
    value = f"{row.value:.3g} {row.unit}"
    if row.spread is not None:
        value += f" ({row.spread[0]:.3g} to {row.spread[1]:.3g})"
    bound = "" if row.target is None else f"{'>=' if row.at_least else '<='} {row.target:.3g} {row.unit}"
    return row.part, row.what, value, bound, {None: "", True: "yes", False: "NO"}[row.met], row.note


def _cpuinfo() -> dict[str, str]:
    """The first processor's entry; empty where the system has no such file."""
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return {}
    first = path.read_text(encoding="utf-8").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
