"""What became of everything in a file, so that what nobody read is said. Names only; no tensors."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

_SHOWN = 3  # names in a sentence
_NAME = 80  # characters of a name


class Account:
    """The account that a loader keeps of a file: each name is used, left out on purpose, or else unread.

    It belongs to one loader at a time.
    """

    def __init__(self, title: str, names: Iterable[str]) -> None:
        """
        Args:
            title: of the file, for sentences.
            names: of its tensors, and of the facts in its header that the loader knows.
        """
        self._title = title
        self._unread = dict.fromkeys(names)
        self._left_out: dict[str, list[str]] = {}

    def use(self, *names: str) -> None:
        """These were read and count."""
        for name in names:
            self._unread.pop(name, None)

    def leave_out(self, reason: str, *names: str) -> None:
        """These are known and of no use here, for a reason that holds for every such file."""
        self.use(*names)
        self._left_out.setdefault(reason, []).extend(names)

    @property
    def unread(self) -> tuple[str, ...]:
        """What nobody has spoken for, in the order of the file."""
        return tuple(self._unread)

    @property
    def left_out(self) -> Mapping[str, tuple[str, ...]]:
        """What was left out on purpose, by reason."""
        return MappingProxyType({reason: tuple(names) for reason, names in self._left_out.items()})

    def told(self) -> str:
        """One sentence for the user about what is unread: how much, and the first names; "" where nothing is."""
        if not self._unread:
            return ""
        what = "1 tensor was" if len(self._unread) == 1 else f"{len(self._unread)} tensors were"
        return f"{self._title}: {what} not understood and left out ({listed(self._unread)})"


def listed(names: Iterable[str]) -> str:
    """The first names of many, and how many more there are."""
    names = [name if len(name) <= _NAME else f"{name[:_NAME]}..." for name in names]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
