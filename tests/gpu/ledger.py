"""What operations on a pretended device cost, and which line of this project causes them."""

import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Ledger:
    """What was counted.

    Attributes:
        operations: outside the network, by name; `within` those inside it.
        synchronisations, copies: what the host waits for, by the line of this project that causes it.
        uploads, downloads: copies that nobody waits for, likewise.
        doubles: tensors of float64 that were made on the device, likewise.
    """

    operations: Counter[str] = field(default_factory=Counter)
    within: Counter[str] = field(default_factory=Counter)
    synchronisations: Counter[str] = field(default_factory=Counter)
    copies: Counter[str] = field(default_factory=Counter)
    uploads: Counter[str] = field(default_factory=Counter)
    downloads: Counter[str] = field(default_factory=Counter)
    doubles: Counter[str] = field(default_factory=Counter)
    depth: int = 0

    def clear(self) -> None:
        for counter in (
            self.operations, self.within, self.synchronisations, self.copies, self.uploads, self.downloads,
            self.doubles,
        ):  # fmt: skip
            counter.clear()

    def totals(self) -> tuple[int, int, int]:
        """Operations outside the network, synchronisations, and copies that the host waits for."""
        return self.operations.total(), self.synchronisations.total(), self.copies.total()


def line() -> str:
    """The line of this project that is being run."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        if place := _place(frame.f_code.co_filename):
            return f"{place}:{frame.f_lineno}"
        frame = frame.f_back
    return "elsewhere"


@cache
def _place(file: str) -> str:
    """The file within this project; "" for others."""
    path = Path(file)
    ours = path.is_relative_to(ROOT / "webui") or path.is_relative_to(ROOT / "extensions")
    return str(path.relative_to(ROOT)) if ours else ""
