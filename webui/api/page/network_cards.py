"""`internal/page/networks/...`: the cards of LoRAs, embeddings, hypernetworks, checkpoints and VAEs for the page.

Files go by an id made from their name, never by a path. What stands in files and beside them comes as plain data.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webui.api.body import drain, read_as
from webui.api.late_routes import Router
from webui.api.page.sent_picture import sent_picture
from webui.api.parts import Parts
from webui.api.thumbs import small_picture
from webui.cards.block_strength import block_strengths
from webui.cards.card_details import details_of
from webui.cards.card_index import CardIndex, CardQuery, Order, Uses
from webui.cards.indexed_card import IndexedCard, TriggerWord
from webui.cards.inspection import inspected
from webui.domain.images import safe_open
from webui.library.base_model import base_of, family_of_word
from webui.library.card_notes import MAX_TEXT, Notes, may_write, read_notes, save_notes, save_preview
from webui.library.cards import CardKind, preview_of
from webui.library.networks import find_network
from webui.output.metadata import read_parameters

MOST_CARDS = 200  # of one answer
MOST_NAMES = 100
MOST_FOLDERS = 2_000
MOST_WORDS = 12  # of a card in a list
READ_SECONDS = 1.0
FOR_A_YEAR = "private, max-age=31536000, immutable"  # its address holds the time of the file's last change


class NotesBody(BaseModel):
    """What the user notes of a file; all fields are replaced."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = Field("", max_length=MAX_TEXT)
    notes: str = Field("", max_length=MAX_TEXT)
    activation: str = Field("", max_length=MAX_TEXT)
    negative: str = Field("", max_length=MAX_TEXT)
    weight: float = Field(0.0, ge=0, le=2)
    base: str = Field("", max_length=40)


