"""Which build of torch goes with the cards of a machine, and whether the installed one does. Needs only Python."""

import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from webui.hardware.graphics_cards import GraphicsCard

# The least driver of each of CUDA's lines (NVIDIA's table of compatibility), and the oldest cards it is built for.
_CUDA_13, _CUDA_12 = 580, 525
_TURING, _BLACKWELL = (7, 5), (10, 0)
_BUILDS = ("cuda", "hip", "xpu")  # as torch's own file of its version calls them
_WANTED: Mapping[str, str] = MappingProxyType({"nvidia": "cuda", "amd": "hip", "intel": "xpu"})


@dataclass(frozen=True, slots=True)
class Choice:
    """Attributes:
    builds: names of builds as PyTorch's wheel index has them, to be tried in turn; () for the plain index.
    told: what was found and chosen, a sentence.
    """

    builds: tuple[str, ...]
    told: str


def choose(cards: Sequence[GraphicsCard], system: str = "") -> Choice:
    """The build for the first of the cards. `system` is what `platform` calls it; "" asks it."""
    if not cards:
        return Choice((), "found no graphics card that torch can use: taking torch as the package index has it")
    card, system = cards[0], system or platform.system()
    if card.maker == "apple":
        return Choice((), f"found {card.told}: torch as the package index has it uses it (mps)")
    if card.maker == "intel":
        return Choice(("xpu",), f"found {card.told}: taking torch for Intel's cards (xpu)")
    if card.maker == "amd":
        if system == "Windows":
            return Choice((), f"found {card.told}: PyTorch has no build for AMD's cards on Windows; torch uses the CPU")
        return Choice(("rocm7.2", "rocm7.1", "rocm7.0", "rocm6.4"), f"found {card.told}: taking torch for ROCm")
    driver = int(card.driver.partition(".")[0]) if card.driver.partition(".")[0].isdigit() else 0
    if driver < _CUDA_12:
        return Choice((), f"found {card.told}: its driver is older than {_CUDA_12}; install a newer one, then run "
                          "python launch.py setup --reinstall-torch")  # fmt: skip
    if card.capability < _TURING:  # left out of newer builds
        return Choice(("cu126",), f"found {card.told}: taking torch for CUDA 12.6, the last built for it")
    older = ("cu128",) if card.capability >= _BLACKWELL else ("cu128", "cu126")
    if driver >= _CUDA_13:
        return Choice(("cu130", *older), f"found {card.told}: taking torch for CUDA 13")
    return Choice(older, f"found {card.told}: taking torch for CUDA 12, as far as its driver goes")


def installed_build(environment: Path) -> str | None:
    """What the torch in a virtual environment is built for: "cuda", "hip", "xpu", or "" for none of these.

    Returns:
        None where there is no torch.
    """
    for pattern in ("lib/python3*/site-packages/torch/version.py", "Lib/site-packages/torch/version.py"):
        for file in sorted(environment.glob(pattern)):
            text = file.read_text(encoding="utf-8", errors="replace")
            found = [name for name in _BUILDS if re.search(rf"^{name}\b[^=\n]*= *['\"]", text, re.MULTILINE)]
            return found[0] if found else ""
    return None


def unused(cards: Sequence[GraphicsCard], build: str | None) -> str:
    """A sentence where a card is there that the installed torch cannot use, with the command that mends it; else ""."""
    if build is None or not cards or not choose(cards).builds:
        return ""
    if any(_WANTED.get(card.maker) == build or card.maker == "apple" for card in cards):
        return ""
    return (
        f"{cards[0].told} is there, but the installed torch cannot use it; this mends it: "
        "python launch.py setup --reinstall-torch"
    )
