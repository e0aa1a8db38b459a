"""`internal/page/learn/...`: recordings of runs, for the tab Learn, and having a picture made again with one.

Each answer is bounded by what is recorded at all (`engine/recordings.py` and the extension that records). Everybody
gets the recordings of the jobs that they see.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webui.api.body import read_as
from webui.api.late_routes import Router
from webui.api.page.example_run import EXAMPLE, example_run
from webui.api.page.learn_film import add_films
from webui.api.page.library_again import request_again
from webui.api.page.messages import LONGEST_ID, split_picture_id
from webui.api.page.prompt_places import PlacedWord, placed_words
from webui.api.page.tokens import ExplainQuestion, TokenCounting
from webui.api.page.viewer import Viewer, listed_job, viewer_of
from webui.api.parts import Parts
from webui.domain.errors import BadRequestError, WrongStateError
from webui.domain.request import GenerationRequest
from webui.domain.visitor import owner_of
from webui.imaging.step_atlas import atlas, layout
from webui.imaging.word_heat import point_heat, word_heat
from webui.library.choice import likely_family

PREFIX = "/internal/page/learn"
RECORDS = "records_runs"  # in the schema of options: the extension records runs where its `enabled` is set
KEPT = "private, max-age=31536000, immutable"  # the address tells how many steps there are
CLEAN_QUALITY = 92
ROWS: Mapping[str, int] = MappingProxyType({"latents": 3, "clean": 1})  # pictures of a step, by the kind of atlas
MOST_STEPS = 150


class MutedWords(BaseModel):
    """What the picture is to be made without: words, or places of tokens in the context of its prompt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: list[str] = Field(default_factory=list, max_length=8)
    tokens: list[int] = Field(default_factory=list, max_length=300)


class TakeApart(BaseModel):
    """A picture whose run is to be recorded: `job/index`, or `library:number`; `blocks` scales parts of the network,
    `self_attention` records where places of the picture look, too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    picture: str = Field(max_length=LONGEST_ID)
    blocks: dict[str, float] = Field(default_factory=dict, max_length=46)
    self_attention: bool = False
    muted: MutedWords | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What the extension that records is asked; what is as usual is not named."""
        told: dict[str, Any] = {"enabled": True, "blocks": self.blocks}
        if self.self_attention:
            told["self_attention"] = True
        return told if self.muted is None else {**told, "muted": self.muted.model_dump()}


def routes(parts: Parts) -> Router:
    """The routes. What takes long is done in threads."""
    router = Router(prefix=PREFIX, include_in_schema=False)
    _add_recordings(router, parts)
    add_films(router, lambda request, job: _recording(parts, request, job)[1])

    @router.get("/runs")
    def runs(request: Request) -> list[dict[str, Any]]:
        """The recordings that there are, the newest first."""
        viewer = viewer_of(parts, request)
        return [told for job in reversed(parts.engine.recordings.jobs) if (told := _row(parts, viewer, job))]

    @router.post("/runs")
    async def take_apart(request: Request) -> JSONResponse:
        """Make a picture again and record its run. It is a job like any other; its picture is not saved."""
        wanted = await read_as(request, TakeApart)
        parts.refuse_when_closing()
        viewer, owner = viewer_of(parts, request), owner_of(request)
        job = await run_in_threadpool(_taken_apart, parts, viewer, owner, wanted)
        return JSONResponse({"job": job})

    return router


def _add_recordings(router: Router, parts: Parts) -> None:
    counting = TokenCounting(parts.engine, parts.styles)

    @router.get("/{job}/run")
    def run(request: Request, job: str) -> dict[str, Any]:
        """What is known of the run by now: its steps, blocks and words."""
        if job != EXAMPLE and "run" not in parts.engine.recordings.of(job):
            listed_job(parts, viewer_of(parts, request), job)
            return {"job": job, "is_done": False, "steps": []}
        made, kept = _recording(parts, request, job)
        told: dict[str, Any] = json.loads(kept["run"])
        words = [_shown(word) for word in _words(parts, counting, made, told)]
        count = len(told["steps"])
        laid = {name: asdict(layout(_numbered(kept, name)[:count], rows)) for name, rows in ROWS.items()}
        return {**told, "job": job, "prompt": made.prompt, "seed": made.seed, "words": words, "atlas": laid}

    @router.get("/{job}/{rows}.webp")
    def frames(request: Request, job: str, rows: Literal["latents", "clean"], count: int = Query(ge=1)) -> Response:
        """The pictures of the first `count` steps: noisy latents, predicted noise and guidance, or clean estimates."""
        _, kept = _recording(parts, request, job)
        strips = _numbered(kept, rows)[: min(count, MOST_STEPS)]
        made = atlas(strips, ROWS[rows], quality=None if rows == "latents" else CLEAN_QUALITY)
        return Response(made, 200, {"Cache-Control": KEPT}, "image/webp")

    @router.get("/{job}/words/{index}")
    def word(request: Request, job: str, index: int, count: int = Query(ge=1)) -> Response:
        """The maps of a word; see `word_heat`."""
        made, kept = _recording(parts, request, job)
        told = json.loads(kept["run"])
        words = _words(parts, counting, made, told)
        if not 0 <= index < len(words):
            raise HTTPException(404, "the prompt has no such word")
        steps = _numbered(kept, "maps")[: min(count, MOST_STEPS)]
        try:
            heat = word_heat(steps, len(told["blocks"]), told["grid"], words[index].tokens)
        except ValueError as error:
            raise HTTPException(404, f"{words[index].text}: {error}") from None
        return Response(heat, 200, {"Cache-Control": KEPT}, "application/octet-stream")

    @router.get("/{job}/point")
    def point(request: Request, job: str, x: int = Query(ge=0), y: int = Query(ge=0), count: int = Query(ge=1)) -> Any:
        """The maps of a cell of the grid: where it looks; see `point_heat`."""
        _, kept = _recording(parts, request, job)
        told = json.loads(kept["run"])
        steps = _numbered(kept, "self")[: min(count, MOST_STEPS)]
        try:
            heat = point_heat(steps, len(told["looking"]), told["grid"], (x, y))
        except ValueError as error:
            raise HTTPException(404, str(error)) from None
        return Response(heat, 200, {"Cache-Control": KEPT}, "application/octet-stream")

    @router.get("/{job}/part/{name}")
    def part(request: Request, job: str, name: str) -> Response:
        """A part of the recording as the extension left it."""
        _, kept = _recording(parts, request, job)
        if name not in kept:
            raise HTTPException(404, f"the recording has no part {name!r}")
        return Response(kept[name], 200, {"Cache-Control": "no-store"}, "application/octet-stream")


