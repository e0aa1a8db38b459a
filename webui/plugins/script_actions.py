"""Scripts of extensions as actions that the front asks for: the plan of one, or the next request of its steps.

Steps are run anew from their beginning for each request, with what became of those before. So nothing is kept in the
worker between two, and a worker that dies costs nothing.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import Field, JsonValue, ValidationError

from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.extensions import ScriptInfo
from webui.domain.images import Picture
from webui.domain.request import GenerationRequest
from webui.extension_api.action import Action, ActionContext, ActionResult
from webui.extension_api.options import Options
from webui.extension_api.script import Script, ScriptPlan, ScriptResult
from webui.plugins.options import read_options, schema_of

MOST_CELLS = 10_000


class MadeText(Options):
    """What became of a request: pictures in base64."""

    images: tuple[str, ...] = ()
    infotexts: tuple[str, ...] = ()
    error: str = ""


class ScriptCall(Options):
    """A question to a script.

    Attributes:
        request: as JSON.
        values: the script's options.
        done: what became of the requests before; None asks for the plan, or for the number of steps.
    """

    request: str
    values: dict[str, JsonValue] = Field(default_factory=dict)
    done: tuple[MadeText, ...] | None = None


def action_of(script: Script) -> Action:
    """The action that answers for a script; it is listed nowhere."""
    name = ScriptInfo.action_named(script.name)
    return Action(name, script.title, ScriptCall, partial(_answer, script), light=True)


def info_of(script: Script) -> ScriptInfo:
    """What the front knows of it."""
    return ScriptInfo(script.name, script.title, schema_of(script.options), script.tasks)


def fault_of(script: Script) -> str:
    """What is wrong with a declaration; "" for nothing."""
    if (script.plan is None) == (script.steps is None):
        return "should have either a plan or steps"
    if script.steps is not None and script.count is None:
        return "has steps, so it should have a count"
    return ""


def _answer(script: Script, call: ScriptCall, context: ActionContext) -> ActionResult:
    options = read_options(script.options, call.values, "script")
    request = GenerationRequest.model_validate_json(call.request)
    if call.done is not None:
        return ActionResult(data=_next(script, request, options, call.done))
    if script.plan is not None:
        return ActionResult(data=_planned(script.plan(request, options)))
    count = script.count(request, options) if script.count is not None else 0
    return ActionResult(data={"count": int(count)})


def _planned(plan: ScriptPlan) -> dict[str, JsonValue]:
    cells, axes = plan.cells, plan.axes
    expected = 1
    for axis in axes:
        expected *= len(axis.values)
    if not 0 < len(cells) <= MOST_CELLS or len(axes) > 3 or (axes and expected != len(cells)):
        raise WebuiError(
            f"the plan has {len(cells)} cells and axes of {[len(axis.values) for axis in axes]} values; "
            f"1 to {MOST_CELLS} cells fill 1 to 3 axes"
        )
    told: list[JsonValue] = [{"label": axis.label, "values": list(axis.values)} for axis in axes]
    return {"cells": [cell.model_dump_json() for cell in cells], "axes": told}


def _next(script: Script, request: GenerationRequest, options: Any, done: tuple[MadeText, ...]) -> dict[str, JsonValue]:
    """The request behind those that are done; an empty answer where there is none."""
    if script.steps is None:
        raise BadRequestError("done", "the script is a plan")
    steps = script.steps(request, options)
    try:
        given = next(steps)
        for one in done:
            given = steps.send(_result(one))
    except StopIteration:
        return {}
    except ValidationError as error:
        raise BadRequestError("script", error.errors(include_input=False)[0]["msg"]) from None
    finally:
        steps.close()
    return {"request": given.model_dump_json()}


def _result(made: MadeText) -> ScriptResult:
    return ScriptResult(tuple(Picture.from_base64(text) for text in made.images), made.infotexts, made.error)


def checked(found: Mapping[str, Script], script: object) -> str:
    """Why a script cannot be added to those of its extension; "" where it can."""
    if not isinstance(script, Script):
        return f"scripts returned {type(script).__name__}, expected a list of Script"
    if not script.name.isidentifier() or script.name in found:
        return f"scripts: the name {script.name!r} is taken, or is not of letters, digits and _"
    if fault := fault_of(script):
        return f"scripts: {script.name!r} {fault}"
    return ""
