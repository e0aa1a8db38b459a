"""`GET/POST /sdapi/v1/options` and `cmd-flags`: A1111's settings over the engine's starting values."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import InvalidBodyError, Loc, read_json
from webui.api.parts import Parts
from webui.api.sdapi.dialect.honoured import extension_settings, own_settings
from webui.api.sdapi.dialect.options import CHECKPOINT, NEUTRAL, OPTIONS, with_a1111_defaults
from webui.domain.errors import UnknownModelError, UnusableFileError
from webui.domain.parameters.leaves import replaced, value_at
from webui.domain.request import GenerationRequest
from webui.library.choice import first_choice
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary


def routes(parts: Parts) -> APIRouter:
    """Reading and changing settings."""
    router = APIRouter()
    engine = parts.engine

    @router.get("/sdapi/v1/options")
    def options() -> dict[str, Any]:
        return shown(parts, with_a1111_defaults(engine.starting_values()))

    @router.post("/sdapi/v1/options")
    async def change(request: Request) -> JSONResponse:
        data = await read_json(request)
        starting = with_a1111_defaults(engine.starting_values())
        now = await run_in_threadpool(shown, parts, starting)
        wanted = changes(own_settings(data, engine.extensions.infos), starting, now)
        checkpoint = wanted.get("checkpoint")
        if checkpoint is not None:
            await engine.aload(checkpoint)  # clients read the answer as "loaded"
        if wanted:
            await run_in_threadpool(engine.change_starting_values, wanted)
        return JSONResponse(None)

    @router.get("/sdapi/v1/cmd-flags")
    def cmd_flags() -> dict[str, Any]:
        return dict(parts.flags)

    return router


def shown(parts: Parts, starting: GenerationRequest) -> dict[str, Any]:
    """Every setting and its value, as A1111 spells them."""
    values = {option.key: option.encode(value_at(starting, option.path)) for option in OPTIONS.values()}
    file = current_checkpoint(parts.engine.library, starting.checkpoint)
    values[CHECKPOINT] = parts.engine.library.title(file) if file else starting.checkpoint
    values["sd_checkpoint_hash"] = (parts.engine.library.known_sha256(file) or "") if file else ""
    theirs = extension_settings(parts.engine.extensions.infos)
    return {**values, **NEUTRAL, **theirs, **parts.options.values()}


def current_checkpoint(library: ModelLibrary, alias: str) -> ModelFile | None:
    """The file of the starting checkpoint; where none is named, the one that is then used."""
    if not alias:
        with suppress(UnknownModelError):
            return first_choice(library)
        return None
    try:
        return library.checkpoint(alias)
    except (UnknownModelError, UnusableFileError):  # it was deleted or damaged since it was chosen
        return None


def changes(data: Mapping[str, Any], starting: GenerationRequest, now: Mapping[str, Any]) -> dict[str, Any]:
    """Changes of the starting values by dotted path; what equals its present value is left out.

    Raises:
        InvalidBodyError: naming the key that is unknown, fixed, or wrong.
    """
    wanted: dict[str, Any] = {}
    for key, value in data.items():
        if value is None or (key in now and now[key] == value) or key in NEUTRAL:
            continue
        option = OPTIONS.get(key)
        if option is not None:
            wanted[option.path] = option.decode(value)
        elif key in now:
            raise InvalidBodyError.at((key,), "can be changed only with the program's flags or settings.json", "fixed")
        else:
            raise InvalidBodyError.at((key,), "there is no such setting", "unknown")
    names = {option.path: option.key for option in OPTIONS.values()}

    def rename(loc: Loc) -> Loc:
        name = names.get(".".join(str(part) for part in loc))
        return (name,) if name else loc

    try:
        checked = replaced(starting, wanted)
    except ValidationError as error:
        raise InvalidBodyError.of(error, rename) from None
    return {path: value_at(checked, path) for path in wanted if value_at(checked, path) != value_at(starting, path)}
