"""What a row in the table of flags is: a flag of A1111, Forge or ComfyUI, and what becomes of it here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Takes = Literal["nothing", "a value", "perhaps a value", "values"]
NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a flag means with the values it was given.

    Attributes:
        settings: by name. Tuples of several flags are joined, and so are the users of `api_auth`.
        remark: what of it has no effect here, and why; "" where all of it has.
        spared: which extensions run all the same, where the flag switches them off; None: it does not.
    """

    settings: Mapping[str, Any] = field(default_factory=lambda: NO_SETTINGS)
    remark: str = ""
    spared: Literal["none", "bundled"] | None = None


@dataclass(frozen=True, slots=True)
class KnownFlag:
    """A row.

    Attributes:
        name: with its dashes.
        says: what it does here, or why it has no effect, as the documentation tells it.
        takes: how many values follow it.
        means: from all its values, in the order given; None for a flag without effect.
        is_own: it is a flag of this program too, which the command line declares with the others of its own.
        among: for a flag that takes values: the words that are its values, so that what follows them is not.
    """

    name: str
    says: str
    takes: Takes = "nothing"
    means: Callable[[tuple[str, ...]], Meaning] | None = None
    is_own: bool = False
    among: tuple[str, ...] = ()

    @property
    def has_effect(self) -> bool:
        return self.is_own or self.means is not None

    @property
    def dest(self) -> str:
        """The attribute of parsed arguments that holds its values."""
        return f"foreign {self.name}"
