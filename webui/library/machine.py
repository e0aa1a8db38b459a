"""What this machine is, as far as its system tells without a driver or a library of one."""

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

CARDS = Path("/proc/driver/nvidia/gpus")  # Linux, with NVIDIA's driver: a folder for each card
MODEL = "Model:"


@dataclass(frozen=True, slots=True)
class Machine:
    """Attributes:
    cards: the names of graphics cards that are known.
    threads: of the processor.
    memory: bytes of main memory.
    """

    cards: tuple[str, ...]
    threads: int
    memory: int


def this_machine(cards: Path = CARDS) -> Machine:
    """The machine on which the program runs."""
    return Machine(_cards(cards), os.cpu_count() or 1, int(psutil.virtual_memory().total))


def _cards(folder: Path) -> tuple[str, ...]:
    names: list[str] = []
    try:
        for file in sorted(folder.glob("*/information")):
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            names += [line.removeprefix(MODEL).strip() for line in lines if line.startswith(MODEL)]
    except OSError:
        return ()
    return tuple(names)
