"""Which folders of this machine a request may name: those that the owner added to the library, and any from here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from webui.domain.errors import BadRequestError
from webui.installing.permission import NotAllowedError, Permission


@dataclass(frozen=True, slots=True)
class Caller:
    """Who names a folder.

    Attributes:
        address: of the connection's other end; "" where the user types a command at this machine.
        headers: of the request, by lower-case name.
        is_here: whether it is known already that the caller sits at this machine.
    """

    address: str = ""
    headers: Mapping[str, str] | None = None
    is_here: bool = False


AT_THE_MACHINE = Caller(is_here=True)


@dataclass(frozen=True, slots=True)
class FolderAccess:
    """The rule.

    Attributes:
        allowed: the folders that everybody may name, with all that is inside of them.
        permission: tells callers that sit at this machine; they may name any folder.
    """

    allowed: Callable[[], Sequence[Path]]
    permission: Permission

    def folder(self, text: str, field: str, caller: Caller) -> Path:
        """The folder that somebody typed, as it really lies.

        Raises:
            BadRequestError: it is no absolute path, or there is no such folder.
            NotAllowedError: this caller may not name it. Whether it is there is not told then.
        """
        path = Path(text.strip()).expanduser()
        if not path.is_absolute() or "\0" in text:
            raise BadRequestError(field, f"{text[:200]!r} is no absolute path of a folder, such as /pictures")
        try:
            real = path.resolve()
        except (OSError, RuntimeError):
            real = path
        if not self._may(real, caller):
            raise NotAllowedError(
                f"{text[:200]}: only folders of the library are read for callers from elsewhere; add it to the "
                "library at the machine that the program runs on, or upload the pictures"
            )
        if not real.is_dir():
            raise BadRequestError(field, f"there is no folder {text[:200]}")
        return real

    def _may(self, path: Path, caller: Caller) -> bool:
        if caller.is_here or self.permission.allows(caller.address, caller.headers or {}):
            return True
        return any(path.is_relative_to(folder.resolve()) for folder in self.allowed())
