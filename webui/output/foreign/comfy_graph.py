"""The prompt graph of ComfyUI: nodes by number, whose inputs are values or links to other nodes.

Custom nodes are many, so nothing here knows classes by name: links are followed by what their inputs are called, and
values are recognised by their kind. Every walk visits a node once and ends after `MAX_VISITS`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from webui.output.foreign.entries import number_of, text_of

V = TypeVar("V")

MAX_NODES = 5000
MAX_VISITS = 3000
MAX_DEPTH = 60
_VALUE_KEYS = ("value", "Value", "int", "float", "number", "seed", "noise_seed", "string", "text", "result", "a")
_TEXT_KEY = re.compile(
    r"(text|string|prompt|populated|wildcard|value|str|clip_l|t5xxl|positive|negative|input)", re.IGNORECASE
)
_OWN_TEXT_KEYS = ("populated_text", "text", "text_g", "prompt", "string", "t5xxl", "clip_l", "text_l")
_JOINTS = ("delimiter", "separator")
_NO_TEXT = ("delimiter", "separator", "token_normalization", "weight_interpretation", "mode", "clip_name")


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the graph."""

    id: str
    kind: str
    inputs: Mapping[str, Any]


Link = tuple[str, int]  # number of a node, and of its output


class Graph:
    """The nodes of one prompt."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.nodes: dict[str, Node] = {}
        for key, found in list(data.items())[:MAX_NODES]:
            if isinstance(found, dict) and isinstance(found.get("inputs"), dict):
                self.nodes[str(key)] = Node(str(key), str(found.get("class_type", ""))[:100], found["inputs"])
        self._visits = 0

    def link(self, value: Any) -> Link | None:
        """Where an input leads; None for a value."""
        if (
            not isinstance(value, list)
            or len(value) != 2
            or isinstance(value[1], bool)
            or not isinstance(value[1], int)
        ):
            return None
        return (str(value[0]), value[1]) if str(value[0]) in self.nodes else None

    def linked(self, node: Node, *names: str) -> Node | None:
        """The node that the first of these inputs leads to."""
        links = (self.link(node.inputs.get(name)) for name in names)
        return next((self.nodes[link[0]] for link in links if link), None)

    def ancestors(self, node: Node) -> Iterator[Node]:
        """A node and all that it hangs on, nearest first."""
        seen, front = {node.id}, [node]
        while front:
            yield from front
            following = [link[0] for one in front for value in one.inputs.values() if (link := self.link(value))]
            front = [self.nodes[name] for name in dict.fromkeys(following) if name not in seen]
            seen.update(one.id for one in front)

    def number(self, node: Node | None, *names: str) -> int | float | None:
        """The number of the first of these inputs that has one, also behind links."""
        return self._value(node, names, number_of, 0)

    def word(self, node: Node | None, *names: str) -> str:
        """The text of the first of these inputs that has one, also behind links."""
        return self._value(node, names, lambda value: text_of(value) or None, 0) or ""

    def _value(
        self, node: Node | None, names: tuple[str, ...], kind: Callable[[Any], V | None], depth: int
    ) -> V | None:
        if node is None or depth > MAX_DEPTH or self._spent():
            return None
        for name in names:
            if name not in node.inputs:
                continue
            link = self.link(node.inputs[name])
            found = kind(node.inputs[name]) if link is None else self._behind(self.nodes[link[0]], name, kind, depth)
            if found is not None:
                return found
        return None

    def _behind(self, node: Node, name: str, kind: Callable[[Any], V | None], depth: int) -> V | None:
        """The value that a node gives: of its input of that name, of one called a value, or the only fitting one."""
        found = self._value(node, (name, *_VALUE_KEYS), kind, depth + 1)
        if found is not None:
            return found
        fitting = [one for one in map(kind, node.inputs.values()) if one is not None]
        if len(fitting) == 1:
            return fitting[0]
        links = [key for key, value in node.inputs.items() if self.link(value)]
        return self._value(node, (links[0],), kind, depth + 1) if len(links) == 1 else None

    def texts(self, link: Link | None, side: str) -> list[str]:
        """The texts behind a conditioning, in order; `side` is `positive` or `negative`."""
        found: list[str] = []
        self._conditioned(link, side, found, set(), 0)
        return list(dict.fromkeys(text for text in found if text))

    def _conditioned(self, link: Link | None, side: str, found: list[str], seen: set[Link], depth: int) -> None:
        if link is None or link in seen or depth > MAX_DEPTH or self._spent():
            return
        seen.add(link)
        node = self.nodes[link[0]]
        if node.kind.lower().startswith("conditioningzero"):
            return
        for_sides = [name for name in node.inputs if side in name.lower()]
        both = [name for name in node.inputs if "positive" in name.lower() or "negative" in name.lower()]
        if both:
            names = for_sides
        else:
            own = self._own_text(node, depth)
            if own is not None:
                found.append(own)
                return
            names = [name for name in node.inputs if "conditioning" in name.lower() or name in ("cond", "c", "guider")]
            names = names or [name for name, value in node.inputs.items() if self.link(value)]
        for name in names:
            inner = self.link(node.inputs[name])
            if inner is None:
                found.append(text_of(node.inputs[name]))
            else:
                before = len(found)
                self._conditioned(inner, side, found, seen, depth + 1)
                if len(found) == before and _TEXT_KEY.search(name):
                    found.append(self._text(inner[0], depth + 1))

    def _own_text(self, node: Node, depth: int) -> str | None:
        """The text that a node encodes; None for one that only passes conditioning on."""
        for name in _OWN_TEXT_KEYS:
            if name in node.inputs:
                link = self.link(node.inputs[name])
                text = text_of(node.inputs[name]) if link is None else self._text(link[0], depth + 1)
                if text:
                    return text
        named = [name for name in _OWN_TEXT_KEYS if name in node.inputs]
        return "" if named else None

    def _text(self, name: str, depth: int) -> str:
        """The text that a node of strings gives: its parts in order, with its joint between them."""
        if depth > MAX_DEPTH or self._spent():
            return ""
        node = self.nodes[name]
        populated = text_of(node.inputs.get("populated_text"))
        if populated:
            return populated
        parts: list[str] = []
        for key, value in node.inputs.items():
            link = self.link(value)
            if link is not None and (_TEXT_KEY.search(key) or len(node.inputs) == 1):
                parts.append(self._text(link[0], depth + 1))
            elif link is None and _TEXT_KEY.search(key) and key not in _NO_TEXT:
                parts.append(text_of(value))
        joint = next((value for key in _JOINTS if isinstance(value := node.inputs.get(key), str)), ", ")
        return joint[:10].join(part for part in parts if part)[:32_000]

    def _spent(self) -> bool:
        self._visits += 1
        return self._visits > MAX_VISITS
