"""Weights for parts of blocks, and which tensors are merged at all, as SuperMerger writes both. It needs no torch.

A rule is `blocks:parts:weight`: `IN04-IN08:attn:0.9` gives 0.9 to the tensors of these blocks in whose names `attn`
stands. Several blocks or parts are separated by spaces, `NOT` before them means all others, and nothing means all. A
later rule goes over an earlier one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from webui.extension_api import BadRequestError

from .blocks import BASE, Blocks, BlockWeights

MOST_RULES = 200
NOT = "NOT"


@dataclass(frozen=True, slots=True)
class _Rule:
    blocks: Callable[[str], bool]  # a block's name -> whether it is meant
    parts: Callable[[str], bool]  # a tensor's name and its block's
    weight: float


@dataclass(frozen=True, slots=True)
class ElementWeights:
    """Weights by block, and over them those of rules."""

    by_block: BlockWeights
    rules: tuple[_Rule, ...]

    def __getitem__(self, name: str) -> float:
        """The weight of a tensor."""
        block, weight = self.by_block.blocks.label(name), self.by_block[name]
        for rule in self.rules:
            if rule.blocks(block) and rule.parts(name + block):
                weight = rule.weight
        return weight


def element_weights(text: str, by_block: BlockWeights) -> ElementWeights:
    """Read rules, separated by commas or lines.

    Raises:
        BadRequestError: a rule that cannot be read.
    """
    lines = _entries(text, "elements")
    return ElementWeights(by_block, tuple(_rule(line, by_block.blocks) for line in lines))


def selection(include: str, exclude: str, blocks: Blocks) -> Callable[[str], bool]:
    """Whether a tensor is merged, by lists of blocks (`BASE`, `IN04-IN08`) and of parts of tensors' names (`attn2`).

    Args:
        include: only what one of these covers; "" covers all.
        exclude: nothing that one of these covers.
    """
    wanted, left = (_covers(_entries(text, field), field, blocks) for text, field in
                    ((include, "include"), (exclude, "exclude")))  # fmt: skip

    def merges(name: str) -> bool:
        label = blocks.label(name)
        return (not include.strip() or wanted(name, label)) and not left(name, label)

    return merges


def _covers(entries: Sequence[str], field: str, blocks: Blocks) -> Callable[[str, str], bool]:
    named: set[str] = set()
    parts: list[str] = []
    for entry in entries:
        labels = _labels(entry, field, blocks)
        named.update(labels)
        if not labels:
            parts.append(entry)
    return lambda name, label: label in named or any(part in name for part in parts)


def _entries(text: str, field: str) -> list[str]:
    found = [one.strip() for one in text.replace("\n", ",").split(",") if one.strip()]
    if len(found) > MOST_RULES:
        raise BadRequestError(field, f"has {len(found)} entries; at most {MOST_RULES} are read")
    return found


def _rule(line: str, blocks: Blocks) -> _Rule:
    pieces = line.split(":")
    try:
        weight = float(pieces[2]) if len(pieces) == 3 else math.nan
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight):
        raise BadRequestError("elements", f"{line[:80]!r} is not blocks:parts:weight, as in IN04-IN08:attn:0.9")
    return _Rule(_of_blocks(pieces[0], blocks), _of_parts(pieces[1]), weight)


def _of_blocks(text: str, blocks: Blocks) -> Callable[[str], bool]:
    words, is_not = _words(text)
    known = (BASE, *blocks.labels)
    named: set[str] = set()
    for word in words:
        labels = _labels(word, "elements", blocks) or [label for label in known if word in label]  # IN: all of them
        if not labels:
            raise BadRequestError("elements", f"there is no block {word[:40]!r}; there are {', '.join(known)}")
        named.update(labels)
    return lambda label: not words or (label in named) != is_not


def _of_parts(text: str) -> Callable[[str], bool]:
    words, is_not = _words(text)
    return lambda name: not words or any(word in name for word in words) != is_not


def _words(text: str) -> tuple[list[str], bool]:
    words = text.split()
    return (words[1:], True) if words[:1] == [NOT] else (words, False)


def _labels(word: str, field: str, blocks: Blocks) -> list[str]:
    """The blocks that a name or a range means; none where it is neither."""
    known = (BASE, *blocks.labels)
    first, dash, last = word.upper().partition("-")
    if first not in known:
        return []
    if dash and last not in known:
        raise BadRequestError(field, f"there is no block {last[:40]!r}; there are {', '.join(known)}")
    begin, end = known.index(first), known.index(last if dash else first)
    return list(known[min(begin, end) : max(begin, end) + 1])
