"""An option of an extension that may vary along an axis, as plain data, which is stored with a plot that varies it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

OptionKind = Literal["int", "float", "text", "flag"]


@dataclass(frozen=True, slots=True)
class OptionAxis:
    """Attributes:
    path: names and indices that lead to the option, below those of its extension.
    kind: what its values are; `flag`: yes or no.
    title: of the extension; `label` is the option's own.
    """

    extension: str
    path: tuple[str | int, ...]
    kind: OptionKind
    title: str
    label: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    @property
    def id(self) -> str:
        """`guidance.rescale`, `controlnet.0.weight`: a list's own name is left out, as its entries have numbers."""
        names = [
            str(part) for part, after in zip(self.path, (*self.path[1:], ""), strict=True)
            if isinstance(part, int) or not isinstance(after, int)
        ]  # fmt: skip
        return ".".join((self.extension, *names))

    def plain(self) -> dict[str, Any]:
        """What is stored."""
        return {
            "extension": self.extension, "path": list(self.path), "kind": self.kind, "title": self.title,
            "label": self.label, "choices": list(self.choices), "low": self.low, "high": self.high,
        }  # fmt: skip

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "OptionAxis":
        """What `plain` gave. Raises KeyError or TypeError where it is something else."""
        return cls(
            plain["extension"], tuple(plain["path"]), plain["kind"], plain["title"], plain["label"],
            tuple(plain["choices"]), plain["low"], plain["high"],
        )  # fmt: skip
