"""Routes that make images, and those that stop them. A route waits on a job and never holds a thread."""

from dataclasses import replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webui.api.body import drain, read_json
from webui.api.described import body_of
from webui.api.jobs import LONGEST_NAME, user_of
from webui.api.late_routes import Router
from webui.api.parts import EncodedImage, GridFolder, Parts, as_png
from webui.api.picture_answer import picture_answer
from webui.api.sdapi.dialect import answers
from webui.api.sdapi.dialect.experiment import answer, experiment_of, surroundings
from webui.api.sdapi.dialect.grids import grid_image
from webui.api.sdapi.dialect.honoured import extension_settings, own_settings
from webui.api.sdapi.dialect.infotext import IMG2IMG_FIELDS, TXT2IMG_FIELDS, filled_in
from webui.api.sdapi.dialect.models import GenerationBody, Img2ImgBody, Txt2ImgBody
from webui.api.sdapi.dialect.request_settings import RequestSettings, settings_of
from webui.api.sdapi.dialect.translate import read_body, setting_changes, translated
from webui.api.waiting import finished
from webui.domain.errors import BadRequestError, Cancelled, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Notice
from webui.engine.sheets import WaysOfSaving
from webui.experiments.course import Experiment, Shown


def routes(parts: Parts) -> Router:
    """Generation and its control."""
    router = Router()
    engine = parts.engine

    @router.post("/sdapi/v1/txt2img", openapi_extra=body_of(Txt2ImgBody, required=False))
    async def txt2img(request: Request) -> Response:
        data = await read_json(request)
        return await _answer(parts, request, Txt2ImgBody, data, TXT2IMG_FIELDS)

    @router.post("/sdapi/v1/img2img", openapi_extra=body_of(Img2ImgBody, required=False))
    async def img2img(request: Request) -> Response:
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


async def _answer(
    parts: Parts, request: Request, kind: type[GenerationBody], data: dict[str, Any], of_infotext: frozenset[str]
) -> Response:
    """Generate what a body asks for; `of_infotext` are the fields that its infotext may fill in."""
    parts.refuse_when_closing()
    engine, infos = parts.engine, parts.engine.extensions.infos
    sent = await run_in_threadpool(filled_in, data, of_infotext, infos)
    body = read_body(sent, kind)
    settings = settings_of(body.override_settings, parts.chosen, extension_settings(infos))
    # decodes pictures
    wanted = await run_in_threadpool(
        translated, body, engine.starting_values(), infos, sent, posted=parts.chosen.posted()
    )
    try:
        await run_in_threadpool(parts.check_files, wanted.request)
        experiment = await run_in_threadpool(_experiment, parts, wanted.request, body, settings)
        if experiment is None:
            result = settings.told(await _made(parts, wanted.request, body, settings, request))
        else:
            shown = await _done(parts, experiment, body, settings, request)
    except BadRequestError as error:
        raise wanted.refusal(error) from None
    if not body.override_settings_restore_afterwards and body.override_settings:
        changes = setting_changes(own_settings(body.override_settings, infos))
        await run_in_threadpool(engine.change_starting_values, changes)
        await run_in_threadpool(parts.chosen.change, settings.kept)
    if experiment is not None:
        return await run_in_threadpool(_shown, parts, body, shown, settings)
    return await run_in_threadpool(_written, parts, body, result, settings)


def _experiment(
    parts: Parts, wanted: GenerationRequest, body: GenerationBody, settings: RequestSettings
) -> Experiment | None:
    """What the body's script makes of the request; None where it names none. Raises BadRequestError."""
    if not body.script_name:
        return None
    engine = parts.engine
    around = surroundings(body, engine.library, tuple(parts.styles()), settings.grid, engine.extensions.infos)
    return experiment_of(body, wanted, around, engine.plots.scripts())


async def _done(
    parts: Parts, experiment: Experiment, body: GenerationBody, settings: RequestSettings, request: Request
) -> Shown:
    """Begin an experiment and wait for its end."""
    task = (body.force_task_id or "")[:LONGEST_NAME]
    job = await run_in_threadpool(
        parts.engine.experiment,
        experiment,
        save=_saves(parts, body, settings),
        ways=WaysOfSaving(grids=settings.grid.saved, cells=settings.saving, sheets=settings.grid.saving),
        owner=user_of(request),
        task=task,
        answered=True,
    )
    shown = await finished(job, request)
    return replace(shown, notices=(*shown.notices, *settings.notices))


def _shown(parts: Parts, body: GenerationBody, shown: Shown, settings: RequestSettings) -> Response:
    """The answer of an experiment."""
    pictures = [picture.image for picture in shown.pictures] if body.send_images else []
    encoded = [parts.encode(image, settings.saving).data for image in pictures]
    return picture_answer(answer(body, shown, parts.engine.extensions.infos), "images", encoded)


def _saves(parts: Parts, body: GenerationBody, settings: RequestSettings) -> bool:
    return (body.save_images and settings.saves) or parts.save_always


async def _made(
    parts: Parts, wanted: GenerationRequest, body: GenerationBody, settings: RequestSettings, request: Request
) -> GenerationResult:
    """Submit and wait. A job that the user stopped before its first image is an answer without images."""
    save = _saves(parts, body, settings)
    task = (body.force_task_id or "")[:LONGEST_NAME]
    job = await run_in_threadpool(
        parts.engine.submit, wanted, save=save, saving=settings.saving, owner=user_of(request), task=task
    )
    if not settings.previews:
        parts.previews.hide(job.id)
    try:
        return await finished(job, request)
    except Cancelled:
        return GenerationResult(wanted, (), ModelFacts("", ""), interrupted=True)


def _written(parts: Parts, body: GenerationBody, result: GenerationResult, settings: RequestSettings) -> Response:
    """The answer. Pictures become files and text here, in a thread: both take long for an event loop."""
    grid = grid_image(result, settings.grid) if body.save_images else None
    if grid is not None and settings.grid.saved:
        result = _with_saved_grid(parts, result, grid, settings)
    shown = grid if settings.grid.returned else None
    encoded = _encoded(parts, result, shown, settings) if body.send_images else []
    told = answers.generation(body, result, parts.engine.extensions.infos, shown)
    return picture_answer(told, "images", [image.data for image in encoded])


def _with_saved_grid(
    parts: Parts, result: GenerationResult, grid: GeneratedImage, settings: RequestSettings
) -> GenerationResult:
    """The result, with a notice where the grid could not be saved."""
    folder: GridFolder = "txt2img-grids" if result.request.task.kind == "txt2img" else "img2img-grids"
    try:
        parts.save_grid(grid, folder=folder, job=result.request, saving=settings.grid.saving)
    except WebuiError as error:
        return replace(result, notices=(*result.notices, Notice("output", f"the grid was not saved: {error}")))
    return result


def _encoded(
    parts: Parts, result: GenerationResult, grid: GeneratedImage | None, settings: RequestSettings
) -> list[EncodedImage]:
    """The grid; each picture followed by what was asked for beside it, which has no text; what extensions show."""
    every = [] if grid is None else [grid]
    for one in result.images:
        every += [one, *(replace(one, image=extra, infotext="", path="") for extra in one.attachments)]
    return [parts.encode(image, settings.saving) for image in every] + [as_png(image) for image in result.extras]
