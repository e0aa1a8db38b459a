"""Pictures that a form of the page names by their id instead of sending them: `<job>/<index>`, `library:<number>`."""

from collections.abc import Callable
from pathlib import Path

from starlette.exceptions import HTTPException

from webui.api.page.job_pictures import stored
from webui.api.page.messages import split_picture_id
from webui.api.page.picture_files import PictureFiles
from webui.api.page.viewer import Viewer
from webui.api.parts import Parts
from webui.domain.errors import BadRequestError

LIBRARY = "library"
GONE = "is no longer there; put another one on the canvas"


def finder_of_pictures(parts: Parts, files: PictureFiles) -> Callable[[str, str], Path | bytes]:
    """Finds the file of a picture, or its bytes where it has none, by its id and the owner of who asks.

    The function raises BadRequestError where there is no such picture, or none that the owner may see.
    """

    def find(picture: str, owner: str) -> Path | bytes:
        kind, _, number = picture.partition(":")
        if kind == LIBRARY and parts.library is not None and number.isascii() and number.isdigit() and len(number) < 16:
            try:
                return parts.library.gallery.path_of(int(number), None if parts.library.single_user else owner)
            except BadRequestError:
                raise BadRequestError("picture", GONE) from None
        place = split_picture_id(picture)
        if place is None:
            raise BadRequestError("picture", f"{picture[:80]!r} is no id of a picture")
        try:
            file = files.of(*place, stored(parts, Viewer(owner, not parts.is_shared), *place))
        except HTTPException:
            file = None
        if file is None:
            raise BadRequestError("picture", GONE)
        return file.path or file.data

    return find
