"""What the page's Library says and hears, as types. Addresses are relative to the page's own."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from webui.domain.parameters.table import keyed
from webui.gallery.lineage import Lineage
from webui.gallery.picture_facts import program_of
from webui.gallery.searching import Details, Row
from webui.output.metadata import Parameters

BASE = "internal/page/library"
Ids = tuple[int, ...]


class Message(BaseModel):
    """A value that never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Shown(Message):
    """A picture of the Library as the page's other parts know pictures."""

    id: str
    number: int
    job: str
    index: int
    url: str
    thumb: str
    width: int
    height: int
    bytes: int
    seed: str
    kind: str
    created: float
    grid: bool
    rating: int
    name: str
    prompt: str
    checkpoint: str
    program: str
    fault: str
    trashed: float | None
    text: str = ""


class Page(Message):
    """A part of what was found, or what in the search cannot be read (it may be half typed)."""

    rows: tuple[Shown, ...] = ()
    after: str = ""
    total: int = 0
    fault: str = ""


class Value(Message):
    """A value of a facet, and how many pictures have it."""

    value: str
    count: int


class Parameter(Message):
    """A line of the table of parameters, and the paths of the form's fields that it fills."""

    key: str
    value: str
    fields: tuple[str, ...] = ()


class Told(Message):
    """What a picture tells of itself."""

    text: str
    parameters: tuple[Parameter, ...]
    program: str
    notices: tuple[str, ...]
    as_found: bool


class Whole(Message):
    """All about one picture."""

    picture: Shown
    told: Told
    notes: str
    tags: tuple[str, ...]
    loras: tuple[str, ...]
    place: str
    folder: int


class Read(Message):
    """A file that was dropped: what it tells, and every text in it, or why it is no picture."""

    told: Told
    texts: tuple[Parameter, ...] = ()
    width: int = 0
    height: int = 0
    fault: str = ""


class Node(Message):
    """A picture of a tree, and the number of the one that it was made from."""

    picture: Shown
    made_from: int | None


class Tree(Message):
    """What was made from what, the eldest first."""

    nodes: tuple[Node, ...]
    whole: bool


class Chosen(Message):
    """Pictures by their numbers."""

    ids: Ids = Field(max_length=20_000)


class Rated(Chosen):
    """Stars for pictures."""

    rating: int = Field(ge=0, le=5)


class Tagged(Chosen):
    """Tags to add and to take away."""

    add: tuple[str, ...] = Field((), max_length=100)
    remove: tuple[str, ...] = Field((), max_length=100)


class Noted(Message):
    """Notes of one picture."""

    notes: str = Field(max_length=20_000)


class Purged(Message):
    """What is deleted for good: some pictures of the trash, or all that is in it."""

    ids: Ids = Field((), max_length=20_000)
    all: bool = False


class Refusal(Message):
    """A picture for which something did not work, and why."""

    id: int
    reason: str


class Done(Message):
    """What became of a wish for several pictures."""

    done: Ids
    refused: tuple[Refusal, ...] = ()


class FolderPath(Message):
    """A folder that somebody typed."""

    path: str = Field(max_length=4000)


class Folder(Message):
    """A folder of the Library."""

    id: int
    path: str
    own: bool
    pictures: int
    there: bool


class Days(Message):
    """How long the trash keeps pictures; 0: for ever."""

    days: int = Field(ge=0, le=3650)


class Scan(Message):
    """How far the look through the folders is."""

    running: bool
    folder: str
    seen: int
    read: int
    to_read: int
    gone: int
    faults: tuple[str, ...]
    stopped: bool
    ended: float | None
    changes: int


class Abilities(Message):
    """What this caller may do."""

    folders: bool
    reveal: bool
    trash_days: int


class Again(Message):
    """The job that makes a picture once more."""

    job: str
    notices: tuple[str, ...]


Sorting = Literal["newest", "oldest", "rating", "size"]
Shelf = Literal["here", "trash", "damaged"]


def shown(row: Row, text: str = "") -> Shown:
    """A row as the page knows pictures."""
    return Shown(
        id=f"library:{row.id}",
        number=row.id,
        job=row.job,
        index=row.position,
        url=f"{BASE}/pictures/{row.id}/file/{row.digest}",
        thumb=f"{BASE}/pictures/{row.id}/thumb/{row.digest}",
        width=row.width,
        height=row.height,
        bytes=row.bytes,
        seed=row.seed,
        kind=row.kind,
        created=row.created,
        grid=row.kind == "grid",
        rating=row.rating,
        name=row.name,
        prompt=row.prompt,
        checkpoint=row.checkpoint,
        program=row.program,
        fault=row.fault,
        trashed=row.trashed,
        text=text,
    )


def fields_of(key: str) -> tuple[str, ...]:
    """The paths of a request's leaves that a key of an infotext tells."""
    return tuple(row.path for row, one in keyed() if key == one.name or key in one.also)


def told(found: Parameters) -> Told:
    """Parameters as the page shows them."""
    return Told(
        text=found.text,
        parameters=tuple(
            Parameter(key=key, value=value, fields=fields_of(key)) for key, value in found.fields.items() if value
        ),
        program=program_of(found),
        notices=tuple(notice.text for notice in found.notices),
        as_found=found.as_found,
    )


def whole(found: Details, parameters: Parameters) -> Whole:
    """All about a picture."""
    return Whole(
        picture=shown(found.row, found.infotext),
        told=told(parameters),
        notes=found.notes,
        tags=found.tags,
        loras=found.loras,
        place=found.place,
        folder=found.folder,
    )


def tree(found: Lineage, rows: tuple[Row, ...]) -> Tree:
    """A tree with its pictures."""
    by_id = {row.id: row for row in rows}
    return Tree(
        nodes=tuple(
            Node(picture=shown(by_id[one.id]), made_from=one.made_from) for one in found.relations if one.id in by_id
        ),
        whole=found.whole,
    )
