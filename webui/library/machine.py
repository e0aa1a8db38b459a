"""What this machine is, as far as its system tells without a driver or a library of one."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

CARDS = Path("/proc/driver/nvidia/gpus")  # Linux, with NVIDIA's driver: a folder for each card
MODEL = "Model:"
QUESTION = ("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")  # answered in MiB, a line a card
PATIENCE = 5  # seconds


@dataclass(frozen=True, slots=True)
class Machine:
    """Attributes:
    cards: the names of graphics cards that are known.
    threads: of the processor.
    memory: bytes of main memory.
    card_memory: bytes of the first card; 0 where nobody knows.
    """

    cards: tuple[str, ...]
    threads: int
    memory: int
    card_memory: int = 0


def this_machine(cards: Path = CARDS) -> Machine:
    """The machine on which the program runs."""
    names = _cards(cards)
    memory = _card_memory() if names else 0
    return Machine(names, os.cpu_count() or 1, int(psutil.virtual_memory().total), memory)


def _card_memory() -> int:
    """Bytes of the first card, as the tool of its driver tells; 0 where there is none."""
    program = shutil.which(QUESTION[0])
    if program is None:
        return 0
    try:
        told = subprocess.run([program, *QUESTION[1:]], capture_output=True, text=True, timeout=PATIENCE, check=True)
        return int(told.stdout.splitlines()[0]) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return 0


def _cards(folder: Path) -> tuple[str, ...]:
    names: list[str] = []
    try:
        for file in sorted(folder.glob("*/information")):
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            names += [line.removeprefix(MODEL).strip() for line in lines if line.startswith(MODEL)]
    except OSError:
        return ()
    return tuple(names)
