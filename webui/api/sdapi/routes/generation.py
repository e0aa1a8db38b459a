"""Routes that make images, and those that stop them. A route waits on a job and never holds a thread."""

import asyncio
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import drain, read_json
from webui.api.jobs import LONGEST_NAME, user_of
from webui.api.parts import EncodedImage, Parts, as_png
from webui.api.sdapi.dialect import answers
from webui.api.sdapi.dialect.honoured import own_settings
from webui.api.sdapi.dialect.infotext import IMG2IMG_FIELDS, TXT2IMG_FIELDS, filled_in
from webui.api.sdapi.dialect.models import GenerationBody, Img2ImgBody, Txt2ImgBody
from webui.api.sdapi.dialect.translate import read_body, setting_changes, to_request
from webui.api.waiting import finished
from webui.domain.errors import Cancelled
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult, ModelFacts


def routes(parts: Parts) -> APIRouter:
    """Generation and its control."""
    router = APIRouter()
    engine = parts.engine

    @router.post("/sdapi/v1/txt2img", openapi_extra=_schema(Txt2ImgBody))
    async def txt2img(request: Request) -> JSONResponse:
        data = await read_json(request)
        return await _answer(parts, request, Txt2ImgBody, data, TXT2IMG_FIELDS)

    @router.post("/sdapi/v1/img2img", openapi_extra=_schema(Img2ImgBody))
    async def img2img(request: Request) -> JSONResponse:
        data = await read_json(request)
        return await _answer(parts, request, Img2ImgBody, data, IMG2IMG_FIELDS)

    @router.post("/sdapi/v1/interrupt")
    async def interrupt(request: Request) -> JSONResponse:
        await drain(request)
        await run_in_threadpool(engine.interrupt)
        return JSONResponse({})

    @router.post("/sdapi/v1/skip")
    async def skip(request: Request) -> JSONResponse:
        await drain(request)
        await run_in_threadpool(engine.skip)
        return JSONResponse(None)

    return router


def _schema(kind: type[GenerationBody]) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"schema": kind.model_json_schema()}}}}


async def _answer(
    parts: Parts, request: Request, kind: type[GenerationBody], data: dict[str, Any], of_infotext: frozenset[str]
) -> JSONResponse:
    """Generate what a body asks for; `of_infotext` are the fields that its infotext may fill in."""
    parts.refuse_when_closing()
    sent = await run_in_threadpool(filled_in, data, of_infotext)
    body = read_body(sent, kind)
    engine, infos = parts.engine, parts.engine.extensions.infos
    wanted = await run_in_threadpool(to_request, body, engine.starting_values(), infos, sent)  # decodes pictures
    result = await _made(parts, wanted, body, request)
    if not body.override_settings_restore_afterwards and body.override_settings:
        changes = setting_changes(own_settings(body.override_settings, infos))
        await run_in_threadpool(engine.change_starting_values, changes)
    encoded = await _encoded(parts, result) if body.send_images else []
    return JSONResponse(answers.generation(body, result, encoded, infos))


async def _made(parts: Parts, wanted: GenerationRequest, body: GenerationBody, request: Request) -> GenerationResult:
    """Submit and wait. A job that the user stopped before its first image is an answer without images."""
    save = body.save_images or parts.save_always
    task = (body.force_task_id or "")[:LONGEST_NAME]
    job = await run_in_threadpool(parts.engine.submit, wanted, save=save, owner=user_of(request), task=task)
    try:
        return await finished(job, request)
    except Cancelled:
        return GenerationResult(wanted, (), ModelFacts("", ""), interrupted=True)


async def _encoded(parts: Parts, result: GenerationResult) -> list[EncodedImage]:
    """Each picture followed by what was asked for beside it, which carries no text; last what extensions show."""
    beside = [[replace(one, image=extra, infotext="", path="") for extra in one.attachments] for one in result.images]
    every = [image for one, extras in zip(result.images, beside, strict=True) for image in (one, *extras)]
    tasks: list[Any] = [run_in_threadpool(parts.encode, image) for image in every]
    tasks += [run_in_threadpool(as_png, image) for image in result.extras]
    return list(await asyncio.gather(*tasks))