def _recording(parts: Parts, request: Request, job_id: str) -> tuple[GenerationRequest, Mapping[str, bytes]]:
    """The request of a job and its recording. Raises HTTPException (404) where there is none to see."""
    if job_id == EXAMPLE:
        return example_run().request, example_run().parts
    job = listed_job(parts, viewer_of(parts, request), job_id)
    kept = parts.engine.recordings.of(job_id)
    if "run" not in kept or not isinstance(job.work, GenerationRequest):
        raise HTTPException(404, "no step of this job was recorded; only the latest three recordings are kept")
    made = next((image.request for image in job.images if image.index == 0), job.work)
    return made, kept


def _row(parts: Parts, viewer: Viewer, job_id: str) -> dict[str, Any] | None:
    """A recording in the list; None where the viewer may not see it, or nothing of it is there."""
    job = parts.engine.overview.find(job_id)
    kept = parts.engine.recordings.of(job_id)
    if job is None or not viewer.sees(job.owner) or "run" not in kept or not isinstance(job.work, GenerationRequest):
        return None
    told = json.loads(kept["run"])
    return {
        "job": job_id, "prompt": job.work.prompt, "is_done": told["is_done"], "steps": len(told["steps"]),
        "muted": told.get("muted"), "scales": told.get("scales") or {},
    }  # fmt: skip


def _words(
    parts: Parts, counting: TokenCounting, made: GenerationRequest, told: Mapping[str, Any]
) -> tuple[PlacedWord, ...]:
    """The words that the text encoder read: those of the prompt, or of another text that the recording names."""
    question = ExplainQuestion(
        prompt=told.get("text") or made.prompt, steps=min(made.steps, MOST_STEPS), checkpoint=made.checkpoint,
        sampler=made.sampler, rules=made.prompting.model_dump(mode="json"),
    )  # fmt: skip
    size = likely_family(parts.engine.library, made.checkpoint).text.chunk
    return placed_words(counting.explain(question)["prompt"], size)


def _shown(word: PlacedWord) -> dict[str, Any]:
    return {"text": word.text, "weight": word.weight, "tokens": list(word.tokens), "is_sign": word.is_sign}


def _numbered(kept: Mapping[str, bytes], name: str) -> list[bytes]:
    """The parts `name_0`, `name_1` ... in order. Those of maps may be fewer than the steps."""
    found = [(int(key.rpartition("_")[2]), data) for key, data in kept.items() if key.rpartition("_")[0] == name]
    if not found:
        raise HTTPException(404, f"nothing of this kind was recorded ({name})")
    return [data for _, data in sorted(found, key=lambda one: one[0])]


def _taken_apart(parts: Parts, viewer: Viewer, owner: str, wanted: TakeApart) -> str:
    """Submit the job. Raises WebuiError where it cannot be made again, or nothing records."""
    made = _request_of(parts, viewer, wanted.picture)
    recorder = next(
        (one.name for one in parts.engine.extensions.infos if one.state == "ok" and (one.options or {}).get(RECORDS)),
        None,
    )
    if recorder is None:
        raise WrongStateError("no extension records runs; switch one on that does, such as the one that is bundled")
    alone = made.with_(batch_size=1, n_iter=1, extensions={**made.extensions, recorder: wanted.options})
    return parts.engine.submit(alone, save=False, owner=owner).id


def _request_of(parts: Parts, viewer: Viewer, picture: str) -> GenerationRequest:
    if picture.startswith("library:"):
        number = picture.removeprefix("library:")
        if parts.library is None or not number.isdecimal():
            raise BadRequestError("picture", "there is no such picture in the Library")
        return request_again(parts.library, int(number), viewer.only)
    place = split_picture_id(picture)
    if place == (EXAMPLE, 0):
        return example_run().request
    if place is None:
        raise BadRequestError("picture", "should be the id of a picture: job/index, or library:number")
    job = listed_job(parts, viewer, place[0])
    found = next((image for image in job.images if image.index == place[1]), None)
    if found is None:
        raise BadRequestError("picture", "this picture is not in memory any more; open it in the Library")
    return found.request
