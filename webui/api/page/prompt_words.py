"""`internal/page/tags/...` and `internal/page/prompt-words`: what prompts may be completed with, all at once.

The page searches by itself, so nothing is asked while somebody types. A list of tags has the digest of its content in
its address and is asked for once. Words that extensions know (wildcards) are told by their light action
`prompt_words`, whose data is a list of objects with `kind` and `name`.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.api.waiting import finished
from webui.cards.card_index import CardIndex
from webui.domain.errors import UnusableFileError, WebuiError
from webui.library.cards import Card, CardKind

FOR_EVER = "private, max-age=31536000, immutable"  # the address changes with the content of the file
ACTION = "prompt_words"
PATIENCE = 20.0  # seconds for all extensions together
MOST_WORDS = 100_000  # of an extension
KINDS: tuple[CardKind, ...] = ("lora", "hypernetwork", "embedding")


class PromptWord(BaseModel):
    """A word that an extension reads in prompts: `wildcard` is written as `__name__`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = Field(max_length=20, pattern="^wildcard$")
    name: str = Field(min_length=1, max_length=400)


_WORDS = TypeAdapter(list[PromptWord])


def routes(parts: Parts) -> Router:
    """Lists of tags, and the names of everything else that a prompt may call."""
    router = Router(prefix="/internal/page", include_in_schema=False)
    index = CardIndex(parts.engine.library)

    @router.get("/tags")
    def lists() -> dict[str, Any]:
        """The lists by name, without their tags."""
        rows = [
            {"name": one.name, "digest": one.digest, "board": one.board, "problem": one.problem}
            for one in parts.tags.listed()
        ]
        return {"lists": rows}

    @router.get("/tags/{digest}")
    def tags(digest: str) -> Response:
        """The tags of a list; see `tag_file.packed`."""
        try:
            content = parts.tags.content(digest)
        except UnusableFileError as error:
            raise HTTPException(422, str(error)) from None
        if content is None:
            raise HTTPException(404, "There is no such list of tags any more.")
        return Response(content, media_type="text/plain; charset=utf-8", headers={"Cache-Control": FOR_EVER})

    @router.get("/prompt-words")
    async def words(request: Request) -> JSONResponse:
        """Networks, styles, and what extensions know, by kind. `problems` are sentences about what is not here."""
        found = await run_in_threadpool(_named, parts, index)
        told, problems = await _of_extensions(parts, request)
        return JSONResponse({**found, "wildcard": told, "problems": problems})

    return router


def _named(parts: Parts, index: CardIndex) -> dict[str, Any]:
    index.forget()  # notes beside files may have changed, and this is asked once for each page
    told: dict[str, Any] = {kind: [_row(one.card) for one in index.find(kind).cards] for kind in KINDS}
    try:
        told["style"] = list(parts.styles())
    except WebuiError:  # a file of styles is damaged: the picker of styles says so
        told["style"] = []
    return told


def _row(card: Card) -> dict[str, Any]:
    """A network; `tag` is its name in a tag, or what an embedding is called by, `words` what comes behind the tag."""
    words = card.text.partition(">")[2].strip() if card.kind != "embedding" else ""
    return {"name": card.name, "tag": card.tag or card.text, "weight": card.weight, "words": words, "base": card.base}


async def _of_extensions(parts: Parts, request: Request) -> tuple[list[str], list[str]]:
    names: dict[str, None] = {}
    problems: list[str] = []
    for extension in _speaking(parts):
        try:
            async with asyncio.timeout(PATIENCE):
                job = await run_in_threadpool(parts.engine.act, extension, ACTION, {})
                told = _WORDS.validate_python((await finished(job, request)).data)
        except (WebuiError, ValidationError, TimeoutError) as error:
            what = "they are not as they should be" if isinstance(error, ValidationError) else str(error) or "no answer"
            problems.append(f"{extension}: its words for prompts are left out: {what}")
        else:
            names |= dict.fromkeys(one.name for one in told[:MOST_WORDS])
    return list(names), problems


def _speaking(parts: Parts) -> Iterator[str]:
    for info in parts.engine.extensions.infos:
        if info.state == "ok" and any(action.name == ACTION and action.light for action in info.actions):
            yield info.name
