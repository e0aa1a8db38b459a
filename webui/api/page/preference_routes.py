"""The settings of the program and presets of the form, for the tab Settings. Other sites cannot send any of this: the
guard refuses their requests before they come here.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import InvalidBodyError, read_json
from webui.api.late_routes import Router
from webui.api.page.preference_messages import (
    NamePatterns,
    PresetName,
    SettingChanges,
    SettingResets,
    ShownOutcome,
    ShownSetting,
)
from webui.domain.saving import Saving
from webui.preferences.door import PreferencesDoor
from webui.preferences.name_example import name_example
from webui.preferences.preferences import Outcome, as_json, default_of
from webui.preferences.presets import Preset
from webui.preferences.setting import GROUPS, Setting, control_of
from webui.preferences.setting_rows import ROWS

BodyT = TypeVar("BodyT", bound=BaseModel)


def routes(door: PreferencesDoor) -> Router:
    """Settings are listed, changed, reset and exported; presets are listed, kept and deleted."""
    router = Router()
    _add_settings(router, door)
    _add_presets(router, door)
    return router


def _add_settings(router: Router, door: PreferencesDoor) -> None:
    preferences = door.preferences

    @router.get("/preferences")
    def listed(request: Request) -> dict[str, Any]:
        """Every setting, and the groups in their order."""
        may_widen = _may_widen(door, request)
        shown = [_shown(door, row, may_widen=may_widen).model_dump(mode="json") for row in ROWS]
        return {"groups": list(GROUPS), "settings": shown}

    @router.post("/preferences")
    async def change(request: Request) -> dict[str, Any]:
        """Set values. The answer is 200 also where all of them are refused; it says so of each."""
        wanted = await _read(request, SettingChanges)
        may_widen = _may_widen(door, request)
        outcomes = await run_in_threadpool(preferences.change, wanted.values, may_widen=may_widen)
        return _told(door, outcomes, may_widen=may_widen)

    @router.post("/preferences/reset")
    async def reset(request: Request) -> dict[str, Any]:
        """Set defaults again."""
        wanted = await _read(request, SettingResets)
        may_widen = _may_widen(door, request)
        outcomes = await run_in_threadpool(preferences.reset, wanted.names, may_widen=may_widen)
        return _told(door, outcomes, may_widen=may_widen)

    @router.post("/preferences/example")
    async def example(request: Request) -> dict[str, Any]:
        """The name that patterns would give to a picture."""
        wanted = await _read(request, NamePatterns)
        return {"name": name_example(Saving(**dict(wanted)), datetime.now().astimezone())}

    @router.get("/preferences/export")
    def export() -> JSONResponse:
        """What is not as usual, without secrets, as a file."""
        headers = {"Content-Disposition": 'attachment; filename="settings.json"', "Cache-Control": "no-store"}
        return JSONResponse(preferences.exported(), headers=headers)


def _add_presets(router: Router, door: PreferencesDoor) -> None:
    presets = door.presets

    def everything() -> dict[str, Any]:
        return {"presets": [one.model_dump(mode="json") for one in presets.all()]}

    @router.get("/presets")
    def listed() -> dict[str, Any]:
        return everything()

    @router.post("/presets")
    async def keep(request: Request) -> dict[str, Any]:
        """Keep one, in the place of that of the same name; the answer has all of them."""
        await run_in_threadpool(presets.keep, await _read(request, Preset))
        return everything()

    @router.post("/presets/delete")
    async def delete(request: Request) -> dict[str, Any]:
        wanted = await _read(request, PresetName)
        await run_in_threadpool(presets.delete, wanted.name)
        return everything()


def _shown(door: PreferencesDoor, row: Setting, *, may_widen: bool) -> ShownSetting:
    preferences, control = door.preferences, control_of(row)
    return ShownSetting(
        name=row.name,
        group=row.group,
        label=row.label,
        help=row.help,
        control=control.kind,
        choices=control.choices,
        low=control.low,
        high=control.high,
        whole=control.whole,
        value=preferences.value(row),
        default=None if row.secret else as_json(default_of(row.name)),
        changed=preferences.is_changed(row),
        counts=row.counts,
        given_by=preferences.given_by(row.name),
        locked=preferences.locked(row, may_widen=may_widen),
        pending=preferences.is_pending(row),
        secret=row.secret,
    )


def _told(door: PreferencesDoor, outcomes: Mapping[str, Outcome], *, may_widen: bool) -> dict[str, Any]:
    """What became of each, and the settings as they are now."""
    rows = [row for row in ROWS if row.name in outcomes]
    return {
        "outcomes": {name: ShownOutcome(state=one.state, text=one.text).model_dump() for name, one in outcomes.items()},
        "settings": [_shown(door, row, may_widen=may_widen).model_dump(mode="json") for row in rows],
    }


def _may_widen(door: PreferencesDoor, request: Request) -> bool:
    client = request.client.host if request.client is not None else ""
    return door.may_widen(client, request.headers)


async def _read(request: Request, kind: type[BodyT]) -> BodyT:
    try:
        return kind.model_validate(await read_json(request))
    except ValidationError as error:
        raise InvalidBodyError.of(error) from None