class NamesBody(BaseModel):
    """Names that tags in a prompt have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lora: list[Annotated[str, Field(max_length=400)]] = Field(default_factory=list, max_length=MOST_NAMES)
    hypernetwork: list[Annotated[str, Field(max_length=400)]] = Field(default_factory=list, max_length=MOST_NAMES)


def routes(parts: Parts) -> Router:
    """Lists, details, notes, small pictures."""
    router = Router(prefix="/internal/page/networks", include_in_schema=False)
    index = CardIndex(parts.engine.library, lambda kind: _last_used(parts, kind))
    _add_lists(router, parts, index)
    _add_cards(router, index)
    return router


def _add_lists(router: Router, parts: Parts, index: CardIndex) -> None:

    @router.get("")
    def listed(
        kind: CardKind = "lora",
        q: Annotated[str, Query(max_length=400)] = "",
        folder: Annotated[str, Query(max_length=1000)] = "",
        base: Annotated[str, Query(max_length=40)] = "",
        checkpoint: Annotated[str, Query(max_length=500)] = "",
        order: Order = "path",
        descending: bool = False,
        offset: Annotated[int, Query(ge=0, le=10**6)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_CARDS)] = 60,
    ) -> dict[str, Any]:
        """A piece of the list, and the family of a checkpoint that cards may fit or not."""
        found = index.find(kind, CardQuery(q, folder, base, order, descending), offset, limit)
        return {
            "total": found.total,
            "offset": offset,
            "cards": [row_of(one) for one in found.cards],
            "folders": found.folders[:MOST_FOLDERS],
            "bases": found.bases[:MOST_NAMES],
            "unread": found.unread,
            "family": _family(index, checkpoint) if checkpoint else "",
        }

    @router.post("/refresh")
    async def refresh(request: Request) -> JSONResponse:
        """Look at the folders again."""
        await drain(request)
        await run_in_threadpool(parts.engine.library.refresh)
        index.forget()
        return JSONResponse({})

    @router.post("/read/{kind}")
    async def read_on(request: Request, kind: CardKind) -> JSONResponse:
        """Look into files that nobody has looked into yet, for about a second; answers how many are left."""
        await drain(request)
        return JSONResponse({"unread": await run_in_threadpool(index.read_on, kind, READ_SECONDS)})

    @router.post("/named")
    async def named(request: Request) -> JSONResponse:
        """For each name of a tag the file that it means; null where there is none."""
        asked = await read_as(request, NamesBody)
        return JSONResponse(await run_in_threadpool(_named, index, asked))


def _add_cards(router: Router, index: CardIndex) -> None:
    @router.get("/{kind}/{card_id}")
    def details(kind: CardKind, card_id: str) -> dict[str, Any]:
        """All that is known of a file."""
        return _details(index, _card(index, kind, card_id))

    @router.get("/{kind}/{card_id}/inside")
    def inside(kind: CardKind, card_id: str) -> dict[str, Any]:
        """What is in the file, by its header."""
        file = _card(index, kind, card_id).file
        strengths = block_strengths(index.library.safetensors(file)) if kind == "lora" else ()
        return {**asdict(inspected(index.library, file)), "strengths": [asdict(one) for one in strengths]}

    @router.put("/{kind}/{card_id}/notes")
    async def write_notes(request: Request, kind: CardKind, card_id: str) -> JSONResponse:
        """Save notes beside the file; answers as `details`."""
        body = await read_as(request, NotesBody)

        def change() -> dict[str, Any]:
            one = _card(index, kind, card_id)
            save_notes(index.library, one.file, Notes(**body.model_dump()))
            index.forget()
            return _details(index, _card(index, kind, card_id))

        return JSONResponse(await run_in_threadpool(change))

    @router.post("/{kind}/{card_id}/preview")
    async def write_preview(request: Request, kind: CardKind, card_id: str) -> JSONResponse:
        """Save a picture beside a file as what its card shows; answers as `details`."""
        content = await sent_picture(request)

        def change() -> dict[str, Any]:
            one = _card(index, kind, card_id)
            picture = safe_open(content)
            save_preview(index.library, one.file, picture, read_parameters(picture).text)
            index.forget()
            return _details(index, _card(index, kind, card_id))

        return JSONResponse(await run_in_threadpool(change))

    @router.get("/{kind}/{card_id}/thumb")
    def thumb(kind: CardKind, card_id: str) -> Response:
        """The small picture of a card; 404 where it has none."""
        answer = small_picture(_card(index, kind, card_id).file)
        answer.headers["Cache-Control"] = FOR_A_YEAR
        return answer


def row_of(one: IndexedCard) -> dict[str, Any]:
    """A card as the drawer draws it. `thumb` is an address relative to the page; "" where there is no picture."""
    card = one.card
    thumb = f"internal/page/networks/{card.kind}/{card.id}/thumb?v={one.shown:x}" if card.preview is not None else ""
    return {
        "id": card.id, "kind": card.kind, "name": card.name, "file": card.file, "folder": card.folder,
        "text": card.text, "tag": card.tag, "weight": card.weight, "negative": card.negative,
        "description": card.description, "base": card.base, "family": one.family, "thumb": thumb,
        "words": [_word(word) for word in one.words[:MOST_WORDS]],
    }  # fmt: skip


def _word(word: TriggerWord) -> dict[str, str]:
    return {"text": word.text, "source": word.source}


def _family(index: CardIndex, checkpoint: str) -> str:
    """The family of a checkpoint by its name; "" where that is not known."""
    file = next((one for one in index.library.checkpoints() if one.name == checkpoint), None)
    return family_of_word(base_of(index.library, file)) if file is not None else ""


def _last_used(parts: Parts, kind: CardKind) -> Uses:
    return parts.library.gallery.last_uses.of(kind) if parts.library is not None else {}


def _card(index: CardIndex, kind: CardKind, card_id: str) -> IndexedCard:
    one = index.get(kind, card_id)
    if one is None:
        raise HTTPException(404, "There is no such file any more. Refresh the list.")
    return one


def _details(index: CardIndex, one: IndexedCard) -> dict[str, Any]:
    notes = read_notes(one.file)
    told = details_of(index.library, one.file)
    return {
        **row_of(one),
        "notes": {
            "description": notes.description, "notes": notes.notes, "activation": notes.activation,
            "negative": notes.negative, "weight": notes.weight, "base": notes.base,
        },
        "words": [_word(word) for word in one.words],
        "title": one.title,
        "tags": list(one.tags),
        "hints": one.notes if one.notes != notes.notes else "",
        "metadata": [{"key": entry.key, "value": entry.value, "cut": entry.cut} for entry in told.metadata],
        "left_out": told.left_out,
        "problem": told.problem,
        "bytes": one.size,
        "modified": one.modified,
        "writable": may_write(index.library, one.file),
        "has_preview": preview_of(one.file) is not None,
    }  # fmt: skip


def _named(index: CardIndex, asked: NamesBody) -> dict[str, dict[str, Any]]:
    library = index.library
    kinds: Sequence[tuple[CardKind, list[str]]] = (("lora", asked.lora), ("hypernetwork", asked.hypernetwork))
    answer: dict[str, dict[str, Any]] = {}
    for kind, names in kinds:
        files = library.files(kind)
        answer[kind] = {}
        for name in dict.fromkeys(names):
            found = find_network(library, files, name)
            one = index.of_file(kind, found.name) if found is not None else None
            answer[kind][name] = None if one is None else {"id": one.card.id, "base": one.card.base}
    return answer
