"""What the tags in a prompt ask for: `<lora:name:te:unet:dyn>` and `<hypernet:name:strength>`. Texts only."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from webui.extension_api import NetworkTag

LORA_KINDS = ("lora", "lyco")
HYPERNETWORK_KIND = "hypernet"
KINDS = (*LORA_KINDS, HYPERNETWORK_KIND)


@dataclass(frozen=True, slots=True)
class LoraTag:
    """`<lora:name:text_strength:unet_strength:ranks>`; `ranks` is None where all are used."""

    name: str
    text_strength: float = 1.0
    unet_strength: float = 1.0
    ranks: int | None = None


@dataclass(frozen=True, slots=True)
class HypernetworkTag:
    """`<hypernet:name:strength>`."""

    name: str
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything the tags of a prompt ask for, in order, and a sentence for each that cannot be understood.

    A LoRA named twice counts twice, each time with its last strengths, as in A1111.
    """

    loras: tuple[LoraTag, ...] = ()
    hypernetworks: tuple[HypernetworkTag, ...] = ()
    problems: tuple[str, ...] = ()


class _TagError(Exception):
    """A tag cannot be understood; the text says why."""


def read_tags(tags: Iterable[NetworkTag]) -> Asked:
    """Read the tags of the kinds above; others are not for this extension."""
    loras: list[LoraTag] = []
    hypernetworks: list[HypernetworkTag] = []
    problems: list[str] = []
    for tag in tags:
        try:
            if tag.kind in LORA_KINDS:
                loras.append(_lora(tag))
            elif tag.kind == HYPERNETWORK_KIND:
                hypernetworks.append(HypernetworkTag(_name(tag), _number(_at(tag, 1) or "1")))
        except _TagError as error:
            problems.append(f"{_shown(tag)} was left out: {error}")
    last = {tag.name: tag for tag in loras}
    return Asked(tuple(last[tag.name] for tag in loras), tuple(hypernetworks), tuple(problems))


def _lora(tag: NetworkTag) -> LoraTag:
    text = _number(tag.named.get("te") or _at(tag, 1) or "1")
    unet = tag.named.get("unet") or _at(tag, 2)
    ranks = tag.named.get("dyn") or _at(tag, 3)
    if ranks and (not ranks.strip().isdecimal() or int(ranks) < 1):
        raise _TagError(f"dyn must be a whole number from 1 on, not {ranks!r}")
    return LoraTag(_name(tag), text, _number(unet) if unet else text, int(ranks) if ranks else None)


def _name(tag: NetworkTag) -> str:
    if not _at(tag, 0):
        raise _TagError("it has no name")
    return _at(tag, 0)


def _at(tag: NetworkTag, position: int) -> str:
    return tag.positional[position] if position < len(tag.positional) else ""


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _TagError(f"the strength {text!r} is not a number; write for example 0.8")
    return number


def _shown(tag: NetworkTag) -> str:
    """The tag as it is written in a prompt."""
    named = [f"{name}={value}" for name, value in tag.named.items()]
    return f"<{':'.join((tag.kind, *tag.positional, *named))}>"
