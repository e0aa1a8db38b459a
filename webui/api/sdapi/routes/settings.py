"""`GET/POST /sdapi/v1/options` and `cmd-flags`: A1111's settings over the engine's starting values."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, cast

from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import InvalidBodyError, Loc, read_json
from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.api.sdapi.dialect.chosen import default_of, typed
from webui.api.sdapi.dialect.file_options import colour, grid_rules, saving_of
from webui.api.sdapi.dialect.honoured import extension_settings
from webui.api.sdapi.dialect.options import (
    CHECKPOINT,
    CHECKPOINT_HASH,
    OPTIONS,
    TASK_ROWS,
    is_known,
    with_a1111_defaults,
)
from webui.domain.errors import UnknownModelError, UnusableFileError
from webui.domain.parameters.leaves import leaves, replaced, value_at
from webui.domain.request import GenerationRequest
from webui.library.choice import first_choice
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary


def routes(parts: Parts) -> Router:
    """Reading and changing settings."""
    router = Router()
    engine = parts.engine

    @router.get("/sdapi/v1/options")
    def options() -> dict[str, Any]:
        return shown(parts, with_a1111_defaults(engine.starting_values()))

    @router.post("/sdapi/v1/options")
    async def change(request: Request) -> JSONResponse:
        data = await read_json(request)
        starting = with_a1111_defaults(engine.starting_values())
        now = await run_in_threadpool(shown, parts, starting)
        theirs = extension_settings(engine.extensions.infos)
        kept = await run_in_threadpool(kept_values, data, now, theirs)
        wanted = changes(data, starting, now)
        checkpoint = wanted.get("checkpoint")
        if checkpoint is not None:
            await engine.aload(checkpoint)  # clients read the answer as "loaded"
        if wanted:
            await run_in_threadpool(engine.change_starting_values, wanted)
        await run_in_threadpool(parts.chosen.change, kept)
        return JSONResponse(None)

    @router.get("/sdapi/v1/cmd-flags")
    def cmd_flags() -> dict[str, Any]:
        return dict(parts.flags)

    return router


def shown(parts: Parts, starting: GenerationRequest) -> dict[str, Any]:
    """Every setting and its value, as A1111 spells them."""
    values = parts.chosen.values(extension_settings(parts.engine.extensions.infos))
    values |= {option.key: option.encode(value_at(starting, option.path)) for option in OPTIONS.values()}
    file = current_checkpoint(parts.engine.library, starting.checkpoint)
    values[CHECKPOINT] = parts.engine.library.title(file) if file else starting.checkpoint
    values[CHECKPOINT_HASH] = (parts.engine.library.known_sha256(file) or "") if file else ""
    return values


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


def kept_values(data: Mapping[str, Any], now: Mapping[str, Any], extensions: Mapping[str, Any]) -> dict[str, Any]:
    """Of what was posted, the settings that are no starting values, checked; what equals its present value is left out.

    Args:
        now: every setting with its present value.
        extensions: the settings that extensions declare, with their defaults.

    Raises:
        InvalidBodyError: naming the key that is unknown or wrong.
    """
    kept: dict[str, Any] = {}
    for key, value in data.items():
        if key in OPTIONS or (
            key in now and now[key] == value and isinstance(now[key], bool) == isinstance(value, bool)
        ):
            continue
        if not is_known(key) and key not in extensions:
            raise InvalidBodyError.at((key,), "there is no such setting", "unknown")
        if key == CHECKPOINT_HASH:
            raise InvalidBodyError.at((key,), f"follows {CHECKPOINT}; set that", "fixed")
        default = extensions.get(key, default_of(key))
        if value is None and default is not None:
            raise InvalidBodyError.at((key,), "null is no value of this setting", "none")
        kept[key] = typed(key, value, default, (key,))
    after = {**now, **kept}
    saving_of(after)
    grid_rules(after)
    colour(after, "img2img_background_color")
    for key in kept.keys() & TASK_ROWS.keys():
        _check_leaf(key, kept[key])
    return kept


def _check_leaf(key: str, value: Any) -> None:
    """Whether a field of requests takes the value of the setting."""
    row = TASK_ROWS[key]
    field = next(field for path, field in leaves() if path == row.path)
    wanted: Any = Annotated[cast(Any, field.annotation), field]
    try:
        TypeAdapter(wanted).validate_python(row.option_codec.decode(value))
    except ValidationError as error:
        raise InvalidBodyError.of(error, lambda _: (key,)) from None


def changes(data: Mapping[str, Any], starting: GenerationRequest, now: Mapping[str, Any]) -> dict[str, Any]:
    """Changes of the starting values by dotted path; what equals its present value is left out.

    Raises:
        InvalidBodyError: naming the key that is wrong.
    """
    wanted = {
        OPTIONS[key].path: OPTIONS[key].decode(value)
        for key, value in data.items()
        if key in OPTIONS and value is not None and now.get(key) != value
    }
    names = {option.path: option.key for option in OPTIONS.values()}

    def rename(loc: Loc) -> Loc:
        name = names.get(".".join(str(part) for part in loc))
        return (name,) if name else loc

    try:
        checked = replaced(starting, wanted)
    except ValidationError as error:
        raise InvalidBodyError.of(error, rename) from None
    return {path: value_at(checked, path) for path in wanted if value_at(checked, path) != value_at(starting, path)}
