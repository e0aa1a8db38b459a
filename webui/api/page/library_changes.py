"""The routes of the Library that change something: marks, trash, folders, scan, and making a picture again."""

from starlette.requests import Request
from starlette.responses import Response

from webui.api.late_routes import Router
from webui.api.page.library_again import made_again
from webui.api.page.library_door import LibraryDoor
from webui.api.page.library_messages import (
    Again,
    Chosen,
    Days,
    Done,
    Folder,
    FolderPath,
    Noted,
    Purged,
    Rated,
    Refusal,
    Scan,
    Tagged,
)
from webui.domain.visitor import owner_of
from webui.gallery.marks import MarksFile
from webui.gallery.roots import Root
from webui.gallery.trash import Outcome


def changes(router: Router, door: LibraryDoor) -> None:
    """Add the routes."""
    _add_marks(router, door)
    _add_trash(router, door)
    _add_folders(router, door)

    @router.post("/pictures/{picture}/again")
    def again(request: Request, picture: int) -> Again:
        """Make it once more, from all that is known of how it was made."""
        return made_again(door, picture, door.owner(request), owner_of(request))


def _add_marks(router: Router, door: LibraryDoor) -> None:
    marks = door.gallery.marks

    @router.post("/rating")
    def rating(request: Request, body: Rated) -> dict[str, int]:
        """Give stars."""
        return {"changed": marks.rate(body.ids, body.rating, door.owner(request))}

    @router.post("/tags")
    def tags(request: Request, body: Tagged) -> dict[str, int]:
        """Add tags and take others away."""
        return {"changed": marks.tag(body.ids, body.add, body.remove, door.owner(request))}

    @router.put("/pictures/{picture}/notes")
    def notes(request: Request, picture: int, body: Noted) -> dict[str, str]:
        """Replace the notes."""
        door.gallery.search.details(picture, door.owner(request))
        marks.note(picture, body.notes, door.owner(request))
        return {}

    @router.get("/marks")
    def exported(request: Request) -> Response:
        """All stars, tags and notes as a file."""
        text = marks.exported(door.owner(request)).model_dump_json(indent=1)
        headers = {"Content-Disposition": 'attachment; filename="library-marks.json"', "Cache-Control": "no-store"}
        return Response(text, media_type="application/json", headers=headers)

    @router.post("/marks")
    def taken_over(request: Request, body: MarksFile) -> dict[str, int]:
        """Add the stars, tags and notes of such a file."""
        found, missing = marks.take_over(body, door.owner(request))
        return {"changed": found, "missing": missing}


def _add_trash(router: Router, door: LibraryDoor) -> None:
    trash = door.gallery.trash

    @router.post("/trash")
    def put(request: Request, body: Chosen) -> Done:
        """Move pictures into the trash."""
        return _done(trash.put(body.ids, door.owner(request)))

    @router.post("/restore")
    def restore(request: Request, body: Chosen) -> Done:
        """Move pictures back to where they were."""
        return _done(trash.restore(body.ids, door.owner(request)))

    @router.post("/purge")
    def purge(request: Request, body: Purged) -> Done:
        """Delete pictures of the trash for good."""
        owner = door.owner(request)
        return _done(trash.purge(trash.contents(owner) if body.all else body.ids, owner))

    @router.put("/trash/days")
    def days(request: Request, body: Days) -> dict[str, str]:
        """Choose how long the trash keeps pictures."""
        door.check_here(request, "how long the trash keeps pictures is chosen")
        trash.keep_for(body.days)
        return {}


def _add_folders(router: Router, door: LibraryDoor) -> None:
    gallery = door.gallery

    @router.get("/folders")
    def folders(request: Request) -> tuple[Folder, ...]:
        """The folders whose pictures are in the Library. Their paths are told to callers on this machine only."""
        here = door.is_here(request)
        return tuple(_folder(root, tell=here) for root in gallery.roots.all())

    @router.post("/folders")
    def add(request: Request, body: FolderPath) -> Folder:
        """Add a folder of this machine, and look through it."""
        door.check_here(request, "folders are added")
        root = gallery.roots.add(body.path)
        gallery.scanner.start()
        return _folder(root, tell=True)

    @router.delete("/folders/{folder}")
    def remove(request: Request, folder: int) -> dict[str, str]:
        """Take a folder out of the Library; its files stay."""
        door.check_here(request, "folders are taken out")
        gallery.roots.remove(folder)
        return {}

    @router.get("/scan")
    def scan() -> Scan:
        """How far the look through the folders is, and a number that changes with the index."""
        now = gallery.scanner.state
        return Scan(
            running=now.running, folder=now.folder, seen=now.seen, read=now.read, to_read=now.to_read, gone=now.gone,
            faults=now.faults, stopped=now.stopped, ended=now.ended, changes=gallery.index.changes,
        )  # fmt: skip

    @router.post("/scan")
    def start() -> dict[str, str]:
        """Look through the folders now."""
        gallery.scanner.start()
        return {}

    @router.post("/scan/stop")
    def stop() -> dict[str, str]:
        """End the look through the folders; the next one goes on where it was."""
        gallery.scanner.stop()
        return {}


def _done(outcome: Outcome) -> Done:
    return Done(
        done=outcome.done, refused=tuple(Refusal(id=number, reason=reason) for number, reason in outcome.refused)
    )


def _folder(root: Root, *, tell: bool) -> Folder:
    path = str(root.path) if tell else root.path.name
    return Folder(id=root.id, path=path, own=root.own, pictures=root.pictures, there=root.there)
