"""What the routes of the Library work with, and whom they work for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from webui.domain.errors import WebuiError
from webui.domain.visitor import user_in
from webui.engine.engine import Engine
from webui.gallery.gallery import Gallery
from webui.installing.permission import NotAllowedError, Permission


@dataclass(frozen=True, slots=True)
class LibraryDoor:
    """The Library as it is reached from outside.

    Attributes:
        single_user: whether at most one user can log in, who then sees all pictures, whoever had them made.
        local: whether the server is reached from this machine only, under no other name.
        reveal: shows a file in the file manager of this machine; None: there is no desktop.
    """

    gallery: Gallery
    engine: Engine
    single_user: bool = True
    local: bool = True
    reveal: Callable[[Path], None] | None = None

    def owner(self, request: Request) -> str | None:
        """The user whose pictures this caller may see; None: everybody's."""
        return None if self.single_user else user_in(request.scope) or None

    def is_here(self, request: Request) -> bool:
        """Whether the caller sits at this machine."""
        try:
            Permission(loopback_only=self.local).check(request.client.host if request.client else "", request.headers)
        except NotAllowedError:
            return False
        return True

    def check_here(self, request: Request, what: str) -> None:
        """Raises NotAllowedError, with `what` in its sentence, where the caller does not sit at this machine."""
        if not self.is_here(request):
            raise NotAllowedError(
                f"{what} from this machine only, while the server listens on no other address; open the page there"
            )

    def revealed(self, path: Path) -> None:
        """Show a file on the desktop. Raises WebuiError."""
        if self.reveal is None:
            raise WebuiError("the machine that this program runs on has no desktop to open a folder on")
        self.reveal(path)
