"""`internal/page/library/...`: searching the Library, looking at its pictures, and reading files that are dropped.

Pictures are named by numbers, never by paths. What changes something is in `library_changes.py`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from fastapi import Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from webui.api.late_routes import Router
from webui.api.page.library_changes import changes
from webui.api.page.library_door import LibraryDoor
from webui.api.page.library_messages import (
    BASE,
    Abilities,
    Page,
    Parameter,
    Read,
    Shelf,
    Shown,
    Sorting,
    Tree,
    Value,
    Whole,
    shown,
    told,
    tree,
    whole,
)
from webui.domain.errors import BadRequestError
from webui.domain.images import safe_open
from webui.gallery import searching
from webui.gallery.zipping import MAX_PICTURES, zipped
from webui.output.metadata import Parameters, read_items, read_parameters
from webui.output.parse import parse

FOR_EVER = "private, max-age=31536000, immutable"  # the address changes with the content of the file
TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".jpeg": "image/jpeg",
        ".webp": "image/webp",
        ".avif": "image/avif",
        ".gif": "image/gif",
        ".bmp": "image/bmp",
    }
)


def routes(door: LibraryDoor) -> Router:
    """The routes of the Library and of PNG Info."""
    router = Router(prefix=f"/{BASE}", include_in_schema=False)
    _add_lists(router, door)
    _add_pictures(router, door)
    changes(router, door)

    @router.post("/read")
    async def read(request: Request) -> Read:
        """What an image file tells: the body is the file. Nothing of it is kept."""
        return await run_in_threadpool(_read, await request.body())

    @router.get("/abilities")
    def abilities(request: Request) -> Abilities:
        here = door.is_here(request)
        days = door.gallery.trash.days
        return Abilities(folders=here, reveal=here and door.reveal is not None, trash_days=days)

    return router


def _add_lists(router: Router, door: LibraryDoor) -> None:
    search = door.gallery.search

    def query(request: Request, q: str, sort: Sorting, shelf: Shelf) -> searching.Query:
        return searching.Query(q, sort, shelf, door.owner(request))

    @router.get("/pictures")
    def pictures(
        request: Request,
        q: str = "",
        sort: Sorting = "newest",
        shelf: Shelf = "here",
        after: str = "",
        limit: Annotated[int, Query(ge=1, le=searching.PAGE)] = searching.PAGE,
    ) -> Page:
        """A page of what was found, in order."""
        try:
            found = search.page(query(request, q, sort, shelf), after=after, limit=limit)
        except BadRequestError as error:
            if error.field != "q":
                raise
            return Page(fault=error.message)
        return Page(rows=tuple(shown(row) for row in found.rows), after=found.after, total=found.total)

    @router.get("/anchors")
    def anchors(request: Request, q: str = "", sort: Sorting = "newest", shelf: Shelf = "here") -> tuple[str, ...]:
        """Where each page but the first begins."""
        return search.anchors(query(request, q, sort, shelf))

    @router.get("/facets")
    def facets(request: Request, q: str = "", shelf: Shelf = "here") -> dict[str, tuple[Value, ...]]:
        """How many of the pictures have which values."""
        found = search.facets(query(request, q, "newest", shelf))
        return {name: tuple(Value(value=one, count=count) for one, count in rows) for name, rows in found.items()}

    @router.get("/of-job/{job}/{index}")
    def of_job(request: Request, job: str, index: int) -> Shown | None:
        """The picture at a place of a job; null where it is not in the Library, or not yet."""
        row = search.of_job(job, index, door.owner(request))
        return None if row is None else shown(row)

    @router.get("/zip")
    def archive(request: Request, ids: str = "") -> StreamingResponse:
        """The files of pictures, by their numbers with commas between, as a zip file that is made while it is sent."""
        try:
            numbers = [int(one) for one in ids.split(",") if one]
        except ValueError:
            raise BadRequestError("ids", "must be numbers with commas between") from None
        if not 0 < len(numbers) <= MAX_PICTURES:
            raise BadRequestError("ids", f"1 to {MAX_PICTURES} pictures go into a zip file, not {len(numbers)}")
        paths = door.gallery.paths_of(numbers, door.owner(request))
        headers = {"Content-Disposition": 'attachment; filename="pictures.zip"', "Cache-Control": "no-store"}
        return StreamingResponse(zipped(paths), media_type="application/zip", headers=headers)


def _add_pictures(router: Router, door: LibraryDoor) -> None:
    gallery = door.gallery

    @router.get("/pictures/{picture}")
    def details(request: Request, picture: int) -> Whole:
        """All about a picture."""
        found = gallery.search.details(picture, door.owner(request))
        fields = parse(found.infotext) if found.infotext else {}
        return whole(found, Parameters(found.infotext, fields, found.row.program))

    @router.get("/pictures/{picture}/file/{digest}")
    def file(request: Request, picture: int, digest: str) -> FileResponse:
        """The very file."""
        path = gallery.path_of(picture, door.owner(request))
        kind = TYPES.get(path.suffix.lower(), "application/octet-stream")
        return FileResponse(
            path, media_type=kind, filename=path.name, content_disposition_type="inline",
            headers={"Cache-Control": FOR_EVER},
        )  # fmt: skip

    @router.get("/pictures/{picture}/thumb/{digest}")
    def thumb(request: Request, picture: int, digest: str) -> Response:
        """A small WebP of it."""
        data = gallery.thumbnail(picture, door.owner(request))
        return Response(data, media_type="image/webp", headers={"Cache-Control": FOR_EVER})

    @router.get("/pictures/{picture}/lineage")
    def lineage(request: Request, picture: int) -> Tree:
        """What it was made from, and what was made of it."""
        owner = door.owner(request)
        found = gallery.lineage(picture, owner)
        return tree(found, gallery.search.rows([one.id for one in found.relations], owner))

    @router.post("/pictures/{picture}/reveal")
    def reveal(request: Request, picture: int) -> dict[str, str]:
        """Show its file in the file manager of this machine."""
        door.check_here(request, "folders are opened")
        door.revealed(gallery.path_of(picture, door.owner(request)))
        return {}


def _read(data: bytes) -> Read:
    try:
        image = safe_open(data)
    except BadRequestError as error:
        return Read(told=told(Parameters()), fault=f"This file {error.message}")
    items = read_items(image)
    return Read(
        told=told(read_parameters(image)),
        texts=tuple(Parameter(key=key, value=value) for key, value in items.items()),
        width=image.width,
        height=image.height,
    )
