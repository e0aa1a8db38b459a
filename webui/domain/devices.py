"""How devices are named: `auto`, `cpu`, `mps`, `xpu`, `cuda`, `cuda:1`, several as `cuda:0,cuda:1`, or `all`."""

import re

_ONE = re.compile(r"auto|cpu|mps|(?:cuda|xpu)(?::\d{1,2})?")
GRAMMAR = "auto, cpu, mps, xpu, cuda, cuda:1, several with commas between them, or all"


def devices_of(text: str) -> tuple[str, ...]:
    """The devices that a text names; `all` stands for itself.

    Raises:
        ValueError: in words for users.
    """
    names = tuple(part.strip().lower() for part in text.split(",")) if text.strip() else ("auto",)
    if names == ("all",):
        return names
    wrong = [name for name in names if _ONE.fullmatch(name) is None]
    if wrong or (len(names) > 1 and "auto" in names):
        raise ValueError(f"{text!r} names no device; write {GRAMMAR}")
    return names


def is_several(names: tuple[str, ...]) -> bool:
    """Whether what `devices_of` gave may be more than one device."""
    return names == ("all",) or len(names) > 1


def one_device(text: str) -> str:
    """The device of a back, which works on one; the executor starts a back for each of several.

    Raises:
        ValueError: the text names none, or several.
    """
    names = devices_of(text)
    if is_several(names):
        raise ValueError(f"{text!r} names several devices, and one process works on one; name one, or write auto")
    return names[0]
